package dispatch

import (
	"slices"
	"sync"
	"time"
)

// A Config says how a queue works. All numbers are at least 1.
type Config struct {
	Concurrency int // attempts at a time
	Capacity    int // works that may wait for a worker
	Backlog     int // works that may wait for a retry, or behind one that does
	Overflow    Overflow
}

// An Overflow says what becomes of a delivery that finds its queue full.
type Overflow int

const (
	Block   Overflow = iota // the publisher waits
	Reject                  // the whole batch is refused
	Abandon                 // that delivery is abandoned
)

// A Queue holds the works of one target and runs them.
//
// Its workers are goroutines that live only while there is something to do. At any
// time running <= Concurrency, but for the moment behind a Configure that lowers it,
// and waiting + reserved <= Capacity, but for what was forced in or came back from
// a retry.
type Queue struct {
	d *Dispatcher

	mu         sync.Mutex // guards the fields below
	config     Config
	due        deque            // works whose time for a retry has come; being older, they are taken first
	ready      deque            // works that a worker may take
	lanes      map[string]*lane // by key, of works that are not decided
	waiting    int              // works in due and ready, and held in lanes whose first does not wait for a retry
	reserved   int              // room that is promised to publishers
	backlog    int              // works that wait for a retry, and held in their lanes
	running    int              // works that are being attempted
	workers    map[*worker]struct{}
	starting   bool            // a worker was started and has not taken anything yet
	publishers []chan struct{} // that wait for room, longest first
	retired    bool            // no more deliveries come
}

// A lane is the works of one key. Its first is due, ready, running, or retrying; the
// others are held.
type lane struct {
	key      string
	held     deque
	retrying bool
}

// An item is a work with its lane, which is nil for one without order.
type item struct {
	work Work
	lane *lane
}

type worker struct {
	item     item // what it is attempting; work is nil between two
	orphaned bool // the work was abandoned while it was attempted
}

// NewQueue returns an empty queue of d.
func (d *Dispatcher) NewQueue(c Config) *Queue {
	q := &Queue{d: d, config: c}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queues[q] = struct{}{}
	return q
}

// Configure replaces the queue's configuration. What is queued stays.
func (q *Queue) Configure(c Config) {
	q.mu.Lock()
	q.config = c
	q.startLocked()
	q.wakeAllLocked()
	q.mu.Unlock()
}

// Retire refuses deliveries from now on. What is queued is still attempted.
func (q *Queue) Retire() {
	q.mu.Lock()
	q.retired = true
	gone := q.goneLocked()
	q.wakeAllLocked()
	q.mu.Unlock()
	q.removeIf(gone)
}

// Wake lets publishers that wait for room find out anew where they are to go.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeAllLocked()
}

// wakeAllLocked wakes all publishers that wait for room: each looks again.
func (q *Queue) wakeAllLocked() {
	for _, p := range q.publishers {
		close(p)
	}
	q.publishers = nil
}

// goneLocked reports whether the queue is retired and empty.
func (q *Queue) goneLocked() bool {
	return q.retired && q.waiting+q.reserved+q.backlog+q.running == 0
}

// removeIf takes a queue that is gone out of the dispatcher's books.
func (q *Queue) removeIf(gone bool) {
	if gone {
		q.d.mu.Lock()
		defer q.d.mu.Unlock()
		delete(q.d.queues, q)
	}
}

// Depth returns how many works wait for a worker, are being attempted, and wait for
// a retry.
func (q *Queue) Depth() (waiting, running, retrying int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting, q.running, q.backlog
}

func (q *Queue) fullLocked() bool { return q.waiting+q.reserved >= q.config.Capacity }

// reserve promises room for one delivery. The error is errFull or [ErrRetired].
func (q *Queue) reserve(force bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.retired:
		return ErrRetired
	case q.fullLocked() && !(force && q.config.Overflow == Block):
		return errFull
	}
	q.reserved++
	return nil
}

func (q *Queue) unreserve() {
	q.mu.Lock()
	q.reserved--
	p := q.nextPublisherLocked()
	gone := q.goneLocked()
	q.mu.Unlock()
	wake(p)
	q.removeIf(gone)
}

// Overflow returns what becomes of a delivery that finds the queue full.
func (q *Queue) Overflow() Overflow {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.config.Overflow
}

