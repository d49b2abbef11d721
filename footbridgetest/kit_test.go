package footbridgetest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

func TestExpectTakesAnyOrder(t *testing.T) {
	bus := New(t, nil)
	r := Record(t, bus, all)
	mustPublish(t, bus, order("1", `{"id":"O-1"}`), order("2", `{"id":"O-2"}`), order("3", `{"id":"O-3"}`))
	r.Expect(all, `{"detail":{"id":["O-1","O-2"]}}`, `{"detail":{"id":["O-1"]}}`) // only one way to pair them
	r.ExpectNone()
	r.Expect()
	mustPublish(t, bus, order("4", `{"id":"O-4"}`))
	r.ExpectNone(`{"detail":{"id":["O-1"]}}`)
	r.Expect(all)
	assert.Len(t, r.Deliveries(), 4)
	assert.Equal(t, 1, r.Deliveries()[0].Attempt)
	ExpectPublished(t, bus, `{"detail":{"id":["O-4"]}}`, `{"detail":{"id":["O-1"]}}`)
}

// Wait returns when its events are there, whatever else goes on.
func TestWaitIsForSoMany(t *testing.T) {
	bus := New(t, nil)
	gate := &Gate{}
	r := NewRecorder(t, bus)
	mustPut(t, bus, "orders", all, r.Target("journal"), footbridge.Target{ID: "gate", Handler: gate})
	mustPublish(t, bus, order("1", `{}`), order("2", `{}`))
	assert.Len(t, r.Wait(2), 2)
	assert.Len(t, r.Wait(0), 2)
	gate.Wait(t, 2)
	gate.Release()
	gate.Release()
	r.Expect(all, all)
}

// What handlers publish before they return is waited for, and what waits for a retry.
func TestExpectWaitsForWhatHandlersPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := New(t, nil)
		paid := Record(t, bus, `{"detail-type":["Order Paid"]}`)
		handler := footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
			_, err := bus.Publish(ctx, footbridge.Event{Source: "shop", DetailType: "Order Paid", Detail: d.Event.Detail})
			return err
		})
		mustPut(t, bus, "orders", `{"detail-type":["Order Placed"]}`, footbridge.Target{
			ID: "pay", Handler: FailTimes(3, errors.New("bank is closed"), handler), Retry: footbridge.Backoff{Base: time.Hour, MaxDelay: time.Hour, NoJitter: true},
		})
		start := time.Now()
		Publish(t, bus, "shop", "Order Placed", map[string]int{"id": 1})
		paid.Expect(`{"detail":{"id":[1]}}`)
		assert.Equal(t, 3*time.Hour, time.Since(start))
	})
}

func TestFaults(t *testing.T) {
	failed := errors.New("failed")
	calls := 0
	next := footbridge.HandlerFunc(func(context.Context, footbridge.Delivery) error { calls++; return nil })
	d := footbridge.Delivery{Event: order("1", `{"id":"O-1"}`)}
	h := FailTimes(2, failed, next)
	for _, want := range []error{failed, failed, nil, nil} {
		assert.Equal(t, want, h.Handle(t.Context(), d))
	}
	assert.Equal(t, 2, calls)
	h = PanicTimes(1, "boom", nil)
	assert.PanicsWithValue(t, "boom", func() { _ = h.Handle(t.Context(), d) })
	assert.NoError(t, h.Handle(t.Context(), d))
	h = FailMatching(`{"detail":{"id":["O-1"]}}`, failed, next)
	assert.Equal(t, failed, h.Handle(t.Context(), d))
	d.Event.Detail = []byte(`{"id":"O-2"}`)
	assert.NoError(t, h.Handle(t.Context(), d))
	assert.Equal(t, 3, calls)
	assert.Panics(t, func() { FailMatching(`{}`, failed, nil) })
	assert.ErrorIs(t, new(Gate).Handle(ended(t.Context()), d), context.Canceled)
}

