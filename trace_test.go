package footbridge

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTraceRetry(t *testing.T) {
	trace(t, "retry", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, DLQ: &MemoryDLQ{}})
		put(t, b, "orders",
			Target{ID: "recovers", Handler: failing(2, errDown)})
		put(t, b, "payments",
			Target{ID: "never", Handler: failing(9, errDown)})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
	})
}

func TestTraceErrorsThatSayMore(t *testing.T) {
	trace(t, "errors", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, DLQ: &MemoryDLQ{}})
		put(t, b, "r1", Target{ID: "permanent", Handler: failing(1, Permanent(errDown))})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Target{ID: "later", Handler: failing(1, RetryAfter(errDown, time.Minute))})
		publish(t, b, 2)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Target{ID: "panics", Handler: HandlerFunc(func(context.Context, Delivery) error { panic("boom") })})
		publish(t, b, 3)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Target{ID: "slow", Timeout: time.Second, Handler: HandlerFunc(func(ctx context.Context, _ Delivery) error {
			<-ctx.Done()
			return ctx.Err()
		})})
		publish(t, b, 4)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Typed("typed", func(context.Context, Event, struct{ N string }) error { return nil }))
		publish(t, b, 5)
		require.NoError(t, b.Wait(t.Context()))
	})
}

func TestTraceMaxAge(t *testing.T) {
	trace(t, "max-age", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: Backoff{NoJitter: true, MaxAge: 10 * time.Second}, DLQ: &MemoryDLQ{}})
		put(t, b, "r", Target{ID: "never", Handler: failing(99, errDown)})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
	})
}

func TestTraceOrderBy(t *testing.T) {
	trace(t, "order-by", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain})
		put(t, b, "r", Target{
			ID:      "keyed",
			OrderBy: func(e Event) string { return string(e.Detail[5] % 2) }, // odd and even numbers
			Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
				if d.Event.ID == "e1" && d.Attempt <= 2 {
					return errDown
				}
				return nil
			}),
		})
		for n := 1; n <= 4; n++ {
			publish(t, b, n)
			l.settle()
		}
		require.NoError(t, b.Wait(t.Context()))
	})
}

func TestTraceFailingDLQ(t *testing.T) {
	trace(t, "failing-dlq", func(t *testing.T, l *timeline) {
		sends := 0
		b := l.bus(Options{Retry: NoRetry})
		put(t, b, "r1", Target{ID: "lost", Handler: failing(1, errDown), DLQ: dlqFunc(func(DeadLetter) error {
			sends++
			l.add("r1/lost", "send %d", sends)
			return errors.New("disk full")
		})})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Target{ID: "kept", Handler: failing(1, errDown), DLQ: dlqFunc(func(DeadLetter) error {
			if sends++; sends == 6 {
				panic("disk on fire")
			}
			return nil
		})})
		publish(t, b, 2)
		require.NoError(t, b.Wait(t.Context()))
		put(t, b, "r1", Target{ID: "none", Handler: failing(1, errDown)})
		publish(t, b, 3)
		require.NoError(t, b.Wait(t.Context()))
	})
}

// dlqFunc is a function that is a DLQ.
type dlqFunc func(DeadLetter) error

func (f dlqFunc) Send(_ context.Context, d DeadLetter) error { return f(d) }

func TestTraceOverflow(t *testing.T) {
	trace(t, "overflow", func(t *testing.T, l *timeline) {
		b := l.bus(Options{DLQ: &MemoryDLQ{}, Concurrency: 1, Queue: 1})
		second := HandlerFunc(func(context.Context, Delivery) error { <-time.After(time.Second); return nil })
		for _, o := range []struct {
			name     string
			overflow Overflow
		}{{"block", OverflowBlock}, {"reject", OverflowReject}, {"divert", OverflowDeadLetter}} {
			put(t, b, "r", Target{ID: o.name, Handler: second, Overflow: o.overflow})
			for n := 1; n <= 3; n++ {
				_, err := b.Publish(t.Context(), event(n))
				l.note("%s: Publish returned %v", o.name, err)
			}
			require.NoError(t, b.Wait(t.Context()))
		}
	})
}

func TestTraceForward(t *testing.T) {
	trace(t, "forward", func(t *testing.T, l *timeline) {
		a, b, c := l.bus(Options{Name: "a"}), l.bus(Options{Name: "b", DLQ: &MemoryDLQ{}}), l.bus(Options{Name: "c"})
		put(t, a, "from-a", Forward("to-b", b))
		put(t, b, "from-b", Forward("to-c", c))
		put(t, c, "in-c", Func("sink", func(context.Context, Event) error { return nil }))
		publish(t, a, 1) // one hop to b; the second, to c, is refused
		l.waitAll(a, b, c)
		publish(t, b, 2) // one hop to c
		l.waitAll(a, b, c)
		require.NoError(t, c.Close(t.Context()))
		publish(t, b, 3) // c is gone
		l.waitAll(a, b, c)
	})
}

func (l *timeline) waitAll(buses ...*Bus) {
	l.t.Helper()
	for _, b := range buses {
		require.NoError(l.t, b.Wait(l.t.Context()))
	}
	l.settle()
}

func TestTraceRedrive(t *testing.T) {
	trace(t, "redrive", func(t *testing.T, l *timeline) {
		dlq := &MemoryDLQ{}
		b := l.bus(Options{Retry: NoRetry, DLQ: dlq, Concurrency: 1})
		up := false
		handler := HandlerFunc(func(context.Context, Delivery) error {
			if !up {
				return errDown
			}
			return nil
		})
		put(t, b, "r", Target{ID: "down", Handler: handler}, Func("up", func(context.Context, Event) error { return nil }))
		publish(t, b, 1, 2)
		require.NoError(t, b.Wait(t.Context()))
		up = true
		l.note("the target is up again")
		n, err := dlq.Redrive(t.Context(), b, func(d DeadLetter) bool { return d.Event.ID == "e2" })
		require.NoError(t, err)
		require.NoError(t, b.Wait(t.Context()))
		l.note("redriven %d, left %d", n, dlq.Len())
	})
}
