package footbridge

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A letter of a delivery that found its queue full is sent again like others.
func TestLetterOfAFullQueueIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends := 0
		b := New(&Options{DLQ: dlqFunc(func(DeadLetter) error {
			if sends++; sends == 1 {
				return errors.New("hiccup")
			}
			return nil
		})})
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1, Overflow: OverflowDeadLetter})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2, 3)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 1, b.Stats().DeadLettered, "sends %d, lost %d", sends, b.Stats().Lost)
	})
}

func TestLetterOfAFullBacklogIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends := 0
		b := New(&Options{Retry: Backoff{NoJitter: true, Base: time.Hour, MaxRetries: 1}, Backlog: 1, DLQ: dlqFunc(func(DeadLetter) error {
			if sends++; sends == 1 {
				return errors.New("hiccup")
			}
			return nil
		})})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1, 2)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 1, b.Stats().DeadLettered, "sends %d, lost %d", sends, b.Stats().Lost)
	})
}

// A letter that waits to be sent again is not bound by the backlog.
func TestLetterThatFindsTheBacklogFullIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends := map[string]int{}
		b := New(&Options{Retry: NoRetry, Backlog: 1, Concurrency: 1, DLQ: dlqFunc(func(d DeadLetter) error {
			if sends[d.Event.ID]++; sends[d.Event.ID] < 5 {
				return errors.New("down for ten seconds")
			}
			return nil
		})})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1, 2)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, b.Stats().DeadLettered, "sends %v, lost %d", sends, b.Stats().Lost)
	})
}

// A DLQ that takes long for one target of an event delays none of the others.
func TestLettersOfAnEventDelayNoneOfItsTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{DLQ: dlqFunc(func(DeadLetter) error { <-time.After(time.Hour); return nil })})
		h := newBlocker()
		start := time.Now()
		var at time.Duration
		put(t, b, "r", Target{ID: "full", Handler: h, Concurrency: 1, Queue: 1, Overflow: OverflowDeadLetter},
			Func("other", func(_ context.Context, e Event) error {
				if e.ID == "e3" {
					at = time.Since(start)
				}
				return nil
			}))
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2, 3)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.Zero(t, at, "the other target had its event this late")
	})
}

// A DLQ may publish the letter on the same bus, where the event goes as well.
func TestDLQMayPublishOnItsBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *Bus
		b = New(&Options{DLQ: dlqFunc(func(d DeadLetter) error {
			ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
			defer cancel()
			_, err := b.Publish(ctx, Event{Source: "letters", DetailType: "Dead", Detail: []byte("{}")})
			return err
		})})
		h := newBlocker()
		require.NoError(t, b.PutRule(Rule{Name: "a", Pattern: MustCompile(`{"source":["test"]}`), Targets: []Target{
			{ID: "full", Handler: h, Concurrency: 1, Queue: 1, Overflow: OverflowDeadLetter}}}))
		put(t, b, "b", Target{ID: "idle", Handler: failing(0, nil), Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		synctest.Wait()
		start := time.Now()
		publish(t, b, 3)
		assert.Zero(t, time.Since(start))
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.Zero(t, b.Stats().Lost)
	})
}

// Close returns though a DLQ does not.
func TestCloseReturnsThoughADLQIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := New(&Options{DLQ: dlqFunc(func(DeadLetter) error { <-gate; return nil })})
		put(t, b, "r", Target{ID: "t", Handler: failing(9, errDown)})
		publish(t, b, 1) // waits for a retry
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		closed := make(chan error, 1)
		go func() { closed <- b.Close(ctx) }()
		select {
		case <-closed:
		case <-time.After(time.Hour):
			assert.Fail(t, "Close has not returned within an hour")
		}
		close(gate)
	})
}

