package dispatch

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The books of a simulation: what it has put in and what became of it, kept apart
// from the dispatcher's own, and compared with these.

type books struct {
	d     *Dispatcher
	start time.Time
	trace bool

	putting sync.Mutex // makes the order of entering and of Put the same, for works with order

	mu         sync.Mutex // guards the fields below and those of queues and jobs; held for moments only
	queues     []*simQueue
	jobs       int
	undecided  int
	zeros      int // how often undecided came to zero
	aborted    time.Time
	expectOpen bool // nothing may be abandoned as closed
	faults     []string
	events     []event // until the first fault
}

// An event is a line of the trace, which is rarely printed.
type event struct {
	at     time.Duration
	format string
	args   []any
}

func (e event) String() string { return fmt.Sprintf("%v "+e.format, append([]any{e.at}, e.args...)...) }

// A simQueue is a queue as the books have it.
type simQueue struct {
	*Queue
	name    string
	config  Config
	retired bool
	running int
	lines   map[string][]*job // by key: undecided works in order

	most      int       // the highest Concurrency at changed
	changed   time.Time // when config was changed last
	backlog   int       // the highest Backlog ever
	overflows [3]bool   // that it ever had
	loose     bool      // Capacity may be exceeded: by force, by retries, or since it was lowered

	busy bool      // running has come to Concurrency,
	from time.Time // at this time
	left time.Time // when a worker was free last, though others may have taken its place at once
}

// A job is a Work of a simulation.
type job struct {
	b       *books
	id      int
	q       *simQueue
	key     string
	ordered bool
	script  []try // by attempt; the last one goes on
	onLost  func()

	accepted   bool
	attempting bool
	attempts   int
	ended      time.Time // of the last attempt
	retry      time.Time // when the next attempt is due
	decided    bool
	byAttempt  bool // it was an attempt that decided
}

// A try says what an attempt does.
type try struct {
	takes   time.Duration
	further func()
	verdict Verdict
	exit    bool // by runtime.Goexit
}

func (j *job) String() string { return fmt.Sprintf("%s/%d%s", j.q.name, j.id, j.key) }

func (j *job) Attempt(v *Verdict) {
	t := j.b.begin(j)
	defer func() { j.b.end(j, *v) }()
	if t.takes > 0 {
		<-time.After(t.takes)
	}
	if t.further != nil {
		t.further()
	}
	*v = t.verdict
	if t.exit {
		runtime.Goexit()
	}
}

func (j *job) Abandon(r Reason, _ *Verdict) {
	j.b.abandoned(j, r)
	if j.onLost != nil {
		j.onLost()
	}
}

func (b *books) noteLocked(format string, args ...any) {
	e := event{time.Since(b.start), format, args}
	if len(b.faults) == 0 {
		b.events = append(b.events, e)
	}
	if b.trace {
		fmt.Println(e)
	}
}

// faultLocked enters that something is not as it should be.
func (b *books) faultLocked(format string, args ...any) {
	fault := fmt.Sprintf(format, args...)
	b.noteLocked("FAULT %s", fault)
	b.faults = append(b.faults, event{time.Since(b.start), "%s", []any{fault}}.String())
}

func (b *books) holdLocked(ok bool, format string, args ...any) {
	if !ok {
		b.faultLocked(format, args...)
	}
}

// put puts in what was reserved, once it is in the books.
func (b *books) put(batch []Delivery) {
	if slices.ContainsFunc(batch, func(e Delivery) bool { return e.Ordered }) {
		b.putting.Lock()
		defer b.putting.Unlock()
	}
	b.mu.Lock()
	for _, e := range batch {
		j := e.Work.(*job)
		b.noteLocked("%v accepted", j)
		b.holdLocked(!j.accepted, "%v accepted twice", j)
		j.accepted = true
		b.undecided++
		if j.ordered {
			j.q.lines[j.key] = append(j.q.lines[j.key], j)
		}
	}
	b.mu.Unlock()
	b.d.Put(batch)
}

