package footbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A DLQ keeps dead letters.
//
// Send returns nil when the letter is kept. An error, or a panic, makes the bus try
// again, five times in all, 1, 2, 4 and 8 seconds apart, unless it is [Permanent];
// then the letter is reported as lost. A [Bus.Close] whose context has ended sends
// each letter once. Send may be called by any number of goroutines. Its context has
// the values of the publisher's and ends only some seconds after such a Close.
type DLQ interface {
	Send(ctx context.Context, d DeadLetter) error
}

// A DeadLetter is a delivery that will not be attempted again, with EventBridge's
// six attributes and what it takes to deliver it after all. Its JSON form is stable.
type DeadLetter struct {
	Event        Event
	Input        []byte // what the target's Input made of the event; nil: it has none, or it cannot be made
	Bus          string // name
	Rule, Target string
	RuleARN      string // RULE_ARN
	TargetARN    string // TARGET_ARN

	ErrorCode               string // ERROR_CODE: one of the Code constants, or the error's own
	ErrorMessage            string // ERROR_MESSAGE
	RetryAttempts           int    // RETRY_ATTEMPTS: attempts but for the first
	ExhaustedRetryCondition string // EXHAUSTED_RETRY_CONDITION; "" if retries were not what ended

	Forwarded bool // the event came from another bus: a redriven one passes no further hop

	Accepted time.Time // when the bus accepted the event
	Time     time.Time // when the delivery was given up
	Err      error     // of the last attempt; in JSON only its text survives
}

// Error codes of dead letters. All but CodeInvalidInput, CodeBusClosed and CodeTargetRemoved
// are the service's.
const (
	CodeErrorFromTarget = "ERROR_FROM_TARGET"          // the handler returned an error that names no other, or panicked
	CodeTimeout         = "TIMEOUT"                    // the last attempt failed behind its Timeout
	CodeInvalidJSON     = "INVALID_JSON"               // the detail, or the input, cannot be unmarshalled
	CodeInvalidInput    = "INVALID_INPUT"              // the target's Input cannot be made of the event
	CodeThirdAccountHop = "THIRD_ACCOUNT_HOP_DETECTED" // a second bus-to-bus hop
	CodeResourceLimit   = "RESOURCE_LIMIT_EXCEEDED"    // the target's queue or backlog is full
	CodeBusClosed       = "BUS_CLOSED"                 // Close's context ended first
	CodeTargetRemoved   = "TARGET_REMOVED"             // the target was removed, and has DeadLetterOnRemoval
)

// letterJSON is the JSON form of a DeadLetter. Attributes are strings, as in the
// service's messages.
type letterJSON struct {
	Event      Event   `json:"event"`
	Input      *string `json:"input,omitempty"` // a text, which need not be JSON
	Attributes struct {
		RuleARN                 string `json:"RULE_ARN"`
		TargetARN               string `json:"TARGET_ARN"`
		ErrorCode               string `json:"ERROR_CODE"`
		ErrorMessage            string `json:"ERROR_MESSAGE"`
		RetryAttempts           string `json:"RETRY_ATTEMPTS"`
		ExhaustedRetryCondition string `json:"EXHAUSTED_RETRY_CONDITION,omitempty"`
	} `json:"attributes"`
	Bus    string `json:"bus"`
	Rule   string `json:"rule"`
	Target string `json:"target"`
	// Forwarded is the event's, not the attributes', as the service has none for it.
	Forwarded bool      `json:"forwarded,omitempty"`
	Accepted  time.Time `json:"accepted"`
	Time      time.Time `json:"time"`
}

// MarshalJSON returns the letter's stable form: the envelope under "event", if the target
// has an Input what was made of it, as a string, under "input", the service's six
// attributes under "attributes", and "bus", "rule", "target",
// "forwarded" if it is true, "accepted" and "time". As in every envelope, the event's
// time is in whole seconds.
func (d DeadLetter) MarshalJSON() ([]byte, error) {
	j := letterJSON{Event: d.Event, Bus: d.Bus, Rule: d.Rule, Target: d.Target, Forwarded: d.Forwarded, Accepted: d.Accepted, Time: d.Time}
	if d.Input != nil {
		input := string(d.Input)
		j.Input = &input
	}
	a := &j.Attributes
	a.RuleARN, a.TargetARN, a.ErrorCode, a.ErrorMessage = d.RuleARN, d.TargetARN, d.ErrorCode, d.ErrorMessage
	a.RetryAttempts, a.ExhaustedRetryCondition = strconv.Itoa(d.RetryAttempts), d.ExhaustedRetryCondition
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. Err becomes an error of ErrorMessage's text.
func (d *DeadLetter) UnmarshalJSON(data []byte) error {
	var j letterJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("footbridge: dead letter: %w", err)
	}
	a := &j.Attributes
	retries, err := strconv.Atoi(a.RetryAttempts)
	if err != nil {
		return fmt.Errorf("footbridge: dead letter: RETRY_ATTEMPTS: want a number, got %q", a.RetryAttempts)
	}
	*d = DeadLetter{
		Event: j.Event, Bus: j.Bus, Rule: j.Rule, Target: j.Target, RuleARN: a.RuleARN, TargetARN: a.TargetARN,
		ErrorCode: a.ErrorCode, ErrorMessage: a.ErrorMessage, RetryAttempts: retries,
		ExhaustedRetryCondition: a.ExhaustedRetryCondition, Forwarded: j.Forwarded, Accepted: j.Accepted, Time: j.Time, Err: errors.New(a.ErrorMessage),
	}
	if j.Input != nil {
		d.Input = []byte(*j.Input)
	}
	return nil
}

