package dispatch

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// abandonedFor returns a work that fails once, and whose first Abandon takes some time, unless
// it is for Expire, which reports only.
func (s *story) abandonedFor(d time.Duration, name string) *scripted {
	w := s.work(name, again(time.Second), takes(time.Hour))
	var called atomic.Bool
	w.abandon = func(r Reason) {
		if !called.Swap(true) && r != Expired {
			<-time.After(d)
		}
	}
	return w
}

// whileFull calls f while all room of q is reserved.
func whileFull(q *Queue, f func()) {
	for range q.config.Capacity {
		q.occupy()
		defer q.unreserve()
	}
	f()
}

// Abandon may ask for an attempt later: the work waits for it, beyond the backlog's
// bound, and holds neither a worker nor its key. This it may do time and again. Beyond twice
// the bound it is abandoned for good.
func TestAbandonAsksForAnAttempt(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 2, Backlog: 2, Overflow: Abandon})
		s.putAll(q, s.work("a", again(time.Hour), succeed), s.work("a", again(time.Hour), succeed))
		synctest.Wait()
		b, d, e := s.work("b", again(0), again(time.Second), succeed), s.work("d"), s.work("e")
		b.instead, d.instead = Verdict{Again: true, Delay: time.Minute}, Verdict{Again: true, Delay: 2 * time.Minute}
		e.instead = d.instead
		s.put(keyed(q, "k", b), keyed(q, "k", s.work("c", takes(time.Second))))
		synctest.Wait()
		s.putAll(q, s.work(""), s.work(""), d, e)
		s.at(time.Second)
		checkDepth(t, q, 0, 0, 4)
		assert.Equal(t, 4, s.Undecided())
		s.finish()
		s.happened("0s a attempt 1", "0s a attempt 1", "0s b attempt 1", "0s b abandoned: backlog full", "0s c attempt 1", "0s d abandoned: queue full",
			"0s e abandoned: queue full", "0s e abandoned: no room",
			"1s  attempt 1", "1s  attempt 1", "1m0s b attempt 2", "1m0s b abandoned: backlog full", "2m0s d attempt 1", "2m0s b attempt 3",
			"1h0m0s a attempt 2", "1h0m0s a attempt 2")
	})
}

// An Abandon that asks for an attempt when nothing is attempted any more is followed
// by another one, which decides.
func TestAbandonAsksWhenClosed(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
		s.putAll(q, s.work("a", again(time.Hour)))
		synctest.Wait()
		w := s.abandonedFor(time.Minute, "w")
		w.instead.Again = true
		s.putAll(q, w)
		s.at(time.Second)
		s.Abort()
		s.finish()
		s.happened("0s a attempt 1", "0s w attempt 1", "0s w abandoned: backlog full", "1s a abandoned: closed", "1m0s w abandoned: closed")
	})
}

// A queue that is retired while Abandon runs is not forgotten before it is clear
// whether Abandon asks for an attempt: who abandons what waits or runs finds it.
func TestRetiredQueueWaitsForAbandon(t *testing.T) {
	for name, put := range map[string]func(s *story, q *Queue, w *scripted){
		"overflow": func(s *story, q *Queue, w *scripted) {
			w.script = []step{takes(time.Hour)}
			batch := to(q, w)
			whileFull(q, func() { require.NoError(s.t, s.Reserve(batch, false)) })
			go s.Put(batch)
		},
		"overflow, retired before Put": func(s *story, q *Queue, w *scripted) {
			w.script = []step{takes(time.Hour)}
			batch := to(q, w)
			whileFull(q, func() { require.NoError(s.t, s.Reserve(batch, false)) })
			q.Retire()
			go s.Put(batch)
		},
		"backlog": func(s *story, q *Queue, w *scripted) {
			s.putAll(q, s.work("", again(2*time.Second), succeed))
			synctest.Wait()
			s.putAll(q, w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 2, Capacity: 1, Backlog: 1, Overflow: Abandon})
				w := s.abandonedFor(time.Minute, "w")
				w.instead = Verdict{Again: true, Delay: time.Minute}
				put(s, q, w)
				s.at(time.Second)
				q.Retire()
				s.at(3 * time.Minute)
				checkDepth(t, q, 0, 1, 0)
				assert.True(t, s.has(q), "an attempt is running in it")
				s.Abort()
				assert.Equal(t, 1, s.AbandonRunning())
				s.at(24 * time.Hour)
			})
		})
	}
}

