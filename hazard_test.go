package footbridge

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What goes wrong in buses of this kind. docs/design.md lists the hazards with their tests.

// hazardEvents is how many events go through each of the tests of deadlocks.
const hazardEvents = 1024

// Two targets publish to each other, each for two of its events, while both queues are
// full and each has one worker.
func TestTargetsThatPublishToEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1, Queue: 1})
		var published atomic.Int64
		for from, to := range map[string]string{"ping": "pong", "pong": "ping"} {
			h := HandlerFunc(func(ctx context.Context, _ Delivery) error {
				for range 2 {
					if published.Add(1) <= hazardEvents {
						if _, err := b.Publish(ctx, Event{Source: to, DetailType: "Test", Detail: []byte("{}")}); err != nil {
							return err
						}
						<-time.After(time.Millisecond)
					}
				}
				return nil
			})
			require.NoError(t, b.PutRule(Rule{Name: from, Pattern: MustCompile(`{"source":["` + from + `"]}`), Targets: []Target{{ID: "t", Handler: h}}}))
		}
		_, err := b.Publish(t.Context(), Event{Source: "ping", DetailType: "Test", Detail: []byte("{}")})
		require.NoError(t, err)
		require.NoError(t, b.Wait(t.Context()))
		assert.EqualValues(t, hazardEvents+1, b.Stats().Delivered)
		require.NoError(t, b.Close(t.Context()))
		checkBooks(t, b)
	})
}

// A handler holds a lock while it runs and publishes that publishers want before they
// publish; queues are full.
func TestHandlerHoldsALockThatPublishersWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1, Queue: 1})
		lock := make(chan struct{}, 1) // a mutex would keep the bubble from settling
		left := hazardEvents
		put(t, b, "r", Func("t", func(ctx context.Context, e Event) error {
			lock <- struct{}{}
			defer func() { <-lock }()
			<-time.After(time.Millisecond)
			if left--; left < 0 {
				return nil
			}
			_, err := b.Publish(context.Background(), e)
			return err
		}))
		var publishers sync.WaitGroup
		for range 4 {
			publishers.Go(func() {
				for n := range hazardEvents / 4 {
					lock <- struct{}{}
					<-lock
					publish(t, b, n)
				}
			})
		}
		publishers.Wait()
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2*hazardEvents, b.Stats().Delivered)
		checkBooks(t, b)
	})
}

// A publisher holds a lock that the handlers want while it publishes, as long as the
// queue, 65,536 by default, has room.
func TestPublisherHoldsALockThatHandlersWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1})
		lock := make(chan struct{}, 1)
		put(t, b, "r", Func("t", func(context.Context, Event) error {
			lock <- struct{}{}
			<-lock
			return nil
		}))
		lock <- struct{}{}
		for n := range hazardEvents {
			publish(t, b, n)
		}
		synctest.Wait()
		assert.Zero(t, b.Stats().Delivered)
		<-lock
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, hazardEvents, b.Stats().Delivered)
	})
}

// Handlers change the rule that they are called for, and others, while publishers wait
// for room at its target.
func TestHandlersChangeTheirOwnRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1, Queue: 1})
		var handled atomic.Int64
		var rule Rule
		rule = Rule{Name: "r", Pattern: everything, Targets: []Target{Func("t", func(context.Context, Event) error {
			<-time.After(time.Millisecond)
			var err error
			switch handled.Add(1) % 4 {
			case 0:
				err = errors.Join(b.RemoveRule("r"), b.PutRule(rule))
			case 1:
				err = errors.Join(b.DisableRule("r"), b.EnableRule("r"))
			case 2:
				err = b.PutRule(rule)
			}
			if errors.Is(err, ErrRuleNotFound) { // another handler, for what the removed rule had, has just removed it, too
				return nil
			}
			return err
		})}}
		require.NoError(t, b.PutRule(rule))
		var publishers sync.WaitGroup
		for range 4 {
			publishers.Go(func() {
				for n := range hazardEvents / 4 {
					publish(t, b, n)
				}
			})
		}
		publishers.Wait()
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Close(t.Context()))
		s := b.Stats()
		assert.EqualValues(t, hazardEvents, s.Delivered+s.Unmatched)
		assert.Equal(t, s.Delivered, handled.Load())
		assert.Zero(t, s.FailedInvocations)
		checkBooks(t, b)
	})
}

// A handler that panics is called again, and its letter has the stack.
func TestPanicsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{Retry: plain, DLQ: dlq})
		put(t, b, "r", Target{ID: "recovers", Handler: panicking(2)}, Target{ID: "never", Handler: panicking(9)})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 3+4, b.Stats().Invocations)
		assert.EqualValues(t, 1, b.Stats().Delivered)
		require.Equal(t, 1, dlq.Len())
		letter := dlq.Letters()[0]
		var panicked *PanicError
		require.ErrorAs(t, letter.Err, &panicked)
		assert.Contains(t, string(panicked.Stack), "panicking.")
		assert.Equal(t, 3, letter.RetryAttempts)
	})
}

// panicking is a handler that panics n times for each event.
func panicking(n int) Handler {
	return HandlerFunc(func(_ context.Context, d Delivery) error {
		if d.Attempt <= n {
			panic("boom")
		}
		return nil
	})
}

// Of 500 queued deliveries Close loses none: it returns when they are handled, or, when its
// context ends, when the rest are dead letters, and says how many. Afterwards nothing runs.
func TestCloseWithFiveHundredQueued(t *testing.T) {
	const queued = 500
	for name, patience := range map[string]time.Duration{"drained": time.Hour, "by force": 100 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dlq := &MemoryDLQ{}
				b := New(&Options{DLQ: dlq, Concurrency: 1})
				goroutines := runtime.NumGoroutine()
				var handled atomic.Int64
				put(t, b, "r", Func("t", func(context.Context, Event) error {
					<-time.After(time.Second)
					handled.Add(1)
					return nil
				}))
				for n := range queued {
					publish(t, b, n)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience+time.Millisecond)
				err := b.Close(ctx)
				cancel()
				if name == "drained" {
					require.NoError(t, err)
					assert.EqualValues(t, queued, handled.Load())
				} else {
					var gaveUp *CloseError
					require.ErrorAs(t, err, &gaveUp)
					assert.EqualValues(t, 101, handled.Load(), "the one that ran was left to finish")
					assert.EqualValues(t, queued-101, gaveUp.DeadLettered)
					assert.Equal(t, queued-101, dlq.Len())
				}
				synctest.Wait()
				holdGoroutines(t, goroutines)
				_, err = b.Publish(t.Context(), event(1))
				assert.ErrorIs(t, err, ErrClosed)
				checkBooks(t, b)
			})
		})
	}
}

// The default queue has room for 65,536, whether or not they come to be.
func TestDefaultQueue(t *testing.T) {
	assert.Equal(t, 65536, DefaultQueue)
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1})
		h := newBlocker()
		before := live()
		put(t, b, "r", Target{ID: "t", Handler: h, Overflow: OverflowReject})
		assert.Less(t, live()-before, int64(10000), "no memory before they wait")
		for range DefaultQueue + 1 {
			_, err := b.Publish(t.Context(), event1)
			require.NoError(t, err)
			if b.Stats().Targets[0].Running == 0 {
				synctest.Wait()
			}
		}
		_, err := b.Publish(t.Context(), event1)
		assert.ErrorIs(t, err, ErrQueueFull)
		assert.True(t, strings.Contains(err.Error(), "target t of rule r"))
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, DefaultQueue+1, h.handled.Load())
	})
}
