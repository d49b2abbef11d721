package main

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func Example() {
	if err := run(nil, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Behind Tue 2024-12-24 09:30 these fire next:
	//
	//   rate(90 minutes)                Tue 2024-12-24 11:00  Tue 2024-12-24 12:30  Tue 2024-12-24 14:00
	//   cron(0/30 20-23 ? * MON-FRI *)  Tue 2024-12-24 20:00  Tue 2024-12-24 20:30  Tue 2024-12-24 21:00
	//   cron(0 12 LW * ? *)             Tue 2024-12-31 12:00  Fri 2025-01-31 12:00  Fri 2025-02-28 12:00
	//   cron(0 2 ? * SAT#3 *)           Sat 2025-01-18 02:00  Sat 2025-02-15 02:00  Sat 2025-03-15 02:00
	//
	// This never fires:
	//
	//   schedule: Parameter ScheduleExpression is not valid. Reason: want "?", since the day of the month is not, got "MON" (offset 13 in "cron(0 9 * * MON *)")
	//
	// The nights since then are due. Two are caught up with:
	//
	//   5 nights skipped, the last of them 2024-12-29
	//   report of 2024-12-30 {"full":true}
	//   report of 2024-12-31 {"full":true}
}

func TestUsage(t *testing.T) {
	assert.ErrorContains(t, run([]string{"--help"}, io.Discard), "usage")
}
