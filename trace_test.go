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

// An event that finds no room at one of its targets, in time or at all, goes to none.
func TestTraceAllOrNone(t *testing.T) {
	trace(t, "all-or-none", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Concurrency: 1})
		put(t, b, "a", Target{ID: "free", Handler: failing(0, nil)})
		put(t, b, "b", Target{ID: "full", Queue: 1, Handler: HandlerFunc(func(context.Context, Delivery) error { <-time.After(time.Minute); return nil })})
		publish(t, b, 1)
		l.settle()
		publish(t, b, 2)
		l.settle()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := b.Publish(ctx, event(3))
		l.note("Publish returned %v", err)
		publish(t, b, 4) // waits until e2 leaves the queue
		require.NoError(t, b.Wait(t.Context()))
	})
}

// What fails beyond the backlog becomes dead letters; what waits for its retry holds up
// neither other targets nor its own.
func TestTraceBacklog(t *testing.T) {
	trace(t, "backlog", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, DLQ: &MemoryDLQ{}, Concurrency: 1})
		put(t, b, "r", Target{ID: "down", Backlog: 2, Handler: failing(1, errDown)}, Target{ID: "up", Handler: failing(0, nil)})
		for n := 1; n <= 4; n++ {
			publish(t, b, n)
			l.settle()
		}
		require.NoError(t, b.Wait(t.Context()))
	})
}

// A handler publishes to its own target, whose queue is full, and does not wait; Wait
// waits for what it has published. Others wait for room.
func TestTracePublishInAHandler(t *testing.T) {
	trace(t, "publish-in-a-handler", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Concurrency: 1, Queue: 1})
		put(t, b, "r", Target{ID: "self", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			<-time.After(time.Second)
			if d.Event.ID == "e1" {
				for n := 11; n <= 13; n++ {
					publish(t, b, n)
				}
			}
			return nil
		})})
		publish(t, b, 1)
		l.settle()
		publish(t, b, 2)
		publish(t, b, 3)
		l.note("e3 had room")
		require.NoError(t, b.Wait(t.Context()))
		l.note("Wait returned")
	})
}

// Replacing a rule while events fly: each goes by one version, a target of the same ID
// goes on with what it has.
func TestTraceReplacing(t *testing.T) {
	trace(t, "replacing", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Concurrency: 1, Retry: plain})
		second := HandlerFunc(func(context.Context, Delivery) error { <-time.After(time.Second); return nil })
		put(t, b, "r", Target{ID: "kept", Handler: second}, Target{ID: "gone", Handler: failing(1, errDown)})
		publish(t, b, 1)
		l.settle()
		publish(t, b, 2)
		l.note("PutRule")
		put(t, b, "r", Target{ID: "kept", Handler: failing(0, nil)}, Target{ID: "new", Handler: failing(0, nil)})
		publish(t, b, 3)
		l.note("DisableRule")
		require.NoError(t, b.DisableRule("r"))
		publish(t, b, 4)
		l.note("EnableRule")
		require.NoError(t, b.EnableRule("r"))
		publish(t, b, 5)
		require.NoError(t, b.Wait(t.Context()))
	})
}

// Deliver returns, and PublishNotify calls back, when the last target is decided.
func TestTraceCompletion(t *testing.T) {
	trace(t, "completion", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, DLQ: &MemoryDLQ{}})
		put(t, b, "r", Target{ID: "at-once", Handler: failing(0, nil)}, Target{ID: "late", Handler: failing(2, errDown)},
			Target{ID: "never", Handler: failing(1, Permanent(errDown))})
		o, err := b.Deliver(t.Context(), event(1))
		l.note("Deliver returned %v, %v", o.Err(), err)
		_, err = b.PublishNotify(t.Context(), event(2), func(o Outcome) { l.add("", "told of %s: %d targets", o.EventID, len(o.Targets)) })
		l.note("PublishNotify returned %v", err)
		require.NoError(t, b.Wait(t.Context()))
	})
}

// The context of an attempt ends with its Timeout, or when the bus is closed by force,
// not with the publisher's.
func TestTraceContexts(t *testing.T) {
	trace(t, "contexts", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, DLQ: &MemoryDLQ{}})
		heeds := HandlerFunc(func(ctx context.Context, d Delivery) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		put(t, b, "r", Target{ID: "no-timeout", Handler: heeds}, Target{ID: "timeout", Timeout: time.Minute, Handler: heeds})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := b.Publish(ctx, event(1))
		require.NoError(t, err)
		l.note("the publisher's context ends")
		cancel()
		<-time.After(90 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		l.note("Close")
		l.note("%v", b.Close(ctx))
	})
}
