// Package dispatch runs deliveries: it queues them, attempts them with bounded
// concurrency, and holds those that are to be attempted again. It is the only
// place that starts goroutines, and it knows nothing of events or JSON.
//
// A [Dispatcher] belongs to a bus, a [Queue] to a target. A [Work] is one delivery
// and is always in exactly one of these states:
//
//	Reserve ---> waiting ----> running ----> decided
//	                ^             | Again
//	                +- retrying <-+
//
// A forced close leads from waiting, retrying and at last running to decided by way
// of Abandon; so does a queue or a backlog that is full, or a queue that is discarded. Decided is final and
// counted once.
//
// Locks: Dispatcher.mu, pool.mu and each Queue.mu. While one is held no other is taken and
// no method of a Work runs.
package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Work is one delivery.
type Work interface {
	// Attempt makes one attempt, on a worker's goroutine. It decides the work or
	// sets v.Again. It does not panic, but a handler may end the goroutine
	// (runtime.Goexit): what is in v by then holds.
	Attempt(v *Verdict)
	// Abandon decides the work without a further attempt. For QueueFull, BacklogFull and
	// Discarded it may ask, with v.Again, for an Attempt that decides it later. With
	// Unfinished and Expired, an Attempt or another Abandon is still running, and
	// whichever decides first counts.
	Abandon(r Reason, v *Verdict)

	link() *Link // of an embedded Link
}

// A Verdict is what an attempt came to. The zero value says that the work is decided.
type Verdict struct {
	Again bool          // attempt it again,
	Delay time.Duration // after this
}

// A Reason says why a work is decided without a further attempt.
type Reason int

const (
	QueueFull   Reason = iota // its queue has no room and overflows
	BacklogFull               // too many deliveries of its queue wait for a retry
	Closed                    // the dispatcher is closed by force
	Unfinished                // likewise, and its attempt did not return in time
	Expired                   // likewise, and neither did Abandon
	Discarded                 // its queue is
	NoRoom                    // it has asked for an attempt, and too many wait for one
)

// ErrClosed is returned for work that comes after Close.
var ErrClosed = errors.New("closed")

// ErrRetired is returned for a batch with a queue that takes no more deliveries. Who
// finds out again where the batch is to go will not meet that queue.
var ErrRetired = errors.New("queue retired")

var errOverflows = errors.New("queue full, and overflows")

// errFull is a queue's error that it has no room: how often its publishers had all been
// woken by then.
type errFull uint64

func (errFull) Error() string { return "queue full" }

// A FullError names a queue that has no room, and for which work.
type FullError struct {
	Queue *Queue
	Work  Work
	wakes errFull
}

func (e *FullError) Error() string { return e.wakes.Error() }

// A Dispatcher keeps the books of a bus's deliveries and the timer of those that
// wait for a retry. An idle one has no goroutine and no running timer.
type Dispatcher struct {
	busy    atomic.Int64  // queues with works that are not decided
	waiting atomic.Int32  // for busy to come to zero: len(waiters)
	closed  atomic.Bool   // nothing more is accepted
	aborted atomic.Bool   // nothing more is attempted
	closing chan struct{} // closed with the first Close
	made    time.Time     // when New was called
	pool    pool

	mu        sync.Mutex // guards the fields below
	queues    map[*Queue]struct{}
	waiters   []chan struct{} // of Wait: closed when busy comes to zero
	retries   retryHeap
	scheduled uint64                    // retries put in so far
	timer     *time.Timer               // nil until the first retry
	givenUp   map[*abandonment]struct{} // whose Abandon has not returned
}

// New returns a dispatcher without queues.
func New() *Dispatcher {
	return &Dispatcher{made: time.Now(), closing: make(chan struct{}), queues: make(map[*Queue]struct{}), givenUp: make(map[*abandonment]struct{})}
}

// A Delivery is a Work on its way into a queue. With Ordered, works of the same Key
// are attempted one at a time, in the order in which they were accepted.
type Delivery struct {
	Queue   *Queue
	Work    Work
	Key     string
	Ordered bool

	overflowed bool // found its queue full, and is to be abandoned
}

// Reserve accepts every delivery of batch or, with an error, none: [ErrClosed],
// [ErrRetired], or a *FullError for a queue that has no room and does not overflow.
// With force there is always room where a publisher would wait. What is accepted must be handed to Put.
//
// Room is reserved in one queue after the other and given back if one has none: no
// publisher holds room while it waits for more.
func (d *Dispatcher) Reserve(batch []Delivery, force bool) error {
	for i := range batch {
		e := &batch[i]
		if e.Queue.reserveRoom() {
			e.overflowed = false
			continue
		}
		err := e.Queue.reserve(force)
		wakes, full := err.(errFull)
		e.overflowed = err == errOverflows
		if err != nil && !e.overflowed {
			release(batch[:i])
			if full {
				err = &FullError{e.Queue, e.Work, wakes}
			}
			return err
		}
	}
	// Either Close finds these works in the books, or they find that it was called.
	if d.closed.Load() {
		release(batch)
		return ErrClosed
	}
	return nil
}

