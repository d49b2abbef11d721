package dispatch

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

// wait waits, and notes how it ended.
func (s *story) wait(ctx context.Context, name string) {
	if err := s.Wait(ctx); err != nil {
		s.note("%s: %v", name, err)
		return
	}
	s.note("%s: all decided", name)
}

// Wait returns in the moment in which nothing is undecided any more, retries
// included, for each that waits; at once if nothing is.
func TestWait(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 10})
		s.wait(context.Background(), "nothing")
		s.putAll(q, s.work("a", again(time.Second), takes(time.Second)), s.work("b", takes(time.Minute, again(time.Hour)), succeed))
		for i := range 5 {
			s.at(time.Duration(i) * time.Second)
			go s.wait(context.Background(), "waiter")
		}
		s.at(time.Hour)
		s.happenedInAnyOrder("0s nothing: all decided", "0s a attempt 1", "0s b attempt 1", "1s a attempt 2")
		s.finish()
		const end = "1h1m0s waiter: all decided"
		s.happenedInAnyOrder("1h1m0s b attempt 2", end, end, end, end, end)
	})
}

// What is accepted is undecided from then on, though it is not put in yet.
func TestWaitForWhatIsReserved(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 10})
		batch := to(q, s.work("a"))
		require.NoError(t, s.Reserve(batch, false))
		go s.wait(context.Background(), "waiter")
		s.at(time.Second)
		s.happened()
		s.Put(batch)
		s.happenedInAnyOrder("1s a attempt 1", "1s waiter: all decided")
	})
}

// Works that put in further works before they are decided are waited for with these,
// however many there are.
func TestWaitForFurtherWorks(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 3, Capacity: 1, Backlog: 1})
		var spawn func(depth int) step
		spawn = func(depth int) step {
			return takes(time.Second, func(*Verdict) {
				for range 2 {
					if depth > 0 {
						child := to(q, s.work("", spawn(depth-1)))
						require.NoError(t, s.Reserve(child, true))
						s.Put(child)
					}
				}
			})
		}
		s.putAll(q, s.work("", spawn(8)))
		s.wait(context.Background(), "waiter")
		assert.Zero(t, s.Undecided())
		assert.Len(t, s.told(), 1<<9-1+1)
	})
}

// An abandoned work is decided when Abandon has returned: what it puts in is waited for.
func TestWaitForWhatAbandonPutsIn(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 1})
		w := s.work("abandoned", again(time.Second))
		w.abandon = func(Reason) {
			<-time.After(time.Minute)
			s.putAll(q, s.work("further", takes(time.Minute)))
		}
		s.putAll(q, s.work("", again(time.Second), succeed), w)
		s.wait(context.Background(), "waiter")
		s.happenedInAnyOrder("0s  attempt 1", "0s abandoned attempt 1", "0s abandoned abandoned: backlog full",
			"1m0s  attempt 2", "1m0s further attempt 1", "2m0s waiter: all decided")
	})
}

// A Wait whose context ends returns its error, and leaves the others waiting.
func TestWaitEndsWithItsContext(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 1})
		s.putAll(q, s.work("a", takes(time.Minute)))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go s.wait(context.Background(), "patient")
		s.wait(ctx, "waiter")
		s.at(time.Hour)
		s.happened("0s a attempt 1", "1s waiter: context deadline exceeded", "1m0s patient: all decided")
	})
}

// Wait does not take the moment in which an earlier work was decided for its own:
// a work that was accepted before Wait was called is decided when it returns.
func TestWaitIsNotWokenByThePast(t *testing.T) {
	d := New()
	q := d.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 1})
	work := func() ([]Delivery, chan struct{}) {
		release := make(chan struct{})
		return to(q, &scripted{s: &story{}, script: []step{until(release)}}), release
	}
	for range 100 {
		first, releaseFirst := work()
		second, releaseSecond := work()
		require.NoError(t, d.Reserve(first, false))
		d.Put(first)
		earlier := make(chan error, 1)
		go func() { earlier <- d.Wait(context.Background()) }()
		for d.waiting.Load() == 0 {
			runtime.Gosched()
		}
		// The first work is decided while the waiters' lock is held...
		d.mu.Lock()
		close(releaseFirst)
		for i := 0; i < 1000 && d.busy.Load() > 0; i++ {
			runtime.Gosched()
		}
		// ...then the second is accepted, and then Wait is called.
		require.NoError(t, d.Reserve(second, false))
		ctx, cancel := context.WithCancel(context.Background())
		returned := make(chan error)
		d.mu.Unlock()
		go func() { returned <- d.Wait(ctx) }()
		for range 100 {
			runtime.Gosched()
		}
		cancel()
		err, woken := <-returned, len(earlier) > 0
		d.Put(second)
		close(releaseSecond)
		require.NoError(t, <-earlier)
		require.ErrorIs(t, err, context.Canceled, "Wait has returned though a work is undecided")
		require.False(t, woken, "an earlier Wait has")
	}
}

