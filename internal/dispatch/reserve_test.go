package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A batch is accepted by all its queues or by none: if one is full the others keep
// all their room.
func TestReserveIsAllOrNone(t *testing.T) {
	for _, overflow := range []Overflow{Block, Reject} {
		for full := range 4 {
			t.Run(fmt.Sprintf("overflow %d, queue %d", overflow, full), func(t *testing.T) {
				tell(t, func(s *story) { reserveWithOneFull(t, s, overflow, full) })
			})
		}
	}
}

func reserveWithOneFull(t *testing.T, s *story, overflow Overflow, full int) {
	var queues []*Queue
	var batch []Delivery
	release := make(chan struct{})
	defer close(release)
	for i := range 4 {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 3, Backlog: 1, Overflow: overflow})
		s.put(to(q, s.work("running", until(release))))
		synctest.Wait()
		queues = append(queues, q)
		batch = append(batch, Delivery{Queue: q, Work: s.work(fmt.Sprint(i))})
	}
	for range 3 {
		s.put(to(queues[full], s.work("waiting")))
	}
	before := s.Undecided()
	for range 10 {
		var e *FullError
		require.ErrorAs(t, s.Reserve(batch, false), &e)
		assert.Same(t, queues[full], e.Queue)
	}
	assert.Equal(t, before, s.Undecided())
	for i, q := range queues {
		if i == full {
			continue
		}
		checkDepth(t, q, 0, 1, 0)
		for range 3 {
			s.put(to(q, s.work("fits")))
		}
		require.Error(t, s.Reserve(to(q, s.work("too many")), false))
	}
}

// A batch with a queue that overflows and one that refuses is refused, and nothing
// of it is abandoned.
func TestReserveWithOverflowAndRefusal(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		overflows := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
		refuses := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Reject})
		s.fill(overflows, release)
		s.fill(refuses, release)
		batch := append(to(overflows, s.work("a")), to(refuses, s.work("b"))...)
		var full *FullError
		require.ErrorAs(t, s.Reserve(batch, false), &full)
		assert.Same(t, refuses, full.Queue)
		s.happened()
		close(release)
		s.finish()
		s.told()
		s.put(batch) // the same again: there is room now
		s.finish()
		assert.Len(t, s.told(), 2)
	})
}

// The empty batch is accepted, unless the dispatcher is closed.
func TestReserveOfNothing(t *testing.T) {
	tell(t, func(s *story) {
		s.put(nil)
		require.NoError(t, s.Close(context.Background()))
		require.ErrorIs(t, s.Reserve(nil, false), ErrClosed)
	})
}

// A publisher that waits for room has it as soon as there is some, in the order of
// their coming.
func TestReserveWaitIsWoken(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		for i := range 5 {
			go s.publish(context.Background(), fmt.Sprint("p", i), to(q, s.work(fmt.Sprint(i), takes(time.Second))))
			synctest.Wait()
		}
		s.happenedInAnyOrder("0s p0 accepted", "0s 0 attempt 1", "0s p1 accepted")
		for i := 1; i < 4; i++ {
			s.at(time.Duration(i) * time.Second)
			s.happenedInAnyOrder(fmt.Sprintf("%ds %d attempt 1", i, i), fmt.Sprintf("%ds p%d accepted", i, i+1))
		}
		s.at(time.Hour)
		s.happened("4s 4 attempt 1")
	})
}

// notSlow is for those who do not ask whether they wait for long.
func notSlow(*FullError) {}

// While a publisher waits, where its batch goes may change: it is made anew each
// time that there may be room, and the last one is what counts.
func TestReserveWaitPreparesAnew(t *testing.T) {
	tell(t, func(s *story) {
		config := Config{Concurrency: 1, Capacity: 1, Backlog: 1}
		var queues []*Queue
		for _, seconds := range []time.Duration{1, 3, 2} {
			q := s.NewQueue(config)
			s.putAll(q, s.work("", takes(seconds*time.Second)))
			synctest.Wait()
			s.putAll(q, s.work(""))
			queues = append(queues, q)
		}
		s.told()
		next := 0
		batch, err := s.ReserveWait(context.Background(), &FullError{Queue: queues[0]}, func() ([]Delivery, error) {
			next++
			s.note("prepared for %d", next%3)
			return to(queues[next%3], s.work("p")), nil
		}, notSlow)
		require.NoError(t, err)
		synctest.Wait()
		s.Put(batch)
		s.happenedInAnyOrder("1s  attempt 1", "1s prepared for 1", "2s  attempt 1", "3s  attempt 1", "3s prepared for 2", "3s p attempt 1")
	})
}

