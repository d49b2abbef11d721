package footbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
	"github.com/footbridge-go/footbridge/internal/nils"
)

// A Target receives the events of a rule.
type Target struct {
	ID      string // 1 to 64 of A-Z a-z 0-9 . - _; differs from those of the rule's other targets
	Handler Handler
	Input   Input       // what it receives; zero: the envelope
	Retry   RetryPolicy // nil: the bus's. A Backoff with a duration below 0, or a Base above its MaxDelay, is refused
	DLQ     DLQ         // nil: the bus's

	// Concurrency is how many attempts run at a time; 1 is one after another, and
	// then, without OrderBy, deliveries that need no retry are attempted in the order
	// they were accepted. Zero is the bus's default.
	Concurrency int

	// OrderBy gives each event a key. Events of one key are delivered in the order
	// they were published, one at a time: one that fails holds back its key, and
	// only its key, until it is decided. Nil: no order. It is called by the
	// publisher, again after each wait for room. One that fails for long holds its key back
	// as long: such targets want a short Retry. If it panics the delivery is a dead letter.
	// A target that is removed and put again, rather than replaced, has a new queue: what
	// the old one has goes on beside it, in an order of its own.
	OrderBy func(Event) string

	// Queue is how many deliveries may wait for their first attempt. Memory is taken
	// only as they wait. Zero is the bus's default. What happens beyond is Overflow's.
	Queue    int
	Overflow Overflow

	// Backlog is how many deliveries may wait for a retry, those that OrderBy holds
	// back behind one included. Beyond it they become dead letters. Letters that a DLQ
	// refuses wait for it, too, up to twice the bound in all; beyond that they are lost.
	// Zero is the bus's default.
	Backlog int

	// DeadLetterOnRemoval says what becomes of accepted deliveries when the target is
	// removed, by RemoveRule or by a PutRule without it: with true those that wait become
	// dead letters with the code [CodeTargetRemoved], soon after, and so do those that run
	// if their attempts fail. False, the default: they are finished as if nothing had
	// happened.
	DeadLetterOnRemoval bool

	// Timeout bounds one attempt: its context ends then. An attempt counts when the
	// handler returns, and until then it occupies one of Concurrency, so a handler
	// must heed its context. Zero: no bound.
	Timeout time.Duration
}

// An Overflow says what Publish does when a target's queue is full.
type Overflow int

const (
	// OverflowBlock, the default, waits until there is room, until the context ends,
	// or until the bus is closed. A handler's goroutine never waits, since it may be
	// what makes room: what a handler publishes is accepted beyond the bound.
	OverflowBlock Overflow = iota
	// OverflowReject refuses the event, for all its targets, with a *QueueFullError.
	OverflowReject
	// OverflowDeadLetter accepts the event; for this target it becomes a dead
	// letter, which the publisher's goroutine sends to the DLQ, however long that takes.
	OverflowDeadLetter
)

// The order of both is one: [dispatch.Overflow](o) is o's counterpart.
var _ = [1]int{}[int(OverflowBlock)-int(dispatch.Block)+int(OverflowReject)-int(dispatch.Reject)+int(OverflowDeadLetter)-int(dispatch.Abandon)]

// check returns why the target is refused, whatever its rule is; nil is that it is not.
func (t *Target) check() *RuleError {
	if reason := nameReason(t.ID); reason != "" {
		return &RuleError{Target: t.ID, Field: "ID", Reason: reason, Code: CodeValidation}
	}
	if field, reason := t.checkFields(); reason != "" {
		return &RuleError{Target: t.ID, Field: field, Reason: reason}
	}
	return t.checkInput()
}

// checkFields returns the field that is wrong and why, or "" and "", of all but ID and Input.
func (t *Target) checkFields() (field, reason string) {
	switch {
	case nils.Is(t.Handler):
		return "Handler", "want one, got " + nils.Text(t.Handler)
	case t.Timeout < 0:
		return "Timeout", fmt.Sprintf("want 0 or more, got %v", t.Timeout)
	case t.Overflow < OverflowBlock || t.Overflow > OverflowDeadLetter:
		return "Overflow", fmt.Sprintf("want OverflowBlock, OverflowReject or OverflowDeadLetter, got %d", t.Overflow)
	}
	return checkShared(t.Retry, t.DLQ, t.Concurrency, t.Queue, t.Backlog)
}

