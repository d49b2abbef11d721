package dispatch

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Works of a key are attempted one at a time and in order; other keys, and works
// without order, do not wait for them.
func TestKeysAreInOrder(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 3, Capacity: 10, Backlog: 1})
		second := takes(time.Second)
		s.put(keyed(q, "a", s.work("a1", second)), keyed(q, "a", s.work("a2", second)), keyed(q, "a", s.work("a3", second)))
		s.at(0)
		checkDepth(t, q, 2, 1, 0)
		s.put(keyed(q, "b", s.work("b1", takes(1500*time.Millisecond))), keyed(q, "b", s.work("b2")))
		s.at(0)
		s.put(to(q, s.work("free")))
		s.happenedInAnyOrder("0s a1 attempt 1", "0s b1 attempt 1", "0s free attempt 1")
		checkDepth(t, q, 3, 2, 0)
		s.finish()
		s.happenedInAnyOrder("1s a2 attempt 1", "1.5s b2 attempt 1", "2s a3 attempt 1")
	})
}

// The empty key is a key.
func TestEmptyKey(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 3, Capacity: 10, Backlog: 1})
		s.put(keyed(q, "", s.work("a", takes(time.Second))), keyed(q, "", s.work("b")))
		s.finish()
		s.happenedInAnyOrder("0s a attempt 1", "1s b attempt 1")
	})
}

// Keys are a queue's own: the same key in another queue waits for nothing.
func TestKeysOfQueuesDiffer(t *testing.T) {
	tell(t, func(s *story) {
		c := Config{Concurrency: 1, Capacity: 10, Backlog: 1}
		s.put(keyed(s.NewQueue(c), "k", s.work("a", takes(time.Second))))
		s.at(0)
		s.put(keyed(s.NewQueue(c), "k", s.work("b")))
		s.happenedInAnyOrder("0s a attempt 1", "0s b attempt 1")
	})
}

// A failing work holds back its key and only its key. What it holds back counts with the
// backlog until it is decided, also while it is attempted again.
func TestRetryHoldsBackItsKey(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		s.put(keyed(q, "a", s.work("a1", again(time.Minute), takes(time.Minute, again(time.Minute)), succeed)))
		s.at(0)
		checkDepth(t, q, 0, 0, 1)
		s.put(keyed(q, "a", s.work("a2")), keyed(q, "b", s.work("b1")), keyed(q, "a", s.work("a3")))
		s.at(0)
		checkDepth(t, q, 0, 0, 3)
		s.happened("0s a1 attempt 1", "0s b1 attempt 1")
		s.at(time.Minute)
		checkDepth(t, q, 0, 1, 2)
		s.put(keyed(q, "a", s.work("a4")))
		checkDepth(t, q, 0, 1, 3)
		s.at(2 * time.Minute)
		checkDepth(t, q, 0, 0, 4)
		s.finish()
		s.happened("1m0s a1 attempt 2", "3m0s a1 attempt 3", "3m0s a2 attempt 1", "3m0s a3 attempt 1", "3m0s a4 attempt 1")
	})
}

// What is held back behind a retry leaves its room to others: a queue with a key
// that fails takes as much of other keys as before.
func TestHeldBackTakesNoRoom(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 10, Overflow: Reject})
		s.put(keyed(q, "a", s.work("a1", again(time.Hour), succeed)))
		for i := range 5 {
			s.at(time.Duration(i) * time.Minute)
			s.put(keyed(q, "a", s.work("held")))
		}
		for i := range 5 {
			s.at(time.Duration(10+i) * time.Minute)
			s.put(keyed(q, "b", s.work("b")))
			synctest.Wait()
		}
		checkDepth(t, q, 0, 0, 6)
		assert.Len(t, s.told(), 6)
	})
}

// A work that is to be attempted again and finds the backlog full is abandoned; the
// next of its key is attempted.
func TestBacklogFullForTheRetry(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 2})
		hour := again(time.Hour)
		s.putAll(q, s.work("a", hour, succeed), s.work("b", hour, succeed), s.work("c", hour))
		s.put(keyed(q, "k", s.work("d", hour)), keyed(q, "k", s.work("e", hour)), keyed(q, "k", s.work("f")))
		s.happened("0s a attempt 1", "0s b attempt 1", "0s c attempt 1", "0s c abandoned: backlog full",
			"0s d attempt 1", "0s d abandoned: backlog full", "0s e attempt 1", "0s e abandoned: backlog full", "0s f attempt 1")
		checkDepth(t, q, 0, 0, 2)
		s.finish()
		s.happened("1h0m0s a attempt 2", "1h0m0s b attempt 2")
	})
}

// A work that finds the backlog full holds back its key until it is decided, that is,
// until Abandon has returned; other keys do not wait for that.
func TestKeyIsHeldBackWhileItsFirstIsAbandoned(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 1})
		s.putAll(q, s.work("a", again(time.Hour), succeed))
		synctest.Wait()
		failing := s.work("b", again(time.Second))
		failing.abandon = func(Reason) {
			<-time.After(time.Minute)
			s.note("b abandoned")
		}
		s.put(keyed(q, "k", failing), keyed(q, "k", s.work("c")), keyed(q, "other", s.work("d")))
		s.at(time.Minute)
		s.happenedInAnyOrder("0s a attempt 1", "0s b attempt 1", "0s b abandoned: backlog full", "0s d attempt 1",
			"1m0s b abandoned", "1m0s c attempt 1")
	})
}

