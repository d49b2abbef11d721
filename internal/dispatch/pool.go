package dispatch

import "sync"

// A pool is the workers of a dispatcher: goroutines that live while there is something
// to do. A queue to which one more worker would be of use is listed. A worker takes the
// first queue off the list and attempts one of its works after the other until none is
// ready; then it takes the next queue.
//
// While queues are listed one worker, and only one, is searching: it was started and has
// not taken a queue yet. When it takes one and others are listed, it starts the next. So
// handlers that return at once are all called by a few workers, and where each handler
// blocks there are soon as many workers as the queues allow.
//
// A worker that finds nothing to do ends at once. One that looked again for some
// microseconds before it ended was no faster (BenchmarkPublish), and kept a CPU busy.
type pool struct {
	mu        sync.Mutex // guards the fields below, and behind of queues that are listed
	first     *Queue     // listed longest
	last      *Queue
	searching bool // a worker is; true if first is not nil
}

// list lists queues, which are linked by behind and whose listed the caller has set.
func (p *pool) list(first, last *Queue) {
	p.mu.Lock()
	if p.first == nil {
		p.first = first
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

// start starts a searching worker.
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
	q, start := p.first, false
	if q != nil {
		p.first, q.behind = q.behind, nil
	}
	if searching {
		start = p.first != nil
		p.searching = start
	}
	p.mu.Unlock()
	if start {
		p.start()
	}
	return q
}
