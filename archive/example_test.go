package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// A bus's orders are archived. A rule that is put later gets them by a replay, in the
// order of their times.
func ExampleReplay() {
	ctx := context.Background()
	bus := footbridge.New(nil)
	a, err := archive.New(archive.Options{
		Name:      "orders",
		Pattern:   footbridge.MustCompile(`{"source":["shop"]}`),
		Retention: 30 * 24 * time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := bus.PutRule(a.Rule()); err != nil {
		fmt.Println(err)
	}
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, minute := range []int{7, 3, 90} {
		e := footbridge.Event{Source: "shop", DetailType: "Order Placed", Time: noon.Add(time.Duration(minute) * time.Minute), Detail: []byte(`{}`)}
		if _, err := bus.Publish(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	if err := bus.Wait(ctx); err != nil {
		fmt.Println(err)
	}

	err = bus.PutRule(footbridge.Rule{
		Name:    "late",
		Pattern: footbridge.MustCompile(`{"source":["shop"],"replay-name":["first-hour"]}`),
		Targets: []footbridge.Target{{
			ID: "print",
			Handler: footbridge.HandlerFunc(func(_ context.Context, d footbridge.Delivery) error {
				fmt.Println(d.Event.Time.Format(time.TimeOnly), d.Event.ReplayName)
				return nil
			}),
			Concurrency: 1,
		}},
	})
	if err != nil {
		fmt.Println(err)
	}
	replay, err := a.NewReplay(bus, archive.ReplayOptions{
		Name: "first-hour", Start: noon, End: noon.Add(time.Hour),
		Report: func(r archive.Report) { fmt.Printf("%d of %d sent\n", r.Progress.Sent, r.Progress.Total) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := replay.Run(ctx); err != nil {
		fmt.Println(err)
	}
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(replay.Progress().State)
	// Unordered output:
	// 1 of 2 sent
	// 2 of 2 sent
	// 12:03:00 first-hour
	// 12:07:00 first-hour
	// COMPLETED
}

// An archive in a directory is there when it is opened again.
func ExampleOpenFiles() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 3 {
		store, err := archive.OpenFiles(filepath.Join(dir, "orders"), &archive.FileOptions{Window: time.Hour})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(store.Stats().Events, "events")
		e := footbridge.Event{ID: "1", Source: "shop", DetailType: "Order Placed", Time: time.Now(), Detail: []byte(`{"total":7}`)}
		if err := store.Append(ctx, e); err != nil {
			fmt.Println(err)
		}
		if err := store.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 0 events
	// 1 events
	// 2 events
}

// A range that is none is refused with the service's words.
func ExampleArchive_NewReplay() {
	a, err := archive.New(archive.Options{Name: "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	_, err = a.NewReplay(footbridge.New(nil), archive.ReplayOptions{Name: "again", Start: now, End: now})
	fmt.Println(err)
	_, err = a.NewReplay(footbridge.New(&footbridge.Options{Name: "other"}), archive.ReplayOptions{Name: "again", Start: now, End: now.Add(1)})
	fmt.Println(err)
	// Output:
	// archive: Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.
	// archive: Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.
}