// A codedError is an error with the code of its dead letter.
type codedError struct {
	code string
	err  error
}

func (e *codedError) Error() string     { return e.err.Error() }
func (e *codedError) Unwrap() error     { return e.err }
func (e *codedError) ErrorCode() string { return e.code }

// ErrDLQFull is returned by a [MemoryDLQ] that has no room.
var ErrDLQFull = errors.New("footbridge: dead-letter queue is full")

// DefaultDLQCapacity is the capacity of a [MemoryDLQ] that names none.
const DefaultDLQCapacity = 65536

// A MemoryDLQ keeps dead letters in memory, oldest first. The zero value is ready to
// use. It may serve several buses of different names, and any number of goroutines.
type MemoryDLQ struct {
	Capacity int // letters; zero: DefaultDLQCapacity. Beyond it Send returns ErrDLQFull

	mu      sync.Mutex // guards the field below
	letters []DeadLetter
}

// Send keeps d, or returns [ErrDLQFull].
func (q *MemoryDLQ) Send(_ context.Context, d DeadLetter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.letters) >= orZero(q.Capacity, DefaultDLQCapacity) {
		return ErrDLQFull
	}
	q.letters = append(q.letters, d)
	return nil
}

// Len returns the number of letters.
func (q *MemoryDLQ) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.letters)
}

// Letters returns the letters, oldest first. They stay in the queue.
func (q *MemoryDLQ) Letters() []DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.letters)
}

// Take removes the letters for which choose returns true, all if it is nil, and
// returns them, oldest first. choose must not use the queue.
func (q *MemoryDLQ) Take(choose func(DeadLetter) bool) []DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken, kept []DeadLetter
	for _, d := range q.letters {
		if choose == nil || choose(d) {
			taken = append(taken, d)
		} else {
			kept = append(kept, d)
		}
	}
	q.letters = kept
	return taken
}

// Redrive hands the letters of bus b for which choose returns true, all of b's if it
// is nil, to [Bus.Redrive], oldest first, and returns how many b accepted. It stops
// when ctx ends or b is closed. What b did not accept is back in the queue, behind the
// others, and the error tells why: of the first ten letters, and how many more.
//
// A letter is b's if it has b's name: buses that share a queue need different names.
func (q *MemoryDLQ) Redrive(ctx context.Context, b *Bus, choose func(DeadLetter) bool) (n int, err error) {
	letters := q.Take(func(d DeadLetter) bool { return d.Bus == b.Name() && (choose == nil || choose(d)) })
	var kept []DeadLetter
	defer func() { // deferred: nothing is dropped whatever happens
		q.mu.Lock()
		defer q.mu.Unlock()
		q.letters = append(append(q.letters, kept...), letters...) // beyond Capacity if need be
	}()
	var errs []error
	for len(letters) > 0 {
		d := letters[0]
		err := b.Redrive(ctx, d)
		if err == nil {
			letters = letters[1:]
			n++
			continue
		}
		if errs = append(errs, err); errors.Is(err, ErrClosed) || ctx.Err() != nil {
			break
		}
		letters, kept = letters[1:], append(kept, d)
	}
	if more := len(errs) - 10; more > 0 {
		errs = append(errs[:10], fmt.Errorf("footbridge: redrive: %d more letters were refused", more))
	}
	return n, errors.Join(errs...)
}

// Redrive delivers a dead letter again, to its own target and no other, with a new
// acceptance time and all its retries. The rule need not match or be enabled. What the
// target's Input is now makes its input anew. The error wraps [ErrRuleNotFound], [ErrTargetNotFound], or what [Bus.Publish] returns;
// then nothing was accepted and the letter is still the caller's.
func (b *Bus) Redrive(ctx context.Context, d DeadLetter) error {
	_, err := b.publish(ctx, d.Event, publication{to: &d, forwarded: d.Forwarded})
	return err
}
