package footbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
	"github.com/footbridge-go/footbridge/internal/match"
	"github.com/footbridge-go/footbridge/internal/uuid"
)

// This file has what all that publish have in common: an event is checked, matched, and
// accepted for all its targets, or refused.

// A publication is how an event is published.
type publication struct {
	forwarded bool          // it comes from another bus
	noWait    bool          // a full queue is an error
	to        *DeadLetter   // it goes to this letter's target alone
	rules     []string      // it goes to these rules alone; none: to all
	done      func(Outcome) // nil: no one asks
}

// publish is what all that publish have in common.
func (b *Bus) publish(ctx context.Context, e Event, p publication) (id string, err error) {
	a := &accepted{bus: b, event: e}
	if err := b.tryPublish(ctx, a, &p); err != nil {
		b.refuse(e, err)
		return "", err
	}
	return a.event.ID, nil
}

// refuse counts and tells that e is not accepted.
func (b *Bus) refuse(e Event, err error) {
	b.counters.refused.Add(1)
	call(b, b.options.Observer.Refused, RefusedInfo{Event: e, Err: err})
}

// mayPublish returns why nothing can be published, whatever it is.
func (b *Bus) mayPublish(ctx context.Context) error {
	if b.invalid != nil {
		return b.invalid
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("footbridge: publish: %w", err)
	}
	if b.closed.Load() {
		return fmt.Errorf("footbridge: publish: %w", ErrClosed)
	}
	return nil
}

func (b *Bus) tryPublish(ctx context.Context, a *accepted, p *publication) error {
	if err := b.mayPublish(ctx); err != nil {
		return err
	}
	if err := a.event.check(); err != nil {
		return err
	}
	if b.options.Strict {
		if err := a.event.checkStrict(); err != nil {
			return err
		}
	}
	a.values, a.time = valuesOf(ctx), time.Now()
	b.complete(&a.event, a.time)
	return b.accept(ctx, a, p)
}

