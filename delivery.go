package footbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
)

// This file has the life of an event behind Publish: it is accepted once, with a
// delivery for each target, each of which is attempted until it is decided.

// An accepted is an event and what all its deliveries share. It does not change once it
// is accepted.
//
// Optimization: its first delivery, mostly the only one, is in the same allocation
// (BenchmarkPublish).
type accepted struct {
	bus    *Bus
	event  Event
	values context.Context // the publisher's
	time   time.Time       // of acceptance
	notice *notice         // nil if no one asks
	first  delivery
}

// A notice is what becomes of an event, for who asks.
type notice struct {
	done    func(Outcome)
	left    atomic.Int64    // deliveries that are not decided
	targets []TargetOutcome // by delivery
}

// finish is called when all deliveries of a are decided, if someone asks.
func (a *accepted) finish() {
	call(a.bus, a.notice.done, Outcome{EventID: a.event.ID, Targets: a.notice.targets})
}

// A delivery is an accepted event on its way to one target.
//
// Its state goes from open to lettered to decided, or from open to decided, and who
// moves it out of open decides how it ends.
//
// Optimization: where there are several, they are side by side behind a word of the
// runtime's, which leaves a cache line for all of each but its last eight bytes. In these
// is what a first attempt that succeeds does not look at (BenchmarkPublish).
type delivery struct {
	dispatch.Link
	accepted  *accepted
	target    *target
	trouble   atomic.Pointer[trouble] // nil: none so far
	attempts  atomic.Int32            // so far
	state     atomic.Int32
	index     int32 // in the notice's targets
	sends     int8  // of the letter; as trouble
	forwarded bool  // the event came from another bus
}

// A trouble is what only a delivery needs that fails. Whoever attempts or abandons the
// delivery has it to itself, but for Unfinished and Expired, which touch the letter alone.
type trouble struct {
	failure error                      // of the last attempt
	letter  atomic.Pointer[DeadLetter] // set once
}

// troubled returns the delivery's trouble, which it may make.
func (d *delivery) troubled() *trouble {
	if d.trouble.Load() == nil {
		d.trouble.CompareAndSwap(nil, new(trouble))
	}
	return d.trouble.Load()
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
	if t := d.trouble.Load(); t != nil {
		if t.letter.Load() != nil {
			d.sendLetter(v)
			return
		}
		if d.attempts.Load() == 0 { // it has no key
			d.becomeLetter(t.failure, CodeErrorFromTarget, "", v)
			return
		}
	}
	a := attempt{number: int(d.attempts.Add(1)), failure: failure{err: errGoexit, code: CodeErrorFromTarget}}
	ctx, cancel := d.context(a.number)
	if d.accepted.bus.options.Observer.Attempted != nil {
		a.start = time.Now()
	}
	defer func() {
		if a.err != nil && ctx.Err() != nil {
			a.interrupted(d.accepted.bus)
		}
		if cancel != nil {
			cancel()
		}
		d.conclude(&a, v)
	}()
	d.handle(ctx, &a)
}

// An attempt is one call of the handler.
type attempt struct {
	number   int
	panicked *PanicError // by the handler; nil: it has not
	start    time.Time   // zero if no one asks how long it takes
	input    []byte      // as Delivery.Input
	failure
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
		Accepted: a.time, forwarded: d.forwarded,
	}
}

// told is info with what the target has received.
func (d *delivery) told(a *attempt) Delivery {
	i := d.info(a.number)
	i.Input = a.input
	return i
}

// handle calls the handler and makes an error of a panic, also of one of the error's
// own methods.
func (d *delivery) handle(ctx context.Context, a *attempt) {
	defer func() {
		if r := recover(); r != nil {
			a.panicked = &PanicError{r, debug.Stack()}
			a.failure = failure{err: a.panicked, code: CodeErrorFromTarget}
		}
	}()
	var err error
	if f := d.target.event; f != nil {
		// Optimization: the event is copied once, and no Delivery is made (BenchmarkPublish).
		err = f(ctx, d.accepted.event)
	} else if a.input, err = d.input(); err != nil {
		err = Permanent(err)
	} else {
		err = d.target.handler.Handle(ctx, d.told(a))
	}
	if err == nil {
		a.failure = failure{}
		return
	}
	_ = err.Error() // a nil pointer in an error panics here, not later
	f := failure{err: err, code: CodeErrorFromTarget, permanent: isPermanent(err)}
	if d.accepted.bus.closed.Load() && errors.Is(err, ErrClosed) {
		f.permanent, f.code = true, CodeBusClosed // it has published; no retry would mend that
	}
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		f.code, f.coded = coded.ErrorCode(), true
	}
	a.failure = f
}

