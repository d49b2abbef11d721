package footbridge

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"
)

// What handlers, DLQs and those who change rules do in a simulation.

const simRules = 3

// change changes a rule: how says what is done, and most often it is put.
func (s *simulation) change(r *rand.Rand, rule, how int) {
	name := fmt.Sprintf("r%d", rule)
	s.changing[rule] <- struct{}{} // one at a time, so that the books know what stands
	defer func() { <-s.changing[rule] }()
	var err error
	switch {
	case how == 9:
		s.wake()
	case how == 8:
		err = s.bus.DisableRule(name)
	case how == 7:
		err = s.bus.EnableRule(name)
	case how > 4:
		err = s.bus.RemoveRule(name)
		s.note("RemoveRule %s: %v", name, err)
		if err == nil {
			s.removed(name, nil)
		}
	default:
		err = s.putRule(r, name)
	}
	s.holdNow(err == nil || errors.Is(err, ErrRuleNotFound) || errors.Is(err, ErrClosed), "changing %s: %v", name, err)
}

// putRule puts a rule with one or two of its three targets. One that the rule has stays
// what it is, since its queue does.
func (s *simulation) putRule(r *rand.Rand, name string) error {
	rule := Rule{Name: name, Pattern: MustCompile([]string{`{"source":["sim"]}`, `{"detail":{"n":[{"numeric":["<",10]}]}}`}[r.IntN(2)])}
	var ids []string
	for _, i := range r.Perm(3)[:1+r.IntN(2)] {
		id := fmt.Sprintf("t%d", i)
		ids = append(ids, id)
		p := s.placeFor(r, name, id)
		rule.Targets = append(rule.Targets, p.target(s))
	}
	err := s.bus.PutRule(rule)
	s.note("PutRule %s with %v: %v", name, ids, err)
	if err == nil {
		s.removed(name, ids)
	}
	return err
}

// A place is a target from its rule's PutRule to its removal: what has one queue.
type place struct {
	rule, id    string
	concurrency int
	queue       int
	overflow    Overflow
	ordered     bool
	letters     bool // DeadLetterOnRemoval
	input       bool // it has an Input
	timeout     time.Duration

	// Guarded by the books' lock.
	running   int
	keys      map[string]*placeKey
	removedAt int // the clock when it was removed; 0: it is not
}

// A placeKey is the order of a key at a place.
type placeKey struct {
	last    int // the number of the latest event that was attempted
	running bool
}

func newPlace(r *rand.Rand, rule, id string, unit time.Duration) *place {
	p := &place{rule: rule, id: id, concurrency: 1 + r.IntN(3), keys: make(map[string]*placeKey)}
	if chance(r, 30) {
		p.concurrency, p.queue = 1000, 1000 // its retries are never late
	}
	if chance(r, 40) {
		p.overflow = Overflow(r.IntN(3))
	}
	p.ordered, p.letters, p.input = chance(r, 40), chance(r, 40), chance(r, 30)
	if chance(r, 20) {
		p.timeout = unit
	}
	return p
}

func (p *place) target(s *simulation) Target {
	t := Target{
		ID: p.id, Concurrency: p.concurrency, Queue: p.queue, Overflow: p.overflow, DeadLetterOnRemoval: p.letters, Timeout: p.timeout,
		Handler: HandlerFunc(func(ctx context.Context, d Delivery) error { return s.handle(ctx, p, d) }),
	}
	if p.input {
		t.Input = template(`{"n": <n>, "tail": "<tail>", "rule": <aws.events.rule-name>}`, "n", "$.detail.n", "tail", "$.detail.tail")
	}
	if p.ordered {
		t.OrderBy = func(e Event) string { return keyOf(e) }
	}
	return t
}

// simTail is a member of the detail of event n: one in ten has a quote in it, of which an
// Input cannot be made.
func simTail(n int) string {
	if n%10 == 9 {
		return `a"b`
	}
	return "x"
}

// wantInput is what a target at p receives of event n, "" if it has no Input.
func (p *place) wantInput(n int) string {
	if !p.input {
		return ""
	}
	return fmt.Sprintf(`{"n":%d,"tail":"x","rule":%q}`, n, p.rule)
}

func keyOf(e Event) string {
	var detail struct{ Key string }
	if err := e.Decode(&detail); err != nil {
		panic(err)
	}
	return detail.Key
}

// random returns random numbers that are a matter of names alone, so that what a handler
// does is the same each time a seed is run.
func (s *simulation) random(names ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, names...)
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

// handle is what every handler does.
func (s *simulation) handle(ctx context.Context, p *place, d Delivery) error {
	attempt := s.enter(ctx, p, d)
	ended := "by Goexit or a panic"
	defer func() { s.leave(p, attempt, ended) }()
	r := s.random(d.Event.ID, p.rule, p.id, d.Attempt)
	s.pause(r, 2)
	if chance(r, 5) && s.bubble {
		s.pause(r, 30) // it does not heed its context
	}
	if chance(r, 15) && strings.Count(d.Event.ID, ".") < 2 {
		from := []context.Context{ctx, context.Background(), context.WithoutCancel(ctx)}[r.IntN(3)]
		id := fmt.Sprintf("%s.%s%s%d", d.Event.ID, p.rule, p.id, d.Attempt)
		s.publish(from, id, id, 0) // whatever comes of it
	}
	if chance(r, 5) {
		s.change(r, r.IntN(simRules), r.IntN(10))
	}
	var err error
	switch n := r.IntN(100); {
	case n < 60:
	case n < 80:
		err = errDown
	case n < 84:
		err = Permanent(errDown)
	case n < 88:
		err = RetryAfter(errDown, 2*s.unit)
	case n < 94:
		panic("boom")
	default:
		runtime.Goexit()
	}
	ended = fmt.Sprint(err)
	return err
}

// send is the DLQ. It refuses some letters, for once or for good.
func (s *simulation) send(d DeadLetter) error {
	r := s.random(d.Event.ID, d.Rule, d.Target, "letter")
	s.mu.Lock()
	end := s.end(d.Event.ID, d.Rule, d.Target)
	end.sends++
	sends := end.sends
	s.mu.Unlock()
	switch n := r.IntN(100); {
	case n < 10 && sends < 3:
		return errDown
	case n < 15 && sends < 3:
		panic("boom")
	case n < 18:
		return Permanent(errDown)
	}
	return nil
}
