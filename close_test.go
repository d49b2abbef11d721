package footbridge

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A leaked goroutine fails these tests: a bubble ends only when all in it have.

func TestTraceCloseDrains(t *testing.T) {
	trace(t, "close-drains", func(t *testing.T, l *timeline) {
		b := l.bus(Options{Retry: plain, Concurrency: 1})
		put(t, b, "r", Target{ID: "recovers", Handler: failing(2, errDown)})
		publish(t, b, 1, 2)
		l.note("Close")
		require.NoError(t, b.Close(t.Context()))
		l.note("closed")
	})
}

// When its context ends, Close gives up what waits for a worker or for a retry, ends
// the contexts of attempts, and says how many it gave up.
func TestTraceCloseByForce(t *testing.T) {
	trace(t, "close-by-force", func(t *testing.T, l *timeline) {
		b := l.bus(Options{DLQ: &MemoryDLQ{}, Concurrency: 1, Retry: Backoff{NoJitter: true, Base: time.Hour, MaxDelay: time.Hour}})
		require.NoError(t, b.PutRule(Rule{Name: "a", Pattern: MustCompile(`{"id":["e1"]}`), Targets: []Target{{
			ID: "heeds", Handler: HandlerFunc(func(ctx context.Context, _ Delivery) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})}}}))
		require.NoError(t, b.PutRule(Rule{Name: "b", Pattern: MustCompile(`{"id":["e1"]}`), Targets: []Target{{ID: "retries", Handler: failing(9, errDown)}}}))
		put(t, b, "c", Target{ID: "finishes", Handler: HandlerFunc(func(context.Context, Delivery) error {
			<-time.After(12 * time.Second)
			return nil
		})})
		publish(t, b, 1, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := b.Close(ctx)
		var gaveUp *CloseError
		require.ErrorAs(t, err, &gaveUp)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, CloseError{DeadLettered: 3, Err: context.DeadlineExceeded}, *gaveUp)
		l.note("%v", err)
		require.NoError(t, b.Close(t.Context())) // nothing is left
	})
}

// A handler that does not heed its context does not hold up Close for ever; what it
// returns later does not count.
func TestCloseLeavesStuckHandlersBehind(t *testing.T) {
	for name, dlq := range map[string]DLQ{"with a DLQ": &MemoryDLQ{}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(&Options{DLQ: dlq})
				h := newBlocker()
				put(t, b, "r", Target{ID: "stuck", Handler: h})
				publish(t, b, 1)
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				start := time.Now()
				var gaveUp *CloseError
				require.ErrorAs(t, b.Close(ctx), &gaveUp)
				assert.Equal(t, closeGrace, time.Since(start))
				assert.EqualValues(t, 1, gaveUp.Running)
				assert.EqualValues(t, 1, gaveUp.DeadLettered+gaveUp.Lost)
				before := b.Stats()
				close(h.gate)
				synctest.Wait()
				assert.EqualValues(t, 1, h.handled.Load())
				assert.Equal(t, before.Delivered, b.Stats().Delivered)
				checkBooks(t, b)
			})
		})
	}
}

// A DLQ that never returns does not hold up Close for ever either, and its letters
// are reported.
func TestCloseLeavesStuckDLQsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := New(&Options{Retry: NoRetry, DLQ: dlqFunc(func(DeadLetter) error { <-gate; return nil })})
		put(t, b, "r", Target{ID: "fails", Handler: failing(1, errDown)})
		publish(t, b, 1)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var gaveUp *CloseError
		require.ErrorAs(t, b.Close(ctx), &gaveUp)
		assert.Equal(t, CloseError{Lost: 1, Running: 1, Err: context.Canceled}, *gaveUp)
		close(gate)
		synctest.Wait()
		assert.Zero(t, b.Stats().DeadLettered)
		checkBooks(t, b)
	})
}

func TestCloseWakesPublishersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "n", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		waits := make(chan error)
		go func() {
			_, err := b.Publish(t.Context(), event(3))
			waits <- err
		}()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- b.Close(t.Context()) }()
		assert.ErrorIs(t, <-waits, ErrClosed)
		close(h.gate)
		require.NoError(t, <-closed)
		assert.EqualValues(t, 2, h.handled.Load())
	})
}

func TestWaitAndCloseRefuseTheirOwnHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := New(nil), New(nil)
		put(t, b, "r", Func("f", func(ctx context.Context, e Event) error {
			assert.ErrorIs(t, b.Wait(ctx), ErrInHandler)
			assert.ErrorIs(t, b.Close(ctx), ErrInHandler)
			return other.Wait(ctx) // another bus's handlers may
		}))
		o, err := b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		require.NoError(t, o.Err())
		require.NoError(t, errors.Join(b.Close(t.Context()), other.Close(t.Context())))
	})
}

