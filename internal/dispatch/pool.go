package dispatch

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A pool is the workers of a dispatcher: goroutines that live while there is something
// to do. A queue to which one more worker would be of use is listed. A worker takes the
// first queue off the list and attempts one of its works after the other until none is
// ready; then it takes the next queue.
//
// While queues are listed one worker, and only one, is searching: it was started, or has
// found the list empty, and has not taken a queue yet. When it takes one and others are
// listed, it starts the next searcher. So handlers that return at once are all called by
// a few workers, and where each handler blocks there are soon as many workers as the
// queues allow.
type pool struct {
	mu        sync.Mutex            // guards the fields below, and behind of queues that are listed
	first     atomic.Pointer[Queue] // listed longest; a searcher looks at it without mu
	last      *Queue
	searching bool // a worker is; true if first is not nil
}

// list lists queues, which are linked by behind and whose listed the caller has set.
func (p *pool) list(first, last *Queue) {
	p.mu.Lock()
	if p.first.Load() == nil {
		p.first.Store(first)
	} else {
		p.last.behind = first
	}
	p.last = last
	searching := p.searching
	p.searching = true
	p.mu.Unlock()
	if !searching {
		p.start()
	}
}

// start starts a searcher.
func (p *pool) start() {
	w, ok := workers.Get().(*worker)
	if !ok {
		w = &worker{}
		w.main = w.run
	}
	w.pool = p
	go w.main()
}

// next returns the queue that a worker is to work for, or nil if it is of use to none.
func (p *pool) next(searching bool) *Queue {
	p.mu.Lock()
	for {
		if q := p.first.Load(); q != nil {
			more := q.behind
			p.first.Store(more)
			q.behind = nil
			if searching {
				p.searching = more != nil
			}
			p.mu.Unlock()
			if searching && more != nil {
				p.start()
			}
			return q
		}
		if p.searching && !searching { // another is
			p.mu.Unlock()
			return nil
		}
		p.searching, searching = true, true
		p.mu.Unlock()
		found := p.linger()
		p.mu.Lock()
		if !found && p.first.Load() == nil {
			p.searching = false
			p.mu.Unlock()
			return nil
		}
	}
}

// lingers is how often a worker that has found nothing to do looks again before it
// ends: for some microseconds if no one else wants to run.
const lingers = 20

// linger waits a little for a queue to be listed, and reports whether one is.
//
// Optimization: a publisher that is not much slower than the handlers finds a worker
// there, and need not start one and wake a thread for each event (BenchmarkPublish).
func (p *pool) linger() bool {
	for range lingers {
		runtime.Gosched()
		if p.first.Load() != nil {
			return true
		}
	}
	return false
}
