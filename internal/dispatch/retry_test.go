package dispatch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A work is attempted again exactly its Delay after the attempt that asked for it.
func TestRetryComesAfterItsDelay(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.put(to(q, s.work("a", again(time.Second), takes(time.Minute, again(time.Nanosecond)), again(24*time.Hour), again(0), succeed)))
		s.finish()
		s.happened("0s a attempt 1", "1s a attempt 2", "1m1.000000001s a attempt 3", "24h1m1.000000001s a attempt 4", "24h1m1.000000001s a attempt 5")
	})
}

// Retries of many works, scheduled in any order, each come at their time.
func TestRetriesComeAtTheirTimes(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 200, Capacity: 200, Backlog: 200})
		for seed := range uint64(200) {
			r, due := rand.New(rand.NewPCG(seed, 0)), time.Now()
			w := s.work("", func(v *Verdict) {
				assert.Equal(t, due, time.Now())
				if r.IntN(20) > 0 {
					again(time.Duration(r.IntN(1000)) * time.Millisecond)(v)
				}
				due = due.Add(v.Delay)
			})
			s.put(to(q, w))
			synctest.Wait()
		}
		s.finish()
	})
}

// A retry waits outside: it holds no worker and takes no room.
func TestRetryWaitsOutside(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 100, Overflow: Reject})
		for range 50 {
			s.putAll(q, s.work("", again(time.Hour), succeed))
			synctest.Wait()
		}
		checkDepth(t, q, 0, 0, 50)
		assert.Zero(t, q.look().workers)
		s.told()
		s.putAll(q, s.work("a", takes(time.Second)))
		synctest.Wait()
		s.putAll(q, s.work("b"))
		s.at(time.Minute)
		s.happened("0s a attempt 1", "1s b attempt 1")
		checkDepth(t, q, 0, 0, 50)
	})
}

// Retries whose time has come take no room from first attempts, and neither does what a
// key holds back whose first is attempted again.
func TestDueRetriesTakeNoRoom(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 2, Backlog: 100, Overflow: Reject})
		for range 3 {
			s.putAll(q, s.work("", again(time.Hour), succeed))
			synctest.Wait()
		}
		s.put(keyed(q, "k", s.work("first", again(30*time.Minute), takes(time.Hour))))
		synctest.Wait()
		s.put(keyed(q, "k", s.work("held")), keyed(q, "k", s.work("held")), keyed(q, "k", s.work("held")))
		s.at(time.Hour)
		checkDepth(t, q, 0, 1, 6)
		s.putAll(q, s.work("a"), s.work("b"))
		checkDepth(t, q, 2, 1, 6)
		assert.Error(t, s.Reserve(to(q, s.work("refused")), false))
	})
}

// Retries that are due, and first attempts, take turns: neither kind keeps the other from
// being made, however many there are.
func TestRetriesAndFirstAttemptsTakeTurns(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		minute := takes(time.Minute, again(0))
		s.putAll(q, s.work("a", minute, minute, succeed), s.work("b", minute, minute, succeed), s.work("c", takes(time.Minute)), s.work("d", takes(time.Minute)))
		s.finish()
		s.happened("0s a attempt 1", "1m0s b attempt 1", "2m0s a attempt 2", "3m0s c attempt 1", "4m0s b attempt 2",
			"5m0s d attempt 1", "6m0s a attempt 3", "6m0s b attempt 3")
	})
}

// Retries at the same time come in the order in which they were scheduled; so do those whose
// times have come while no worker was free, in turn with what came later.
func TestRetriesComeInOrder(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		want := []string{}
		for i := range 20 {
			s.putAll(q, s.work(fmt.Sprint(i), again(time.Hour), succeed))
		}
		for _, at := range []string{"0s", "1h0m0s"} {
			for i := range 20 {
				want = append(want, fmt.Sprintf("%s %d attempt %d", at, i, 1+len(want)/20))
			}
		}
		s.finish()
		s.happened(want...)
	})
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		s.putAll(q, s.work("c", again(3*time.Second), succeed), s.work("a", again(time.Second), succeed), s.work("b", again(2*time.Second), succeed),
			s.work("slow", takes(time.Minute)), s.work("later"))
		s.finish()
		s.happened("0s c attempt 1", "0s a attempt 1", "0s b attempt 1", "0s slow attempt 1",
			"1m0s a attempt 2", "1m0s later attempt 1", "1m0s b attempt 2", "1m0s c attempt 2")
	})
}

// A retry that is scheduled before the others makes the timer go off earlier; the
// others keep their times.
func TestEarlierRetryGoesFirst(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		s.putAll(q, s.work("a", again(3*time.Hour), succeed), s.work("b", again(2*time.Hour), succeed), s.work("c", again(time.Hour), succeed))
		s.at(30 * time.Minute)
		s.putAll(q, s.work("d", again(time.Minute), succeed))
		s.finish()
		s.happened("0s a attempt 1", "0s b attempt 1", "0s c attempt 1", "30m0s d attempt 1", "31m0s d attempt 2",
			"1h0m0s c attempt 2", "2h0m0s b attempt 2", "3h0m0s a attempt 2")
	})
}

// A retry whose key has others behind it is attempted before what came meanwhile.
func TestRetryGoesBeforeNewWorks(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		s.put(keyed(q, "k", s.work("a", again(time.Minute), succeed)), keyed(q, "k", s.work("b")))
		s.at(time.Second)
		s.putAll(q, s.work("slow", takes(time.Hour)))
		s.at(2 * time.Second)
		s.putAll(q, s.work("c"))
		s.finish()
		s.happened("0s a attempt 1", "1s slow attempt 1", "1h0m1s a attempt 2", "1h0m1s c attempt 1", "1h0m1s b attempt 1")
	})
}

// RetryNow attempts what waits for a retry at once, the earliest first; what asks again
// waits for its time.
func TestRetryNow(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		assert.Zero(t, s.RetryNow())
		s.putAll(q, s.work("a", again(3*time.Hour), again(time.Hour), succeed), s.work("b", again(2*time.Hour), succeed))
		s.put(keyed(q, "k", s.work("c", again(time.Hour), succeed)), keyed(q, "k", s.work("d")))
		s.at(time.Minute)
		assert.Equal(t, 3, s.RetryNow())
		s.finish()
		s.happened("0s a attempt 1", "0s b attempt 1", "0s c attempt 1", "1m0s c attempt 2", "1m0s d attempt 1", "1m0s b attempt 2", "1m0s a attempt 2",
			"1h1m0s a attempt 3")
	})
}