// If a publisher that was woken does not use the room, the next one has it.
func TestRoomIsPassedOn(t *testing.T) {
	unused := map[string]func(s *story, q *Queue) error{
		"batch not made": func(s *story, q *Queue) error {
			_, err := s.ReserveWait(context.Background(), &FullError{Queue: q}, func() ([]Delivery, error) { return nil, errors.New("no batch") }, notSlow)
			return err
		},
		"other queue": func(s *story, q *Queue) error {
			other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
			batch, err := s.ReserveWait(context.Background(), &FullError{Queue: q}, func() ([]Delivery, error) { return to(other, s.work("other")), nil }, notSlow)
			s.Put(batch)
			return errors.Join(err, errors.New("elsewhere"))
		},
		"other queue full": func(s *story, q *Queue) error {
			other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Reject})
			other.occupy()
			_, err := s.ReserveWait(context.Background(), &FullError{Queue: q}, func() ([]Delivery, error) {
				return append(to(q, s.work("p")), to(other, s.work("p"))...), nil
			}, notSlow)
			other.unreserve()
			return err
		},
	}
	for name, p := range unused {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
				s.putAll(q, s.work("slow", takes(time.Second)))
				synctest.Wait()
				s.putAll(q, s.work("waiting", takes(time.Hour)))
				for range 3 {
					go func() { assert.Error(t, p(s, q)) }()
				}
				synctest.Wait()
				go s.publish(context.Background(), "last", to(q, s.work("last")))
				s.at(time.Second)
				assert.Contains(t, s.told(), "1s last accepted")
			})
		})
	}
}

// A publisher that waits gives up when its context ends, is out of the queue's books
// then, and leaves the room to others.
func TestReserveWaitEndsWithItsContext(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.fill(q, release)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		for range 2 {
			go s.publish(ctx, "p", to(q, s.work("p")))
		}
		synctest.Wait()
		go s.publish(context.Background(), "last", to(q, s.work("last")))
		s.at(3 * time.Second)
		s.happened("3s p refused: context deadline exceeded", "3s p refused: context deadline exceeded")
		assert.Equal(t, 1, q.look().publishers)
		close(release)
		s.happenedInAnyOrder("3s waiting attempt 1", "3s last accepted", "3s last attempt 1")
	})
}

// Room that is meant for a publisher which gives up in that moment is not lost: the
// next one has it.
func TestRoomForOneWhoGivesUp(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		q.occupy()
		ctx, cancel := context.WithCancel(context.Background())
		go s.publish(ctx, "p", to(q, s.work("p")))
		synctest.Wait()
		go s.publish(context.Background(), "last", to(q, s.work("last")))
		synctest.Wait()
		q.mu.Lock()
		cancel() // p gives up, but cannot say so yet
		q.reserved--
		room := q.nextPublisherLocked()
		q.mu.Unlock()
		wake(room)
		q.decide()
		s.happenedInAnyOrder("0s p refused: context canceled", "0s last accepted", "0s last attempt 1")
	})
}

// Room that is given back, since another queue of a batch had none, is for those who
// wait.
func TestGivenBackRoomWakesPublishers(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		q.occupy()
		go s.publish(context.Background(), "p", to(q, s.work("p")))
		s.at(time.Second)
		s.happened()
		q.unreserve()
		s.happenedInAnyOrder("1s p accepted", "1s p attempt 1")
	})
}

// Close ends the waiting of publishers.
func TestReserveWaitEndsWithClose(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.fill(q, release)
		for range 3 {
			go s.publish(context.Background(), "p", to(q, s.work("p")))
		}
		s.at(time.Second)
		go s.Close(context.Background())
		s.happened("1s p refused: closed", "1s p refused: closed", "1s p refused: closed")
		close(release)
		s.happened("1s waiting attempt 1")
	})
}