// A letter that a publisher is sending is in the books of Close.
func TestCloseCountsLettersOfPublishers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := New(&Options{DLQ: dlqFunc(func(DeadLetter) error { <-gate; return nil })})
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			if d.Event.ID == "e1" {
				return h.Handle(ctx, d)
			}
			return nil
		}), Concurrency: 1, Queue: 1, Overflow: OverflowDeadLetter})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		go b.Publish(context.Background(), event(3))
		synctest.Wait()
		close(h.gate)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := b.Close(ctx)
		assert.True(t, err != nil || b.Stats().Undecided == 0, "Close returned nil, %d undecided", b.Stats().Undecided)
		close(gate)
	})
}

// So is one that a worker is sending since the backlog was full.
func TestCloseCountsLettersOfWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := New(&Options{Retry: Backoff{NoJitter: true, Base: 4 * time.Second, MaxRetries: 1}, Backlog: 1, DLQ: dlqFunc(func(DeadLetter) error { <-gate; return nil })})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1, 2)
		<-time.After(10 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := b.Close(ctx)
		assert.True(t, err != nil || b.Stats().Undecided == 0, "Close returned nil, %d undecided", b.Stats().Undecided)
		close(gate)
	})
}

// A DLQ may end a worker whose attempt is over.
func TestGoexitBehindAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: Backoff{NoJitter: true, Base: time.Hour, MaxRetries: 1}, Backlog: 1, Concurrency: 1,
			DLQ: dlqFunc(func(DeadLetter) error { runtime.Goexit(); return nil })})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1, 2)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 1, b.Stats().Lost)
		checkBooks(t, b)
	})
}

// Redrive refuses what Publish refuses.
func TestRedriveRefusesWhatPublishRefuses(t *testing.T) {
	b := New(nil)
	var got string
	put(t, b, "r", Func("t", func(_ context.Context, e Event) error { got = string(e.Detail); return nil }))
	err := b.Redrive(t.Context(), DeadLetter{Bus: "default", Rule: "r", Target: "t", Event: Event{Source: "s", DetailType: "d", Detail: []byte("garbage")}})
	assert.Error(t, err)
	b.Close(t.Context())
	assert.Empty(t, got)
}

// The retry of a key comes when the policy says, whatever becomes of those behind it.
func TestRetriesDoNotWaitForLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var attempts []time.Duration
		b := New(&Options{Retry: plain, Backlog: 1, DLQ: dlqFunc(func(DeadLetter) error { <-time.After(time.Minute); return nil })})
		put(t, b, "r", Target{ID: "t", OrderBy: func(Event) string { return "" }, Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
			attempts = append(attempts, time.Since(start))
			if d.Attempt == 1 {
				<-time.After(time.Second)
				return errDown
			}
			return nil
		})})
		publish(t, b, 1, 2, 3)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, []time.Duration{0, 2 * time.Second}, attempts)
	})
}

// A publisher does not wait for room at a target that its event goes to no more.
func TestPublishersOfARuleThatIsGoneDoNotWait(t *testing.T) {
	for name, change := range map[string]func(b *Bus) error{
		"remove":  func(b *Bus) error { return b.RemoveRule("r") },
		"disable": func(b *Bus) error { return b.DisableRule("r") },
		"replace": func(b *Bus) error { return b.PutRule(Rule{Name: "r", Pattern: everything}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(nil)
				h := newBlocker()
				put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1})
				publish(t, b, 1)
				synctest.Wait()
				publish(t, b, 2)
				returned := make(chan error, 1)
				go func() { _, err := b.Publish(context.Background(), event(3)); returned <- err }()
				synctest.Wait()
				require.NoError(t, change(b))
				synctest.Wait()
				assert.Len(t, returned, 1, "the publisher waits for a rule that is gone")
				close(h.gate)
				b.Close(t.Context())
			})
		})
	}
}

