package footbridge

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "the one simulation to run, with a trace of what happens")
	allSeeds = flag.Uint64("seeds", 300, "how many simulations to run")
	soakTime = flag.Duration("soak", 2*time.Second, "how long TestSoak goes on")
)

// Whatever publishers, handlers and those who change rules do, and however it is closed, a
// bus keeps its promises: random simulations in bubbles are compared with books that are
// kept apart from it. (That of internal/dispatch goes further into queues and retries.)
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
	hint := fmt.Sprintf("again: go test . -run TestSimulation -seed %d", seed)
	hangs := time.AfterFunc(time.Minute, func() { panic("simulation hangs; " + hint) })
	defer hangs.Stop()
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(os.Stderr, hint)
			panic(r)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(seed, time.Second)
		s.bubble = true
		s.run()
		s.report(t, trace, hint)
	})
}

// The same simulations outside of bubbles, where time is real, some at a time: what is
// sought is what the race detector, and only it, finds.
func TestSoak(t *testing.T) {
	end := time.Now().Add(*soakTime)
	goroutines := runtime.NumGoroutine()
	for seed := uint64(1); time.Now().Before(end) && !t.Failed(); seed += 4 {
		var all sync.WaitGroup
		var s [4]*simulation
		for i := range s {
			s[i] = newSimulation(seed+uint64(i), 200*time.Microsecond)
			all.Go(s[i].run)
		}
		all.Wait()
		for i := range s {
			s[i].report(t, false, fmt.Sprintf("seed %d; what happens depends on the machine, too", seed+uint64(i)))
		}
	}
	holdGoroutines(t, goroutines)
}

// A simulation is a bus and all who use it.
type simulation struct {
	books
	seed uint64
	r    *rand.Rand // of who sets it up; the others have their own
	bus  *Bus
	stop chan struct{} // closed at the end
}

func newSimulation(seed uint64, unit time.Duration) *simulation {
	s := &simulation{seed: seed, r: rand.New(rand.NewPCG(seed, 0)), stop: make(chan struct{})}
	s.books.init(unit)
	o := Options{Retry: simPolicy(unit), Observer: s.observer(), DLQ: dlqFunc(s.send), Backlog: 1 + s.r.IntN(20), Queue: 1 + s.r.IntN(8)}
	if chance(s.r, 30) {
		o.DLQ = nil
	}
	s.bus = New(&o)
	return s
}

// simPolicy retries three times, after 1, 2 and 3 units.
type simPolicy time.Duration

func (p simPolicy) Next(a Attempt) (time.Duration, bool) {
	return time.Duration(p) * time.Duration(a.Retries+1), a.Retries < 3
}

// chance is true p times of a hundred.
func chance(r *rand.Rand, p int) bool { return r.IntN(100) < p }

func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

// pause waits for up to n units.
func (s *simulation) pause(r *rand.Rand, n int) {
	if d := s.unit * time.Duration(r.IntN(4*n+1)) / 4; d > 0 {
		<-time.After(d)
	}
}

func (s *simulation) run() {
	for rule := range simRules {
		s.change(s.r, rule, 0)
	}
	var users sync.WaitGroup
	for i := range 1 + s.r.IntN(4) {
		r := fork(s.r)
		users.Go(func() { s.publishSome(r, fmt.Sprintf("p%d", i)) })
	}
	changer := fork(s.r)
	users.Go(func() {
		for range changer.IntN(12) {
			s.pause(changer, 3)
			s.change(changer, changer.IntN(simRules), changer.IntN(10))
		}
	})
	if chance(s.r, 50) {
		users.Wait() // else it is closed while they are at it
	}
	s.close(fork(s.r))
	users.Wait()
	if s.bubble {
		<-time.After(100 * s.unit) // handlers that were left behind return
	}
	s.checkEnd()
}

func (s *simulation) close(r *rand.Rand) {
	s.pause(r, 20)
	ctx, cancel := context.WithTimeout(context.Background(), 1000*time.Hour)
	if chance(r, 40) {
		ctx, cancel = context.WithTimeout(context.Background(), s.unit*time.Duration(r.IntN(10)))
		s.mu.Lock()
		s.forced = true
		s.mu.Unlock()
	}
	defer cancel()
	if chance(r, 20) {
		go func() {
			<-time.After(s.unit)
			s.wake()
		}()
	}
	s.note("Close")
	err := s.bus.Close(ctx)
	s.note("closed: %v", err)
	s.mu.Lock()
	s.hold(err == nil || s.forced && errors.Is(err, context.DeadlineExceeded), "Close: %v", err)
	s.closed = true
	s.mu.Unlock()
	_, err = s.bus.Publish(context.Background(), event(1))
	s.holdNow(errors.Is(err, ErrClosed), "Publish after Close: %v", err)
}

func (s *simulation) wake() {
	s.mu.Lock()
	s.woken = true
	s.mu.Unlock()
	s.note("RetryNow: %d", s.bus.RetryNow())
}

// publishSome publishes some events, one after the other.
func (s *simulation) publishSome(r *rand.Rand, name string) {
	for n := range 1 + r.IntN(25) {
		s.pause(r, 1+r.IntN(2))
		ctx, cancel := context.WithCancel(context.Background())
		if chance(r, 40) {
			cancel()
			ctx, cancel = context.WithTimeout(context.Background(), s.unit*time.Duration(1+r.IntN(5)))
		}
		s.publish(ctx, fmt.Sprintf("%s-%d", name, n), name+string(rune('a'+r.IntN(2))), n)
		cancel()
	}
}

// publish publishes an event and keeps its books.
func (s *simulation) publish(ctx context.Context, id, key string, n int) error {
	e := Event{ID: id, Source: "sim", DetailType: "Sim", Detail: fmt.Appendf(nil, `{"key":%q,"n":%d,"tail":%q}`, key, n, simTail(n))}
	b := s.begin(id, key, n)
	_, err := s.bus.PublishNotify(ctx, e, func(o Outcome) { s.notified(b, o) })
	s.published(ctx, b, err)
	return err
}
