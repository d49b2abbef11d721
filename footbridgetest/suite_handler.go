package footbridgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/footbridge-go/footbridge"
)

// TestHandler tests what the interface [footbridge.Handler] promises: that h handles each of
// the events, also when it comes again and when all come at once, that it changes none, and
// that it returns when its context has ended, and when it ends during the call. The events
// are some that h is to handle without an error. A bus calls h with them, and fills in what
// they lack, as Publish says. Run it with the race detector: without it a handler that
// writes to what its calls share may pass.
func TestHandler(t TB, h footbridge.Handler, events ...footbridge.Event) {
	t.Helper()
	if len(events) == 0 {
		t.Fatalf("footbridgetest: TestHandler: want events that the handler is to handle")
	}
	handle := func(ctx context.Context, d footbridge.Delivery) error {
		return returns("Handle", func() error { return h.Handle(ctx, d) })
	}
	each := func(ctx context.Context, fn footbridge.HandlerFunc) error {
		var errs []error
		for i := range events {
			err := delivered(ctx, i, events[i], fn)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", eventText(&events[i]), err))
			}
			if errors.Is(err, errHangs) {
				break
			}
		}
		return errors.Join(errs...)
	}
	runSuite(t, "handler", []suiteCase{
		{"it handles the events", "a delivery ends when the handler returns nil; else it is attempted again", func(ctx context.Context) error {
			return each(ctx, handle)
		}},
		{"it handles an event that comes again", "delivery is at least once: an attempt that timed out may have done its work", func(ctx context.Context) error {
			return each(ctx, func(ctx context.Context, d footbridge.Delivery) error {
				if err := handle(ctx, d); d.Attempt > 1 || errors.Is(err, errHangs) {
					return err
				}
				return errAgain
			})
		}},
		{"it does not change the event", "an event is shared by its publisher and all its targets", func(ctx context.Context) error {
			return each(ctx, func(ctx context.Context, d footbridge.Delivery) error {
				before, resources := wholeText(&d.Event), slices.Clone(d.Event.Resources)
				_ = handle(ctx, d)
				if wholeText(&d.Event) != before || !slices.Equal(resources, d.Event.Resources) {
					return errors.New("it has changed the event")
				}
				return nil
			})
		}},
		{"it may be called by several goroutines", "as many attempts run at once as the target's Concurrency says, 16 by default", func(ctx context.Context) error {
			return together(8*len(events), func(i int) error { return delivered(ctx, i%len(events), events[i%len(events)], handle) })
		}},
		{"it returns when its context ends", "a handler occupies its place until it returns, and Close waits for it", func(ctx context.Context) error {
			return delivered(ctx, 0, events[0], func(ctx context.Context, d footbridge.Delivery) error {
				return returnsWithin(suiteWait, "Handle", func() error {
					_ = h.Handle(ended(ctx), d) // with or without an error
					return nil
				})
			})
		}},
		{"it returns when its context ends during the call", "a handler occupies its place until it returns, and Close waits for it", func(ctx context.Context) error {
			return delivered(ctx, 0, events[0], func(ctx context.Context, d footbridge.Delivery) error {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
				return returnsWithin(suiteWait, "Handle", func() error {
					_ = h.Handle(ctx, d)
					return nil
				})
			})
		}},
	})
}

var errAgain = errors.New("attempt it again")

// delivered has a bus deliver a copy of the event of a number to fn, again if the first
// attempt returns errAgain, and returns the error of the last attempt.
func delivered(ctx context.Context, number int, e footbridge.Event, fn footbridge.HandlerFunc) error {
	bus := footbridge.New(&footbridge.Options{Retry: footbridge.Backoff{Base: 1, MaxRetries: 1}})
	var last error
	target := footbridge.Target{ID: "target", Handler: footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
		last = contained(func() error { return fn(ctx, d) })
		if last == nil || errors.Is(last, errAgain) {
			return last
		}
		return footbridge.Permanent(last)
	})}
	if err := bus.PutRule(footbridge.Rule{Name: "rule", Pattern: footbridge.MustCompile(`{"source":[{"exists":true}]}`), Targets: []footbridge.Target{target}}); err != nil {
		return err
	}
	e.Detail, e.Resources = slices.Clone(e.Detail), slices.Clone(e.Resources)
	if e.ID == "" {
		e.ID = "event-" + strconv.Itoa(number) // the same each time
	}
	if _, err := bus.Deliver(ctx, e); err != nil {
		return err
	}
	if err := bus.Close(ctx); err != nil {
		return err
	}
	return last
}