// A DLQ may end the goroutine of a publisher.
func TestGoexitOfADLQBelowPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{DLQ: dlqFunc(func(DeadLetter) error { runtime.Goexit(); return nil })})
		h := newBlocker()
		put(t, b, "r", Target{ID: "full", Handler: h, Concurrency: 1, Queue: 1, Overflow: OverflowDeadLetter},
			Target{ID: "other", Handler: failing(0, nil)})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		go b.Publish(context.Background(), event(3))
		synctest.Wait()
		close(h.gate)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		assert.NoError(t, b.Wait(ctx))
		checkBooks(t, b)
	})
}

// So may an observer: done is called all the same.
func TestGoexitOfAnObserverBelowPublish(t *testing.T) {
	b := New(&Options{Observer: &Observer{Unmatched: func(PublishInfo) { runtime.Goexit() }}})
	done, exited := 0, make(chan struct{})
	go func() {
		defer close(exited)
		b.PublishNotify(context.Background(), event(1), func(Outcome) { done++ })
	}()
	<-exited
	assert.Equal(t, 1, done)
}

// badUnwrap is an error with a method that panics.
type badUnwrap struct{}

func (badUnwrap) Error() string { return "bad" }
func (badUnwrap) Unwrap() error { panic("unwrap") }

// A method of a DLQ's error may panic.
func TestDLQErrorsThatPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: NoRetry, DLQ: dlqFunc(func(DeadLetter) error { return badUnwrap{} })})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		o, err := b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.Equal(t, Lost, o.Targets[0].Result)
		require.NoError(t, b.Close(t.Context()))
	})
}

// An attempt of Forward that runs into its own timeout is retried.
func TestForwardRetriesAfterATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(next Handler) Handler {
			return HandlerFunc(func(ctx context.Context, d Delivery) error {
				if d.Attempt == 1 {
					<-ctx.Done()
				}
				return next.Handle(ctx, d)
			})
		}
		from, to := New(&Options{Retry: plain, Middleware: []Middleware{slow}}), New(nil)
		f := Forward("f", to)
		f.Timeout = time.Second
		put(t, from, "r", f)
		o, err := from.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.NoError(t, o.Err())
		require.NoError(t, errors.Join(from.Close(t.Context()), to.Close(t.Context())))
	})
}

// A forced Close sends letters that wait to be sent again.
func TestCloseByForceSendsLettersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends := 0
		b := New(&Options{Retry: NoRetry, DLQ: dlqFunc(func(DeadLetter) error {
			if sends++; sends == 1 {
				return errDown
			}
			return nil
		})})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		publish(t, b, 1)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var gaveUp *CloseError
		require.ErrorAs(t, b.Close(ctx), &gaveUp)
		assert.EqualValues(t, 1, gaveUp.DeadLettered)
		checkBooks(t, b)
	})
}

// A goroutine that a handler waits for may publish with the handler's context.
func TestGoroutinesOfHandlersDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		put(t, b, "r", Target{ID: "t", Concurrency: 1, Queue: 1, Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			if d.Event.ID != "e1" {
				return nil
			}
			done := make(chan error)
			go func() {
				_, err1 := b.Publish(ctx, event(2))
				_, err2 := b.Publish(context.WithoutCancel(ctx), event(3))
				done <- errors.Join(err1, err2)
			}()
			return <-done
		})})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		assert.EqualValues(t, 3, b.Stats().Delivered)
		require.NoError(t, b.Close(t.Context()))
	})
}

// Redrive stops when its context ends and keeps the rest.
func TestRedriveStopsWithItsContext(t *testing.T) {
	q := &MemoryDLQ{}
	b := New(&Options{DLQ: q})
	ctx, cancel := context.WithCancel(t.Context())
	put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
	for n := range 3 {
		require.NoError(t, q.Send(ctx, DeadLetter{Bus: "default", Rule: "r", Target: "t", Event: event(n)}))
	}
	cancel()
	n, err := q.Redrive(ctx, b, nil)
	assert.Zero(t, n)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 3, q.Len())
}
