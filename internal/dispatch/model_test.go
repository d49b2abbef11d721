package dispatch

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

// The books of a simulation: what it has put in and what became of it, kept apart
// from the dispatcher's own, and compared with these.

type books struct {
	d     *Dispatcher
	start time.Time
	trace bool

	mu         sync.Mutex // guards the fields below and those of queues and jobs; held for moments only
	queues     []*simQueue
	jobs       int
	undecided  int
	pending    int // of these, those that are not put in yet
	zeros      int // how often undecided came to zero
	aborted    time.Time
	woken      time.Time // when RetryNow was called last
	expectOpen bool      // nothing may be abandoned as closed
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
	name      string
	config    Config
	retired   bool
	discarded time.Time
	keys      map[string]*simKey

	undecided  int
	pending    int // of these, those that are not put in yet
	running    int
	abandoning int       // whose Abandon has not returned
	abandoned  time.Time // when one returned last

	most      int       // the highest Concurrency at changed
	changed   time.Time // when config was changed last
	backlog   int       // the highest Backlog ever
	overflows [3]bool   // that it ever had
	loose     bool      // Capacity may be exceeded: by force, by what was held back, or since it was lowered
	asked     bool      // Backlog may be exceeded, up to twice: an Abandon has asked for an attempt

	busy bool      // running has come to Concurrency,
	from time.Time // at this time
	left time.Time // when a worker was free last, though others may have taken its place at once
}

// A simKey is the order of a key's works.
type simKey struct {
	put   int  // how many were put in
	last  int  // the number of the latest that was attempted
	first *job // what holds back the others: it was attempted, and is not decided
}

// A job is a Work of a simulation.
type job struct {
	Link
	b       *books
	id      int
	q       *simQueue
	key     string
	ordered bool
	number  int   // among those of its key, from 1
	script  []try // by attempt; the last one goes on
	losses  []try // by Abandon; the last one goes on

	accepted   bool
	attempting bool
	attempts   int
	ended      time.Time // of the last attempt
	retry      time.Time // when the next attempt is due
	abandoning bool
	abandons   int
	abandoned  time.Time // when Abandon returned last
	expired    time.Time
	orphaned   bool // it was abandoned while an attempt was running
	decided    bool
	byAttempt  bool // it was an attempt that decided
}

// A try says what an attempt does, or an Abandon.
type try struct {
	takes   time.Duration
	further func()
	verdict Verdict
	exit    bool // by runtime.Goexit
}

func (j *job) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s%d %s", j.q.name, j.id, j.key))
}

func (t try) do(v *Verdict) {
	if t.takes > 0 {
		<-time.After(t.takes)
	}
	t.further()
	*v = t.verdict
	if t.exit {
		runtime.Goexit()
	}
}

func (j *job) Attempt(v *Verdict) {
	t := j.b.begin(j)
	defer func() { j.b.end(j, *v) }()
	t.do(v)
}

