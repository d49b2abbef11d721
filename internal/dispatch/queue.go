package dispatch

import "sync"

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

// A Queue holds the works of one target. At any time running <= Concurrency, but for the
// moment behind a Configure that lowers it, and waiting + reserved <= Capacity, but for
// what was forced in or came back from a lane that was failing; waiting + reserved + backlog <= undecided.
//
// Optimization: what every delivery changes is in the first two cache lines
// (BenchmarkPublish).
type Queue struct {
	d         *Dispatcher
	mu        sync.Mutex // guards the fields below
	undecided int        // works accepted, of which the others are
	waiting   int        // works in ready, and held in lanes that are not failing
	reserved  int        // room that is promised to publishers
	backlog   int        // works that wait for a retry, in due or for its time, and held in lanes that are failing
	running   int        // works that are being attempted
	listed    bool       // a worker is to come
	retired   bool       // no more deliveries come
	discarded bool       // likewise, and nothing is attempted again

	ready   list // works that a worker may take
	workers []*worker

	config     Config
	due        list             // works whose time for a retry has come
	turn       bool             // of due and ready, due is next
	lanes      map[string]*lane // by key, of works that are not decided
	publishers []chan struct{}  // that wait for room, longest first
	wakes      errFull          // how often all of them were woken
	givingUp   int              // works whose Abandon has not returned

	behind *Queue // in the pool's list
}

// A lane is the works of one key. Its first is due, ready, running, or retrying; the
// others are held. It is failing from when its first has failed until that is decided.
type lane struct {
	key     string
	held    list
	failing bool
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
	list := q.wantsLocked()
	q.wakeAllLocked()
	q.mu.Unlock()
	q.listIf(list)
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

// Discard is Retire, and abandons what waits, for a worker or for a retry. It does not
// wait for that. What runs goes on, and is abandoned when it asks to be attempted again.
func (q *Queue) Discard() {
	q.mu.Lock()
	q.retired, q.discarded = true, true
	q.wakeAllLocked()
	works := q.drainLocked()
	clear(q.lanes) // none has works that wait; what runs leaves its lane to nobody
	gone := q.goneLocked()
	q.mu.Unlock()
	q.removeIf(gone)
	q.discard(works)
}

// discard abandons works, and those that wait for a retry.
func (q *Queue) discard(works []Work) {
	retries := q.d.takeRetries(q)
	q.mu.Lock()
	q.backlog -= len(retries)
	q.mu.Unlock()
	var dooms []doom
	for _, w := range append(works, retries...) {
		dooms = append(dooms, doom{q, w, Discarded})
	}
	q.d.giveUpBehind(dooms)
}

func (q *Queue) isDiscarded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.discarded
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
	q.wakes++ // for those that have found it full and do not wait yet
}

// goneLocked reports whether the queue is retired and empty.
func (q *Queue) goneLocked() bool {
	return q.retired && q.undecided+q.running+q.givingUp == 0
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

// reserve promises room for one delivery. The error is an errFull, [ErrRetired], or
// errOverflows for a delivery that is to be abandoned, which the queue then waits for.
func (q *Queue) reserve(force bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.retired:
		return ErrRetired
	case q.fullLocked() && q.config.Overflow == Abandon:
		q.givingUp++
		q.acceptLocked()
		return errOverflows
	case q.fullLocked() && !(force && q.config.Overflow == Block):
		return q.wakes
	}
	q.reserved++
	q.acceptLocked()
	return nil
}

// reserveRoom is reserve where there is room, and nothing more to it.
//
// Optimization: it makes no error, and defers nothing (BenchmarkPublish).
func (q *Queue) reserveRoom() bool {
	q.mu.Lock()
	ok := !q.retired && !q.fullLocked()
	if ok {
		q.reserved++
		q.acceptLocked()
	}
	q.mu.Unlock()
	return ok
}

func (q *Queue) unreserve() {
	q.mu.Lock()
	q.reserved--
	p := q.nextPublisherLocked()
	q.mu.Unlock()
	wake(p)
	q.decide()
}

