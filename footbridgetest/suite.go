package footbridgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A suiteCase is something that an implementation of an interface promises.
type suiteCase struct {
	name string // the promise
	why  string // why it matters
	run  func(ctx context.Context) error
}

// runSuite runs cases one after the other. A panic fails its case.
func runSuite(t TB, what string, cases []suiteCase) {
	t.Helper()
	for _, c := range cases {
		if err := contained(func() error { return c.run(t.Context()) }); err != nil {
			t.Errorf("footbridgetest: %s: %s: %v\n  why: %s", what, c.name, err, c.why)
		}
	}
}

func contained(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return fn()
}

// together calls fn n times at once, with 0 to n-1. Of the errors it returns one.
func together(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = contained(func() error { return fn(i) }) })
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d calls failed: %w", len(errs), n, errs[0])
}

// suiteWait is how long a call may take whose context has ended.
const suiteWait = 5 * time.Second

// returns calls fn and waits for it no longer than suiteWait.
func returns(fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- contained(fn) }()
	select {
	case err := <-done:
		return err
	case <-time.After(suiteWait):
		return fmt.Errorf("it has not returned after %v", suiteWait)
	}
}

// ended returns a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// TestHandler tests what the interface [footbridge.Handler] promises: that h handles each of
// the events, also when it comes again and when all come at once, that it changes none, and
// that it heeds its context. The events are some that h is to handle without an error.
// Run it with the race detector.
func TestHandler(t TB, h footbridge.Handler, events ...footbridge.Event) {
	t.Helper()
	if len(events) == 0 {
		t.Fatalf("footbridgetest: TestHandler: want events that the handler is to handle")
	}
	each := func(fn func(d footbridge.Delivery) error) error {
		var errs []error
		for i := range events {
			if err := fn(deliveryOf(events[i])); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", eventText(&events[i]), err))
			}
		}
		return errors.Join(errs...)
	}
	runSuite(t, "handler", []suiteCase{
		{"it handles the events", "a delivery ends when the handler returns nil; else it is attempted again", func(ctx context.Context) error {
			return each(func(d footbridge.Delivery) error { return h.Handle(ctx, d) })
		}},
		{"it handles an event that comes again", "delivery is at least once: an attempt that timed out may have done its work", func(ctx context.Context) error {
			return each(func(d footbridge.Delivery) error {
				d.Attempt = 2
				return h.Handle(ctx, d)
			})
		}},
		{"it does not change the event", "an event is shared by its publisher and all its targets", func(ctx context.Context) error {
			return each(func(d footbridge.Delivery) error {
				before := envelope(&d.Event)
				resources := slices.Clone(d.Event.Resources)
				_ = h.Handle(ctx, d)
				if !bytes.Equal(before, envelope(&d.Event)) || !slices.Equal(resources, d.Event.Resources) {
					return errors.New("it has changed the event")
				}
				return nil
			})
		}},
		{"it may be called by several goroutines", "as many attempts run at once as the target's Concurrency says, 16 by default", func(ctx context.Context) error {
			return together(8*len(events), func(i int) error { return h.Handle(ctx, deliveryOf(events[i%len(events)])) })
		}},
		{"it returns when its context ends", "a handler occupies its place until it returns, and Close waits for it", func(ctx context.Context) error {
			err := returns(func() error {
				_ = h.Handle(ended(ctx), deliveryOf(events[0])) // with or without an error
				return nil
			})
			return err
		}},
	})
}

// deliveryOf returns a delivery of a copy of e.
func deliveryOf(e footbridge.Event) footbridge.Delivery {
	e.Detail, e.Resources = slices.Clone(e.Detail), slices.Clone(e.Resources)
	return footbridge.Delivery{Event: e, Bus: footbridge.DefaultName, Rule: "rule", Target: "target", Attempt: 1, Accepted: time.Now()}
}

// TestRetryPolicy tests what the interface [footbridge.RetryPolicy] promises: that p is a
// pure function that any number of goroutines may call, for early and late attempts alike.
func TestRetryPolicy(t TB, p footbridge.RetryPolicy) {
	t.Helper()
	attempts := suiteAttempts()
	type answer struct {
		delay time.Duration
		retry bool
	}
	ask := func(a footbridge.Attempt) answer {
		delay, retry := p.Next(a)
		return answer{delay, retry}
	}
	first := make([]answer, len(attempts))
	each := func(fn func(i int, a footbridge.Attempt) error) error {
		for i, a := range attempts {
			if err := fn(i, a); err != nil {
				return fmt.Errorf("%d retries, age %v: %w", a.Retries, a.Age, err)
			}
		}
		return nil
	}
	same := func(i int, a footbridge.Attempt) error {
		if got := ask(a); got != first[i] {
			return fmt.Errorf("it has answered %v, %v, and now answers %v, %v", first[i].delay, first[i].retry, got.delay, got.retry)
		}
		return nil
	}
	runSuite(t, "retry policy", []suiteCase{
		{"it answers for every attempt", "a policy that panics ends the retries of its delivery", func(context.Context) error {
			return each(func(i int, a footbridge.Attempt) error {
				return contained(func() error { first[i] = ask(a); return nil })
			})
		}},
		{"it is a pure function", "one policy serves all deliveries, and who observes it must change nothing", func(context.Context) error {
			return each(same)
		}},
		{"it may be called by several goroutines", "deliveries fail at the same time", func(context.Context) error {
			return together(8, func(int) error { return each(same) })
		}},
		{"its delays are not negative", "a delay that has overflowed means at once, which is the opposite of what was meant", func(context.Context) error {
			return each(func(i int, _ footbridge.Attempt) error {
				if a := first[i]; a.retry && a.delay < 0 {
					return fmt.Errorf("the delay is %v", a.delay)
				}
				return nil
			})
		}},
		{"Exhausted, if it has that, says why it does not retry", "dead letters have it as their ExhaustedRetryCondition", func(context.Context) error {
			e, ok := p.(interface {
				Exhausted(footbridge.Attempt) string
			})
			if !ok {
				return nil
			}
			return each(func(i int, a footbridge.Attempt) error {
				if why := e.Exhausted(a); (why == "") != first[i].retry {
					return fmt.Errorf("it retries: %v, and is exhausted: %q", first[i].retry, why)
				}
				return nil
			})
		}},
	})
}

// suiteAttempts returns early and late attempts. A delay that doubles with each overflows in
// one of them.
func suiteAttempts() (attempts []footbridge.Attempt) {
	for i := range 201 {
		retries := i
		if i == 200 {
			retries = 1 << 30
		}
		for _, age := range []time.Duration{0, time.Second, 24 * time.Hour, 1<<63 - 1} {
			attempts = append(attempts, footbridge.Attempt{EventID: "1", Rule: "rule", Target: "target", Retries: retries, Age: age, Err: errors.New("failed")})
		}
	}
	return attempts
}

// longText is a text that needs escapes and more than one byte a character.
var longText = "ü\u2028\n\"\\<&>" + strings.Repeat("0123456789", 20_000)