// A publisher that waits for long says so once, after five seconds, and names the
// queue that it waits for then.
func TestReserveWaitIsSlow(t *testing.T) {
	tell(t, func(s *story) {
		config := Config{Concurrency: 1, Capacity: 1, Backlog: 1}
		queues := []*Queue{s.NewQueue(config), s.NewQueue(config)}
		for i, q := range queues {
			s.putAll(q, s.work("", takes(time.Duration(3+20*i)*time.Second)))
			synctest.Wait()
			s.putAll(q, s.work(""))
		}
		s.told()
		prepare := func() ([]Delivery, error) {
			return append(to(queues[0], s.work("p")), to(queues[1], s.work("p"))...), nil
		}
		batch, err := s.ReserveWait(context.Background(), &FullError{Queue: queues[0]}, prepare,
			func(f *FullError) { s.note("slow: queue %d", slices.Index(queues, f.Queue)) })
		require.NoError(t, err)
		s.happenedInAnyOrder("3s  attempt 1", "5s slow: queue 1", "23s  attempt 1")
		s.Put(batch)
	})
}

// A publisher that is not kept waiting for five seconds is not slow.
func TestReserveWaitIsNotSlow(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		s.putAll(q, s.work("a", takes(5*time.Second-1)))
		synctest.Wait()
		s.putAll(q, s.work("b"))
		batch, err := s.ReserveWait(context.Background(), &FullError{Queue: q}, func() ([]Delivery, error) { return to(q, s.work("p")), nil },
			func(*FullError) { assert.Fail(t, "not slow") })
		require.NoError(t, err)
		s.at(time.Minute)
		s.Put(batch)
	})
}

// Configure wakes those who wait: one finds room, one is refused, one is abandoned.
func TestConfigureWakesPublishers(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   []string
	}{
		{Config{Concurrency: 1, Capacity: 2, Backlog: 1}, []string{"1s p accepted"}},
		{Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Reject}, []string{"1s p refused: queue full"}},
		{Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon}, []string{"1s p accepted", "1s p abandoned: queue full"}},
		{Config{Concurrency: 2, Capacity: 1, Backlog: 1}, []string{"1s waiting attempt 1", "1s p accepted", "1s p attempt 1"}},
	} {
		tell(t, func(s *story) {
			q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
			release := make(chan struct{})
			s.fill(q, release)
			go s.publish(context.Background(), "p", to(q, s.work("p")))
			s.at(time.Second)
			q.Configure(c.config)
			s.happenedInAnyOrder(c.want...)
			close(release)
		})
	}
}

// What happens between the look that found a queue full and the waiting for room is
// not missed: that the queue is retired, or now refuses, or that the rules have changed.
func TestReserveWaitMissesNoWake(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Queue)
		want   string
	}{
		"retired":    {(*Queue).Retire, "queue retired"},
		"configured": {func(q *Queue) { q.Configure(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Reject}) }, "queue full"},
		"woken":      {(*Queue).Wake, "other rules"},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
				s.putAll(q, s.work("", takes(time.Hour)))
				synctest.Wait()
				s.putAll(q, s.work(""))
				var full *FullError
				require.ErrorAs(t, s.Reserve(to(q, s.work("p")), false), &full)
				c.change(q)
				_, err := s.ReserveWait(context.Background(), full, func() ([]Delivery, error) {
					if name == "woken" {
						return nil, errors.New("other rules")
					}
					return to(q, s.work("p")), nil
				}, notSlow)
				assert.EqualError(t, err, c.want)
				assert.Zero(t, time.Since(s.start), "it has waited for room that it does not need")
			})
		})
	}
}

// No wake-up is lost: many publishers, each of which needs the only room of two
// queues, in either order, all come through.
func TestManyPublishersOfTwoQueues(t *testing.T) {
	tell(t, func(s *story) {
		config := Config{Concurrency: 1, Capacity: 1, Backlog: 1}
		a, b := s.NewQueue(config), s.NewQueue(config)
		ctx, cancel := context.WithTimeout(context.Background(), ever)
		defer cancel()
		var publishers sync.WaitGroup
		const n = 300
		const tick = 10 * time.Millisecond // so that none waits for long
		for i := range n {
			batch := []Delivery{{Queue: a, Work: s.work("", takes(tick))}, {Queue: b, Work: s.work("", takes(tick))}}
			if i%2 == 0 {
				slices.Reverse(batch)
			}
			publishers.Go(func() {
				assert.NoError(t, s.publish(ctx, "", batch))
			})
		}
		publishers.Wait()
		s.finish()
		assert.Equal(t, n*tick, time.Since(s.start), "the queues were kept busy")
	})
}
