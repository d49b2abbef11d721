package footbridge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// The books of a simulation: what was published and what became of it.

type books struct {
	bubble   bool // time is exact
	unit     time.Duration
	start    time.Time
	changing [simRules]chan struct{} // the slot of each serves as a lock

	mu       sync.Mutex // guards the fields below and those of events, places and ends; held for moments only
	clock    int        // of calls
	forced   bool       // Close may give up
	closed   bool
	woken    bool
	events   map[string]*simEvent
	ends     map[[3]string]*simEnd // by event, rule and target
	standing map[string]map[string]*place
	next     map[string]*place // of a PutRule in progress
	trace    []string
	faults   []string
}

// A simEvent is an event that is, or was, published.
type simEvent struct {
	id, key  string
	n        int
	began    int // clock when Publish was called
	returned bool
	err      error
	outcomes int
	outcome  Outcome
}

// A simEnd is a delivery, and its end.
type simEnd struct {
	attempts int
	running  bool
	left     time.Time     // the last attempt
	delay    time.Duration // until the next one
	results  []Result
	sends    int
}

func (b *books) init(unit time.Duration) {
	b.unit, b.start = unit, time.Now()
	b.events, b.ends = make(map[string]*simEvent), make(map[[3]string]*simEnd)
	b.standing, b.next = make(map[string]map[string]*place), make(map[string]*place)
	for i := range b.changing {
		b.changing[i] = make(chan struct{}, 1)
	}
}

func (b *books) noteLocked(format string, args ...any) {
	b.trace = append(b.trace, fmt.Sprintf("%v ", time.Since(b.start))+fmt.Sprintf(format, args...))
}

func (b *books) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noteLocked(format, args...)
}

// hold enters a fault unless ok. REQUIRES: b.mu.
func (b *books) hold(ok bool, format string, args ...any) {
	if !ok {
		b.noteLocked("FAULT "+format, args...)
		b.faults = append(b.faults, b.trace[len(b.trace)-1])
	}
}

func (b *books) holdNow(ok bool, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold(ok, format, args...)
}

// end returns the end of a delivery. REQUIRES: b.mu.
func (b *books) end(event, rule, target string) *simEnd {
	k := [3]string{event, rule, target}
	if b.ends[k] == nil {
		b.ends[k] = &simEnd{}
	}
	return b.ends[k]
}

func (b *books) begin(id, key string, n int) *simEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock++
	e := &simEvent{id: id, key: key, n: n, began: b.clock}
	b.hold(b.events[id] == nil, "%s published twice", id)
	b.events[id] = e
	return e
}

func (b *books) notified(e *simEvent, o Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.outcomes++
	e.outcome = o
	b.noteLocked("%s outcome %v", e.id, o)
	for _, t := range o.Targets {
		results := b.end(e.id, t.Rule, t.Target).results
		b.hold(len(results) == 1 && results[0] == t.Result, "%s: outcome %+v, observed %v", e.id, t, results)
	}
}

func (b *books) published(ctx context.Context, e *simEvent, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.returned, e.err = true, err
	b.noteLocked("%s published: %v", e.id, err)
	b.hold(err == nil || errors.Is(err, ErrQueueFull) || errors.Is(err, ErrClosed) || ctx.Err() != nil && errors.Is(err, ctx.Err()), "%s: %v", e.id, err)
}

// placeFor returns the place that a target of a rule has, or is to have.
func (b *books) placeFor(r *rand.Rand, rule, id string) *place {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.standing[rule][id]
	if p == nil {
		p = newPlace(r, rule, id, b.unit)
	}
	b.next[rule+"/"+id] = p
	return p
}

// removed enters that a rule has the targets with ids, and no others any more.
func (b *books) removed(rule string, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := make(map[string]*place)
	for _, id := range ids {
		now[id] = b.next[rule+"/"+id]
	}
	for id, p := range b.standing[rule] {
		if now[id] == nil {
			p.removedAt = b.clock
		}
	}
	b.standing[rule] = now
}

// A simAttempt is a call of a handler.
type simAttempt struct {
	end *simEnd
	d   Delivery
	key *placeKey // nil: without order
}