// A slow DLQ gets the letters of a forced Close some at a time, and in time; those too that
// a removal was sending one after the other.
func TestCloseWithASlowDLQ(t *testing.T) {
	for _, removed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := New(&Options{Retry: Backoff{Base: time.Hour, NoJitter: true}, DLQ: dlqFunc(func(DeadLetter) error {
				<-time.After(5 * time.Millisecond)
				return nil
			})})
			put(t, b, "r", Target{ID: "t", Handler: failing(9, errDown), DeadLetterOnRemoval: true})
			for n := range 10000 {
				publish(t, b, n)
			}
			synctest.Wait()
			if removed {
				require.NoError(t, b.RemoveRule("r"))
				synctest.Wait()
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var gaveUp *CloseError
			require.ErrorAs(t, b.Close(ctx), &gaveUp)
			assert.Equal(t, CloseError{DeadLettered: 10000, Err: context.Canceled}, *gaveUp, "removed: %v", removed)
			checkBooks(t, b)
		})
	}
}

// A DLQ that does not heed its context does not hold up Close: what it has not taken
// after ten seconds is lost, once.
func TestCloseWithAStuckDLQ(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: Backoff{Base: time.Hour, NoJitter: true}, DLQ: dlqFunc(func(DeadLetter) error {
			<-time.After(time.Hour)
			return nil
		})})
		put(t, b, "r", Target{ID: "t", Handler: failing(9, errDown)})
		for n := range 100 {
			publish(t, b, n)
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		var gaveUp *CloseError
		require.ErrorAs(t, b.Close(ctx), &gaveUp)
		assert.Equal(t, 2*closeGrace, time.Since(start))
		assert.Equal(t, CloseError{Lost: 100, Err: context.Canceled}, *gaveUp)
		<-time.After(24 * time.Hour) // the Sends return; that changes nothing
		assert.EqualValues(t, 100, b.Stats().Lost)
		assert.Zero(t, b.Stats().DeadLettered)
		checkBooks(t, b)
	})
}

// Nor does an Observer hold it up, or a publisher that an Observer holds up: Close says what
// is undecided.
func TestCloseWithAStuckObserver(t *testing.T) {
	stuck := func() { <-time.After(time.Hour) }
	dlq := dlqFunc(func(DeadLetter) error { stuck(); return nil })
	for name, o := range map[string]Options{
		"lost":      {DLQ: dlq, Observer: &Observer{Lost: func(LostInfo) { stuck() }}},
		"published": {Observer: &Observer{Published: func(PublishInfo) { stuck() }}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(&o)
				put(t, b, "r", Target{ID: "t", Handler: failing(9, errDown)})
				go func() { publish(t, b, 1) }()
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				start := time.Now()
				var gaveUp *CloseError
				require.ErrorAs(t, b.Close(ctx), &gaveUp)
				assert.Equal(t, 3*closeGrace, time.Since(start))
				assert.EqualValues(t, 1, gaveUp.Undecided)
				assert.ErrorContains(t, gaveUp, "; undecided: 1")
				<-time.After(24 * time.Hour)
				assert.EqualValues(t, 1, b.Stats().Lost)
				checkBooks(t, b)
			})
		})
	}
}

// Close waits for retries at their times, unless RetryNow is called.
func TestTraceRetryNow(t *testing.T) {
	trace(t, "retry-now", func(t *testing.T, l *timeline) {
		b := l.bus(Options{DLQ: &MemoryDLQ{}, Retry: Backoff{NoJitter: true, Base: time.Hour, MaxDelay: time.Hour, MaxRetries: 2}})
		put(t, b, "r", Target{ID: "recovers", Handler: failing(1, errDown)}, Target{ID: "never", Handler: failing(9, errDown)})
		publish(t, b, 1)
		<-time.After(time.Minute)
		closed := make(chan error)
		go func() { closed <- b.Close(t.Context()) }()
		l.note("Close")
		l.note("RetryNow: %d", b.RetryNow())
		require.NoError(t, <-closed)
		l.note("closed")
		l.note("RetryNow: %d", b.RetryNow())
	})
}

// A handler whose event is refused because its bus is closing ends at once: no retry
// would mend it, and Close does not wait for a day of them.
func TestCloseDoesNotWaitForWhatHandlersPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{DLQ: dlq})
		closing := make(chan struct{})
		put(t, b, "r", Func("publishes", func(ctx context.Context, e Event) error {
			<-closing
			_, err := b.Publish(ctx, Event{Source: "s", DetailType: "next", Detail: []byte(`{}`)})
			return err
		}))
		publish(t, b, 1)
		start := time.Now()
		go func() {
			synctest.Wait() // for Close to wait
			close(closing)
		}()
		require.NoError(t, b.Close(t.Context()))
		assert.Zero(t, time.Since(start))
		letters := dlq.Letters()
		require.Len(t, letters, 1)
		assert.Equal(t, CodeBusClosed, letters[0].ErrorCode)
		assert.Zero(t, letters[0].RetryAttempts)
		assert.ErrorIs(t, letters[0].Err, ErrClosed)
	})
}