// Expire decides what is being abandoned and has not come to an end. What comes of it
// later does not count.
func TestExpire(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 100})
		s.putAll(q, s.work("running", takes(time.Hour)))
		synctest.Wait()
		s.putAll(q, s.abandonedFor(time.Second, "quick"), s.abandonedFor(time.Minute, "slow"))
		s.Abort() // returns at once
		assert.Zero(t, time.Since(s.start))
		s.at(5 * time.Second)
		assert.Equal(t, 2, s.Undecided())
		s.Expire()
		synctest.Wait()
		assert.Equal(t, 1, s.Undecided())
		assert.Equal(t, 1, s.AbandonRunning())
		s.Expire() // finds nothing more, or what runs
		synctest.Wait()
		assert.Equal(t, 0, s.Undecided())
		lines := s.told()
		assert.Contains(t, lines, "5s slow abandoned: expired")
		assert.NotContains(t, lines, "5s quick abandoned: expired")
		s.at(2 * time.Hour)
		assert.Equal(t, 0, s.Undecided())
		s.happened()
	})
}

// Expire finds all that is to be abandoned, not only what is being abandoned now: the
// works of a key that are too many for the backlog, or all of a batch.
func TestExpireFindsAllThatIsToBeAbandoned(t *testing.T) {
	for name, put := range map[string]func(s *story){
		"behind a retry": func(s *story) {
			q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 1})
			s.put(keyed(q, "k", s.work("", takes(time.Second, again(time.Hour)))))
			for i := range 3 {
				s.put(keyed(q, "k", s.abandonedFor(time.Hour, fmt.Sprint(i))))
			}
		},
		"of a batch beyond queues": func(s *story) {
			var batch []Delivery
			for i := range 3 {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
				q.occupy()
				defer q.unreserve()
				batch = append(batch, Delivery{Queue: q, Work: s.abandonedFor(time.Hour, fmt.Sprint(i))})
			}
			require.NoError(s.t, s.Reserve(batch, false))
			go s.Put(batch)
		},
		"of a batch beyond backlogs": func(s *story) {
			var batch []Delivery
			for i := range 3 {
				q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
				s.put(keyed(q, "k", s.work("", again(time.Hour))))
				batch = append(batch, Delivery{Queue: q, Work: s.abandonedFor(time.Hour, fmt.Sprint(i)), Key: "k", Ordered: true})
			}
			synctest.Wait()
			require.NoError(s.t, s.Reserve(batch, false))
			go s.Put(batch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				put(s)
				s.at(2 * time.Second)
				s.Abort()
				s.at(10 * time.Second)
				s.Expire()
				synctest.Wait()
				assert.Zero(t, s.Undecided())
				s.at(24 * time.Hour)
				assert.Zero(t, s.Undecided())
			})
		})
	}
}

// What Expire has decided while it waited to be abandoned is not abandoned any more:
// its letter would be sent though it was reported as lost.
func TestExpiredIsNotAbandonedAgain(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 1})
		s.putAll(q, s.work("", takes(time.Second)))
		synctest.Wait()
		for range abandonAtATime {
			s.putAll(q, s.abandonedFor(time.Hour, "first"))
		}
		s.putAll(q, s.work("last"))
		s.Abort()
		s.at(time.Minute)
		s.told()
		s.Expire()
		synctest.Wait()
		assert.Zero(t, s.Undecided())
		assert.Contains(t, s.told(), "1m0s last abandoned: expired")
		s.at(24 * time.Hour)
		s.happened()
	})
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 1})
		w := s.abandonedFor(time.Hour, "w")
		w.instead.Again = true
		s.putAll(q, s.work("a", again(time.Hour)), w)
		synctest.Wait()
		s.Abort()
		s.at(time.Minute)
		s.told()
		s.Expire()
		s.at(24 * time.Hour)
		s.happened("1m0s w abandoned: expired")
	})
}