// enter enters that a handler was called, and holds what is promised of that.
func (b *books) enter(ctx context.Context, p *place, d Delivery) *simAttempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noteLocked("%s/%s %s attempt %d", p.rule, p.id, d.Event.ID, d.Attempt)
	e, end := b.events[d.Event.ID], b.end(d.Event.ID, p.rule, p.id)
	a := &simAttempt{end: end, d: d}
	got, ok := DeliveryFromContext(ctx)
	b.hold(ok && got.Attempt == d.Attempt && got.Rule == p.rule && got.Target == p.id && d.Rule == p.rule && d.Target == p.id, "%+v in the context of %+v", got, d)
	b.hold(string(d.Input) == p.wantInput(e.n) && (!p.input || simTail(e.n) == "x"), "%s received %q", e.id, d.Input)
	b.hold(p.removedAt == 0 || e.began <= p.removedAt, "%s was published after the target was removed", e.id)
	b.hold(!e.returned || e.err == nil, "%s attempted, though refused: %v", e.id, e.err)
	b.hold(len(end.results) == 0, "%s attempted, though decided: %v", e.id, end.results)
	b.hold(!end.running, "%s attempted twice at once", e.id)
	b.hold(!b.closed, "%s attempted after Close", e.id)
	end.attempts++
	b.hold(end.attempts == d.Attempt, "%s attempt %d, want %d", e.id, d.Attempt, end.attempts)
	if end.attempts > 1 && b.bubble && !b.woken {
		waited := time.Since(end.left)
		b.hold(waited >= end.delay, "%s retried %v early", e.id, end.delay-waited)
		b.hold(waited <= end.delay || p.concurrency < 1000, "%s retried %v late", e.id, waited-end.delay)
	}
	end.running = true
	p.running++
	b.hold(p.running <= p.concurrency, "%d running, at most %d may", p.running, p.concurrency)
	if p.ordered {
		k := p.keys[e.key]
		if k == nil {
			k = &placeKey{}
			p.keys[e.key] = k
		}
		b.hold(!k.running, "%s attempted while another of key %s is", e.id, e.key)
		b.hold(e.n >= k.last, "%s attempted behind number %d of key %s", e.id, k.last, e.key)
		k.running, k.last, a.key = true, e.n, k
	}
	return a
}

func (b *books) leave(p *place, a *simAttempt, ended string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noteLocked("%s/%s %s attempt %d ended: %s", p.rule, p.id, a.d.Event.ID, a.d.Attempt, ended)
	a.end.running, a.end.left = false, time.Now()
	p.running--
	if a.key != nil {
		a.key.running = false
	}
}

// observer enters what the bus tells.
func (s *simulation) observer() *Observer {
	ended := func(event, rule, target string, r Result) {
		s.mu.Lock()
		defer s.mu.Unlock()
		end := s.end(event, rule, target)
		end.results = append(end.results, r)
		s.noteLocked("%s/%s %s %v", rule, target, event, r)
		s.hold(len(end.results) == 1, "%s decided again: %v", event, end.results)
		s.hold(r != Delivered || end.attempts > 0 && !end.running, "%s delivered without an attempt", event)
	}
	return &Observer{
		Attempted: func(i AttemptInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.end(i.Delivery.Event.ID, i.Delivery.Rule, i.Delivery.Target).delay = i.Delay
		},
		Delivered:    func(d Delivery) { ended(d.Event.ID, d.Rule, d.Target, Delivered) },
		DeadLettered: func(d DeadLetter) { ended(d.Event.ID, d.Rule, d.Target, DeadLettered) },
		Lost:         func(i LostInfo) { ended(i.Letter.Event.ID, i.Letter.Rule, i.Letter.Target, Lost) },
	}
}

// checkEnd holds that all that was accepted is decided, once, and that the bus counts as
// the books do.
func (s *simulation) checkEnd() {
	stats := s.bus.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	var accepted, refused, deliveries int64
	for _, e := range s.events {
		switch {
		case e.err != nil:
			refused++
			s.hold(e.outcomes == 0, "%s was refused, and its outcome told", e.id)
			continue
		case e.returned:
			accepted++
		}
		s.hold(e.outcomes == 1, "%s: its outcome was told %d times", e.id, e.outcomes)
		deliveries += int64(len(e.outcome.Targets))
	}
	counts := make(map[Result]int64)
	for k, end := range s.ends {
		s.hold(len(end.results) == 1, "%v: %d ends", k, len(end.results))
		for _, r := range end.results {
			counts[r]++
		}
		s.hold(!end.running, "%v is running", k)
	}
	got := [...]int64{stats.Published, stats.Deliveries, stats.Delivered, stats.DeadLettered, stats.Lost, stats.Undecided}
	want := [...]int64{accepted, deliveries, counts[Delivered], counts[DeadLettered], counts[Lost], 0}
	s.hold(got == want, "stats %v, want %v", got, want)
	s.hold(stats.Refused == refused+1, "%d refused, want %d", stats.Refused, refused+1) // and the one after Close
}

func (s *simulation) report(t *testing.T, all bool, hint string) {
	for _, f := range s.faults[:min(10, len(s.faults))] {
		t.Error(f)
	}
	switch {
	case all:
		for _, line := range s.trace {
			t.Log(line)
		}
	case t.Failed():
		for _, line := range s.trace[max(0, len(s.trace)-60):] {
			t.Log(line)
		}
	}
	if t.Failed() {
		t.Log(hint)
	}
}