// At the end of a test what waits for a retry does not wait longer, and may succeed.
func TestCloseRetriesNow(t *testing.T) {
	start := time.Now()
	var delivered bool
	t.Run("a test", func(t *testing.T) {
		bus := New(t, &footbridge.Options{Retry: footbridge.Backoff{Base: time.Hour, MaxDelay: time.Hour, NoJitter: true}})
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(3, errors.New("down"), footbridge.HandlerFunc(
			func(context.Context, footbridge.Delivery) error {
				delivered = true
				return nil
			}))})
		mustPublish(t, bus, order("1", `{}`))
	})
	assert.True(t, delivered)
	assert.Less(t, time.Since(start), time.Hour)
}

// What handlers publish behind the end of a test is handled, too.
func TestCloseWaitsForWhatHandlersPublish(t *testing.T) {
	delivered := 0
	failures, _ := run(t, func(t *recordingTB) {
		bus := New(t, nil)
		mustPut(t, bus, "orders", `{"source":["shop"]}`, footbridge.Func("charge", func(ctx context.Context, e footbridge.Event) error {
			<-time.After(time.Second)
			e.ID, e.Source = "", "bank"
			_, err := bus.Publish(ctx, e)
			return err
		}))
		mustPut(t, bus, "paid", `{"source":["bank"]}`, footbridge.Func("mail", func(context.Context, footbridge.Event) error {
			delivered++
			return nil
		}))
		mustPublish(t, bus, order("1", `{}`))
	})
	assert.Empty(t, failures)
	assert.Equal(t, 1, delivered)
}

// The options' own Logger, DLQ and Observer are used, and told.
func TestNewKeepsOptions(t *testing.T) {
	var log bytes.Buffer
	told := 0
	dlq := &footbridge.MemoryDLQ{}
	observer := &footbridge.Observer{
		Published:    func(footbridge.PublishInfo) { told++ },
		DeadLettered: func(footbridge.DeadLetter) { told += 10 },
		Delivered:    func(footbridge.Delivery) { told += 100 },
	}
	opts := &footbridge.Options{Name: "test", DLQ: dlq, Retry: footbridge.NoRetry, Observer: observer, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	bus := New(t, opts)
	mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(1, errors.New("down"), nil)})
	mustPublish(t, bus, order("1", `{}`))
	letters := ExpectDeadLetters(t, bus, "orders/mail")
	assert.Equal(t, dlq.Letters(), letters)
	n, err := dlq.Redrive(t.Context(), bus, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	ExpectDeadLetters(t, bus)
	assert.Equal(t, 111, told)
	assert.Equal(t, "test", bus.Name())
	assert.Contains(t, log.String(), "down")
	assert.Same(t, observer, opts.Observer, "the caller's options stay")
}

// An event goes nowhere while its route is looked at.
func TestExpectRouted(t *testing.T) {
	bus := New(t, nil)
	r := NewRecorder(t, bus)
	mustPut(t, bus, "orders", all, r.Target("a"), r.Target("b"))
	mustPut(t, bus, "dear", `{"detail":{"total":[{"numeric":[">",10]}]}}`, r.Target("a"))
	ExpectRouted(t, bus, order("1", `{"total":5}`), "orders/b", "orders/a")
	ExpectRouted(t, bus, order("1", `{"total":50}`), "orders/b", "orders/a", "dear/a")
	ExpectRouted(t, bus, footbridge.Event{Source: "bank", DetailType: "x", Detail: []byte(`{}`)})
	r.ExpectNone()
	Record(t, bus, all)
	ExpectRouted(t, bus, order("1", `{"total":5}`), "orders/b", "orders/a") // a recorder of the test is no target of the code
}

// Lost deliveries that were expected do not fail the test.
func TestExpectLost(t *testing.T) {
	failures, _ := run(t, func(t *recordingTB) {
		bus := New(t, &footbridge.Options{Retry: footbridge.NoRetry, DLQ: &footbridge.MemoryDLQ{Capacity: 1}})
		mustPut(t, bus, "orders", all, footbridge.Target{ID: "mail", Handler: FailTimes(2, errors.New("down"), nil), Concurrency: 1})
		mustPublish(t, bus, order("1", `{}`), order("2", `{}`))
		ExpectDeadLetters(t, bus, "orders/mail")
		assert.Equal(t, "2", ExpectLost(t, bus, "orders/mail")[0].Letter.Event.ID)
		ExpectLost(t, bus)
	})
	assert.Empty(t, failures)
}

