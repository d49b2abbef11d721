package dispatch

import (
	"runtime"
	"strings"
	"sync"
)

// A worker is a goroutine of a pool. Its fields are its own but for those of the work
// that it attempts, which the lock of its queue guards.
type worker struct {
	pool    *pool
	main    func() // run, as a value that is made once
	verdict Verdict

	at       int  // in the queue's workers
	work     Work // what it is attempting; nil between two
	orphaned bool // the work was abandoned while it was attempted
}

// workers are worker structs that are used again.
//
// Optimization: starting a goroutine costs no allocation of its own (BenchmarkPublish).
var workers sync.Pool

// run works for one queue after the other until there is nothing to do.
//
// A handler that ends the goroutine takes the worker with it: its work is settled
// all the same, and another worker takes over.
//
//go:noinline
func (w *worker) run() {
	var q *Queue
	exited := true
	defer func() {
		if exited {
			defer q.stop(w)
			if w.work != nil { // else it was settled, and what followed ended the goroutine
				q.settle(w)
			}
		}
	}()
	for q = w.pool.next(true); q != nil; q = w.pool.next(false) {
		for ok := q.take(w); ok; ok = q.goOn(w) {
			w.work.Attempt(&w.verdict)
		}
	}
	exited = false
	w.pool = nil
	workers.Put(w)
}

// take gives w, who is new to q, a work. It reports false if there is none for it.
func (q *Queue) take(w *worker) bool {
	q.mu.Lock()
	q.listed = false
	if !q.readyLocked() || len(q.workers) >= q.config.Concurrency {
		q.mu.Unlock()
		return false
	}
	w.at = len(q.workers)
	q.workers = append(q.workers, w)
	return q.next(w)
}

// goOn settles the work of w and gives it the next one. It reports false, and takes w
// out, if there is none for it.
//
// Optimization: between two works the queue is locked once (BenchmarkPublish).
func (q *Queue) goOn(w *worker) bool {
	q.mu.Lock()
	if w.verdict.Again || w.orphaned {
		q.mu.Unlock()
		q.settle(w)
		q.mu.Lock()
		return q.next(w)
	}
	q.nextInLaneLocked(w.detachLocked(q).link().lane)
	q.undecided--
	idle := q.undecided == 0
	ok := q.next(w)
	if idle {
		q.d.idle()
	}
	return ok
}

// next is the end of take and goOn. REQUIRES: q.mu, which it unlocks.
func (q *Queue) next(w *worker) bool {
	if !q.readyLocked() || len(q.workers) > q.config.Concurrency {
		gone := q.leaveLocked(w)
		q.mu.Unlock()
		q.removeIf(gone)
		return false
	}
	w.work = q.popLocked()
	q.running++
	list := q.wantsLocked()
	publisher := q.nextPublisherLocked()
	q.mu.Unlock()
	q.listIf(list)
	wake(publisher)
	return true
}

// leaveLocked takes w out of the queue's workers, and reports whether q is gone then.
func (q *Queue) leaveLocked(w *worker) (gone bool) {
	last := len(q.workers) - 1
	q.workers[last].at = w.at
	q.workers[w.at] = q.workers[last]
	q.workers[last] = nil
	q.workers = q.workers[:last]
	return q.goneLocked()
}

// stop takes a worker out whose goroutine a handler has ended.
func (q *Queue) stop(w *worker) {
	q.mu.Lock()
	gone := q.leaveLocked(w)
	list := q.wantsLocked()
	q.mu.Unlock()
	q.listIf(list)
	q.removeIf(gone)
}

// wantsLocked reports whether one more worker is of use to q, which is not listed yet.
// Then the caller is to list it.
func (q *Queue) wantsLocked() bool {
	if q.listed || !q.readyLocked() || len(q.workers) >= q.config.Concurrency {
		return false
	}
	q.listed = true
	return true
}

func (q *Queue) listIf(wants bool) {
	if wants {
		q.d.pool.list(q, q)
	}
}

// detachLocked takes from w the work that it has attempted.
func (w *worker) detachLocked(q *Queue) Work {
	work := w.work
	w.work, w.orphaned, w.verdict = nil, false, Verdict{}
	q.running--
	return work
}

// settle enters what the attempt of w's work came to.
func (q *Queue) settle(w *worker) {
	q.mu.Lock()
	v, orphaned := w.verdict, w.orphaned
	work := w.detachLocked(q)
	l := work.link().lane
	if !v.Again || orphaned {
		q.nextInLaneLocked(l)
		q.mu.Unlock()
		if !orphaned {
			q.decide()
		}
		return
	}
	if q.backlog-l.counted() >= q.config.Backlog || q.discarded {
		reason := BacklogFull
		if q.discarded {
			reason = Discarded
		}
		q.mu.Unlock()
		defer q.nextInLane(l) // behind Abandon: its key is held back until then
		q.d.giveUp([]doom{{q, work, reason}})
		return
	}
	q.backlog++
	excess := q.holdBackLocked(l)
	publisher := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(publisher)
	var doomed []doom
	if !q.d.schedule(q, work, v.Delay) {
		q.putBack(work) // which does not take it
		doomed = append(doomed, doom{q, work, Closed})
	} else if q.isDiscarded() { // since
		q.discard(nil)
	}
	for _, w := range excess {
		doomed = append(doomed, doom{q, w, BacklogFull})
	}
	q.d.giveUp(doomed)
}

func (q *Queue) nextInLane(l *lane) {
	q.mu.Lock()
	q.nextInLaneLocked(l)
	list := q.wantsLocked()
	q.mu.Unlock()
	q.listIf(list)
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
	q.backlog -= l.counted()
	q.waiting += l.counted()
	l.failing = false
	q.ready.pushBack(l.held.popFront())
}

// counted returns how many works of a lane count with the backlog, beside its first.
func (l *lane) counted() int {
	if l == nil || !l.failing {
		return 0
	}
	return l.held.len()
}

// holdBackLocked moves the works behind one that has failed over to the backlog, if they are
// not there, and returns, latest first, those for which it has no room.
func (q *Queue) holdBackLocked(l *lane) (excess []Work) {
	if l == nil {
		return nil
	}
	q.backlog -= l.counted()
	if !l.failing {
		l.failing = true
		q.waiting -= l.held.len()
	}
	if room := max(0, q.config.Backlog-q.backlog); l.held.len() > room {
		excess = l.held.cut(room)
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
		if strings.HasSuffix(frame.Function, "/internal/dispatch.(*worker).run") {
			return true
		}
		if !more {
			return false
		}
	}
}
