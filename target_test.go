package footbridge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTyped(t *testing.T) {
	type order struct {
		N int `json:"n"`
	}
	b := New(nil)
	var got order
	put(t, b, "r", Typed("t", func(_ context.Context, e Event, o order) error {
		assert.Equal(t, "e7", e.ID)
		got = o
		return nil
	}))
	o, err := b.Deliver(t.Context(), event(7))
	require.NoError(t, err)
	require.NoError(t, o.Err())
	assert.Equal(t, order{7}, got)
}

func TestChan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: plain, DLQ: &MemoryDLQ{}})
		ch := make(chan Event)
		target := Chan("ch", ch)
		target.Timeout = time.Second
		put(t, b, "r", target)
		publish(t, b, 1)
		<-time.After(1500 * time.Millisecond) // the first attempt has run into its timeout
		start := time.Now()
		require.NoError(t, func() error { // the second finds a receiver
			assert.Equal(t, "e1", (<-ch).ID)
			return b.Wait(t.Context())
		}())
		assert.Equal(t, 500*time.Millisecond, time.Since(start))
		assert.EqualValues(t, 1, b.Stats().RetryInvocationAttempts)
		close(ch)
		o, err := b.Deliver(t.Context(), event(2))
		require.NoError(t, err)
		require.Len(t, o.Targets, 1)
		assert.Equal(t, DeadLettered, o.Targets[0].Result)
		assert.Equal(t, 1, o.Targets[0].Attempts)
		assert.ErrorContains(t, o.Err(), "send on closed channel")
	})
}

// Middleware is around every attempt, the first outermost, and may change the context.
func TestMiddleware(t *testing.T) {
	type key string
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		named := func(name string) Middleware {
			return func(next Handler) Handler {
				return HandlerFunc(func(ctx context.Context, d Delivery) error {
					calls = append(calls, name+" in")
					err := next.Handle(context.WithValue(ctx, key(name), true), d)
					calls = append(calls, name+" out")
					return err
				})
			}
		}
		b := New(&Options{Retry: plain, Middleware: []Middleware{named("outer"), named("inner")}})
		put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			assert.Equal(t, []any{true, true}, []any{ctx.Value(key("outer")), ctx.Value(key("inner"))})
			calls = append(calls, "handler")
			return failing(1, errDown).Handle(ctx, d)
		})})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		once := []string{"outer in", "inner in", "handler", "inner out", "outer out"}
		assert.Equal(t, append(once, once...), calls)
	})
}

func TestDeliveryFromContext(t *testing.T) {
	_, ok := DeliveryFromContext(t.Context())
	assert.False(t, ok)
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Name: "bus", Retry: plain})
		start := time.Now()
		attempts := 0
		put(t, b, "r", Target{ID: "t", Timeout: time.Minute, Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			attempts++
			ctx, cancel := context.WithCancel(ctx) // one derived from it serves as well
			defer cancel()
			got, ok := DeliveryFromContext(ctx)
			require.True(t, ok)
			assert.Equal(t, d, got)
			assert.Equal(t, []any{"bus", "r", "t", attempts, "e1"}, []any{d.Bus, d.Rule, d.Target, d.Attempt, d.Event.ID})
			assert.True(t, d.Accepted.Equal(start))
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.Equal(t, time.Minute, time.Until(deadline))
			return failing(1, errDown).Handle(ctx, d)
		})})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 2, attempts)
	})
}

// A panic is an error with its stack; a handler that ends its goroutine fails, too.
func TestPanicsAreContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: NoRetry, DLQ: &MemoryDLQ{}})
		deliver := func(handler func()) TargetOutcome {
			put(t, b, "r", Target{ID: "t", Concurrency: 1, Handler: HandlerFunc(func(context.Context, Delivery) error { handler(); return nil })})
			o, err := b.Deliver(t.Context(), event(1))
			require.NoError(t, err)
			return o.Targets[0]
		}
		var panicked *PanicError
		o := deliver(func() { panic(io.EOF) })
		require.ErrorAs(t, o.Err, &panicked)
		assert.ErrorIs(t, o.Err, io.EOF)
		assert.Contains(t, string(panicked.Stack), "TestPanicsAreContained")
		var none []int
		o = deliver(func() { none[len(b.Rules())]++ })
		assert.ErrorContains(t, o.Err, "panic: runtime error: index out of range [1]")
		o = deliver(runtime.Goexit)
		assert.ErrorIs(t, o.Err, errGoexit)
		o = deliver(func() {})
		assert.Equal(t, Delivered, o.Result) // the target goes on
		require.NoError(t, b.Close(t.Context()))
		checkBooks(t, b)
	})
}

type badPolicy struct{}

