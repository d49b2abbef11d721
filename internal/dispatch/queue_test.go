package dispatch

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With Concurrency 1 works are attempted in the order they were put in, one at a time.
func TestFIFO(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 200, Backlog: 1})
		want := make([]string, 0, 100)
		for i := range 100 {
			name := strconv.Itoa(i)
			s.put(to(q, s.work(name, takes(time.Second))))
			want = append(want, (time.Duration(i)*time.Second).String()+" "+name+" attempt 1")
		}
		s.finish()
		s.happened(want...)
	})
}

// As many works as Concurrency are attempted at a time, no fewer and no more.
func TestConcurrencyIsReachedAndNotExceeded(t *testing.T) {
	for _, concurrency := range []int{1, 2, 7, 64} {
		tell(t, func(s *story) {
			q := s.NewQueue(Config{Concurrency: concurrency, Capacity: 1000, Backlog: 1})
			release := make(chan struct{})
			for range 200 {
				s.put(to(q, s.work("", until(release))))
			}
			for left := 200; left > 0; left-- {
				synctest.Wait()
				checkDepth(t, q, max(0, left-concurrency), min(left, concurrency), 0)
				assert.Equal(t, min(left, concurrency), q.look().workers)
				release <- struct{}{}
			}
		})
	}
}

// A work that does not return holds one worker, and delays no other.
func TestBlockedWorkDelaysNoOther(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 1})
		s.putAll(q, s.work("slow", takes(time.Hour)), s.work("b", takes(time.Second)), s.work("c", takes(time.Second)), s.work("d"))
		s.finish()
		s.happenedInAnyOrder("0s slow attempt 1", "0s b attempt 1", "1s c attempt 1", "2s d attempt 1")
	})
}

// A queue whose works are handled as they come runs on one goroutine, which leaves
// when there is nothing to do.
func TestIdleQueueHasNoWorker(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 8, Capacity: 10, Backlog: 1})
		assert.Zero(t, q.look().workers)
		for range 3 {
			s.putAll(q, s.work("", takes(time.Second)))
			synctest.Wait()
			assert.Equal(t, 1, q.look().workers)
			s.finish()
			assert.Zero(t, q.look().workers)
		}
	})
}

// What is being attempted takes no room: Capacity is for what waits.
func TestCapacityCountsWhatWaits(t *testing.T) {
	for _, overflow := range []Overflow{Block, Reject} {
		tell(t, func(s *story) {
			q := s.NewQueue(Config{Concurrency: 2, Capacity: 3, Backlog: 1, Overflow: overflow})
			release := make(chan struct{})
			s.fill(q, release)
			checkDepth(t, q, 3, 2, 0)
			err := s.Reserve(to(q, s.work("refused")), false)
			var full *FullError
			require.ErrorAs(t, err, &full)
			assert.Same(t, q, full.Queue)
			assert.EqualError(t, err, "queue full")
			assert.Equal(t, 5, s.Undecided())
			checkDepth(t, q, 3, 2, 0)
			close(release)
		})
	}
}

// Room that is reserved and not yet used counts against Capacity.
func TestReservedRoomCounts(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 2, Backlog: 1})
		a, b := to(q, s.work("a")), to(q, s.work("b"))
		require.NoError(t, s.Reserve(a, false))
		require.NoError(t, s.Reserve(b, false))
		require.Error(t, s.Reserve(to(q, s.work("c")), false))
		s.Put(a)
		s.Put(b)
		s.finish()
		s.happened("0s a attempt 1", "0s b attempt 1")
	})
}

// With Overflow Abandon a work that finds its queue full is accepted and abandoned,
// by Put, and takes no room; the others of its batch are delivered.
func TestOverflowAbandon(t *testing.T) {
	for _, force := range []bool{false, true} {
		tell(t, func(s *story) {
			full := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
			other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
			release := make(chan struct{})
			s.fill(full, release)
			batch := append(to(full, s.work("abandoned")), to(other, s.work("delivered"))...)
			require.NoError(t, s.Reserve(batch, force))
			assert.Equal(t, 4, s.Undecided())
			s.happened()
			s.Put(batch)
			s.happenedInAnyOrder("0s abandoned abandoned: queue full", "0s delivered attempt 1")
			assert.Equal(t, 2, s.Undecided())
			checkDepth(t, full, 1, 1, 0)
			close(release)
			s.finish()
			s.put(to(full, s.work("after")))
			s.happenedInAnyOrder("0s waiting attempt 1", "0s after attempt 1")
		})
	}
}

// Force finds room in a full queue where a publisher would wait, and only there.
func TestForceIsForBlock(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		for _, overflow := range []Overflow{Block, Reject} {
			q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: overflow})
			s.fill(q, release)
			for n := range 5 {
				batch := to(q, s.work("forced"))
				err := s.Reserve(batch, true)
				if overflow == Reject {
					var full *FullError
					require.ErrorAs(t, err, &full)
					continue
				}
				require.NoError(t, err)
				s.Put(batch)
				checkDepth(t, q, n+2, 1, 0)
			}
		}
		close(release)
	})
}

