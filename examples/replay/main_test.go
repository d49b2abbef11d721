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
	// The day's invoices; since a release at noon the quantity is forgotten:
	//
	//   09:05  O-1  1 x lamp     49.00
	//   10:40  O-2  4 x chair   356.00
	//   13:20  O-3  1 x table   349.00
	//   14:55  O-4  6 x chair    89.00  wrong
	//   13:58  O-5  2 x lamp     49.00  wrong
	//   17:30  O-6  3 x rug     129.00  wrong
	//
	// It is fixed. What was ordered from 12:00 to 18:00 is replayed:
	//
	//   [#####...............] 1 of 4, up to 13:20
	//   [##########..........] 2 of 4, up to 13:58
	//   [###############.....] 3 of 4, up to 14:55
	//   [####################] 4 of 4, up to 17:30
	//   COMPLETED
	//
	// The day's invoices now:
	//
	//   09:05  O-1  1 x lamp     49.00
	//   10:40  O-2  4 x chair   356.00
	//   13:20  O-3  1 x table   349.00  written again
	//   14:55  O-4  6 x chair   534.00  written again
	//   13:58  O-5  2 x lamp     98.00  written again
	//   17:30  O-6  3 x rug     387.00  written again
	//
	// 6 mails were sent: the replay goes to the rule of invoices alone.
	// 6 events are in the archive: replayed ones are not kept again.
}

func TestUsage(t *testing.T) {
	assert.ErrorContains(t, run([]string{"--help"}, io.Discard), "usage")
}