// put puts in a delivery for which room is reserved.
func (q *Queue) put(e *Delivery) {
	q.mu.Lock()
	q.reserved--
	if q.d.aborted.Load() {
		q.mu.Unlock()
		q.giveUp(item{work: e.Work}, Closed)
		return
	}
	it := item{work: e.Work}
	if e.Ordered {
		if l := q.lanes[e.Key]; l != nil {
			held := q.holdLocked(l, item{e.Work, l})
			publisher := q.nextPublisherLocked() // it may have left its room to others
			q.mu.Unlock()
			wake(publisher)
			if !held {
				q.giveUp(it, BacklogFull)
			}
			return
		}
		it.lane = &lane{key: e.Key}
		if q.lanes == nil {
			q.lanes = make(map[string]*lane)
		}
		q.lanes[e.Key] = it.lane
	}
	q.ready.pushBack(it)
	q.waiting++
	q.startLocked()
	q.mu.Unlock()
}

// holdLocked holds it back behind the others of its lane. If those wait for a
// retry, it counts with the backlog, so that a failing key leaves the queue's room
// to others; it reports false if that is full.
func (q *Queue) holdLocked(l *lane, it item) bool {
	switch {
	case !l.retrying:
		q.waiting++
	case q.backlog < q.config.Backlog:
		q.backlog++
	default:
		return false
	}
	l.held.pushBack(it)
	return true
}

// giveUp abandons a work that is not in the queue, or puts it where it waits for the
// attempt that it asks for instead.
func (q *Queue) giveUp(it item, r Reason) {
	a := q.d.enter(it.work)
	var v Verdict
	defer func() { // deferred: what Abandon calls may end the goroutine
		it.lane = nil // its key does not wait for it
		if v.Again && q.later(it, v.Delay) {
			a.counted.Store(true) // not now: later
		}
		q.d.leave(a)
	}()
	it.work.Abandon(r, &v)
}

// later lets a work wait for an attempt, beyond the backlog's bound if need be. It
// reports false if nothing is attempted any more.
func (q *Queue) later(it item, delay time.Duration) bool {
	q.mu.Lock()
	q.backlog++
	q.mu.Unlock()
	if q.d.schedule(q, it, delay) {
		return true
	}
	q.mu.Lock()
	q.backlog--
	q.mu.Unlock()
	return false
}

// takeBack takes an item out of the backlog.
func (q *Queue) takeBack(it item) item {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.backlog--
	return it
}

// putBack puts an item back whose time for a retry has come.
func (q *Queue) putBack(it item) {
	q.mu.Lock()
	if q.backlog--; q.d.aborted.Load() {
		q.mu.Unlock()
		q.giveUp(it, Closed)
		return
	}
	q.waiting++
	if l := it.lane; l != nil {
		l.retrying = false
		q.backlog -= l.held.len()
		q.waiting += l.held.len()
	}
	q.due.pushBack(it)
	q.startLocked()
	q.mu.Unlock()
}

// readyLocked reports whether there is a work that a worker may take.
func (q *Queue) readyLocked() bool { return q.due.len()+q.ready.len() > 0 }

// popLocked takes the next of them out.
func (q *Queue) popLocked() item {
	if q.due.len() > 0 {
		return q.due.popFront()
	}
	return q.ready.popFront()
}

// roomSignal returns a channel that is closed when there may be room.
func (q *Queue) roomSignal() chan struct{} {
	room := make(chan struct{})
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fullLocked() {
		q.publishers = append(q.publishers, room)
	} else {
		close(room)
	}
	return room
}

// forget gives up waiting for room.
func (q *Queue) forget(room chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.publishers = slices.DeleteFunc(q.publishers, func(c chan struct{}) bool { return c == room })
}

// passRoom wakes the next publisher if there is room. One that was woken calls it
// when it has tried, since it may have left the room unused.
func (q *Queue) passRoom() {
	q.mu.Lock()
	p := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(p)
}

// nextPublisherLocked takes the publisher out that is to be woken, nil if none is.
func (q *Queue) nextPublisherLocked() chan struct{} {
	if len(q.publishers) == 0 || q.fullLocked() {
		return nil
	}
	p := q.publishers[0]
	q.publishers = q.publishers[1:]
	return p
}

func wake(publisher chan struct{}) {
	if publisher != nil {
		close(publisher)
	}
}

// drain takes out all that waits for a worker or is held.
func (q *Queue) drain() (works []Work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.readyLocked() {
		works = append(works, q.popLocked().work)
		q.waiting--
	}
	for _, l := range q.lanes {
		for l.held.len() > 0 {
			works = append(works, l.held.popFront().work)
			if l.retrying {
				q.backlog--
			} else {
				q.waiting--
			}
		}
	}
	return works
}

// orphan marks the works that are being attempted as abandoned and returns them.
func (q *Queue) orphan() (works []Work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := range q.workers {
		if w.item.work != nil && !w.orphaned {
			w.orphaned = true
			works = append(works, w.item.work)
		}
	}
	return works
}
