package dispatch

import (
	"runtime"
	"strings"
)

// startLocked starts a worker if there is something to do and room for one. One
// worker starts at a time: it starts the next when it has taken its first work and
// more wait. So a target that keeps up with its publisher runs on one goroutine,
// and one that does not comes to Concurrency of them one after the other.
func (q *Queue) startLocked() {
	if q.starting || !q.readyLocked() || len(q.workers) >= q.config.Concurrency {
		return
	}
	q.starting = true
	w := &worker{}
	if q.workers == nil {
		q.workers = make(map[*worker]struct{})
	}
	q.workers[w] = struct{}{}
	go q.run(w)
}

// run is a worker: it attempts one work after the other until none is ready.
//
// A handler that ends the goroutine takes the worker with it: its work is settled
// all the same, and another worker takes over.
//
//go:noinline
func (q *Queue) run(w *worker) {
	var v Verdict
	exited := true
	defer func() {
		if exited {
			defer q.stop(w)
			if w.item.work != nil { // else it was settled, and what followed ended the goroutine
				q.settle(w, v)
			}
		}
	}()
	first := true
	for q.take(w, first) {
		first = false
		v = Verdict{}
		w.item.work.Attempt(&v)
		q.settle(w, v)
	}
	exited = false
}

// stop takes a worker out whose goroutine a handler has ended.
func (q *Queue) stop(w *worker) {
	q.mu.Lock()
	delete(q.workers, w)
	q.startLocked()
	gone := q.goneLocked()
	q.mu.Unlock()
	q.removeIf(gone)
}

// take gives w the next work. It reports false, and takes w out, if there is none
// or there are too many workers.
func (q *Queue) take(w *worker, first bool) bool {
	q.mu.Lock()
	if first {
		q.starting = false
	}
	if !q.readyLocked() || len(q.workers) > q.config.Concurrency {
		delete(q.workers, w)
		gone := q.goneLocked()
		q.mu.Unlock()
		q.removeIf(gone)
		return false
	}
	w.item = q.popLocked()
	q.waiting--
	q.running++
	q.startLocked()
	publisher := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(publisher)
	return true
}

// settle enters what the attempt of w's work came to.
func (q *Queue) settle(w *worker, v Verdict) {
	q.mu.Lock()
	it, orphaned := w.item, w.orphaned
	w.item, w.orphaned = item{}, false
	q.running--
	if !v.Again || orphaned {
		q.nextInLaneLocked(it.lane)
		q.mu.Unlock()
		if !orphaned {
			q.d.decided(1)
		}
		return
	}
	if q.backlog >= q.config.Backlog {
		q.mu.Unlock()
		defer q.nextInLane(it.lane) // its key is held back until it is decided
		q.d.giveUp([]doom{{q, it.work, BacklogFull}})
		return
	}
	q.backlog++
	excess := q.holdBackLocked(it.lane)
	publisher := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(publisher)
	var doomed []doom
	if !q.d.schedule(q, it, v.Delay) {
		q.putBack(it) // which does not take it
		doomed = append(doomed, doom{q, it.work, Closed})
	}
	for _, w := range excess {
		doomed = append(doomed, doom{q, w, BacklogFull})
	}
	q.d.giveUp(doomed)
}

func (q *Queue) nextInLane(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nextInLaneLocked(l)
}

// nextInLaneLocked makes the next work of a lane ready when its first is decided.
func (q *Queue) nextInLaneLocked(l *lane) {
	if l == nil {
		return
	}
	if l.held.len() == 0 {
		delete(q.lanes, l.key)
		return
	}
	q.ready.pushBack(l.held.popFront())
	q.startLocked()
}

// holdBackLocked moves the works behind one that waits for a retry over to the
// backlog, and returns, latest first, those for which it has no room.
func (q *Queue) holdBackLocked(l *lane) (excess []Work) {
	if l == nil {
		return nil
	}
	l.retrying = true
	q.waiting -= l.held.len()
	for q.backlog+l.held.len() > q.config.Backlog {
		excess = append(excess, l.held.popBack().work)
	}
	q.backlog += l.held.len()
	return excess
}

// InWorker reports whether the calling goroutine is a worker of any dispatcher: a
// handler is below it on the stack. Such a goroutine must not wait for room, since
// it may be the one that makes it. It costs some microseconds and is asked only
// where a goroutine is about to wait.
func InWorker() bool {
	pcs := make([]uintptr, 64)
	n := runtime.Callers(1, pcs)
	for ; n == len(pcs); n = runtime.Callers(1, pcs) {
		pcs = make([]uintptr, 2*len(pcs))
	}
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "/internal/dispatch.(*Queue).run") {
			return true
		}
		if !more {
			return false
		}
	}
}