func (j *job) Abandon(r Reason, v *Verdict) {
	t, ok := j.b.beginAbandon(j, r)
	if !ok {
		return
	}
	if r != QueueFull && r != BacklogFull && r != Discarded { // who may not ask
		t.verdict = Verdict{}
	}
	defer func() { j.b.endAbandon(j, r, *v) }()
	t.do(v)
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

// put puts in what was reserved, once it is in the books, after a pause.
func (b *books) put(batch []Delivery, pause time.Duration) {
	b.mu.Lock()
	for _, e := range batch {
		j := e.Work.(*job)
		b.noteLocked("%v accepted", j)
		b.holdLocked(!j.accepted, "%v accepted twice", j)
		j.accepted = true
		b.undecided++
		b.pending++
		j.q.undecided++
		j.q.pending++
		if j.ordered {
			k := j.q.keys[j.key]
			if k == nil {
				k = &simKey{}
				j.q.keys[j.key] = k
			}
			k.put++
			j.number = k.put
		}
	}
	b.mu.Unlock()
	if pause > 0 {
		<-time.After(pause)
	}
	b.mu.Lock()
	b.pending -= len(batch)
	for _, e := range batch {
		e.Work.(*job).q.pending--
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
	b.holdLocked(!j.decided && !j.orphaned, "%v attempted, though decided", j)
	b.holdLocked(!j.attempting, "%v attempted twice at once", j)
	b.holdLocked(b.aborted.IsZero() || b.aborted.Equal(now), "%v attempted after Abort", j)
	b.holdLocked(q.discarded.IsZero() || q.discarded.Equal(now) || j.abandons > 0, "%v attempted, though its queue is discarded", j)
	b.checkOrderLocked(j)
	if !j.retry.IsZero() {
		since := j.ended
		if j.abandoned.After(since) {
			since = j.abandoned
		}
		if b.woken.After(since) && b.woken.Before(j.retry) {
			j.retry = b.woken
		}
		b.holdLocked(!now.Before(j.retry) || b.woken.Equal(since), "%v attempted again too early", j)
		busy := q.left.Equal(now) && !q.from.After(j.retry) || q.abandoning > 0 || !q.abandoned.Before(j.retry)
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

// checkOrderLocked holds that works of a key are attempted in order, and that a work
// is decided, or has given up its place by Abandon, before the next one is attempted.
func (b *books) checkOrderLocked(j *job) {
	if !j.ordered {
		return
	}
	k := j.q.keys[j.key]
	b.holdLocked(k.first == nil || k.first == j, "%v attempted, though %v comes first", j, k.first)
	if j.attempts == 1 {
		b.holdLocked(j.number > k.last, "%v attempted, behind a later one of its key", j)
		k.last = j.number
	}
	k.first = j
}

// leaveKeyLocked enters that j holds back its key no more.
func (j *job) leaveKeyLocked() {
	if j.ordered && j.q.keys[j.key].first == j {
		j.q.keys[j.key].first = nil
	}
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
	if v.Again && !j.orphaned {
		j.retry = now.Add(v.Delay)
		j.q.loose = true
		return
	}
	j.leaveKeyLocked()
	if !j.orphaned {
		j.byAttempt = true
		b.decideLocked(j)
	}
}

// beginAbandon reports false if j was decided, or given up, in the same moment.
func (b *books) beginAbandon(j *job, r Reason) (try, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.noteLocked("%v abandoned: %d", j, r)
	b.holdLocked(j.accepted, "%v abandoned, not accepted", j)
	switch r {
	case Discarded:
		b.holdLocked(!j.q.discarded.IsZero(), "%v abandoned, though its queue is not discarded", j)
	case QueueFull:
		b.holdLocked(j.q.overflows[Abandon] && j.attempts == 0, "%v abandoned as beyond the queue", j)
	case NoRoom:
		b.holdLocked(j.q.asked && j.abandons > 0, "%v abandoned, though it has not asked for an attempt", j)
	case Unfinished:
		b.holdLocked(j.attempting || j.ended.Equal(now), "%v abandoned as unfinished, but not running", j)
		if j.decided && j.byAttempt && j.ended.Equal(now) {
			return try{}, false
		}
		j.orphaned = true
	case Expired:
		b.holdLocked(!b.aborted.IsZero() && (!j.attempting || j.orphaned), "%v expired, but is not to be abandoned", j)
		if j.expired = now; !j.decided {
			b.decideLocked(j)
		}
		return try{}, false
	}
	b.holdLocked(r == QueueFull || r == BacklogFull || r == Discarded || r == NoRoom || !b.expectOpen, "%v abandoned, though no one forces it", j)
	b.holdLocked(!j.decided || j.expired.Equal(now), "%v abandoned, though decided", j)
	b.holdLocked(!j.abandoning, "%v abandoned twice at once", j)
	b.holdLocked(!j.attempting || r == Unfinished, "%v abandoned while running", j)
	j.abandoning = true
	j.abandons++
	j.q.abandoning++
	return j.losses[min(j.abandons, len(j.losses))-1], true
}

func (b *books) endAbandon(j *job, r Reason, v Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	j.abandoning, j.abandoned = false, now
	j.q.abandoning--
	j.q.abandoned = now
	b.noteLocked("%v Abandon %d ended: %+v", j, r, v)
	if !j.attempting {
		j.leaveKeyLocked()
	}
	switch {
	case j.decided: // it is expired
	case v.Again:
		j.retry = now.Add(v.Delay)
		j.ordered = false // its key does not wait for it
		j.q.loose, j.q.asked = true, true
	default:
		b.decideLocked(j)
	}
}

func (b *books) decideLocked(j *job) {
	j.decided = true
	j.q.undecided--
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
