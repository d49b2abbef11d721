package dispatch

import (
	"container/heap"
	"math"
	"slices"
	"sort"
	"time"
)

// A retry is a work that waits for its time.
type retry struct {
	at    time.Duration // since the dispatcher was made
	order uint64        // of retries at the same time: the one put in first comes first
	queue *Queue
	work  Work
}

type retryHeap []retry

func (h retryHeap) Len() int      { return len(h) }
func (h retryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)   { *h = append(*h, x.(retry)) }
func (h retryHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h *retryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = retry{}
	*h = old[:len(old)-1]
	return last
}

// schedule puts w back into q after delay. It reports false if nothing is
// attempted any more.
func (d *Dispatcher) schedule(q *Queue, w Work, delay time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.aborted.Load() {
		return false
	}
	d.scheduled++
	now := time.Since(d.made)
	at := now + delay
	if at < now {
		at = math.MaxInt64
	}
	heap.Push(&d.retries, retry{at, d.scheduled, q, w})
	if d.retries[0].order == d.scheduled {
		d.setTimerLocked(delay)
	}
	return true
}

func (d *Dispatcher) setTimerLocked(delay time.Duration) {
	if d.timer == nil {
		d.timer = time.AfterFunc(delay, d.fire)
	} else {
		d.timer.Reset(delay)
	}
}

// fire puts the retries whose time has come back into their queues.
func (d *Dispatcher) fire() {
	d.mu.Lock()
	var due []retry
	now := time.Since(d.made)
	for len(d.retries) > 0 && d.retries[0].at <= now {
		due = append(due, heap.Pop(&d.retries).(retry))
	}
	if len(d.retries) > 0 {
		d.setTimerLocked(d.retries[0].at - now)
	} else {
		d.retries = nil // after a storm of retries it would keep its memory
	}
	d.mu.Unlock()
	d.putBack(due)
}

// RetryNow puts all works that wait for a retry back into their queues, in the order of
// their times, and returns how many there were.
func (d *Dispatcher) RetryNow() int {
	d.mu.Lock()
	due := d.retries
	d.retries = nil
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
	sort.Sort(&due)
	d.putBack(due)
	return len(due)
}

func (d *Dispatcher) putBack(due []retry) {
	var doomed []doom
	for _, r := range due {
		if !r.queue.putBack(r.work) {
			doomed = append(doomed, doom{r.queue, r.work, Closed})
		}
	}
	d.giveUp(doomed)
}

// takeRetries takes out the works of q that wait for a retry, in the order of their times.
func (d *Dispatcher) takeRetries(q *Queue) (works []Work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := retryHeap{}
	d.retries = slices.DeleteFunc(d.retries, func(r retry) bool {
		if r.queue == q {
			taken = append(taken, r)
		}
		return r.queue == q
	})
	heap.Init(&d.retries)
	if len(d.retries) == 0 {
		d.retries = nil // as in fire
	}
	sort.Sort(&taken)
	for _, r := range taken {
		works = append(works, r.work)
	}
	if d.timer != nil && len(d.retries) == 0 {
		d.timer.Stop()
	}
	return works
}
