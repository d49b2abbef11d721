package dispatch

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// goexit is an attempt that ends its goroutine, as t.FailNow in a handler does.
func goexit(*Verdict) { runtime.Goexit() }

// both is an attempt that does one thing after the other.
func both(a, b step) step {
	return func(v *Verdict) {
		a(v)
		b(v)
	}
}

// A work that ends its goroutine is settled by what its verdict was by then, and
// another worker takes over.
func TestGoexit(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 10})
		s.putAll(q, s.work("a", both(again(time.Second), goexit), goexit), s.work("b", goexit), s.work("c"))
		synctest.Wait()
		checkDepth(t, q, 0, 0, 1)
		assert.Zero(t, q.look().workers)
		s.finish()
		s.happened("0s a attempt 1", "0s b attempt 1", "0s c attempt 1", "1s a attempt 2")
	})
}

// A work that ends its goroutine makes the next of its key ready, or holds it back
// if it is to be attempted again; one too many for the backlog is abandoned.
func TestGoexitInOrder(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 2, Capacity: 10, Backlog: 2})
		s.put(keyed(q, "k", s.work("a", takes(time.Second, again(time.Second), goexit), goexit)),
			keyed(q, "k", s.work("b", goexit)), keyed(q, "k", s.work("c")))
		s.finish()
		s.happenedInAnyOrder("0s a attempt 1", "1s c abandoned: backlog full", "2s a attempt 2", "2s b attempt 1")
	})
}

// Works that end their goroutines hold up no others, at any concurrency.
func TestManyGoexits(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 3, Capacity: 1000, Backlog: 1000})
		for range 300 {
			s.putAll(q, s.work("", takes(time.Second, again(time.Minute), goexit), goexit), s.work("", takes(time.Second)))
		}
		s.finish()
		assert.Len(t, s.told(), 900)
	})
}

// deep calls f below n frames.
//
//go:noinline
func deep(n int, f func() bool) bool {
	if n == 0 {
		return f()
	}
	ok := deep(n-1, f)
	runtime.KeepAlive(n) // no tail call
	return ok
}

// A worker's goroutine is told from others however deep the handler is on it; a
// goroutine that a handler starts is not a worker's.
func TestInWorker(t *testing.T) {
	assert.False(t, InWorker())
	assert.False(t, deep(200, InWorker))
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 10, Backlog: 1})
		s.put(to(q, s.work("a", func(*Verdict) {
			assert.True(t, InWorker())
			for frames := range 300 {
				assert.True(t, deep(frames, InWorker), "below %d frames", frames)
			}
			inOther := make(chan bool)
			go func() { inOther <- InWorker() }()
			assert.False(t, <-inOther)
		})))
		s.put(to(q, s.work("b", func(*Verdict) {
			defer func() { assert.True(t, InWorker(), "while the goroutine ends") }()
			runtime.Goexit()
		})))
	})
}

// Abandon runs on a worker's goroutine, too, when an attempt comes to that: it must
// not wait for room then. By Put it runs on the publisher's.
func TestInWorkerInAbandon(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 1, Capacity: 1, Backlog: 1, Overflow: Abandon})
		inWorker := func(want bool) *scripted {
			w := s.work("", again(time.Second), takes(time.Second))
			w.abandon = func(Reason) { assert.Equal(t, want, InWorker()) }
			return w
		}
		s.putAll(q, inWorker(true))
		synctest.Wait()
		s.putAll(q, inWorker(true)) // finds the backlog full
		s.at(time.Second)
		s.putAll(q, inWorker(true), inWorker(false))
		s.happened("0s  attempt 1", "0s  attempt 1", "0s  abandoned: backlog full", "1s  attempt 2", "1s  abandoned: queue full")
	})
}

// After everything is decided the dispatcher is idle, however often: the timer of
// retries does not run, and the bubble ends, so that no goroutine is left.
func TestIdle(t *testing.T) {
	tell(t, func(s *story) {
		q := s.NewQueue(Config{Concurrency: 4, Capacity: 10, Backlog: 10})
		s.checkIdle()
		for range 3 {
			s.putAll(q, s.work("a", again(time.Second), again(time.Hour), succeed), s.work("b", goexit), s.work("c", again(time.Minute), succeed))
			s.finish()
			s.checkIdle()
		}
	})
}