// acceptLocked counts a work as accepted.
//
// Optimization: works are counted by queue, below the lock that is held anyway; all
// publishers and workers meet only where a queue gets its first and loses its last
// (BenchmarkPublish).
func (q *Queue) acceptLocked() {
	if q.undecided++; q.undecided == 1 {
		q.d.busy.Add(1)
	}
}

// decide counts a work as decided.
func (q *Queue) decide() {
	q.mu.Lock()
	q.undecided--
	idle, gone := q.undecided == 0, q.goneLocked()
	q.mu.Unlock()
	q.removeIf(gone)
	if idle {
		q.d.idle()
	}
}

// Overflow returns what becomes of a delivery that finds the queue full.
func (q *Queue) Overflow() Overflow {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.config.Overflow
}

// put puts in a delivery for which room is reserved, and reports whether q is to be
// listed. It reports not ok, and why, if the work is to be abandoned instead.
func (q *Queue) put(e *Delivery) (list bool, r Reason, ok bool) {
	q.mu.Lock()
	q.reserved--
	switch {
	case q.d.aborted.Load():
		r = Closed
	case q.discarded:
		r = Discarded
	case e.Ordered:
		list, r, ok = q.putInLaneLocked(e)
	default:
		list, ok = q.putReadyLocked(e.Work), true
	}
	q.mu.Unlock() // not deferred: nothing here panics (BenchmarkPublish)
	return list, r, ok
}

// putReadyLocked puts in a work that a worker may take, and reports whether q is to be
// listed.
func (q *Queue) putReadyLocked(w Work) (list bool) {
	q.ready.pushBack(w)
	q.waiting++
	return q.wantsLocked()
}

// putInLaneLocked is put for a work that has an order.
func (q *Queue) putInLaneLocked(e *Delivery) (list bool, r Reason, ok bool) {
	l := q.lanes[e.Key]
	if l != nil {
		ok = q.holdLocked(l, e.Work)
		wake(q.nextPublisherLocked()) // it may have left its room to others
		return false, BacklogFull, ok
	}
	l = &lane{key: e.Key}
	if q.lanes == nil {
		q.lanes = make(map[string]*lane)
	}
	q.lanes[e.Key] = l
	e.Work.link().lane = l
	return q.putReadyLocked(e.Work), 0, true
}

// holdLocked holds w back behind the others of its lane. If that is failing, it counts
// with the backlog, so that a failing key leaves the queue's room to others; it reports
// false if that is full.
func (q *Queue) holdLocked(l *lane, w Work) bool {
	switch {
	case !l.failing:
		q.waiting++
	case q.backlog < q.config.Backlog:
		q.backlog++
	default:
		return false
	}
	w.link().lane = l
	l.held.pushBack(w)
	return true
}

// putBack puts a work back whose time for a retry has come. It reports false if it is
// to be abandoned instead.
func (q *Queue) putBack(w Work) bool {
	q.mu.Lock()
	if q.d.aborted.Load() {
		q.backlog--
		q.mu.Unlock()
		return false
	}
	q.due.pushBack(w)
	list := q.wantsLocked()
	q.mu.Unlock()
	q.listIf(list)
	return true
}

// readyLocked reports whether there is a work that a worker may take.
func (q *Queue) readyLocked() bool { return q.due.len()+q.ready.len() > 0 }

// popLocked takes the next of them out. Retries and first attempts take turns, so that
// neither keeps the other from being made.
func (q *Queue) popLocked() Work {
	if q.due.len() > 0 && (q.turn || q.ready.len() == 0) {
		q.turn = false
		q.backlog--
		return q.due.popFront()
	}
	q.turn = true
	q.waiting--
	return q.ready.popFront()
}

// drain takes out all that waits for a worker or is held.
func (q *Queue) drain() []Work {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.drainLocked()
}

func (q *Queue) drainLocked() (works []Work) {
	for q.readyLocked() {
		works = append(works, q.popLocked())
	}
	for _, l := range q.lanes {
		for l.held.len() > 0 {
			works = append(works, l.held.popFront())
			if l.failing {
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
	for _, w := range q.workers {
		if w.work != nil && !w.orphaned {
			w.orphaned = true
			works = append(works, w.work)
		}
	}
	return works
}