func (badPolicy) Next(Attempt) (time.Duration, bool) { panic("no idea") }

func TestPanicsOfPoliciesAndKeysAreContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{DLQ: &MemoryDLQ{}})
		put(t, b, "r", Target{ID: "t", Retry: badPolicy{}, Handler: failing(1, errDown)})
		o, err := b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.Equal(t, DeadLettered, o.Targets[0].Result)
		assert.ErrorIs(t, o.Err(), errDown)
		assert.ErrorContains(t, o.Err(), "down (and its retry policy: panic: no idea)")

		put(t, b, "r", Target{ID: "t", OrderBy: func(Event) string { panic("no key") }, Handler: failing(0, nil)}, Target{ID: "other", Handler: failing(0, nil)})
		o, err = b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.ErrorContains(t, o.Targets[0].Err, "OrderBy of target t of rule r: panic: no key")
		assert.Equal(t, []Result{DeadLettered, Delivered}, []Result{o.Targets[0].Result, o.Targets[1].Result})
		require.NoError(t, b.Close(t.Context()))
	})
}

// A slow, a blocked and a panicking target delay no other.
func TestIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: plain})
		blocked := newBlocker()
		handled, start := 0, time.Now()
		put(t, b, "r",
			Target{ID: "blocked", Handler: blocked},
			Func("panics", func(context.Context, Event) error { panic("boom") }),
			Func("slow", func(context.Context, Event) error { <-time.After(time.Hour); return nil }),
			Target{ID: "fast", Concurrency: 1, Handler: HandlerFunc(func(context.Context, Delivery) error { handled++; return nil })})
		const events = 5000
		for n := range events {
			publish(t, b, n)
		}
		synctest.Wait()
		assert.Equal(t, events, handled)
		assert.Zero(t, time.Since(start))
		close(blocked.gate)
		require.NoError(t, b.Close(t.Context()))
		checkBooks(t, b)
	})
}

// Concurrency bounds attempts, and is reached.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 3})
		one, three := newBlocker(), newBlocker()
		put(t, b, "r", Target{ID: "one", Handler: one, Concurrency: 1}, Target{ID: "three", Handler: three})
		for n := range 10 {
			publish(t, b, n)
		}
		synctest.Wait()
		assert.Equal(t, []TargetStats{
			{Rule: "r", Target: "one", Waiting: 9, Running: 1}, {Rule: "r", Target: "three", Waiting: 7, Running: 3},
		}, b.Stats().Targets)
		close(one.gate)
		close(three.gate)
		require.NoError(t, b.Close(t.Context()))
	})
}

// With Concurrency 1 and with OrderBy, events come in the order of their publication.
func TestOrder(t *testing.T) {
	const events = 20000
	for name, target := range map[string]Target{
		"one at a time": {Concurrency: 1},
		"by key":        {Concurrency: 8, OrderBy: func(Event) string { return "key" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(nil)
			var handled []string
			target.ID = "t"
			target.Handler = HandlerFunc(func(_ context.Context, d Delivery) error {
				handled = append(handled, d.Event.ID)
				return nil
			})
			put(t, b, "r", target)
			for n := range events {
				publish(t, b, n)
			}
			require.NoError(t, b.Close(t.Context()))
			require.Len(t, handled, events)
			for n, id := range handled {
				require.Equal(t, event(n).ID, id)
			}
		})
	}
}

// Beyond Backlog, deliveries that fail become dead letters that say why.
func TestBacklogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{Retry: Backoff{NoJitter: true, Base: time.Hour, MaxRetries: 1}, DLQ: dlq, Backlog: 3})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1, 2, 3, 4, 5)
		synctest.Wait()
		assert.Equal(t, []TargetStats{{Rule: "r", Target: "t", Retrying: 3}}, b.Stats().Targets)
		for _, d := range dlq.Letters() {
			assert.Equal(t, CodeResourceLimit, d.ErrorCode)
			assert.EqualError(t, d.Err, "footbridge: backlog of target t of rule r is full; its last attempt: down")
		}
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 2, dlq.Len())
		checkBooks(t, b)
	})
}

func TestForwardRetriesAFullBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := New(&Options{Retry: plain}), New(nil)
		h := newBlocker()
		put(t, to, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1})
		put(t, from, "r", Forward("f", to))
		for n := range 3 {
			publish(t, from, n)
			synctest.Wait()
		}
		assert.EqualValues(t, 2, from.Stats().Delivered)
		close(h.gate)
		require.NoError(t, errors.Join(from.Close(t.Context()), to.Close(t.Context())))
		assert.EqualValues(t, 3, h.handled.Load())
		assert.EqualValues(t, 1, from.Stats().RetryInvocationAttempts)
	})
}