// checkShared returns the field that is wrong and why, or "" and "", of those that a target
// and its bus both have.
func checkShared(retry RetryPolicy, dlq DLQ, concurrency, queue, backlog int) (field, reason string) {
	for _, n := range [...]struct {
		field string
		n     int
	}{{"Concurrency", concurrency}, {"Queue", queue}, {"Backlog", backlog}} {
		if n.n < 0 {
			return n.field, fmt.Sprintf("want 0 or more, got %d", n.n)
		}
	}
	b, _ := backoffOf(retry)
	switch {
	case dlq != nil && nils.Is(dlq):
		return "DLQ", "want one or none, got " + nils.Text(dlq)
	case retry != nil && nils.Is(retry):
		return "Retry", "want one or none, got " + nils.Text(retry)
	case b.Base < 0 || b.MaxDelay < 0 || b.MaxAge < 0:
		return "Retry", fmt.Sprintf("want durations of 0, the default, or more, got %+v", b)
	case b.MaxDelay > 0 && b.Base > b.MaxDelay:
		return "Retry", fmt.Sprintf("want a Base of at most MaxDelay, %v, got %v", b.MaxDelay, b.Base)
	}
	return "", ""
}

// backoffOf returns the Backoff that p is or points to.
func backoffOf(p RetryPolicy) (b Backoff, ok bool) {
	if to, isPointer := p.(*Backoff); isPointer && to != nil {
		return *to, true
	}
	b, ok = p.(Backoff)
	return b, ok
}

// checkInput returns why the target does not take its Input; nil is that it does.
func (t *Target) checkInput() *RuleError {
	in, refused := t.Input.compile(t.ID)
	if in == nil {
		return refused
	}
	switch t.Handler.(type) {
	case forward:
		return inputRefused(t.ID, "want none, since a target that is a bus takes no transformation")
	case chanFunc:
		return inputRefused(t.ID, "want none, since the channel takes events as they are")
	}
	return nil
}

// A Handler handles the deliveries of a target. An error means that the attempt
// failed; [Permanent] and [RetryAfter] say more of it, and an error with a method
// ErrorCode() string gives the dead letter its code. A panic is an error, too.
//
// Handle may be called by any number of goroutines, up to the target's Concurrency.
// It must not change the event. Its context has the values of the publisher's, but
// not its cancellation: it ends with the target's Timeout or when the bus is closed
// by force. A handler with a method ARN() string gives dead letters their TARGET_ARN. With a Timeout it ends when Handle returns, too; without one it may outlive that.
type Handler interface {
	Handle(ctx context.Context, d Delivery) error
}

// A HandlerFunc is a function that is a [Handler].
type HandlerFunc func(ctx context.Context, d Delivery) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, d Delivery) error { return f(ctx, d) }

// A Middleware wraps a handler. Those of a bus are around every attempt of every
// target, the first outermost. It is called once for each target, by PutRule.
type Middleware func(next Handler) Handler

// A Delivery is what a [Handler] is called with: an event on its way to a target, at
// one of its attempts.
type Delivery struct {
	Event        Event
	Bus          string // name
	Rule, Target string
	Input        []byte    // what the target's Input made of the event, which no one may change; nil: it has none
	Attempt      int       // from 1
	Accepted     time.Time // when the bus accepted the event

	forwarded bool // the event came from another bus
}

// DeliveryFromContext returns the delivery that the handler with that context is
// called for, so that functions which do not get it can tell rule, target and attempt.
func DeliveryFromContext(ctx context.Context) (d Delivery, ok bool) {
	of, attempt := attemptOf(ctx)
	if of == nil {
		return Delivery{}, false
	}
	d = of.info(attempt)
	d.Input, _ = of.input() // an attempt whose input cannot be made has no context
	return d, true
}

// Func returns a target that calls fn. If the target is given an Input, what that has made
// of the event is in [DeliveryFromContext].
func Func(id string, fn func(ctx context.Context, e Event) error) Target {
	if fn == nil {
		return Target{ID: id}
	}
	return Target{ID: id, Handler: eventFunc(fn)}
}

// An eventFunc is a handler that needs the event alone.
type eventFunc func(ctx context.Context, e Event) error

func (f eventFunc) Handle(ctx context.Context, d Delivery) error { return f(ctx, d.Event) }

// eventFuncOf returns the function that h is for an event alone, nil if h needs more.
func eventFuncOf(h Handler) eventFunc {
	switch h := h.(type) {
	case eventFunc:
		return h
	case chanFunc:
		return eventFunc(h)
	case interface {
		handleEvent(context.Context, Event) error
	}: // Typed
		return h.handleEvent
	}
	return nil
}

