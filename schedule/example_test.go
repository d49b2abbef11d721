package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/schedule"
)

// The last working day of each month, at noon.
func ExampleExpression_Next() {
	e, err := schedule.Parse("cron(0 12 LW * ? *)")
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 11, 24, 22, 5, 0, 0, time.UTC)
	for range 3 {
		at = e.Next(at)
		fmt.Println(at.Format("Mon 2006-01-02 15:04"))
	}
	// Output:
	// Mon 2026-11-30 12:00
	// Thu 2026-12-31 12:00
	// Fri 2027-01-29 12:00
}

// An expression that is refused says where and why.
func ExampleParse() {
	_, err := schedule.Parse("cron(0 12 * * MON *)")
	fmt.Println(err)
	var refused *schedule.ParseError
	if errors.As(err, &refused) {
		fmt.Println(refused.Offset, refused.Got)
	}
	// Output:
	// schedule: Parameter ScheduleExpression is not valid. Reason: want "?", since the day of the month is not, got "MON" (offset 14 in "cron(0 12 * * MON *)")
	// 14 "MON"
}

// A rule that was not run for years publishes the latest of the firings it has missed.
func ExampleRun() {
	ctx := context.Background()
	bus := footbridge.New(nil)
	err := bus.PutRule(footbridge.Rule{
		Name:    "scheduled",
		Pattern: footbridge.MustCompile(`{"source":["aws.events"],"detail-type":["Scheduled Event"]}`),
		Targets: []footbridge.Target{footbridge.Func("print", func(_ context.Context, e footbridge.Event) error {
			fmt.Println(e.Time.Format(time.RFC3339), e.Resources, string(e.Detail))
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
	}
	err = schedule.Run(ctx, bus, []schedule.Rule{{
		Name:       "new-years-eve",
		Expression: schedule.MustParse("cron(0 18 31 12 ? 2020-2024)"),
		Detail:     []byte(`{"toast":true}`),
		After:      time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC),
	}}, &schedule.Options{Report: func(r schedule.Report) {
		if r.Skipped > 0 {
			fmt.Println(r.Skipped, "skipped, the last of", r.Time.Format(time.RFC3339))
		}
	}})
	if err != nil { // Run is over when no rule fires any more
		fmt.Println(err)
	}
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 skipped, the last of 2023-12-31T18:00:00Z
	// 2024-12-31T18:00:00Z [arn:aws:events:us-east-1:000000000000:rule/new-years-eve] {"toast":true}
}
