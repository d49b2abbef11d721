package dispatch

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Discard abandons, once, all of its queue that is not running, and what was reserved
// when that is put in; what runs goes on, and is abandoned if it asks for another attempt.
// Other queues are not touched.
func TestDiscard(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		other := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		s.putAll(other, s.work("other", again(time.Hour), succeed))
		q := fillAll(s, release)
		reserved := to(q, s.work("reserved"))
		require.NoError(t, s.Reserve(reserved, false))
		q.Discard()
		abandoned := []string{}
		for _, name := range []string{"due", "ready", "ready first", "held by ready", "held by running", "held by retrying", "retrying", "retrying first"} {
			abandoned = append(abandoned, "1s "+name+" abandoned: discarded")
		}
		s.happenedInAnyOrder(abandoned...)
		checkDepth(t, q, 0, 2, 0)
		s.Put(reserved)
		s.happened("1s reserved abandoned: discarded")
		require.ErrorIs(t, s.Reserve(to(q, s.work("refused")), true), ErrRetired)
		assert.True(t, s.has(q))
		q.Discard() // finds nothing
		s.at(2 * time.Second)
		close(release)
		s.happened("2s running first abandoned: discarded")
		assert.False(t, s.has(q))
		s.finish()
		s.happened("1h0m0s other attempt 2")
	})
}

// What is abandoned since its queue is discarded may ask for an attempt later, time and
// again: a letter that is sent again is not lost with the queue.
func TestDiscardedMayAskForAnAttempt(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		w := s.work("w", again(time.Hour), again(time.Minute), succeed)
		w.instead = Verdict{Again: true, Delay: time.Second}
		s.putAll(q, w)
		synctest.Wait()
		q.Discard()
		s.finish()
		s.happened("0s w attempt 1", "0s w abandoned: discarded", "1s w attempt 2", "1s w abandoned: discarded", "2s w attempt 3")
		assert.False(t, s.has(q))
	})
}

// Discard does not wait for what it abandons, and close finds that.
func TestDiscardDoesNotWait(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		s.putAll(q, s.work("running", takes(time.Minute)))
		synctest.Wait()
		s.putAll(q, s.abandonedFor(time.Hour, "slow"), s.work("behind"))
		q.Discard()
		assert.Zero(t, time.Since(s.start))
		s.at(2 * time.Minute)
		s.told()
		s.Abort()
		s.Expire()
		s.happenedInAnyOrder("2m0s slow abandoned: expired", "2m0s behind abandoned: expired")
		s.at(24 * time.Hour)
		s.happened()
	})
}

// A publisher that waits for room in a queue that is discarded finds out at once.
func TestDiscardWakesPublishers(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.fill(q, release)
		go s.publish(context.Background(), "p", to(q, s.work("p")))
		s.at(time.Second)
		q.Discard()
		s.happenedInAnyOrder("1s p refused: queue retired", "1s waiting abandoned: discarded")
		close(release)
	})
}

// A work that comes to wait for a retry while its queue is discarded is not overlooked.
func TestDiscardWhileARetryIsScheduled(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		release := make(chan struct{})
		s.putAll(q, s.work("w", both(until(release), again(time.Hour))))
		synctest.Wait()
		s.Dispatcher.mu.Lock() // which keeps the retry out of the heap
		close(release)
		for retrying := 0; retrying == 0; {
			runtime.Gosched()
			_, _, retrying = q.Depth()
		}
		q.mu.Lock() // as by a Discard that has looked at the heap already
		q.retired, q.discarded = true, true
		q.mu.Unlock()
		s.Dispatcher.mu.Unlock()
		s.happened("0s w attempt 1", "0s w abandoned: discarded")
	})
}

// A letter that waits to be sent again is not put off by what fails meanwhile.
func TestDiscardPutsOffNoOther(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 10})
		w := s.work("w", again(time.Hour), succeed)
		w.instead = Verdict{Again: true, Delay: 3 * time.Second}
		s.putAll(q, w, s.work("fails", takes(time.Second, again(time.Hour))))
		synctest.Wait()
		q.Discard()
		s.finish()
		s.happenedInAnyOrder("0s w attempt 1", "0s fails attempt 1", "0s w abandoned: discarded", "1s fails abandoned: discarded", "3s w attempt 2")
	})
}