func (b *books) begin(j *job) try {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, q := time.Now(), j.q
	j.attempts++
	b.noteLocked("%v attempt %d", j, j.attempts)
	b.holdLocked(j.accepted, "%v attempted, not accepted", j)
	b.holdLocked(!j.decided, "%v attempted, though decided", j)
	b.holdLocked(!j.attempting, "%v attempted twice at once", j)
	b.holdLocked(b.aborted.IsZero() || b.aborted.Equal(now), "%v attempted after Abort", j)
	if j.ordered {
		b.holdLocked(len(q.lines[j.key]) > 0 && q.lines[j.key][0] == j, "%v attempted out of order: %v", j, q.lines[j.key])
	}
	if j.attempts > 1 {
		b.holdLocked(!now.Before(j.retry), "%v attempted again too early", j)
		busy := q.left.Equal(now) && !q.from.After(j.retry)
		b.holdLocked(!now.After(j.retry) || busy, "%v attempted again late: due %v, with a worker free at %v, busy from %v",
			j, j.retry.Sub(b.start), q.left.Sub(b.start), q.from.Sub(b.start))
	}
	j.attempting = true
	q.running++
	most := q.config.Concurrency
	if q.changed.Equal(now) {
		most = q.most
	}
	b.holdLocked(q.running <= most, "%d running in %s, at most %d may", q.running, q.name, most)
	q.occupyLocked()
	return j.script[min(j.attempts, len(j.script))-1]
}

// occupyLocked enters when the queue's workers are all busy.
func (q *simQueue) occupyLocked() {
	now, busy := time.Now(), q.running >= q.config.Concurrency
	if busy && !q.busy && !q.left.Equal(now) {
		q.from = now
	}
	if q.busy && !busy {
		q.left = now
	}
	q.busy = busy
}

func (b *books) end(j *job, v Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	j.attempting, j.ended = false, now
	j.q.running--
	// For a moment a worker is free, though it may be one too many.
	j.q.left = now
	j.q.occupyLocked()
	b.noteLocked("%v attempt %d ended: %+v", j, j.attempts, v)
	switch {
	case j.decided: // abandoned as unfinished
	case v.Again:
		j.retry = now.Add(v.Delay)
		j.q.loose = true
	default:
		j.byAttempt = true
		b.decideLocked(j)
	}
}

func (b *books) abandoned(j *job, r Reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.noteLocked("%v abandoned: %d", j, r)
	b.holdLocked(j.accepted, "%v abandoned, not accepted", j)
	switch r {
	case QueueFull:
		b.holdLocked(j.q.overflows[Abandon] && j.attempts == 0, "%v abandoned as beyond the queue", j)
	case Closed:
		b.holdLocked(!b.expectOpen, "%v abandoned as closed", j)
	case Unfinished:
		b.holdLocked(!b.expectOpen && (j.attempting || j.ended.Equal(now)), "%v abandoned as unfinished, but not running", j)
		if j.decided && j.byAttempt && j.ended.Equal(now) {
			return // its attempt returned just before
		}
	}
	b.holdLocked(!j.decided, "%v abandoned, though decided", j)
	b.holdLocked(!j.attempting || r == Unfinished, "%v abandoned while running", j)
	if !j.decided {
		b.decideLocked(j)
	}
}

func (b *books) decideLocked(j *job) {
	j.decided = true
	if j.ordered {
		line := slices.DeleteFunc(j.q.lines[j.key], func(o *job) bool { return o == j })
		if j.q.lines[j.key] = line; len(line) == 0 {
			delete(j.q.lines, j.key)
		}
	}
	if b.undecided--; b.undecided == 0 {
		b.zeros++
	}
}

// configured enters a new configuration of q.
func (q *simQueue) configured(c Config) {
	now := time.Now()
	if !q.changed.Equal(now) {
		q.most = q.config.Concurrency
	}
	q.loose = q.loose || c.Capacity < q.config.Capacity
	q.changed, q.config = now, c
	q.most = max(q.most, c.Concurrency)
	q.backlog = max(q.backlog, c.Backlog)
	q.overflows[c.Overflow] = true
	q.occupyLocked()
}