// Close refuses works, and returns when all is decided, retries at their times
// included. Called again it does the same.
func TestCloseDrains(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		s.put(keyed(q, "k", s.work("a", again(time.Minute), again(time.Hour), succeed)), keyed(q, "k", s.work("b")), to(q, s.work("c", takes(time.Second))))
		reserved := to(q, s.work("reserved"))
		require.NoError(t, s.Reserve(reserved, false))
		go func() {
			assert.NoError(t, s.Close(context.Background()))
			s.note("closed")
		}()
		s.at(time.Second)
		for _, force := range []bool{false, true} {
			require.ErrorIs(t, s.Reserve(to(q, s.work("refused")), force), ErrClosed)
		}
		checkDepth(t, q, 0, 0, 2)
		s.Put(reserved)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded)
		require.NoError(t, s.Close(context.Background()))
		s.happenedInAnyOrder("0s a attempt 1", "0s c attempt 1", "1s reserved attempt 1", "1m0s a attempt 2", "1h1m0s a attempt 3",
			"1h1m0s b attempt 1", "1h1m0s closed")
		require.NoError(t, s.Close(context.Background()))
	})
}

// What Close refuses leaves nothing behind, and does not keep it from returning.
func TestCloseWhileOthersPublish(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 2, Backlog: 2, Overflow: Abandon})
		for i := range 20 {
			go func() {
				for n := 0; ; n++ {
					batch := to(q, s.work(fmt.Sprint(i, n), takes(time.Millisecond)))
					if err := s.Reserve(batch, false); err != nil {
						assert.ErrorIs(t, err, ErrClosed)
						return
					}
					s.Put(batch)
					<-time.After(time.Millisecond)
				}
			}()
		}
		s.at(time.Second)
		require.NoError(t, s.Close(context.Background()))
		assert.Zero(t, s.Undecided())
	})
}

// fillAll makes a queue that has works in every state: two running, one due, two
// ready, one held behind each of a ready, a running and a retrying one, and two retrying.
func fillAll(s *story, release <-chan struct{}) *Queue {
	q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 10})
	hour := again(time.Hour)
	s.put(to(q, s.work("due", again(time.Second))), to(q, s.work("retrying", hour)), keyed(q, "a", s.work("retrying first", hour)))
	synctest.Wait()
	s.put(keyed(q, "a", s.work("held by retrying")))
	running := func(v *Verdict) {
		<-release
		hour(v)
	}
	s.put(keyed(q, "b", s.work("running first", running)))
	synctest.Wait()
	s.put(keyed(q, "b", s.work("held by running")), to(q, s.work("running", func(*Verdict) { <-release })))
	synctest.Wait()
	s.put(to(q, s.work("ready")), keyed(q, "c", s.work("ready first")), keyed(q, "c", s.work("held by ready")))
	s.at(time.Second)
	s.told()
	checkDepth(s.t, q, 4, 2, 4)
	return q
}

