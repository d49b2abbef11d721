// Replay shows an archive: a shop's orders are kept in files; a bug spoils the invoices of
// some hours; it is fixed, and those hours are replayed to the fixed rule.
//
//	go run ./examples/replay
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

// clock returns a time of the day that this example is about.
func clock(hour, minute int) time.Time { return time.Date(2026, 11, 24, hour, minute, 0, 0, time.UTC) }

// morning and afternoon are the orders before and behind the release of the bug.
var (
	morning = []order{
		{clock(9, 5), "O-1", "lamp", 1, 4900},
		{clock(10, 40), "O-2", "chair", 4, 8900},
	}
	afternoon = []order{
		{clock(13, 20), "O-3", "table", 1, 34900},
		{clock(14, 55), "O-4", "chair", 6, 8900},
		{clock(13, 58), "O-5", "lamp", 2, 4900}, // it comes late
		{clock(17, 30), "O-6", "rug", 3, 12900},
	}
)

func run(args []string, out io.Writer) (err error) {
	if len(args) > 0 {
		return errors.New("usage: replay")
	}
	dir, err := os.MkdirTemp("", "footbridge-replay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := archive.OpenFiles(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	orders, err := archive.New(archive.Options{
		Name:      "orders",
		Pattern:   footbridge.MustCompile(`{"detail-type":["Order Placed"]}`),
		Retention: 30 * 24 * time.Hour,
		Store:     store,
	})
	if err != nil {
		return err
	}

	ctx := context.Background()
	shop := &shop{bus: footbridge.New(nil)}
	for _, r := range []footbridge.Rule{orders.Rule(), shop.mails(), shop.invoices(byQuantity)} {
		if err := shop.bus.PutRule(r); err != nil {
			return err
		}
	}
	if err := shop.take(ctx, morning); err != nil {
		return err
	}
	if err := shop.bus.PutRule(shop.invoices(quantityForgotten)); err != nil { // the release at noon
		return err
	}
	if err := shop.take(ctx, afternoon); err != nil {
		return err
	}
	fmt.Fprint(out, "The day's invoices; since a release at noon the quantity is forgotten:\n\n")
	shop.print(out)

	if err := shop.bus.PutRule(shop.invoices(byQuantity)); err != nil {
		return err
	}
	fmt.Fprint(out, "\nIt is fixed. What was ordered from 12:00 to 18:00 is replayed:\n\n")
	if err := replay(ctx, orders, shop.bus, out); err != nil {
		return err
	}
	if err := shop.bus.Close(ctx); err != nil { // drains
		return err
	}
	fmt.Fprint(out, "\nThe day's invoices now:\n\n")
	shop.print(out)
	fmt.Fprintf(out, "\n%d mails were sent: the replay goes to the rule of invoices alone.\n", shop.mailed)
	fmt.Fprintf(out, "%d events are in the archive: replayed ones are not kept again.\n", store.Stats().Events)
	return nil
}

// replay replays the afternoon to the rule that was fixed.
func replay(ctx context.Context, orders *archive.Archive, bus *footbridge.Bus, out io.Writer) error {
	r, err := orders.NewReplay(bus, archive.ReplayOptions{
		Name:   "forgotten-quantities",
		Start:  clock(12, 0),
		End:    clock(18, 0),
		Rules:  []string{"invoices"},
		Report: func(r archive.Report) { printReport(out, r) },
	})
	if err != nil {
		return err
	}
	if err := r.Run(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "  %s\n", r.Progress().State)
	return nil
}

// printReport prints a step of a progress bar.
func printReport(out io.Writer, r archive.Report) {
	const width = 20
	p := r.Progress
	done := p.Sent + p.Failed
	filled := width * done / p.Total
	fmt.Fprintf(out, "  [%s%s] %d of %d, up to %s\n", strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, p.Total, p.EventTime.Format("15:04"))
}
