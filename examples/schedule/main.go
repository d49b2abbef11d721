// Schedule shows rules that fire by the clock: when expressions fire, how one that is
// wrong is refused, and how a rule that was not run for days catches up.
//
//	go run ./examples/schedule
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/schedule"
)

// The clock of this example stands at a Tuesday morning, so that its screen is the same
// on every day.
var start = time.Date(2024, 12, 24, 9, 30, 0, 0, time.UTC)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schedule:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) > 0 {
		return errors.New("usage: schedule")
	}
	fmt.Fprintf(out, "Behind %s these fire next:\n\n", start.Format("Mon 2006-01-02 15:04"))
	for _, text := range []string{
		"rate(90 minutes)",
		"cron(0/30 20-23 ? * MON-FRI *)", // each half hour of weekday evenings
		"cron(0 12 LW * ? *)",            // at noon of a month's last working day
		"cron(0 2 ? * SAT#3 *)",          // in the night of its third Saturday
	} {
		e, err := schedule.Parse(text)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-30s", e)
		at := start
		for range 3 {
			at = e.Next(at)
			fmt.Fprint(out, at.Format("  Mon 2006-01-02 15:04"))
		}
		fmt.Fprintln(out)
	}
	_, err := schedule.Parse("cron(0 9 * * MON *)")
	fmt.Fprintf(out, "\nThis never fires:\n\n  %v\n\n", err)
	return catchUp(out)
}

// catchUp runs a nightly report whose process was down for the last week of 2024.
func catchUp(out io.Writer) error {
	ctx := context.Background()
	bus := footbridge.New(nil)
	report := footbridge.Func("report", func(_ context.Context, e footbridge.Event) error {
		fmt.Fprintln(out, "  report of", e.Time.Format(time.DateOnly), string(e.Detail))
		return nil
	})
	report.Concurrency = 1 // one report after the other
	err := bus.PutRule(footbridge.Rule{
		Name:    "reports",
		Pattern: footbridge.MustCompile(`{"source":["aws.events"],"resources":[{"suffix":":rule/nightly"}]}`),
		Targets: []footbridge.Target{report},
	})
	if err != nil {
		return err
	}
	fmt.Fprint(out, "The nights since then are due. Two are caught up with:\n\n")
	// The expression's last year ends the run; another runs until its context ends.
	err = schedule.Run(ctx, bus, []schedule.Rule{{
		Name:       "nightly",
		Expression: schedule.MustParse("cron(0 2 * * ? 2024)"),
		Detail:     []byte(`{"full":true}`),
		After:      start,
	}}, &schedule.Options{
		CatchUp: 2,
		Report: func(r schedule.Report) {
			if r.Skipped > 0 {
				fmt.Fprintf(out, "  %d nights skipped, the last of them %s\n", r.Skipped, r.Time.Format(time.DateOnly))
			}
		},
	})
	if err != nil {
		return err
	}
	return bus.Close(ctx) // drains
}