// Abort abandons, once, all that is not running; what runs goes on, and is abandoned
// if it asks for another attempt.
func TestAbort(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := fillAll(s, release)
		reserved := to(q, s.work("reserved"))
		require.NoError(t, s.Reserve(reserved, false))
		s.Abort()
		synctest.Wait()
		abandoned := []string{}
		for _, name := range []string{"due", "ready", "ready first", "held by ready", "held by running", "held by retrying", "retrying", "retrying first"} {
			abandoned = append(abandoned, "1s "+name+" abandoned: closed")
		}
		s.happenedInAnyOrder(abandoned...)
		checkDepth(t, q, 0, 2, 0)
		s.Put(reserved)
		s.happened("1s reserved abandoned: closed")
		require.ErrorIs(t, s.Reserve(to(q, s.work("refused")), true), ErrClosed)
		s.Abort() // finds nothing
		synctest.Wait()
		assert.Equal(t, 2, s.Undecided())
		s.at(2 * time.Second)
		close(release)
		require.NoError(t, s.Close(context.Background()))
		s.happened("2s running first abandoned: closed")
	})
}

// AbandonRunning abandons, once, the works that run. What their attempts come to
// does not count, and they occupy their workers until they return.
func TestAbandonRunning(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := fillAll(s, release)
		s.Abort()
		synctest.Wait()
		s.told()
		s.at(5 * time.Second)
		s.AbandonRunning()
		synctest.Wait()
		s.AbandonRunning() // finds nothing
		synctest.Wait()
		s.happenedInAnyOrder("5s running first abandoned: unfinished", "5s running abandoned: unfinished")
		assert.Zero(t, s.Undecided())
		require.NoError(t, s.Close(context.Background()))
		checkDepth(t, q, 0, 2, 0)
		close(release)
		s.happened()
		checkDepth(t, q, 0, 0, 0)
		assert.Zero(t, s.Undecided())
	})
}

// Without Abort, too, what an abandoned attempt comes to does not count: the next
// work of its key comes when it returns, whether or not it asks for another attempt
// or ends its goroutine.
func TestVerdictOfAnOrphanDoesNotCount(t *testing.T) {
	for name, orphan := range map[string]step{
		"succeeds": succeed, "fails": again(time.Second), "ends its goroutine": goexit, "both": both(again(time.Second), goexit),
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(s *story) {
				q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 10})
				s.put(keyed(q, "k", s.work("a", takes(time.Hour, orphan))), keyed(q, "k", s.work("b")))
				s.at(time.Second)
				s.AbandonRunning()
				synctest.Wait()
				assert.Equal(t, 1, s.Undecided())
				s.putAll(q, s.work("c"))
				s.finish()
				s.happenedInAnyOrder("0s a attempt 1", "1s a abandoned: unfinished", "1s c attempt 1", "1h0m0s b attempt 1")
				assert.Zero(t, s.Undecided())
			})
		})
	}
}

// Put puts in all that has room before it abandons what has none: while Abandon runs
// no room is promised to a work that is not there, for which others, Abandon
// included, would wait in vain.
func TestPutHoldsNoRoomWhileItAbandons(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		full := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
		s.fill(full, release)
		letters := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		w := s.work("a")
		w.abandon = func(Reason) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			assert.NoError(t, s.publish(ctx, "letter", to(letters, s.work("letter"))))
		}
		s.put(append(to(full, w), to(letters, s.work("b"))...))
		assert.Zero(t, time.Since(s.start), "the letter waited for the room of its own event")
		close(release)
	})
}

// Offer takes a delivery where there is nothing more to it, and else leaves all as it was.
func TestOffer(t *testing.T) {
	tell(t, func(s *story) {
		release := make(chan struct{})
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		accepted := 0
		offer := func(e Delivery) bool { return s.Offer(&e, func() { accepted++ }) }
		assert.False(t, offer(Delivery{Queue: q, Work: s.work("ordered"), Ordered: true}))
		assert.True(t, offer(Delivery{Queue: q, Work: s.work("runs", until(release))}))
		synctest.Wait()
		assert.True(t, offer(Delivery{Queue: q, Work: s.work("waits")}))
		assert.False(t, offer(Delivery{Queue: q, Work: s.work("full")}))
		assert.Equal(t, 2, accepted)
		close(release)
		synctest.Wait()
		s.happened("0s runs attempt 1", "0s waits attempt 1")
		q.Retire()
		assert.False(t, offer(Delivery{Queue: q, Work: s.work("retired")}))
		open := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1})
		require.NoError(t, s.Close(t.Context()))
		assert.False(t, offer(Delivery{Queue: open, Work: s.work("closed")}))
		assert.Equal(t, 2, accepted)
		assert.Zero(t, s.Undecided())
	})
}