// Typed returns a target that calls fn with the event's Detail unmarshalled into a T, or,
// if the target is given an Input, with what that has made of the event. What cannot be
// unmarshalled is a dead letter at once, with the code [CodeInvalidJSON].
func Typed[T any](id string, fn func(ctx context.Context, e Event, detail T) error) Target {
	if fn == nil {
		return Target{ID: id}
	}
	return Target{ID: id, Handler: typed[T](fn)}
}

type typed[T any] func(ctx context.Context, e Event, detail T) error

func (fn typed[T]) Handle(ctx context.Context, d Delivery) error {
	if d.Input == nil {
		return fn.handleEvent(ctx, d.Event)
	}
	var input T
	if err := json.Unmarshal(d.Input, &input); err != nil {
		return Permanent(&codedError{CodeInvalidJSON, fmt.Errorf("footbridge: input of event %s (%s): %w", d.Event.ID, d.Event.DetailType, err)})
	}
	return fn(ctx, d.Event, input)
}

func (fn typed[T]) handleEvent(ctx context.Context, e Event) error {
	var detail T
	if err := e.Decode(&detail); err != nil {
		return Permanent(&codedError{CodeInvalidJSON, err})
	}
	return fn(ctx, e, detail)
}

// Chan returns a target that sends each event to ch. An attempt waits until the
// event is received, or until its context ends, which is a failure: without a
// Timeout that is only when the bus is closed by force. If ch is closed, the event
// is a dead letter at once.
func Chan(id string, ch chan<- Event) Target {
	if ch == nil {
		return Target{ID: id}
	}
	return Target{ID: id, Handler: chanFunc(func(ctx context.Context, e Event) (err error) {
		defer func() {
			if r := recover(); r != nil { // only a send on a closed channel panics here
				err = Permanent(fmt.Errorf("footbridge: target %s: %v", id, r))
			}
		}()
		select {
		case ch <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})}
}

// A chanFunc is the handler of a channel.
type chanFunc eventFunc

func (f chanFunc) Handle(ctx context.Context, d Delivery) error { return f(ctx, d.Event) }

// Forward returns a target that publishes each event on another bus, with its ID
// and its time. An event passes one such hop; a second is a dead letter with the
// code [CodeThirdAccountHop], as in the service.
//
// The delivery ends when the other bus accepts the event; how it fares there is that
// bus's: Wait for this bus first, then for the other, and Close them in that order. If
// the other bus has no room it is offered the event again by the retry policy; if it
// refuses it for another reason, being closed for one, the event is a dead letter.
func Forward(id string, to *Bus) Target {
	if to == nil {
		return Target{ID: id}
	}
	return Target{ID: id, Handler: forward{to}}
}

type forward struct{ to *Bus }

func (f forward) ARN() string { return f.to.ARN() }

func (f forward) Handle(ctx context.Context, d Delivery) error {
	if d.forwarded {
		return Permanent(&codedError{CodeThirdAccountHop, fmt.Errorf("footbridge: event %s came to bus %s from another bus: "+
			"a second hop, to bus %s, is refused", d.Event.ID, d.Bus, f.to.options.Name)})
	}
	_, err := f.to.publish(ctx, d.Event, publication{forwarded: true, noWait: true})
	if err == nil {
		return nil
	}
	refused := &forwardError{f.to.options.Name, err}
	if !errors.Is(err, ErrQueueFull) && ctx.Err() == nil {
		return Permanent(refused)
	}
	return refused
}

// A forwardError is why a bus did not take an event from another: told there, it names the bus.
type forwardError struct {
	to  string
	err error
}

func (e *forwardError) Error() string {
	return fmt.Sprintf("footbridge: forward to bus %q: %s", e.to, strings.TrimPrefix(e.err.Error(), "footbridge: "))
}

func (e *forwardError) Unwrap() error { return e.err }

// retire ends t, which was removed.
func (t *target) retire() {
	if t.DeadLetterOnRemoval {
		t.queue.Discard()
	} else {
		t.queue.Retire()
	}
}

// A target is a Target as the bus runs it. It is immutable but for its queue, which
// passes to the target of the same ID when the rule is replaced.
type target struct {
	Target
	rule    string
	handler Handler   // with middleware
	event   eventFunc // of the handler, if it needs the event alone; nil: it needs more
	input   *compiledInput
	retry   RetryPolicy
	dlq     DLQ // nil: none
	queue   *dispatch.Queue
	counter uint8       // of the bus's, for attempts that succeed
	failing atomic.Bool // its last attempt has failed; for the log
}
