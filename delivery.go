package footbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
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

// targetWith returns the rule and ID of the target of a that has the queue q.
func (a *accepted) targetWith(q *dispatch.Queue) (rule, id string) {
	b := a.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rules {
		for _, t := range r.targets {
			if t.queue == q {
				return r.Name, t.ID
			}
		}
	}
	return "", ""
}

func (a *accepted) fullError(q *dispatch.Queue) error {
	rule, id := a.targetWith(q)
	return &QueueFullError{Rule: rule, Target: id}
}

// logSlow logs that the publisher of a has waited long for room in q.
func (a *accepted) logSlow(q *dispatch.Queue) {
	rule, id := a.targetWith(q)
	waiting, running, retrying := q.Depth()
	a.bus.log.Warn("footbridge: Publish waits for a target with a full queue",
		slog.String("bus", a.bus.options.Name), slog.String("rule", rule), slog.String("target", id), slog.String("event", a.event.ID),
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
	failure  error // of the last attempt; whoever attempts or abandons it has it to itself, but for Unfinished
	sends    int   // of the letter; likewise
	state    atomic.Int32
	letter   atomic.Pointer[DeadLetter] // set once, by who made the state lettered
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

// claim makes d a dead letter, unless it is one or is decided.
func (d *delivery) claim(code, exhausted string, err error) bool {
	if !d.state.CompareAndSwap(open, lettered) {
		return false
	}
	d.letter.Store(d.newLetter(code, exhausted, err))
	return true
}

func (d *delivery) newLetter(code, exhausted string, err error) *DeadLetter {
	a, t := d.accepted, d.target
	return &DeadLetter{
		Event: a.event, Bus: a.bus.options.Name, Rule: t.rule, Target: t.ID,
		RuleARN: a.bus.arn("rule", t.rule), TargetARN: a.bus.arn("target", t.rule+"/"+t.ID),
		ErrorCode: code, ErrorMessage: err.Error(), ExhaustedRetryCondition: exhausted,
		RetryAttempts: max(0, int(d.attempts.Load())-1), Forwarded: a.forwarded, Accepted: a.time, Time: time.Now(), Err: err,
	}
}

// ErrNoDLQ is why a delivery is lost that has no DLQ.
var ErrNoDLQ = errors.New("no dead-letter queue")

// maxSends is how often a letter is sent before it is lost.
const maxSends = 5

// sendLetter sends the letter to the DLQ. One that is to be sent again goes the way of
// a retry, and holds no worker meanwhile; with a nil v there is no again.
func (d *delivery) sendLetter(v *dispatch.Verdict) {
	err := errGoexit
	defer func() {
		d.sends++
		switch {
		case err == nil:
			d.endDeadLettered()
		case v != nil && d.sends < maxSends && !isPermanent(err) && err != ErrNoDLQ:
			d.accepted.bus.log.Warn("footbridge: dead-letter queue failed", d.logArgs("try", d.sends, "error", err)...)
			v.Again, v.Delay = true, time.Second<<(d.sends-1)
		default:
			d.endLost(err)
		}
	}()
	err = d.trySend()
}

// trySend calls the DLQ and makes an error of a panic.
func (d *delivery) trySend() (err error) {
	if d.target.dlq == nil {
		return ErrNoDLQ
	}
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{r, debug.Stack()}
		}
	}()
	err = d.target.dlq.Send(&attemptContext{Context: d.accepted.bus.letters, values: d.accepted.values}, *d.letter.Load())
	if err != nil {
		_ = err.Error() // a nil pointer in an error panics here, not later
	}
	return err
}

func (d *delivery) endDeadLettered() {
	if d.state.Swap(decided) == decided {
		return
	}
	b, letter := d.accepted.bus, d.letter.Load()
	b.counters.deadLettered.Add(1)
	b.log.Warn("footbridge: dead letter", d.logArgs("code", letter.ErrorCode, "error", letter.Err, "retries", letter.RetryAttempts)...)
	defer d.end(DeadLettered, letter.Err)
	call(b, b.options.Observer.DeadLettered, *letter)
}