// Retries whose time has come in the moment of Abort are abandoned like the others,
// at the same time and not one after the other.
func TestRetriesDueAtAbort(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		for i := range 3 {
			s.putAll(q, s.abandonedFor(time.Hour, fmt.Sprint(i)))
		}
		synctest.Wait()
		q.mu.Lock() // which keeps the retries from the queue when the timer has let them go
		<-time.After(time.Second)
		for scheduled := true; scheduled; {
			s.Dispatcher.mu.Lock()
			scheduled = len(s.retries) > 0
			s.Dispatcher.mu.Unlock()
		}
		aborted := make(chan struct{})
		go func() {
			defer close(aborted)
			s.Abort()
		}()
		for !s.aborted.Load() {
			runtime.Gosched()
		}
		q.mu.Unlock()
		<-aborted
		s.at(10 * time.Second)
		s.Expire()
		synctest.Wait()
		assert.Zero(t, s.Undecided())
		s.at(24 * time.Hour)
	})
}

// While Put abandons a work that its key holds back, and for which the backlog has no
// room, it holds no room for the others of the batch: they are put in before.
func TestPutHoldsNoRoomWhileBacklogFull(t *testing.T) {
	tell(t, func(s *story) {
		c := Config{Concurrency: 1, Capacity: 1, Backlog: 1}
		failing, letters := s.NewQueue(c), s.NewQueue(c)
		s.put(keyed(failing, "k", s.work("", again(time.Second), succeed)))
		synctest.Wait()
		w := s.work("a")
		w.abandon = func(Reason) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			assert.NoError(t, s.publish(ctx, "letter", to(letters, s.work("letter"))))
		}
		s.put(append(keyed(failing, "k", w), to(letters, s.work("b"))...))
		assert.Zero(t, time.Since(s.start), "the letter waited for the room of its own event")
	})
}

// An Abandon that ends its goroutine has decided, and leaves nothing undone: the rest
// of a batch is put in, the other works are abandoned, and workers go on.
func TestGoexitInAbandon(t *testing.T) {
	exits := func(s *story, name string, script ...step) *scripted {
		w := s.work(name, script...)
		w.abandon = func(Reason) { runtime.Goexit() }
		return w
	}
	hour := again(time.Hour)
	for name, put := range map[string]func(s *story, q *Queue){
		"overflow": func(s *story, q *Queue) {
			other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
			batch := []Delivery{{Queue: q, Work: exits(s, "a")}, {Queue: other, Work: s.work("b")}, {Queue: q, Work: exits(s, "c")}}
			whileFull(q, func() { require.NoError(s.t, s.Reserve(batch, false)) })
			go s.Put(batch)
		},
		"arrival": func(s *story, q *Queue) {
			s.put(keyed(q, "k", s.work("", again(time.Second), succeed)))
			synctest.Wait()
			other := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
			batch := []Delivery{{Queue: q, Work: exits(s, "a"), Key: "k", Ordered: true}, {Queue: other, Work: s.work("b")}}
			require.NoError(s.t, s.Reserve(batch, false))
			go s.Put(batch)
		},
		"retry": func(s *story, q *Queue) {
			s.putAll(q, s.work("", again(time.Second), succeed))
			synctest.Wait()
			s.put(keyed(q, "k", exits(s, "a", hour)), keyed(q, "k", exits(s, "b", hour)), keyed(q, "k", s.work("c")))
		},
		"held": func(s *story, q *Queue) {
			s.put(keyed(q, "k", s.work("a", takes(time.Second, again(time.Second)), succeed)),
				keyed(q, "k", exits(s, "b")), keyed(q, "k", exits(s, "c")))
		},
		"close": func(s *story, q *Queue) {
			s.putAll(q, exits(s, "", hour))
			s.at(time.Second)
			s.putAll(q, exits(s, "", takes(time.Second, hour)), exits(s, ""), exits(s, ""))
			s.Abort()
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				put(s, s.NewQueue(Config{Concurrency: 1, Capacity: 3, Backlog: 1, Overflow: Abandon}))
				s.finish()
			})
		})
	}
}

// Abort abandons some works at a time, each on a goroutine that is no worker's.
func TestAbortAbandonsSomeAtATime(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 100, Backlog: 1})
		s.putAll(q, s.work("", takes(time.Second)))
		synctest.Wait()
		for range 4 * abandonAtATime {
			w := s.work("")
			w.abandon = func(Reason) {
				assert.False(t, InWorker())
				<-time.After(time.Second)
			}
			s.putAll(q, w)
		}
		s.Abort()
		s.finish()
		assert.Equal(t, 4*time.Second, time.Since(s.start))
	})
}
