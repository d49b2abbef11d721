package dispatch

import (
	"container/heap"
	"time"
)

// A retry is a work that waits for its time.
type retry struct {
	at    time.Time
	order uint64 // of retries at the same time: the one put in first comes first
	queue *Queue
	work  Work
}

type retryHeap []retry

func (h retryHeap) Len() int      { return len(h) }
func (h retryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)   { *h = append(*h, x.(retry)) }
func (h retryHeap) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].order < h[j].order
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
	at := time.Now().Add(delay)
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
	now := time.Now()
	for len(d.retries) > 0 && !d.retries[0].at.After(now) {
		due = append(due, heap.Pop(&d.retries).(retry))
	}
	if len(d.retries) > 0 {
		d.setTimerLocked(d.retries[0].at.Sub(now))
	}
	d.mu.Unlock()
	var doomed []doom
	for _, r := range due {
		if !r.queue.putBack(r.work) {
			doomed = append(doomed, doom{r.queue, r.work, Closed})
		}
	}
	d.giveUp(doomed)
}
