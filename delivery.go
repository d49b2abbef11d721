package footbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
	"github.com/footbridge-go/footbridge/internal/match"
)

// This file has the life of an event behind Publish: it is accepted once, with a
// delivery for each target, each of which is attempted until it is decided.

// An accepted is an event and what all its deliveries share.
type accepted struct {
	bus       *Bus
	event     Event
	values    context.Context // the publisher's
	time      time.Time       // of acceptance
	rules     int             // that the event matches
	forwarded bool
	done      func(Outcome)

	left    atomic.Int64    // deliveries that are not decided
	targets []TargetOutcome // by delivery; nil if no one asks
}

// prepare makes a delivery for each target that a goes to: those of the rules it
// matches, or that of a letter.
func (a *accepted) prepare(letter *DeadLetter) ([]dispatch.Delivery, error) {
	targets, err := a.route(letter)
	if err != nil {
		return nil, err
	}
	a.time = time.Now()
	a.left.Store(int64(len(targets)))
	if a.done != nil {
		a.targets = make([]TargetOutcome, len(targets))
	}
	deliveries := make([]delivery, len(targets))
	batch := make([]dispatch.Delivery, len(targets))
	for i, t := range targets {
		d := &deliveries[i]
		d.accepted, d.target, d.index = a, t, i
		batch[i] = dispatch.Delivery{Queue: t.queue, Work: d}
		if t.OrderBy != nil {
			batch[i].Key, d.failure = t.orderKey(a.event)
			batch[i].Ordered = d.failure == nil
		}
	}
	return batch, nil
}

// route returns the targets that a goes to.
func (a *accepted) route(letter *DeadLetter) ([]*target, error) {
	b := a.bus
	if letter != nil {
		if err := match.ValidDetail(a.event.Detail, MaxDetailDepth); err != nil {
			return nil, &EventError{Field: "Detail", Reason: detailMalformed, Err: err}
		}
		t, err := b.targetOf(letter)
		return []*target{t}, err
	}
	rules, err := b.matcher.AppendFieldsMatches(nil, a.event.fields(), MaxDetailDepth)
	if err != nil {
		return nil, &EventError{Field: "Detail", Reason: detailMalformed, Err: err}
	}
	if a.done != nil { // an Outcome is sorted
		slices.SortFunc(rules, func(a, b *rule) int { return cmp.Compare(a.Name, b.Name) })
	}
	a.rules = len(rules)
	var targets []*target
	for _, r := range rules {
		targets = append(targets, r.targets...)
	}
	return targets, nil
}

// targetOf returns the target that a letter was for.
func (b *Bus) targetOf(letter *DeadLetter) (*target, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rules[letter.Rule]
	if r == nil || letter.Bus != b.options.Name {
		return nil, fmt.Errorf("footbridge: redrive: bus %q, rule %q: %w", letter.Bus, letter.Rule, ErrRuleNotFound)
	}
	t := r.target(letter.Target)
	if t == nil {
		return nil, fmt.Errorf("footbridge: redrive: rule %q, target %q: %w", letter.Rule, letter.Target, ErrTargetNotFound)
	}
	return t, nil
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

func fullError(full *dispatch.FullError) error {
	t := full.Work.(*delivery).target
	return &QueueFullError{Rule: t.rule, Target: t.ID}
}

// logSlow logs that the publisher of a has waited long for room.
func (a *accepted) logSlow(full *dispatch.FullError) {
	t := full.Work.(*delivery).target
	waiting, running, retrying := full.Queue.Depth()
	a.bus.log.Warn("footbridge: Publish waits for a target with a full queue",
		slog.String("bus", a.bus.options.Name), slog.String("rule", t.rule), slog.String("target", t.ID), slog.String("event", a.event.ID),
		slog.Int("waiting", waiting), slog.Int("running", running), slog.Int("retrying", retrying))
}

// finish is called when all deliveries of a are decided.
func (a *accepted) finish() {
	if a.done != nil {
		call(a.bus, a.done, Outcome{EventID: a.event.ID, Targets: a.targets})
	}
}

// A delivery is an accepted event on its way to one target.
//
// Its state goes from open to lettered to decided, or from open to decided, and who
// moves it out of open decides how it ends.
type delivery struct {
	accepted *accepted
	target   *target
	index    int // in accepted.targets

	attempts atomic.Int32
	failure  error // of the last attempt; whoever attempts or abandons it has it to itself, but for Unfinished and Expired
	sends    int   // of the letter; likewise
	state    atomic.Int32
	letter   atomic.Pointer[DeadLetter] // set once
}

const (
	open     = iota // it may be attempted
	lettered        // it is to become a dead letter
	decided
)

// A PanicError is a panic of a handler, or of another function of the user's.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // of its goroutine, as [debug.Stack] formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the error of a handler, or a DLQ, that ended its goroutine.
var errGoexit = errors.New("footbridge: runtime.Goexit was called")

// Attempt implements dispatch.Work: it calls the handler, or, for a delivery that is
// a dead letter, the DLQ.
//
// All that is the user's may panic, or end the goroutine: then only deferred calls
// run. So what must be done behind such a call is deferred before it.
func (d *delivery) Attempt(v *dispatch.Verdict) {
	if d.letter.Load() != nil {
		d.sendLetter(v)
		return
	}
	if d.failure != nil && d.attempts.Load() == 0 { // it has no key
		d.becomeLetter(d.failure, CodeErrorFromTarget, "", v)
		return
	}
	info := d.info(int(d.attempts.Add(1)))
	ctx, cancel := d.context(info)
	start := time.Now()
	f := failure{err: errGoexit, code: CodeErrorFromTarget}
	defer func() {
		if f.err != nil && ctx.Err() != nil {
			f.interrupted(d.accepted.bus)
		}
		cancel()
		d.conclude(info, time.Since(start), f, v)
	}()
	f = d.handle(ctx, info)
}

// A failure is what a failed attempt says of itself. The zero value is success.
type failure struct {
	err       error
	coded     bool   // code is the error's own
	code      string // of a dead letter
	permanent bool
	closed    bool // the bus was closed by force while it ran
}

// interrupted notes that the attempt's context has ended.
func (f *failure) interrupted(b *Bus) {
	switch {
	case b.attempts.Err() != nil:
		f.closed, f.code = true, CodeBusClosed
	case !f.coded:
		f.code = CodeTimeout
	}
}

func (d *delivery) info(attempt int) Delivery {
	a := d.accepted
	return Delivery{
		Event: a.event, Bus: a.bus.options.Name, Rule: d.target.rule, Target: d.target.ID, Attempt: attempt,
		Accepted: a.time, forwarded: a.forwarded,
	}
}

// handle calls the handler and makes an error of a panic, also of one of the error's
// own methods.
func (d *delivery) handle(ctx context.Context, info Delivery) (f failure) {
	defer func() {
		if r := recover(); r != nil {
			f = failure{err: &PanicError{r, debug.Stack()}, code: CodeErrorFromTarget}
		}
	}()
	err := d.target.handler.Handle(ctx, info)
	if err == nil {
		return failure{}
	}
	_ = err.Error() // a nil pointer in an error panics here, not later
	f = failure{err: err, code: CodeErrorFromTarget, permanent: isPermanent(err)}
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		f.code, f.coded = coded.ErrorCode(), true
	}
	return f
}

