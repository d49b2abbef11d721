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

// A story is a test in a bubble: a dispatcher, and what happened to its works, as
// lines such as "1s a attempt 2" with the time since the story began.
type story struct {
	*Dispatcher
	t     *testing.T
	start time.Time

	mu    sync.Mutex // guards the field below; held for moments only
	lines []string
}

// tell runs a story in a bubble. At its end nothing is left: no work, no timer and,
// since the bubble would not end otherwise, no goroutine.
func tell(t *testing.T, test func(s *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{Dispatcher: New(), t: t, start: time.Now()}
		test(s)
		s.finish()
		s.checkIdle()
	})
}

func (s *story) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf("%v ", time.Since(s.start))+fmt.Sprintf(format, args...))
}

// told returns what was noted since it was last called, when all that happens now
// has happened.
func (s *story) told() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

// happened holds what was noted, in this order.
func (s *story) happened(want ...string) {
	s.t.Helper()
	assert.Equal(s.t, want, s.told())
}

// happenedInAnyOrder is happened for goroutines that do things at the same time: the
// times are what is held.
func (s *story) happenedInAnyOrder(want ...string) {
	s.t.Helper()
	assert.ElementsMatch(s.t, want, s.told())
}

// at goes on to a time of the story, when all that happens then has happened.
func (s *story) at(d time.Duration) {
	<-time.After(d - time.Since(s.start))
	synctest.Wait()
}

// ever is longer than any story; a wait that long is a work or a wake-up lost.
const ever = 10_000 * time.Hour

// finish waits until all is decided.
func (s *story) finish() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), ever)
	defer cancel()
	require.NoError(s.t, s.Wait(ctx), "%d works are undecided", s.Undecided())
	synctest.Wait()
}

// checkIdle holds that the dispatcher has nothing, and nothing to do.
func (s *story) checkIdle() {
	s.t.Helper()
	assert.Zero(s.t, s.Undecided())
	s.Dispatcher.mu.Lock()
	assert.Empty(s.t, s.retries)
	assert.Empty(s.t, s.waiters)
	assert.Empty(s.t, s.givenUp)
	assert.False(s.t, s.timer != nil && s.timer.Stop(), "the timer runs")
	s.Dispatcher.mu.Unlock()
	for _, q := range s.allQueues() {
		checkDepth(s.t, q, 0, 0, 0)
		in := q.look()
		if s.aborted.Load() {
			in.lanes = 0
		}
		assert.Zero(s.t, in, "a queue that is idle")
	}
}

// An inside is what of a queue its Depth does not show.
type inside struct {
	workers, publishers, lanes, reserved int
	retired                              bool
}

func (q *Queue) look() inside {
	q.mu.Lock()
	defer q.mu.Unlock()
	return inside{len(q.workers), len(q.publishers), len(q.lanes), q.reserved, q.retired}
}

// occupy takes room of q, as a publisher has that has not put in its work yet.
func (q *Queue) occupy() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved++
	q.acceptLocked()
}

// has reports whether the dispatcher has q in its books.
func (s *story) has(q *Queue) bool { return slices.Contains(s.allQueues(), q) }

func checkDepth(t *testing.T, q *Queue, waiting, running, retrying int) {
	t.Helper()
	w, r, b := q.Depth()
	assert.Equal(t, [3]int{waiting, running, retrying}, [3]int{w, r, b}, "waiting, running and retrying")
}

// A scripted is a Work that does in its attempts what its script says.
type scripted struct {
	Link
	s        *story
	name     string
	script   []step // by attempt; the last one goes on
	attempts int
	abandon  func(Reason) // also called by Abandon, if not nil
	instead  Verdict      // what Abandon asks for
}

// A step is one attempt.
type step func(*Verdict)

// work returns a Work that succeeds if it has no script.
func (s *story) work(name string, script ...step) *scripted {
	return &scripted{s: s, name: name, script: script}
}

func (w *scripted) Attempt(v *Verdict) {
	w.attempts++
	w.s.note("%s attempt %d", w.name, w.attempts)
	if n := len(w.script); n > 0 {
		w.script[min(w.attempts, n)-1](v)
	}
}

func (w *scripted) Abandon(r Reason, v *Verdict) {
	w.s.note("%s abandoned: %s", w.name, [...]string{"queue full", "backlog full", "closed", "unfinished", "expired", "discarded", "no room"}[r])
	if w.abandon != nil {
		w.abandon(r)
	}
	*v = w.instead
}

func succeed(*Verdict) {}

// again fails and asks for another attempt.
func again(delay time.Duration) step {
	return func(v *Verdict) { *v = Verdict{Again: true, Delay: delay} }
}

// takes is an attempt that takes some time, and then does what then says.
func takes(d time.Duration, then ...step) step {
	return func(v *Verdict) {
		<-time.After(d)
		for _, f := range then {
			f(v)
		}
	}
}

// until is an attempt that waits for release.
func until(release <-chan struct{}) step { return func(*Verdict) { <-release } }

// to returns a batch of one delivery without order.
func to(q *Queue, w Work) []Delivery { return []Delivery{{Queue: q, Work: w}} }

// keyed returns a batch of one delivery with order.
func keyed(q *Queue, key string, w Work) []Delivery {
	return []Delivery{{Queue: q, Work: w, Key: key, Ordered: true}}
}

// put puts in batches for which there must be room.
func (s *story) put(batches ...[]Delivery) {
	s.t.Helper()
	for _, b := range batches {
		require.NoError(s.t, s.Reserve(b, false))
		s.Put(b)
	}
}

// putAll puts works into q, for which there must be room.
func (s *story) putAll(q *Queue, works ...Work) {
	s.t.Helper()
	for _, w := range works {
		s.put(to(q, w))
	}
}

// publish waits for room and puts a batch in, and notes when it got room.
func (s *story) publish(ctx context.Context, name string, batch []Delivery) error {
	err := s.Reserve(batch, false)
	var full *FullError
	if errors.As(err, &full) {
		prepare := func() ([]Delivery, error) { return batch, nil }
		batch, err = s.ReserveWait(ctx, full, prepare, notSlow)
	}
	if err != nil {
		s.note("%s refused: %v", name, err)
		return err
	}
	s.note("%s accepted", name)
	s.Put(batch)
	return nil
}

// fill makes q full with a running work, until release, and Capacity that wait.
func (s *story) fill(q *Queue, release <-chan struct{}) {
	s.t.Helper()
	for range q.config.Concurrency {
		s.put(to(q, s.work("running", until(release))))
		synctest.Wait()
	}
	for range q.config.Capacity {
		s.put(to(q, s.work("waiting")))
	}
	s.told()
}
