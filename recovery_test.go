package footbridge

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A publisher that was woken for room, and whose OrderBy ends its goroutine, leaves the
// room to the next.
func TestWaitingPublisherThatEndsPassesItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Concurrency: 1, Queue: 1})
		h := newBlocker()
		calls := map[string]int{}
		put(t, b, "r", Target{ID: "t", Handler: h, OrderBy: func(e Event) string {
			if calls[e.ID]++; e.ID == "e3" && calls[e.ID] == 2 {
				runtime.Goexit()
			}
			return e.ID
		}})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		go b.Publish(t.Context(), event(3))
		synctest.Wait()
		got := make(chan error, 1)
		go func() {
			_, err := b.Publish(t.Context(), event(4))
			got <- err
		}()
		synctest.Wait()
		close(h.gate)
		require.NoError(t, <-got)
		require.NoError(t, b.Close(t.Context()))
	})
}

// The context of a letter is not that of the attempt that has published the event.
func TestContextOfALetterIsNoAttempts(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		letters := 0
		b := New(&Options{Retry: NoRetry, DLQ: sendFunc(func(ctx context.Context, l DeadLetter) error {
			letters++
			_, ok := DeliveryFromContext(ctx)
			assert.False(t, ok)
			assert.False(t, inHandler(ctx))
			assert.Equal(t, "v", ctx.Value(key{}))
			return nil
		})})
		put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			if d.Event.ID == "e1" {
				_, err := b.Publish(context.WithValue(ctx, key{}, "v"), event(2))
				return err
			}
			return errDown
		})})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 1, letters)
	})
}

type sendFunc func(context.Context, DeadLetter) error

func (f sendFunc) Send(ctx context.Context, d DeadLetter) error { return f(ctx, d) }

// What publishes again and again keeps nothing of events and rules that are gone.
func TestPressKeepsNothing(t *testing.T) {
	b := New(nil)
	for _, name := range []string{"a", "b", "c"} {
		put(t, b, name, Target{ID: "t", Handler: failing(0, nil)})
	}
	s := new(press)
	a := &accepted{bus: b, event: event(1)}
	require.NoError(t, s.prepare(a, &publication{}))
	require.Len(t, s.batch, 3)
	require.NoError(t, b.RemoveRule("b"))
	require.NoError(t, b.RemoveRule("c"))
	require.NoError(t, s.prepare(a, &publication{})) // as after a wait
	require.Len(t, s.batch, 1)
	rules, batch := s.rules, s.batch
	s.free()
	for i := range rules[:cap(rules)] {
		assert.Nil(t, rules[:cap(rules)][i])
	}
	for i := range batch[:cap(batch)] {
		assert.Nil(t, batch[:cap(batch)][i].Work)
	}
}

// An Observer that ends the goroutine of a Close that has expired does not end the Close of
// the other deliveries.
func TestGoexitWhileCloseExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Int64
		b := New(&Options{
			Retry:    Backoff{Base: time.Hour, NoJitter: true},
			Observer: &Observer{Lost: func(LostInfo) { lost.Add(1); runtime.Goexit() }},
			DLQ:      dlqFunc(func(DeadLetter) error { <-time.After(time.Hour); return nil }),
		})
		put(t, b, "r", Target{ID: "t", Handler: failing(9, errDown)})
		const n = 100
		for i := range n {
			publish(t, b, i)
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		go b.Close(ctx)
		<-time.After(24 * time.Hour)
		assert.EqualValues(t, n, lost.Load())
		require.NoError(t, b.Wait(t.Context()))
	})
}

// A queue that comes to overflow while its publisher finds it full, overflows.
func TestOverflowThatChangesUnderAPublisher(t *testing.T) {
	dlq := &MemoryDLQ{}
	b := New(&Options{Concurrency: 1, Queue: 1, DLQ: dlq})
	h := newBlocker()
	target := Target{ID: "t", Handler: h}
	put(t, b, "r", target)
	for b.dispatcher.Undecided() < 2 {
		publish(t, b, b.dispatcher.Undecided())
		for b.Stats().Targets[0].Running == 0 {
			runtime.Gosched()
		}
	}
	s, a, p := new(press), &accepted{bus: b, event: event(9), time: time.Now()}, &publication{}
	require.NoError(t, s.prepare(a, p))
	full := b.dispatcher.Reserve(s.batch, false)
	require.Error(t, full)
	target.Overflow = OverflowDeadLetter
	put(t, b, "r", target)
	require.NoError(t, b.makeRoom(t.Context(), a, p, s, full))
	b.put(a, p, s)
	assert.Equal(t, 1, dlq.Len())
	close(h.gate)
	require.NoError(t, b.Close(t.Context()))
}