// Patterns that all match the same events, and one more, are paired.
func TestPairsManyAlike(t *testing.T) {
	bus := New(t, nil)
	r := Record(t, bus, all)
	patterns := []string{`{"detail":{"id":["O-0"]}}`}
	mustPublish(t, bus, order("0", `{"id":"O-0"}`))
	for range 500 {
		patterns = append([]string{all}, patterns...)
		mustPublish(t, bus, order("1", `{"id":"O-1"}`))
	}
	r.Expect(patterns...)
}

// Middleware injects faults into the handlers of rules, and not into what Record records.
func TestMiddlewareSparesRecorders(t *testing.T) {
	down := errors.New("down")
	fail := func(next footbridge.Handler) footbridge.Handler { return FailMatching(all, down, next) }
	trace := func(next footbridge.Handler) footbridge.Handler { return FailTimes(0, nil, next) }
	bus := New(t, &footbridge.Options{Retry: footbridge.NoRetry, Middleware: []footbridge.Middleware{trace, fail, trace}})
	recorded, r := Record(t, bus, all), NewRecorder(t, bus)
	mustPut(t, bus, "orders", all, r.Target("journal"))
	mustPublish(t, bus, order("1", `{}`))
	assert.ErrorIs(t, ExpectDeadLetters(t, bus, "orders/journal")[0].Err, down)
	recorded.Expect(all)
	r.ExpectNone()
	bus = New(t, &footbridge.Options{Middleware: []footbridge.Middleware{trace, nil}})
	_, err := bus.Publish(t.Context(), order("1", `{}`))
	assert.ErrorContains(t, err, "Middleware", "what footbridge.New refuses")
}

// An expectation on one bus waits for what another of the test is to forward to it, or has
// a handler publish on it, and a bus is not closed before.
func TestBusesOfATestWaitForEachOther(t *testing.T) {
	failures, _ := run(t, func(t *recordingTB) {
		a, b, c := New(t, nil), New(t, &footbridge.Options{Name: "b"}), New(t, &footbridge.Options{Name: "c"})
		late := footbridge.Backoff{Base: time.Hour, MaxDelay: time.Hour, NoJitter: true}
		forward := footbridge.Forward("b", b)
		forward.Handler, forward.Retry = FailTimes(1, errors.New("the line is down"), forward.Handler), late
		mustPut(t, a, "forward", all, forward)
		mustPut(t, b, "publish", all, footbridge.Func("c", func(ctx context.Context, e footbridge.Event) error {
			_, err := c.Publish(ctx, e)
			return err
		}))
		onB, onC := Record(t, b, all), Record(t, c, all)
		mustPublish(t, a, order("1", `{}`))
		onC.Expect(all)
		onB.Expect(all)
		mustPublish(t, a, order("2", `{}`))
		onC.Wait(2)
		mustPublish(t, a, order("3", `{}`)) // and the test ends
	})
	assert.Empty(t, failures)
}

// A bus that is idle closes although another, which is closed later, never is.
func TestCloseDoesNotWaitForEverForOthers(t *testing.T) {
	failures, _ := run(t, func(t *recordingTB) {
		gate := &Gate{}
		first := New(t, nil)
		t.Cleanup(gate.Release)
		mustPut(t, first, "orders", all, footbridge.Target{ID: "gate", Handler: gate})
		second := New(t, nil)
		Record(t, second, all)
		mustPublish(t, second, order("1", `{}`))
		mustPublish(t, first, order("2", `{}`))
	})
	assert.Empty(t, failures)
}

// A bus that another test has made is none of a test's.
func TestBusesOfOtherTestsAreNotWaitedFor(t *testing.T) {
	gate := &Gate{}
	bus := New(t, nil)
	mustPut(t, bus, "orders", all, footbridge.Target{ID: "gate", Handler: gate})
	mustPublish(t, bus, order("1", `{}`))
	gate.Wait(t, 1)
	t.Run("another", func(t *testing.T) { Record(t, New(t, nil), all).ExpectNone() })
	gate.Release()
}
