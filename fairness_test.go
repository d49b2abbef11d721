package footbridge

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// from returns event n of a source, which is an order key in these tests.
func from(source string, n int) Event {
	e := event(n)
	e.Source = source
	return e
}

// However many events of a target fail, and however long that takes, new ones have their
// turn: retries and first attempts alternate.
func TestRetriesDoNotStarveNewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		put(t, b, "r", Func("t", func(_ context.Context, e Event) error {
			if e.Source == "bad" {
				<-time.After(30 * time.Second)
				return errDown
			}
			return nil
		}))
		for n := range 1000 {
			_, err := b.Publish(t.Context(), from("bad", n))
			require.NoError(t, err)
		}
		<-time.After(2 * time.Hour)
		require.Greater(t, b.Stats().Targets[0].Retrying, 500)
		start := time.Now()
		_, err := b.Deliver(t.Context(), from("good", 1001))
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(start), time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, b.Close(ctx))
		<-time.After(time.Minute) // the handlers return
	})
}

// A key that fails takes no room from the others, neither while it waits for its retry nor
// while that runs.
func TestAFailingKeyTakesNoRoom(t *testing.T) {
	for _, overflow := range []Overflow{OverflowBlock, OverflowReject, OverflowDeadLetter} {
		synctest.Test(t, func(t *testing.T) {
			b := New(&Options{Retry: Backoff{Base: 10 * time.Second, MaxDelay: 10 * time.Second, NoJitter: true, MaxRetries: 1}, DLQ: &MemoryDLQ{}})
			target := Func("t", func(_ context.Context, e Event) error {
				if e.Source == "bad" {
					<-time.After(10 * time.Second)
					return errDown
				}
				return nil
			})
			target.Queue, target.Overflow, target.OrderBy = 4, overflow, func(e Event) string { return e.Source }
			put(t, b, "r", target)
			publishNow := func(e Event) {
				t.Helper()
				start := time.Now()
				_, err := b.Publish(t.Context(), e)
				require.NoError(t, err)
				require.Zero(t, time.Since(start))
				synctest.Wait()
			}
			publishNow(from("bad", 0))
			<-time.After(11 * time.Second) // it waits for its retry
			for n := range 20 {
				publishNow(from("bad", n+1))
			}
			publishNow(from("good", 21))
			<-time.After(10 * time.Second) // the retry runs
			publishNow(from("bad", 22))
			publishNow(from("good", 23))
			assert.EqualValues(t, 2, b.Stats().Delivered, overflow)
			assert.Equal(t, TargetStats{Rule: "r", Target: "t", Running: 1, Retrying: 21}, b.Stats().Targets[0])
			require.NoError(t, b.Close(t.Context()))
		})
	}
}

// Letters that a DLQ refuses wait beyond Backlog up to twice of it. What comes then is lost,
// and reported.
func TestLettersThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Retry: NoRetry, Backlog: 10, Concurrency: 1, DLQ: dlqFunc(func(DeadLetter) error { return errDown })})
		put(t, b, "r", Target{ID: "t", Handler: failing(1, errDown)})
		for n := range 1000 {
			publish(t, b, n)
		}
		synctest.Wait()
		assert.Equal(t, TargetStats{Rule: "r", Target: "t", Retrying: 20}, b.Stats().Targets[0])
		assert.EqualValues(t, 980, b.Stats().Lost)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 1000, b.Stats().Lost)
		checkBooks(t, b)
	})
}

// What has been removed while nothing waited leaves nothing behind, not for a moment.
func TestRemovalOfIdleTargetsStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		for i := range 1000 {
			put(t, b, fmt.Sprint(i), Target{ID: "t", Handler: failing(0, nil), DeadLetterOnRemoval: true})
		}
		before := runtime.NumGoroutine()
		for i := range 1000 {
			require.NoError(t, b.RemoveRule(fmt.Sprint(i)))
		}
		assert.LessOrEqual(t, runtime.NumGoroutine(), before)
		require.NoError(t, b.Close(t.Context()))
	})
}