// nilError is an error with a method that panics for a nil pointer.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type badCode struct{ error }

func (badCode) ErrorCode() string { panic("no code") }

// Errors whose own methods panic are errors like others.
func TestErrorsThatPanic(t *testing.T) {
	for name, failure := range map[string]error{"nil pointer": (*nilError)(nil), "code": badCode{errDown}} {
		synctest.Test(t, func(t *testing.T) {
			var panicked *PanicError
			b := New(&Options{Retry: NoRetry, DLQ: &MemoryDLQ{}})
			put(t, b, "r", Target{ID: "t", Handler: failing(1, failure)})
			o, err := b.Deliver(t.Context(), event(1))
			require.NoError(t, err)
			assert.ErrorAs(t, o.Targets[0].Err, &panicked, name)
			put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown), DLQ: dlqFunc(func(DeadLetter) error { return (*nilError)(nil) })})
			o, err = b.Deliver(t.Context(), event(2))
			require.NoError(t, err)
			assert.Equal(t, Lost, o.Targets[0].Result)
			assert.ErrorAs(t, o.Targets[0].Err, &panicked, name)
			require.NoError(t, b.Close(t.Context()))
			checkBooks(t, b)
		})
	}
}

type exitPolicy struct{}

func (exitPolicy) Next(Attempt) (time.Duration, bool) { runtime.Goexit(); return 0, true }

// Whatever of the user's ends its goroutine, each delivery is decided and told of.
func TestGoexitAnywhere(t *testing.T) {
	exit := func() { runtime.Goexit() }
	for name, o := range map[string]Options{
		"policy":       {Retry: exitPolicy{}, DLQ: &MemoryDLQ{}},
		"dlq":          {Retry: NoRetry, DLQ: dlqFunc(func(DeadLetter) error { exit(); return nil })},
		"attempted":    {Observer: &Observer{Attempted: func(AttemptInfo) { exit() }}},
		"delivered":    {Observer: &Observer{Delivered: func(Delivery) { exit() }}},
		"deadlettered": {Retry: NoRetry, DLQ: &MemoryDLQ{}, Observer: &Observer{DeadLettered: func(DeadLetter) { exit() }}},
		"lost":         {Retry: NoRetry, Observer: &Observer{Lost: func(LostInfo) { exit() }}},
		"published":    {Retry: NoRetry, Observer: &Observer{Published: func(PublishInfo) { exit() }}},
	} {
		t.Run(name, func(t *testing.T) { checkOneFailureIsDecided(t, o, failing(1, errDown)) })
	}
}

// checkOneFailureIsDecided publishes an event to two targets, one of which fails once, and
// checks that both are decided, whatever else o does.
func checkOneFailureIsDecided(t *testing.T, o Options, fails Handler) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := New(&o)
		put(t, b, "r", Target{ID: "fails", Handler: fails}, Target{ID: "ok", Handler: failing(0, nil)})
		done := 0
		go func() {
			_, err := b.PublishNotify(t.Context(), event(1), func(Outcome) { done++ })
			assert.NoError(t, err)
		}()
		synctest.Wait()
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 1, done)
		assert.EqualValues(t, 2, b.Stats().Deliveries)
		checkBooks(t, b)
	})
}

// A logFunc is a slog.Handler.
type logFunc func(slog.Record)

func (f logFunc) Enabled(context.Context, slog.Level) bool      { return true }
func (f logFunc) Handle(_ context.Context, r slog.Record) error { f(r); return nil }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f logFunc) WithGroup(string) slog.Handler                 { return f }

// A logger that panics, or ends the goroutine, changes nothing else.
func TestLoggersAreContained(t *testing.T) {
	refuses := dlqFunc(func(DeadLetter) error { return errDown })
	for message, o := range map[string]Options{
		"a target begins to fail":  {},
		"a target has recovered":   {},
		"attempt failed":           {},
		"a handler has panicked":   {},
		"dead letter":              {Retry: NoRetry, DLQ: &MemoryDLQ{}},
		"dead-letter queue failed": {Retry: NoRetry, DLQ: refuses},
		"delivery lost":            {Retry: NoRetry, DLQ: refuses},
	} {
		fails := failing(1, errDown)
		for how, end := range map[string]func(){"panics": func() { panic(message) }, "exits": runtime.Goexit} {
			t.Run(message+", "+how, func(t *testing.T) {
				told := false
				o.Logger = slog.New(logFunc(func(r slog.Record) {
					if r.Message == "footbridge: "+message {
						told = true
						end()
					}
				}))
				if message == "a handler has panicked" {
					fails = panicking(1)
				}
				checkOneFailureIsDecided(t, o, fails)
				assert.True(t, told)
			})
		}
	}
}
