package footbridge

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// blocker is a handler that holds every attempt until it is opened.
type blocker struct {
	gate    chan struct{}
	handled atomic.Int64
}

func newBlocker() *blocker { return &blocker{gate: make(chan struct{})} }

func (h *blocker) Handle(context.Context, Delivery) error {
	<-h.gate
	h.handled.Add(1)
	return nil
}

// Publish accepts for all matched targets or for none, also when it waits in vain
// for room at one of them.
func TestPublishIsAllOrNone(t *testing.T) {
	for _, overflow := range []Overflow{OverflowBlock, OverflowReject} {
		synctest.Test(t, func(t *testing.T) {
			b := New(nil)
			narrow, wide := newBlocker(), newBlocker()
			put(t, b, "a-wide", Target{ID: "w", Handler: wide})
			put(t, b, "b-narrow", Target{ID: "n", Handler: narrow, Concurrency: 1, Queue: 1, Overflow: overflow})
			put(t, b, "c-wide", Target{ID: "w", Handler: wide})
			publish(t, b, 1)
			synctest.Wait()
			publish(t, b, 2) // fills narrow's queue
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			_, err := b.Publish(ctx, event(3))
			if overflow == OverflowBlock {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Minute, time.Since(start))
			} else {
				var full *QueueFullError
				require.ErrorAs(t, err, &full)
				assert.ErrorIs(t, err, ErrQueueFull)
				assert.Equal(t, QueueFullError{Rule: "b-narrow", Target: "n"}, *full)
			}
			close(narrow.gate)
			close(wide.gate)
			require.NoError(t, b.Close(t.Context()))
			assert.EqualValues(t, 2, narrow.handled.Load())
			assert.EqualValues(t, 4, wide.handled.Load())
			checkBooks(t, b)
		})
	}
}

// A publisher that waits for room goes on by the rules there are when room comes.
func TestPublishWaitsByTheRulesOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "n", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		returned := make(chan error)
		go func() {
			_, err := b.Publish(t.Context(), event(3))
			returned <- err
		}()
		synctest.Wait()
		require.NoError(t, b.RemoveRule("r"))
		close(h.gate)
		require.NoError(t, <-returned)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, h.handled.Load())
		assert.EqualValues(t, 1, b.Stats().Unmatched)
	})
}

func TestPublishLogsALongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		b := New(&Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		h := newBlocker()
		put(t, b, "orders", Target{ID: "email", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Publish(ctx, event(3))
		require.Error(t, err)
		assert.Contains(t, log.String(), "Publish waits for a target with a full queue")
		assert.Contains(t, log.String(), "rule=orders target=email event=e3 waiting=1 running=1")
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
	})
}

// Handlers publish to their own target while every queue is full, with and without
// their own context, and change the rules while they run.
func TestHandlersNeverDeadlock(t *testing.T) {
	const events = 1024
	for name, own := range map[string]bool{"own context": true, "other context": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(nil)
				handled, lock := 0, make(chan struct{}, 1) // the one slot serves as a lock
				rule := Rule{Name: "r", Pattern: everything, Targets: []Target{{ID: "self", Concurrency: 1, Queue: 1}}}
				rule.Targets[0].Handler = HandlerFunc(func(ctx context.Context, d Delivery) error {
					lock <- struct{}{}
					defer func() { <-lock }()
					if handled++; handled > events {
						return nil
					}
					if !own {
						ctx = context.Background()
					}
					for range 2 {
						if _, err := b.Publish(ctx, event(1)); err != nil {
							return err
						}
					}
					if err := b.PutRule(Rule{Name: "other", Pattern: MustCompile(`{"source":["nobody"]}`)}); err != nil {
						return err
					}
					return errors.Join(b.DisableRule("other"), b.RemoveRule("other"))
				})
				require.NoError(t, b.PutRule(rule))
				publish(t, b, 1)
				for n := range events { // others publish, too, and want the lock the handler holds
					lock <- struct{}{}
					<-lock
					publish(t, b, n)
				}
				require.NoError(t, b.Close(t.Context()))
				assert.GreaterOrEqual(t, handled, events)
				checkBooks(t, b)
			})
		})
	}
}

func TestWaitIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		var handled atomic.Int64
		put(t, b, "chain", Func("next", func(ctx context.Context, e Event) error {
			<-time.After(time.Second)
			if n := handled.Add(1); n < 100 {
				_, err := b.Publish(ctx, event(int(n)))
				return err
			}
			return nil
		}))
		require.NoError(t, b.Wait(t.Context())) // nothing to wait for
		start := time.Now()
		publish(t, b, 0)
		var g errgroup.Group
		for range 3 {
			g.Go(func() error { return b.Wait(t.Context()) })
		}
		require.NoError(t, g.Wait())
		assert.EqualValues(t, 100, handled.Load())
		assert.Equal(t, 100*time.Second, time.Since(start))

		publish(t, b, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, b.Wait(ctx), context.DeadlineExceeded)
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestDeliverAndNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: plain, DLQ: &MemoryDLQ{}})
		put(t, b, "b", Target{ID: "recovers", Handler: failing(1, errDown)}, Target{ID: "never", Handler: failing(9, errDown)})
		put(t, b, "a", Target{ID: "lost", Retry: NoRetry, Handler: failing(9, errDown), DLQ: dlqFunc(func(DeadLetter) error { return Permanent(errDown) })})
		o, err := b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.Equal(t, "e1", o.EventID)
		require.Len(t, o.Targets, 3)
		assert.ErrorIs(t, o.Targets[0].Err, errDown)
		o.Targets[0].Err = nil
		assert.Equal(t, []TargetOutcome{
			{Rule: "a", Target: "lost", Result: Lost, Attempts: 1},
			{Rule: "b", Target: "recovers", Result: Delivered, Attempts: 2},
			{Rule: "b", Target: "never", Result: DeadLettered, Attempts: 4, Err: errDown},
		}, o.Targets)
		assert.ErrorContains(t, o.Err(), "event e1: target never of rule b: dead-lettered: down")
		assert.ErrorIs(t, o.Err(), errDown)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o, err = b.Deliver(ctx, event(2))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, Outcome{EventID: "e2"}, o)
		require.NoError(t, b.Wait(t.Context()))
		assert.EqualValues(t, 2, b.Stats().DeadLettered) // it went on

		calls := 0
		notify := func(o Outcome) { calls++; assert.NoError(t, o.Err()) }
		_, err = b.PublishNotify(t.Context(), Event{}, notify)
		assert.Error(t, err)
		assert.Zero(t, calls)
		require.NoError(t, b.RemoveRule("a"))
		require.NoError(t, b.RemoveRule("b"))
		_, err = b.PublishNotify(t.Context(), event(3), notify)
		require.NoError(t, err)
		assert.Equal(t, 1, calls) // at once: it matches nothing
		put(t, b, "a", Target{ID: "ok", Handler: failing(0, nil)})
		_, err = b.PublishNotify(t.Context(), event(4), notify)
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 2, calls)
	})
}

func TestRefusals(t *testing.T) {
	b := New(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Publish(ctx, event(1))
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, b.Close(t.Context()))
	require.NoError(t, b.Close(t.Context()))
	_, err = b.Publish(t.Context(), event(1))
	assert.ErrorIs(t, err, ErrClosed)
	_, err = b.Deliver(t.Context(), event(1))
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorIs(t, b.Redrive(t.Context(), DeadLetter{Event: event(1)}), ErrClosed)
	assert.ErrorIs(t, b.PutRule(Rule{Name: "r", Pattern: everything}), ErrClosed)
	assert.Zero(t, b.Stats().Published)
}

func TestBadOptions(t *testing.T) {
	for field, o := range map[string]Options{
		"Retry": {Retry: Backoff{MaxAge: -1}}, "DLQ": {DLQ: (*MemoryDLQ)(nil)},
		"Concurrency": {Concurrency: -1}, "Queue": {Queue: -1}, "Backlog": {Backlog: -1}, "Name": {Name: "a/b"},
		"Account": {Account: "\xff"}, "Region": {Region: "\xff"}, "Middleware": {Middleware: []Middleware{nil}},
	} {
		b := New(&o)
		_, err := b.Publish(t.Context(), event(1))
		var wrong *OptionError
		require.ErrorAs(t, err, &wrong, field)
		assert.Equal(t, field, wrong.Field)
		assert.ErrorAs(t, b.PutRule(Rule{Name: "r", Pattern: everything}), &wrong)
		assert.NoError(t, b.Close(t.Context()))
	}
}

// Handlers that publish to each other for ever keep nothing of their predecessors.
func TestValuesOfTheFirstPublisher(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} { // contexts of two kinds
		testValuesOfTheFirstPublisher(t, timeout)
	}
}

func testValuesOfTheFirstPublisher(t *testing.T, timeout time.Duration) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: NoRetry})
		round := 0
		put(t, b, "r", Target{ID: "again", Timeout: timeout, Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			assert.Equal(t, "value", ctx.Value(key{}))
			of, _ := attemptOf(ctx)
			require.NotNil(t, of)
			assert.Nil(t, of.accepted.values.Value(attemptKey{}), "nested")
			if round++; round < 5 {
				_, err := b.Publish(ctx, event(round))
				return err
			}
			return nil
		})})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		_, err := b.Publish(ctx, event(0))
		require.NoError(t, err)
		cancel() // which does not cut deliveries
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 5, round)
		checkBooks(t, b)
	})
}
