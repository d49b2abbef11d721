package footbridge

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/footbridge-go/footbridge/internal/dispatch"
)

// This file has the end of a delivery that is not delivered: it becomes a letter,
// which is sent to a DLQ, or is lost.

// claim makes d a dead letter, unless it is one or is decided.
func (d *delivery) claim(code, exhausted string, err error) bool {
	if !d.state.CompareAndSwap(open, lettered) {
		return false
	}
	d.troubled().letter.CompareAndSwap(nil, d.newLetter(code, exhausted, err))
	return true
}

func (d *delivery) newLetter(code, exhausted string, err error) *DeadLetter {
	a, t := d.accepted, d.target
	input, _ := d.input() // if it cannot be made, that is err
	return &DeadLetter{
		Event: a.event, Input: input, Bus: a.bus.options.Name, Rule: t.rule, Target: t.ID,
		RuleARN: a.bus.arn("rule", t.rule), TargetARN: t.arn(a.bus),
		ErrorCode: code, ErrorMessage: err.Error(), ExhaustedRetryCondition: exhausted,
		RetryAttempts: max(0, int(d.attempts.Load())-1), Forwarded: d.forwarded, Accepted: a.time, Time: time.Now(), Err: err,
	}
}

// arn returns the target's ARN: its handler's or, where that has none, one of our own.
func (t *target) arn(b *Bus) string {
	if h, ok := t.Handler.(interface{ ARN() string }); ok {
		return h.ARN()
	}
	return b.arn("target", t.rule+"/"+t.ID)
}

// ErrNoDLQ is why a delivery is lost that has no DLQ.
var ErrNoDLQ = errors.New("no dead-letter queue")

// ErrTargetRemoved is why a delivery became a dead letter whose target was removed, if that
// has DeadLetterOnRemoval.
var ErrTargetRemoved = errors.New("the target was removed")

// maxSends is how often a letter is sent before it is lost.
const maxSends = 5

// sendLetter sends the letter to the DLQ. One that is to be sent again goes the way of
// a retry, and holds no worker meanwhile; with a nil v there is no again.
func (d *delivery) sendLetter(v *dispatch.Verdict) {
	err, permanent := errGoexit, false
	defer func() {
		d.sends++
		switch {
		case err == nil:
			d.endDeadLettered()
		case v != nil && d.sends < maxSends && !permanent:
			v.Again, v.Delay = true, d.resendDelay()
			d.accepted.bus.log.Warn("footbridge: dead-letter queue failed", d.logArgs("try", d.sends, "error", err)...)
		default:
			d.endLost(err)
		}
	}()
	err, permanent = d.trySend()
}

// resendDelay is how long a letter waits that the DLQ has refused: 1, 2, 4, 8 seconds.
func (d *delivery) resendDelay() time.Duration { return time.Second << (d.sends - 1) }

// trySend calls the DLQ and makes an error of a panic, also of one of the error's own
// methods.
func (d *delivery) trySend() (err error, permanent bool) {
	if d.target.dlq == nil {
		return ErrNoDLQ, true
	}
	defer func() {
		if r := recover(); r != nil {
			err, permanent = &PanicError{r, debug.Stack()}, false
		}
	}()
	err = d.target.dlq.Send(&attemptContext{Context: d.accepted.bus.letters, delivery: d}, *d.troubled().letter.Load())
	if err != nil {
		_ = err.Error()
	}
	return err, isPermanent(err)
}

func (d *delivery) endDeadLettered() {
	if d.state.Swap(decided) == decided {
		return
	}
	b, letter := d.accepted.bus, d.troubled().letter.Load()
	b.counters.deadLettered.Add(1)
	defer d.end(DeadLettered, letter.Err)
	defer call(b, b.options.Observer.DeadLettered, *letter)
	b.log.Warn("footbridge: dead letter", d.logArgs("code", letter.ErrorCode, "error", letter.Err, "retries", letter.RetryAttempts)...)
}

// endLost reports that no one has the delivery, since the DLQ returned err.
func (d *delivery) endLost(err error) {
	if d.state.Swap(decided) == decided {
		return
	}
	b, letter := d.accepted.bus, d.troubled().letter.Load()
	b.counters.lost.Add(1)
	defer d.end(Lost, fmt.Errorf("%w (not dead-lettered: %w)", letter.Err, err))
	defer call(b, b.options.Observer.Lost, LostInfo{Letter: *letter, Err: err})
	b.log.Error("footbridge: delivery lost", d.logArgs("code", letter.ErrorCode, "error", letter.Err, "dlq", err, "retries", letter.RetryAttempts)...)
}

// Abandon implements dispatch.Work: it makes a dead letter of d.
func (d *delivery) Abandon(r dispatch.Reason, v *dispatch.Verdict) {
	code, err := d.whyAbandoned(r)
	claimed := d.claim(code, "", err)
	switch r {
	case dispatch.QueueFull, dispatch.BacklogFull, dispatch.Discarded:
		if claimed {
			d.sendLetter(v)
		} else { // a letter that its DLQ has refused, which is sent again all the same
			*v = dispatch.Verdict{Again: true, Delay: d.resendDelay()}
		}
	case dispatch.Closed, dispatch.NoRoom:
		d.sendLetter(nil) // also one that waited, or was to wait, to be sent again
	case dispatch.Unfinished:
		if claimed {
			d.sendLetter(nil)
			break
		}
		// What runs is the DLQ's Send, or has just ended.
		d.loseUnsent(code, err)
	case dispatch.Expired:
		d.loseUnsent(code, err)
	}
}

// loseUnsent reports d as lost while its letter is being sent. The letter may not be
// stored yet, by who has claimed it: then this one is.
func (d *delivery) loseUnsent(code string, err error) {
	d.troubled().letter.CompareAndSwap(nil, d.newLetter(code, "", err))
	d.endLost(errLate)
}

// errLate is why a letter is lost that was still being sent when Close had to return.
var errLate = errors.New("it has not taken the letter in time")

func (d *delivery) whyAbandoned(r dispatch.Reason) (code string, err error) {
	switch t := d.target; r {
	case dispatch.QueueFull:
		return CodeResourceLimit, &QueueFullError{Rule: t.rule, Target: t.ID}
	case dispatch.BacklogFull:
		code, err = CodeResourceLimit, fmt.Errorf("footbridge: backlog of target %s of rule %s is full", t.ID, t.rule)
	case dispatch.Discarded:
		code, err = CodeTargetRemoved, ErrTargetRemoved
	case dispatch.Unfinished:
		return CodeBusClosed, fmt.Errorf("the handler has not returned: %w", ErrClosed)
	case dispatch.Expired:
		return CodeBusClosed, ErrClosed
	default:
		code, err = CodeBusClosed, ErrClosed
	}
	if t := d.trouble.Load(); t != nil && t.failure != nil {
		err = fmt.Errorf("%w; its last attempt: %w", err, t.failure)
	}
	return code, err
}