// Configure raises Concurrency at once, and lowers it as attempts return.
func TestConfigureConcurrency(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 1})
		release := make(chan struct{})
		for range 20 {
			s.put(to(q, s.work("", until(release))))
		}
		synctest.Wait()
		checkDepth(t, q, 19, 1, 0)
		q.Configure(Config{Concurrency: 6, Capacity: 100, Backlog: 1})
		synctest.Wait()
		checkDepth(t, q, 14, 6, 0)
		q.Configure(Config{Concurrency: 2, Capacity: 100, Backlog: 1})
		for _, running := range []int{5, 4, 3, 2} {
			release <- struct{}{}
			synctest.Wait()
			checkDepth(t, q, 14, running, 0)
		}
		release <- struct{}{}
		synctest.Wait()
		checkDepth(t, q, 13, 2, 0)
		close(release)
	})
}

// Configure changes Capacity for what comes; what is queued stays.
func TestConfigureCapacity(t *testing.T) {
	tell(t, func(s *story) {
		config := Config{Concurrency: 1, Capacity: 2, Backlog: 1, Overflow: Reject}
		q := s.NewQueue(config)
		release := make(chan struct{})
		s.fill(q, release)
		config.Capacity = 4
		q.Configure(config)
		s.putAll(q, s.work("a"), s.work("b"))
		require.Error(t, s.Reserve(to(q, s.work("c")), false))
		config.Capacity = 1
		q.Configure(config)
		checkDepth(t, q, 4, 1, 0)
		require.Error(t, s.Reserve(to(q, s.work("c")), false))
		config.Overflow = Block
		q.Configure(config)
		assert.Equal(t, Block, q.Overflow())
		close(release)
		s.finish()
		s.happened("0s waiting attempt 1", "0s waiting attempt 1", "0s a attempt 1", "0s b attempt 1")
	})
}

// A retired queue refuses deliveries, for the whole batch, attempts what it has,
// its retries included, and is forgotten when it is empty.
func TestRetire(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.putAll(q, s.work("a", takes(time.Second, again(time.Minute)), succeed), s.work("b"))
		s.put(keyed(q, "k", s.work("c", again(time.Minute), succeed)), keyed(q, "k", s.work("d")))
		late := to(q, s.work("late"))
		require.NoError(t, s.Reserve(late, false))
		synctest.Wait()
		q.Retire()
		for _, force := range []bool{false, true} {
			batch := append(to(other, s.work("refused")), to(q, s.work("refused"))...)
			require.ErrorIs(t, s.Reserve(batch, force), ErrRetired)
		}
		checkDepth(t, other, 0, 0, 0)
		s.Put(late)
		s.at(59 * time.Second)
		assert.True(t, s.has(q))
		s.finish()
		assert.False(t, s.has(q))
		assert.True(t, s.has(other))
		s.happened("0s a attempt 1", "1s b attempt 1", "1s c attempt 1", "1s late attempt 1",
			"1m1s a attempt 2", "1m1s c attempt 2", "1m1s d attempt 1")
	})
}

// A retired queue is forgotten by whatever empties it last: nothing, room given
// back, an attempt, or one whose goroutine ends.
func TestRetiredQueueIsForgotten(t *testing.T) {
	cases := map[string]func(s *story, q *Queue){
		"empty": func(_ *story, q *Queue) { q.Retire() },
		"room given back": func(s *story, q *Queue) {
			batch := to(q, s.work("a"))
			q.occupy()
			q.Retire()
			assert.True(t, s.has(q))
			release(batch)
		},
		"attempt": func(s *story, q *Queue) {
			s.put(to(q, s.work("a", takes(time.Second))))
			synctest.Wait()
			q.Retire()
			assert.True(t, s.has(q))
			s.finish()
		},
		"goroutine ends": func(s *story, q *Queue) {
			s.put(to(q, s.work("a", takes(time.Second, goexit))))
			synctest.Wait()
			q.Retire()
			s.finish()
		},
		"retry": func(s *story, q *Queue) {
			s.putAll(q, s.work("a", again(time.Second), succeed))
			synctest.Wait()
			q.Retire()
			assert.True(t, s.has(q))
			s.finish()
		},
	}
	for name, empty := range cases {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 3, Backlog: 1})
				empty(s, q)
				assert.Empty(t, s.allQueues())
			})
		})
	}
}

// A publisher that waits for room in a queue learns that it is retired at once, not
// only when there would be room: that may be never.
func TestRetireWakesPublishers(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.putAll(q, s.work("slow", takes(time.Hour)))
		synctest.Wait()
		s.putAll(q, s.work("waiting"))
		go s.publish(context.Background(), "p", to(q, s.work("p")))
		s.at(time.Second)
		q.Retire()
		s.finish()
		s.happenedInAnyOrder("0s slow attempt 1", "1s p refused: queue retired", "1h0m0s waiting attempt 1")
	})
}

// Put works whose attempts put in further works, into the same full queue, by force:
// this ends, since nothing waits for itself.
func TestWorksThatPutInWorks(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		const n = 1024
		children := 0
		for range n {
			parent := s.work("", func(*Verdict) {
				child := to(q, s.work("", func(*Verdict) { children++ }))
				require.NoError(t, s.Reserve(child, true))
				s.Put(child)
			})
			go s.publish(context.Background(), "", to(q, parent))
		}
		s.at(0)
		s.finish()
		assert.Equal(t, n, children)
		assert.Len(t, s.told(), 3*n)
	})
}
