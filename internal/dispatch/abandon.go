package dispatch

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// This file has the calls of Abandon. They may take long, put in further works, or end
// the goroutine; and a close may have to go on without them. So all works that are to
// be abandoned are in the books before the first of them is.

// A doom is a work that is to be abandoned, which is in no queue.
type doom struct {
	queue  *Queue // that it was for
	work   Work
	reason Reason
}

// An abandonment is a doom in the books.
type abandonment struct {
	doom
	counted atomic.Bool // as decided, or as put back
}

// giveUp abandons works, one after the other.
func (d *Dispatcher) giveUp(all []doom) {
	entered := d.enterAll(all)
	for i := range slices.Backward(all) {
		defer d.giveUpOne(all[i], entered[i]) // deferred: Abandon may end the goroutine
	}
}

// giveUpBehind is giveUp, and does not wait. Once the dispatcher is aborted, whose works are
// abandoned some at a time, so are those that are left.
func (d *Dispatcher) giveUpBehind(all []doom) {
	if len(all) == 0 {
		return
	}
	entered := d.enterAll(all)
	one := func(i int) { d.giveUpOne(all[i], entered[i]) }
	go func() {
		var g sync.WaitGroup
		for i := range all {
			if d.aborted.Load() {
				behind(len(all)-i, func(k int) { one(i + k) })
				return
			}
			g.Go(func() { one(i) }) // its own goroutine, which Abandon may end
			g.Wait()
		}
	}()
}

// enterAll enters works that are to be abandoned in the books.
func (d *Dispatcher) enterAll(all []doom) []*abandonment {
	entered := make([]*abandonment, len(all))
	for i, w := range all {
		if w.reason != QueueFull { // that is counted since Reserve
			w.queue.mu.Lock()
			w.queue.givingUp++
			w.queue.mu.Unlock()
		}
		entered[i] = d.enter(w)
	}
	return entered
}

// giveUpOne abandons a work, or puts it where it waits for the attempt that it asks for
// instead.
func (d *Dispatcher) giveUpOne(w doom, a *abandonment) {
	if a.counted.Load() { // by Expire
		w.queue.gaveUp()
		d.leave(a)
		return
	}
	var v Verdict
	defer func() {
		reason, refused := Reason(0), false
		if v.Again {
			reason, refused = w.queue.later(w.work, v.Delay)
		}
		if v.Again && !refused {
			a.counted.Store(true)
		}
		w.queue.gaveUp()
		defer d.leave(a)
		if refused && !a.counted.Load() {
			w.work.Abandon(reason, &Verdict{})
		}
	}()
	w.work.Abandon(w.reason, &v)
}

// gaveUp notes that a work of q that was to be abandoned is, or is not to be any more.
func (q *Queue) gaveUp() {
	q.mu.Lock()
	q.givingUp--
	gone := q.goneLocked()
	q.mu.Unlock()
	q.removeIf(gone)
}

// later lets a work wait for an attempt, beyond the backlog's bound if need be, up to
// twice of that. Its key does not wait for it. Or it reports that it may not, and why.
func (q *Queue) later(w Work, delay time.Duration) (r Reason, refused bool) {
	q.mu.Lock()
	w.link().lane = nil
	if q.backlog >= 2*q.config.Backlog {
		q.mu.Unlock()
		return NoRoom, true
	}
	q.backlog++
	q.mu.Unlock()
	if q.d.schedule(q, w, delay) {
		return 0, false
	}
	q.mu.Lock()
	q.backlog--
	q.mu.Unlock()
	return Closed, true
}

// abandonAll abandons works, some at a time, and does not wait.
func (d *Dispatcher) abandonAll(dooms []doom) {
	all := make([]*abandonment, len(dooms))
	for i, w := range dooms {
		all[i] = d.enter(w)
	}
	behind(len(all), func(i int) {
		defer d.leave(all[i])
		if !all[i].counted.Load() {
			all[i].work.Abandon(all[i].reason, &Verdict{})
		}
	})
}

// behind calls f for each of n works, some at a time, and does not wait.
func behind(n int, f func(i int)) {
	if n == 0 {
		return
	}
	go func() {
		var g errgroup.Group
		g.SetLimit(abandonAtATime)
		for i := range n {
			g.Go(func() error { f(i); return nil })
		}
		_ = g.Wait() // there are no errors
	}()
}

const abandonAtATime = 16

// expire decides a work that is still being abandoned.
func (a *abandonment) expire() {
	if !a.counted.Swap(true) {
		defer a.queue.decide()
		a.work.Abandon(Expired, &Verdict{})
	}
}

func (d *Dispatcher) enter(w doom) *abandonment {
	a := &abandonment{doom: w}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.givenUp[a] = struct{}{}
	return a
}

// leave counts the work of a as decided, unless that is done.
func (d *Dispatcher) leave(a *abandonment) {
	d.mu.Lock()
	delete(d.givenUp, a)
	d.mu.Unlock()
	if !a.counted.Swap(true) {
		a.queue.decide()
	}
}