// What is held behind a retry and finds the backlog full is abandoned, the latest
// first; the others keep their order.
func TestBacklogFullForThoseHeld(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 3})
		s.put(keyed(q, "k", s.work("a", takes(time.Second, again(time.Hour)), succeed)))
		for _, name := range []string{"b", "c", "d", "e", "f"} {
			s.put(keyed(q, "k", s.work(name)))
		}
		s.at(0)
		checkDepth(t, q, 5, 1, 0)
		s.at(time.Second)
		checkDepth(t, q, 0, 0, 3)
		s.happened("0s a attempt 1", "1s f abandoned: backlog full", "1s e abandoned: backlog full", "1s d abandoned: backlog full")
		s.finish()
		s.happened("1h0m1s a attempt 2", "1h0m1s b attempt 1", "1h0m1s c attempt 1")
	})
}

// A work that arrives behind a retry and finds the backlog full is abandoned by Put,
// and takes no room; one of another key is attempted.
func TestBacklogFullForArrivals(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 2})
		s.put(keyed(q, "k", s.work("a", again(time.Hour), succeed)))
		synctest.Wait()
		for _, name := range []string{"b", "c", "d"} {
			s.put(keyed(q, "k", s.work(name)))
		}
		s.put(keyed(q, "other", s.work("e")))
		s.happened("0s a attempt 1", "0s c abandoned: backlog full", "0s d abandoned: backlog full", "0s e attempt 1")
		checkDepth(t, q, 0, 0, 2)
		s.finish()
		s.happened("1h0m0s a attempt 2", "1h0m0s b attempt 1")
	})
}

// A backlog that Configure lowers below what it has keeps it, and takes no more.
func TestConfigureBacklog(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 5})
		s.put(keyed(q, "k", s.work("a", again(time.Minute), takes(time.Second, again(time.Minute)), succeed)))
		synctest.Wait()
		s.put(keyed(q, "k", s.work("b")), keyed(q, "k", s.work("c")))
		q.Configure(Config{Concurrency: 1, Capacity: 10, Backlog: 1})
		s.put(keyed(q, "k", s.work("d")), to(q, s.work("e", again(time.Hour))))
		s.happened("0s a attempt 1", "0s d abandoned: backlog full", "0s e attempt 1", "0s e abandoned: backlog full")
		checkDepth(t, q, 0, 0, 3)
		s.finish()
		s.happened("1m0s a attempt 2", "1m1s c abandoned: backlog full", "1m1s b abandoned: backlog full", "2m1s a attempt 3")
	})
}

// The room that a held work was promised is free again when it is put in behind a
// retry, in the backlog or not at all: who waits for room gets it then, not only
// when the retry's time comes.
func TestRoomOfHeldBackWakesPublishers(t *testing.T) {
	for _, backlog := range []int{1, 10} {
		t.Run(fmt.Sprintf("backlog %d", backlog), func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: backlog})
				s.put(keyed(q, "k", s.work("a", again(24*time.Hour), succeed)))
				synctest.Wait()
				held := keyed(q, "k", s.work("held"))
				require.NoError(t, s.Reserve(held, false))
				go s.publish(context.Background(), "p", to(q, s.work("b")))
				s.at(time.Second)
				s.happenedInAnyOrder("0s a attempt 1")
				s.Put(held)
				s.at(time.Minute)
				if backlog == 1 {
					s.happenedInAnyOrder("1s held abandoned: backlog full", "1s p accepted", "1s b attempt 1")
				} else {
					s.happenedInAnyOrder("1s p accepted", "1s b attempt 1")
				}
			})
		})
	}
}

// Publishers of a key that waits for a retry do not make each other wait for it.
func TestPublishersOfAHeldBackKey(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 10})
		s.put(keyed(q, "k", s.work("a", again(24*time.Hour), succeed)))
		synctest.Wait()
		s.put(to(q, s.work("slow", takes(time.Second))))
		synctest.Wait()
		s.put(to(q, s.work("waiting")))
		for range 3 {
			go s.publish(context.Background(), "p", keyed(q, "k", s.work("b")))
		}
		s.at(time.Minute)
		s.happenedInAnyOrder("0s a attempt 1", "0s slow attempt 1", "1s waiting attempt 1", "1s p accepted", "1s p accepted", "1s p accepted")
	})
}

// Lanes are forgotten with their last work.
func TestLanesAreForgotten(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 4, Capacity: 1000, Backlog: 1000})
		for i := range 1000 {
			s.put(keyed(q, fmt.Sprint(i%300), s.work("", takes(time.Second), again(time.Second), goexit)))
		}
		s.finish()
		assert.Zero(t, q.look().lanes)
	})
}