// conclude decides what an attempt leads to.
func (d *delivery) conclude(a *attempt, v *dispatch.Verdict) {
	b := d.accepted.bus
	if a.number > 1 {
		b.counters.retries.Add(1)
	}
	if a.err != nil {
		d.failed(a, v)
		return
	}
	b.counters.succeeded[d.target.counter].Add(1)
	recovered := d.target.failing.Load() && d.target.failing.Swap(false)
	if !recovered && b.options.Observer.Attempted == nil {
		d.delivered(a)
		return
	}
	defer d.delivered(a)
	if recovered {
		b.log.Info("footbridge: a target has recovered", d.logArgs("attempt", a.number)...)
	}
	call(b, b.options.Observer.Attempted, AttemptInfo{Delivery: d.told(a), Duration: time.Since(a.start)})
}

func (d *delivery) delivered(a *attempt) {
	if !d.state.CompareAndSwap(open, decided) {
		d.accepted.bus.counters.late.Add(1)
		return
	}
	b := d.accepted.bus
	if b.options.Observer.Delivered == nil {
		d.end(Delivered, nil)
		return
	}
	defer d.end(Delivered, nil)
	call(b, b.options.Observer.Delivered, d.told(a))
}

// failed is conclude for an attempt that failed.
func (d *delivery) failed(a *attempt, v *dispatch.Verdict) {
	b := d.accepted.bus
	b.counters.failed.Add(1)
	tell := AttemptInfo{Delivery: d.told(a), Err: a.err}
	if !a.start.IsZero() {
		tell.Duration = time.Since(a.start)
	}
	exhausted := ""
	defer func() {
		if tell.Retry {
			d.troubled().failure = tell.Err
			v.Again, v.Delay = true, tell.Delay
		} else {
			defer d.becomeLetter(tell.Err, a.code, exhausted, v)
		}
		defer call(b, b.options.Observer.Attempted, tell)
		if tell.Retry && b.log.Enabled(context.Background(), slog.LevelDebug) {
			b.log.Debug("footbridge: attempt failed", d.logArgs("attempt", a.number, "error", a.err, "delay", tell.Delay)...)
		}
	}()
	d.logFailure(a)
	if !a.permanent && !a.closed {
		tell.Delay, tell.Retry, exhausted, tell.Err = d.next(&tell.Delivery, a.err)
	}
}

// logFailure logs, beside what is logged of each attempt, that a target begins to fail, and
// where a handler has panicked, once for each delivery.
func (d *delivery) logFailure(a *attempt) {
	b := d.accepted.bus
	if !d.target.failing.Swap(true) {
		b.log.Warn("footbridge: a target begins to fail", d.logArgs("attempt", a.number, "error", a.err)...)
	}
	if p := a.panicked; p != nil && a.number == 1 {
		b.log.Error("footbridge: a handler has panicked", d.logArgs("panic", p.Value, "stack", string(p.Stack))...)
	}
}

// becomeLetter makes a dead letter of d and sends it, unless it is decided otherwise.
func (d *delivery) becomeLetter(err error, code, exhausted string, v *dispatch.Verdict) {
	if d.claim(code, exhausted, err) {
		d.sendLetter(v)
	}
}

// next asks the policy, which may be the user's and panic: then there is no retry.
func (d *delivery) next(info *Delivery, failure error) (delay time.Duration, retry bool, exhausted string, err error) {
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
	n := d.accepted.notice
	if n == nil {
		return
	}
	n.targets[d.index] = TargetOutcome{Rule: d.target.rule, Target: d.target.ID, Result: r, Attempts: int(d.attempts.Load()), Err: err}
	if n.left.Add(-1) == 0 {
		d.accepted.finish()
	}
}

func (d *delivery) logArgs(more ...any) []any {
	a := d.accepted
	return append([]any{"bus", a.bus.options.Name, "rule", d.target.rule, "target", d.target.ID, "event", a.event.ID}, more...)
}