// endLost reports that no one has the delivery, since the DLQ returned err.
func (d *delivery) endLost(err error) {
	if d.state.Swap(decided) == decided {
		return
	}
	b, letter := d.accepted.bus, d.letter.Load()
	b.counters.lost.Add(1)
	b.log.Error("footbridge: delivery lost", d.logArgs("code", letter.ErrorCode, "error", letter.Err, "dlq", err, "retries", letter.RetryAttempts)...)
	defer d.end(Lost, fmt.Errorf("%w (not dead-lettered: %w)", letter.Err, err))
	call(b, b.options.Observer.Lost, LostInfo{Letter: *letter, Err: err})
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

// Abandon implements dispatch.Work: it makes a dead letter of d.
func (d *delivery) Abandon(r dispatch.Reason) {
	var code string
	var err error
	switch t := d.target; r {
	case dispatch.QueueFull:
		code, err = CodeResourceLimit, &QueueFullError{Rule: t.rule, Target: t.ID}
	case dispatch.BacklogFull:
		code, err = CodeResourceLimit, fmt.Errorf("footbridge: backlog of target %s of rule %s is full", t.ID, t.rule)
	case dispatch.Unfinished:
		code, err = CodeBusClosed, fmt.Errorf("the handler has not returned: %w", ErrClosed)
	default:
		code, err = CodeBusClosed, ErrClosed
	}
	if r != dispatch.Unfinished && d.failure != nil {
		err = fmt.Errorf("%w; its last attempt: %w", err, d.failure)
	}
	switch {
	case d.claim(code, "", err):
		d.sendLetter(nil)
	case r == dispatch.Unfinished:
		// The attempt that runs is the DLQ's. The claim's letter may not be stored
		// yet: store this one then.
		d.letter.CompareAndSwap(nil, d.newLetter(code, "", err))
		d.endLost(err)
	default: // a letter that waited to be sent again
		d.sendLetter(nil)
	}
}

func (d *delivery) logArgs(more ...any) []any {
	a := d.accepted
	return append([]any{"bus", a.bus.options.Name, "rule", d.target.rule, "target", d.target.ID, "event", a.event.ID}, more...)
}

// An attemptContext is the context of an attempt, or of a letter's sending: it ends
// with a context of the bus, and has the values of the publisher's.
type attemptContext struct {
	context.Context // the bus's
	values          context.Context
	delivery        Delivery
	bus             *Bus // nil for a letter
}

type attemptKey struct{}

// Value implements context.Context. The bus's context comes first, since package
// context finds out through a value of its own where cancellation comes from.
func (c *attemptContext) Value(key any) any {
	if key == (attemptKey{}) && c.bus != nil {
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// valuesOf returns the context that has the values of a publisher's ctx. For one
// that a handler passes on it is that of the first publisher: handlers that publish
// to each other for ever build no chain of contexts.
func valuesOf(ctx context.Context) context.Context {
	if c, ok := ctx.(*attemptContext); ok {
		return c.values
	}
	return ctx
}

// context returns the context of an attempt.
func (d *delivery) context(info Delivery) (context.Context, context.CancelFunc) {
	b := d.accepted.bus
	ctx, cancel := b.attempts, context.CancelFunc(func() {})
	if d.target.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, d.target.Timeout)
	}
	return &attemptContext{Context: ctx, values: d.accepted.values, delivery: info, bus: b}, cancel
}

// inHandler reports whether ctx is, or comes from, that of a handler of any bus.
func inHandler(ctx context.Context) bool { return ctx.Value(attemptKey{}) != nil }

// isHandlers reports whether ctx is, or comes from, that of a handler of b.
func (b *Bus) isHandlers(ctx context.Context) bool {
	c, ok := ctx.Value(attemptKey{}).(*attemptContext)
	return ok && c.bus == b
}

// sortedRulesLocked returns the rules by name.
func (b *Bus) sortedRulesLocked() []*rule {
	rules := make([]*rule, 0, len(b.rules))
	for _, r := range b.rules {
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b *rule) int { return strings.Compare(a.Name, b.Name) })
	return rules
}
