package dispatch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "the one simulation to run, with a trace of what happens")
	allSeeds = flag.Uint64("seeds", 1000, "how many simulations to run")
)

// Whatever publishers, handlers and those who configure do, and however it is closed,
// the dispatcher keeps its promises: random simulations are compared with books that
// are kept apart from it.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		simulate(t, *oneSeed, true)
		return
	}
	for seed := uint64(1); seed <= *allSeeds && !t.Failed(); seed++ {
		simulate(t, seed, false)
	}
}

func simulate(t *testing.T, seed uint64, trace bool) {
	hint := fmt.Sprintf("again: go test ./internal/dispatch -run TestSimulation -seed %d", seed)
	hangs := time.AfterFunc(time.Minute, func() { panic("simulation hangs; " + hint) })
	defer hangs.Stop()
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(os.Stderr, hint)
			panic(r)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{books: books{d: New(), start: time.Now(), trace: trace}, r: rand.New(rand.NewPCG(seed, 0))}
		s.run()
		for _, f := range s.faults[:min(10, len(s.faults))] {
			t.Error(f)
		}
		if t.Failed() {
			for _, e := range s.events[max(0, len(s.events)-50):] {
				t.Log(e)
			}
			t.Log(hint)
		}
	})
}

// A simulation is a dispatcher and all who use it. Each of these has random numbers
// of its own, so that a seed makes much the same simulation each time.
type simulation struct {
	books
	r *rand.Rand

	users sync.WaitGroup
	stop  chan struct{} // closed at the end: for those that go on until then
}

// fork returns random numbers for another goroutine.
func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

// chance is true p times of a hundred.
func chance(r *rand.Rand, p int) bool { return r.IntN(100) < p }

// upTo returns a time up to longest, in steps coarse enough for things to coincide.
func upTo(r *rand.Rand, longest time.Duration) time.Duration {
	if chance(r, 20) {
		return 0
	}
	return time.Duration(r.Int64N(int64(longest)/1e8+1)) * 1e8
}

func (s *simulation) run() {
	s.stop = make(chan struct{})
	for range 1 + s.r.IntN(4) {
		s.newQueue(s.r)
	}
	for i := range 1 + s.r.IntN(6) {
		r := fork(s.r)
		s.users.Go(func() { s.publish(r, fmt.Sprint(i)) })
	}
	for range s.r.IntN(3) {
		r := fork(s.r)
		s.users.Go(func() { s.wait(r) })
	}
	if chance(s.r, 60) {
		r := fork(s.r)
		s.users.Go(func() { s.change(r) })
	}
	s.watch(time.After(upTo(s.r, 20*time.Second)))
	over, r := make(chan struct{}), fork(s.r)
	go func() {
		defer close(over)
		if chance(r, 50) {
			s.drain()
		} else {
			s.force(r)
		}
	}()
	s.watch(over)
	close(s.stop)
	s.users.Wait()
	s.watch(time.After(time.Minute)) // what runs, though it was abandoned, ends
	s.checkEnd()
}

// watch checks, at random times, until something comes.
func (s *simulation) watch(until any) {
	r := fork(s.r)
	timer, _ := until.(<-chan time.Time)
	event, _ := until.(chan struct{})
	for {
		synctest.Wait()
		s.check()
		select {
		case <-timer:
			return
		case <-event:
			return
		case <-time.After(upTo(r, time.Second) + time.Duration(r.IntN(2)) + 1):
		}
	}
}

// drain closes the dispatcher without haste.
func (s *simulation) drain() {
	s.mu.Lock()
	s.expectOpen = true
	s.noteLocked("Close")
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), ever)
	defer cancel()
	err := s.d.Close(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdLocked(err == nil && s.undecided == 0, "Close: %v; %d undecided", err, s.undecided)
}

// force closes the dispatcher as a bus does whose patience ends.
func (s *simulation) force(r *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), upTo(r, 4*time.Second))
	defer cancel()
	if s.d.Close(ctx) == nil {
		return
	}
	s.mu.Lock()
	s.aborted = time.Now()
	s.noteLocked("Abort")
	s.mu.Unlock()
	s.d.Abort()
	if s.drained(upTo(r, time.Second)) {
		return
	}
	s.d.AbandonRunning()
	if s.drained(upTo(r, 3*time.Second)) {
		return
	}
	s.d.Expire()
	<-time.After(1) // what ended in this moment is settled by then
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdLocked(s.d.Undecided() == s.pending && s.undecided == s.pending, "expired, and %d undecided, want %d, with %d not put in yet",
		s.d.Undecided(), s.undecided, s.pending)
}

// drained waits until nothing is undecided, but no longer than d and a bit, so that
// its end does not coincide with others.
func (s *simulation) drained(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d+11)
	defer cancel()
	return s.d.Wait(ctx) == nil
}

// checkEnd holds that nothing is left of all that was.
func (s *simulation) checkEnd() {
	s.check()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdLocked(s.undecided == 0, "%d undecided", s.undecided)
	s.holdLocked(len(s.d.retries) == 0, "%d retries", len(s.d.retries))
	s.holdLocked(len(s.d.givenUp) == 0, "%d are being abandoned", len(s.d.givenUp))
	s.holdLocked(s.d.timer == nil || !s.d.timer.Stop(), "the timer runs")
	for _, q := range s.queues {
		w, r, b := q.Depth()
		s.holdLocked(w+r+b == 0 && q.running == 0, "%s: depth %d, %d, %d; %d running", q.name, w, r, b, q.running)
		in := q.look()
		s.holdLocked(in.workers+in.publishers+in.reserved == 0, "%s: %+v", q.name, in)
		s.holdLocked(in.lanes == 0 || !s.aborted.IsZero(), "%s: %d lanes", q.name, in.lanes)
	}
}

// wait waits, time and again, and checks that there was a moment to return at.
func (s *simulation) wait(r *rand.Rand) {
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(upTo(r, 2*time.Second) + 1):
		}
		s.mu.Lock()
		zero, zeros := s.undecided == 0, s.zeros
		s.mu.Unlock()
		end := time.Now().Add(upTo(r, 10*time.Second) + 1)
		ctx, cancel := context.WithDeadline(context.Background(), end)
		err := s.d.Wait(ctx)
		cancel()
		s.mu.Lock()
		zero = zero || s.undecided == 0 || s.zeros > zeros
		s.holdLocked(err != nil || zero, "Wait returned, and nothing was decided")
		s.holdLocked(err == nil || errors.Is(err, context.DeadlineExceeded) && time.Now().Equal(end), "Wait: %v", err)
		s.mu.Unlock()
	}
}