// complete fills in what the publisher left to the bus.
func (b *Bus) complete(e *Event, now time.Time) {
	if e.ID == "" {
		e.ID = uuid.New()
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	if e.Account == "" {
		e.Account = b.options.Account
	}
	if e.Region == "" {
		e.Region = b.options.Region
	}
}

// accept hands a to its targets, all or none.
func (b *Bus) accept(ctx context.Context, a *accepted, p *publication) error {
	s := presses.Get().(*press)
	defer s.free()
	for {
		err := s.prepare(a, p)
		if err != nil {
			return err
		}
		if len(s.batch) == 1 && b.offer(p, s) {
			return nil
		}
		if err = b.dispatcher.Reserve(s.batch, false); err != nil {
			err = b.makeRoom(ctx, a, p, s, err)
		}
		if err == nil {
			b.put(a, p, s)
			return nil
		}
		if !errors.Is(err, dispatch.ErrRetired) {
			return err
		}
		a.time = time.Now() // a rule was removed between the match and here
	}
}

// A press is what it takes to make the deliveries of an event. It is used again for
// others.
//
// Optimization: without it a publication would allocate two slices more
// (BenchmarkPublish).
type press struct {
	rules  []*rule             // that the event matches
	others []delivery          // all but the first
	batch  []dispatch.Delivery // on their way into queues
}

var presses = sync.Pool{New: func() any { return new(press) }}

// free gives s back, without what it holds of the event.
func (s *press) free() {
	s.clear()
	if cap(s.rules)+cap(s.batch) <= largePress {
		presses.Put(s)
	}
}

// largePress is the size, in rules and deliveries, from which on a press is not kept.
const largePress = 4096

func (s *press) clear() {
	clear(s.rules)
	clear(s.batch)
	s.rules, s.others, s.batch = s.rules[:0], nil, s.batch[:0]
}

// makeRoom is what follows a Reserve that has returned an error. It returns nil if s is
// accepted all the same. While it waits for room the rules may change: what counts are
// those at the moment of acceptance.
func (b *Bus) makeRoom(ctx context.Context, a *accepted, p *publication, s *press, err error) error {
	var full *dispatch.FullError
	var t *target
	if errors.As(err, &full) {
		t = full.Work.(*delivery).target // of the first that had no room; there may be others meanwhile
	}
	if t != nil && full.Queue.Overflow() != dispatch.Reject && !p.noWait {
		if inHandler(ctx) || dispatch.InWorker() {
			err = b.dispatcher.Reserve(s.batch, true)
		} else {
			_, err = b.dispatcher.ReserveWait(ctx, full, func() ([]dispatch.Delivery, error) {
				a.time = time.Now()
				err := s.prepare(a, p)
				return s.batch, err
			}, a.logSlow)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dispatch.ErrClosed):
		return fmt.Errorf("footbridge: publish: %w", ErrClosed)
	case errors.As(err, &full):
		t = full.Work.(*delivery).target
		return &QueueFullError{Rule: t.rule, Target: t.ID}
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return fmt.Errorf("footbridge: publish: waiting for room in the queue of target %s of rule %s: %w", t.ID, t.rule, err)
	}
	return err
}

// logSlow logs that the publisher of a has waited long for room.
func (a *accepted) logSlow(full *dispatch.FullError) {
	b, t := a.bus, full.Work.(*delivery).target
	waiting, running, retrying := full.Queue.Depth()
	b.log.Warn("footbridge: Publish waits for a target with a full queue",
		slog.String("bus", b.options.Name), slog.String("rule", t.rule), slog.String("target", t.ID), slog.String("event", a.event.ID),
		slog.Int("waiting", waiting), slog.Int("running", running), slog.Int("retrying", retrying))
}

// offer is put for one delivery, if its queue takes it just so and no one is to be told.
func (b *Bus) offer(p *publication, s *press) bool {
	if p.to != nil || b.options.Observer.Published != nil {
		return false
	}
	return b.dispatcher.Offer(&s.batch[0], func() {
		c := &b.counters
		c.deliveries.Add(1)
		c.published.Add(1)
		c.triggeredRules.Add(int64(len(s.rules)))
	})
}

// put counts and tells that a is accepted, and then puts its deliveries in.
func (b *Bus) put(a *accepted, p *publication, s *press) {
	defer b.dispatcher.Put(s.batch) // deferred: an observer may end the goroutine
	if len(s.batch) == 0 && p.done != nil {
		defer a.finish() // likewise
	}
	c, o := &b.counters, b.options.Observer
	c.deliveries.Add(int64(len(s.batch)))
	if p.to != nil {
		return
	}
	c.published.Add(1)
	c.triggeredRules.Add(int64(len(s.rules)))
	if len(s.rules) == 0 {
		c.unmatched.Add(1)
		a.logUnmatched()
	}
	if o.Published != nil || o.Unmatched != nil {
		info := PublishInfo{Event: a.event, Rules: len(s.rules), Targets: len(s.batch)}
		call(b, o.Published, info)
		if len(s.rules) == 0 {
			call(b, o.Unmatched, info)
		}
	}
}

func (a *accepted) logUnmatched() {
	if b, e := a.bus, &a.event; b.log.Enabled(a.values, slog.LevelDebug) {
		b.log.DebugContext(a.values, "footbridge: an event matches no rule", slog.String("bus", b.options.Name), slog.String("event", e.ID),
			slog.String("source", e.Source), slog.String("detail-type", e.DetailType))
	}
}

// prepare makes a delivery for each target that a goes to: those of the rules it
// matches, or that of a letter.
func (s *press) prepare(a *accepted, p *publication) error {
	s.clear() // of an earlier try
	if p.to != nil {
		if err := match.ValidDetail(a.event.Detail, MaxDetailDepth); err != nil {
			return &EventError{Field: "Detail", Reason: detailMalformed, Err: err}
		}
		t, err := a.bus.targetOf(p.to)
		if err != nil {
			return err
		}
		s.newDeliveries(a, p, 1)
		s.add(a, p, t)
		return nil
	}
	if err := s.match(a, p); err != nil {
		return err
	}
	n := 0
	for _, r := range s.rules {
		n += len(r.targets)
	}
	s.newDeliveries(a, p, n)
	for _, r := range s.rules {
		for _, t := range r.targets {
			s.add(a, p, t)
		}
	}
	if a.bus.options.Strict {
		return s.checkStrict(a, p)
	}
	return nil
}

// newDeliveries makes n deliveries of a, which are filled in by add.
func (s *press) newDeliveries(a *accepted, p *publication, n int) {
	a.first, s.others = delivery{}, nil
	if n > 1 {
		s.others = make([]delivery, n-1)
	}
	if p.done != nil {
		a.notice = &notice{done: p.done, targets: make([]TargetOutcome, n)}
		a.notice.left.Store(int64(n))
	}
}

// match finds the rules that a matches.
func (s *press) match(a *accepted, p *publication) (err error) {
	s.rules, err = a.bus.matcher.AppendFieldsMatches(s.rules, (*match.Fields)(&a.event), MaxDetailDepth)
	if err != nil {
		return &EventError{Field: "Detail", Reason: detailMalformed, Err: err}
	}
	if len(p.rules) > 0 {
		if err := s.keepNamed(a.bus, p); err != nil {
			return err
		}
	}
	if p.done != nil { // an Outcome is sorted
		slices.SortFunc(s.rules, func(a, b *rule) int { return cmp.Compare(a.Name, b.Name) })
	}
	return nil
}

// add makes the delivery of a to t.
func (s *press) add(a *accepted, p *publication, t *target) {
	i := len(s.batch)
	d := &a.first
	if i > 0 {
		d = &s.others[i-1]
	}
	d.accepted, d.target, d.index, d.forwarded = a, t, int32(i), p.forwarded
	s.batch = append(s.batch, dispatch.Delivery{Queue: t.queue, Work: d})
	if t.OrderBy != nil {
		key, err := t.orderKey(a.event)
		if err != nil {
			d.troubled().failure = err
		}
		s.batch[i].Key, s.batch[i].Ordered = key, err == nil
	}
}

// orderKey calls OrderBy, which is the user's. If it panics the delivery fails.
func (t *target) orderKey(e Event) (key string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("footbridge: OrderBy of target %s of rule %s: %w", t.ID, t.rule, &PanicError{r, debug.Stack()})
		}
	}()
	return t.OrderBy(e), nil
}

// targetOf returns the target that a letter was for.
func (b *Bus) targetOf(letter *DeadLetter) (*target, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if letter.Bus != b.options.Name {
		return nil, fmt.Errorf("footbridge: redrive: the letter is of bus %q, this is %q: %w", letter.Bus, b.options.Name, ErrRuleNotFound)
	}
	r := b.rules[letter.Rule]
	if r == nil {
		return nil, fmt.Errorf("footbridge: redrive: rule %q: %w", letter.Rule, ErrRuleNotFound)
	}
	t := r.target(letter.Target)
	if t == nil {
		return nil, fmt.Errorf("footbridge: redrive: rule %q, target %q: %w", letter.Rule, letter.Target, ErrTargetNotFound)
	}
	return t, nil
}