// Offer is Reserve and Put in one for a single delivery. It reports false, and nothing is
// accepted, where there is more to it: Reserve is to be called then. It calls accepted, with
// the queue's lock held, before a worker may take the delivery.
//
// Optimization: the queue is locked once (BenchmarkPublish).
func (d *Dispatcher) Offer(e *Delivery, accepted func()) bool {
	if e.Ordered {
		return false
	}
	q := e.Queue
	q.mu.Lock()
	if q.retired || q.fullLocked() {
		q.mu.Unlock()
		return false
	}
	q.acceptLocked()
	if d.closed.Load() { // asked behind acceptLocked, as in Reserve
		q.mu.Unlock()
		q.decide()
		return false
	}
	accepted()
	list := q.putReadyLocked(e.Work)
	q.mu.Unlock()
	q.listIf(list)
	return true
}

// Put puts what Reserve has accepted into its queues. What they do not take is
// abandoned behind the others, so that no room is promised to what is not there
// meanwhile.
func (d *Dispatcher) Put(batch []Delivery) {
	var doomed []doom
	var first, last *Queue // to be listed, together
	for i := range batch {
		e := &batch[i]
		if e.overflowed {
			doomed = append(doomed, doom{e.Queue, e.Work, QueueFull})
			continue
		}
		list, r, ok := e.Queue.put(e)
		switch {
		case !ok:
			doomed = append(doomed, doom{e.Queue, e.Work, r})
		case list && first == nil:
			first, last = e.Queue, e.Queue
		case list:
			last.behind = e.Queue
			last = e.Queue
		}
	}
	if first != nil {
		d.pool.list(first, last)
	}
	if len(doomed) > 0 {
		d.giveUp(doomed)
	}
}

// release gives back the room that was reserved for batch.
func release(batch []Delivery) {
	for i := range batch {
		if batch[i].overflowed {
			batch[i].Queue.gaveUp()
			batch[i].Queue.decide()
		} else {
			batch[i].Queue.unreserve()
		}
	}
}

// idle counts a queue as one whose works are all decided. Until then it counts as busy,
// though it may have been idle, and got further works, for a moment.
func (d *Dispatcher) idle() {
	// A waiter enters itself before it looks whether a queue is busy: either it sees
	// that none is, or is seen here.
	if d.busy.Add(-1) > 0 || d.waiting.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Looked at again under the lock: a waiter that came since, for work that came
	// since, is not to be woken by the past.
	if d.busy.Load() == 0 {
		for _, w := range d.waiters {
			close(w)
		}
		d.waiters = nil
		d.waiting.Store(0)
	}
}

// Undecided returns how many accepted works are not decided. While works come and go it
// may differ by these.
func (d *Dispatcher) Undecided() (n int) {
	for _, q := range d.allQueues() {
		q.mu.Lock()
		n += q.undecided
		q.mu.Unlock()
	}
	return n
}

// Wait returns when nothing accepted is undecided, or with ctx.Err() when ctx ends.
func (d *Dispatcher) Wait(ctx context.Context) error {
	d.mu.Lock()
	d.waiting.Store(int32(len(d.waiters) + 1))
	if d.busy.Load() == 0 {
		d.waiting.Store(int32(len(d.waiters)))
		d.mu.Unlock()
		return nil
	}
	w := make(chan struct{})
	d.waiters = append(d.waiters, w)
	d.mu.Unlock()
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		d.mu.Lock()
		d.waiters = slices.DeleteFunc(d.waiters, func(c chan struct{}) bool { return c == w })
		d.waiting.Store(int32(len(d.waiters)))
		d.mu.Unlock()
		return ctx.Err()
	}
}

// Close refuses new work from now on and publishers that wait, and returns when all
// accepted work is decided or with ctx.Err() when ctx ends. It may be called again.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.refuse()
	return d.Wait(ctx)
}

func (d *Dispatcher) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed.Swap(true) {
		close(d.closing)
	}
}

// Abort abandons what waits, for a worker or for a retry. It does not wait for that.
// What runs goes on, and is abandoned when it asks to be attempted again.
func (d *Dispatcher) Abort() {
	d.refuse()
	d.aborted.Store(true)
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
	}
	retries := d.retries
	d.retries = nil
	d.mu.Unlock()
	var dooms []doom
	for _, r := range retries {
		r.queue.putBack(r.work) // which does not take it
		dooms = append(dooms, doom{r.queue, r.work, Closed})
	}
	for _, q := range d.allQueues() {
		for _, w := range q.drain() {
			dooms = append(dooms, doom{q, w, Closed})
		}
	}
	d.abandonAll(dooms)
}

// AbandonRunning abandons the works whose attempts are running, and returns their
// number. It does not wait. The attempts go on; what they come to does not count.
func (d *Dispatcher) AbandonRunning() int {
	var dooms []doom
	for _, q := range d.allQueues() {
		for _, w := range q.orphan() {
			dooms = append(dooms, doom{q, w, Unfinished})
		}
	}
	d.abandonAll(dooms)
	return len(dooms)
}

// Expire decides what is still being abandoned. It does not wait for that.
func (d *Dispatcher) Expire() {
	d.mu.Lock()
	late := slices.Collect(maps.Keys(d.givenUp))
	d.mu.Unlock()
	behind(len(late), func(i int) { late[i].expire() })
}

func (d *Dispatcher) allQueues() []*Queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*Queue, 0, len(d.queues))
	for q := range d.queues {
		all = append(all, q)
	}
	return all
}