// conclude decides what an attempt leads to.
func (d *delivery) conclude(info Delivery, took time.Duration, f failure, v *dispatch.Verdict) {
	b := d.accepted.bus
	b.counters.invocations.Add(1)
	if info.Attempt > 1 {
		b.counters.retries.Add(1)
	}
	tell := AttemptInfo{Delivery: info, Duration: took, Err: f.err}
	if f.err == nil {
		defer d.delivered(info)
		call(b, b.options.Observer.Attempted, tell)
		return
	}
	b.counters.failed.Add(1)
	exhausted := ""
	defer func() {
		if tell.Retry {
			b.log.Debug("footbridge: attempt failed", d.logArgs("attempt", info.Attempt, "error", f.err, "delay", tell.Delay)...)
			d.failure = tell.Err
			v.Again, v.Delay = true, tell.Delay
		} else {
			defer d.becomeLetter(tell.Err, f.code, exhausted, v)
		}
		call(b, b.options.Observer.Attempted, tell)
	}()
	if !f.permanent && !f.closed {
		tell.Delay, tell.Retry, exhausted, tell.Err = d.next(info, f.err)
	}
}

func (d *delivery) delivered(info Delivery) {
	if b := d.accepted.bus; d.state.CompareAndSwap(open, decided) {
		b.counters.delivered.Add(1)
		defer d.end(Delivered, nil)
		call(b, b.options.Observer.Delivered, info)
	}
}

// becomeLetter makes a dead letter of d and sends it, unless it is decided otherwise.
func (d *delivery) becomeLetter(err error, code, exhausted string, v *dispatch.Verdict) {
	if d.claim(code, exhausted, err) {
		d.sendLetter(v)
	}
}

// next asks the policy, which may be the user's and panic: then there is no retry.
func (d *delivery) next(info Delivery, failure error) (delay time.Duration, retry bool, exhausted string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (and its retry policy: %w)", failure, &PanicError{r, debug.Stack()})
			retry, exhausted = false, ""
		}
	}()
	a := Attempt{
		EventID: info.Event.ID, Rule: info.Rule, Target: info.Target,
		Retries: info.Attempt - 1, Age: time.Since(info.Accepted), Err: failure,
	}
	policy := d.target.retry
	if delay, retry = policy.Next(a); retry {
		return max(0, delay, retryAfter(failure)), true, "", failure
	}
	exhausted = ConditionMaxRetries
	if p, ok := policy.(interface{ Exhausted(Attempt) string }); ok {
		exhausted = p.Exhausted(a)
	}
	return 0, false, exhausted, failure
}

// end enters how d ended, after all that is told and counted of it.
func (d *delivery) end(r Result, err error) {
	a := d.accepted
	if a.targets != nil {
		a.targets[d.index] = TargetOutcome{Rule: d.target.rule, Target: d.target.ID, Result: r, Attempts: int(d.attempts.Load()), Err: err}
	}
	if a.left.Add(-1) == 0 {
		a.finish()
	}
}

func (d *delivery) logArgs(more ...any) []any {
	a := d.accepted
	return append([]any{"bus", a.bus.options.Name, "rule", d.target.rule, "target", d.target.ID, "event", a.event.ID}, more...)
}
