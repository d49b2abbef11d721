package queue

import (
	"context"
	"strconv"
	"strings"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/uuid"
)

// Target returns a target that sends what it receives to the queue; with an Input, what that
// makes. For a FIFO queue use [Queue.Handler], which names a group.
func (q *Queue) Target(id string) footbridge.Target {
	return footbridge.Target{ID: id, Handler: q.Handler("")}
}

// Handler returns the handler of a target that sends what it receives to the queue, with that
// MessageGroupId, which is "" in a standard queue. A FIFO queue must have ContentBasedDedup,
// as in the cloud, so that of several events for which the target receives the same only one
// arrives in five minutes; the envelope differs with each event's ID.
//
// What the queue refuses, or gets when it is deleted, is a dead letter at once, with the code
// that [Error.ErrorCode] returns.
func (q *Queue) Handler(group string) footbridge.Handler {
	return sender{q, group}
}

// A sender is the handler of a target that is a queue.
type sender struct {
	q     *Queue
	group string
}

// ARN returns the queue's, which is the target's.
func (s sender) ARN() string { return s.q.ARN() }

// Handle implements [footbridge.Handler].
func (s sender) Handle(_ context.Context, d footbridge.Delivery) error {
	payload, err := d.Payload()
	if err == nil {
		_, err = s.q.Send(Outgoing{Body: string(payload), Group: s.group})
	}
	if err != nil {
		return footbridge.Permanent(err)
	}
	return nil
}

// DLQ returns a [footbridge.DLQ] that keeps dead letters in the queue, as the cloud does: the
// body is the event, whatever the target's Input makes of it, and the letter's attributes are
// String attributes of the message, EXHAUSTED_RETRY_CONDITION only if it is set. Characters
// that a message may not have are written as \uXXXX in the body, which in JSON is the same.
// ERROR_MESSAGE is cut after 1,024 characters.
//
// The cloud wants a standard queue. In a FIFO queue, letters of one rule are a group.
func (q *Queue) DLQ() footbridge.DLQ { return dlq{q} }

type dlq struct{ q *Queue }

// maxErrorMessage is how many characters of an ERROR_MESSAGE are kept, so that a letter has
// room where its event had.
const maxErrorMessage = 1024

// Send implements [footbridge.DLQ].
func (d dlq) Send(_ context.Context, letter footbridge.DeadLetter) error {
	body, err := letter.Event.MarshalJSON()
	if err != nil {
		return footbridge.Permanent(err)
	}
	out := Outgoing{Body: escape(string(body)), Attributes: map[string]Attribute{}}
	for name, value := range map[string]string{
		"RULE_ARN":                  letter.RuleARN,
		"TARGET_ARN":                letter.TargetARN,
		"ERROR_CODE":                letter.ErrorCode,
		"ERROR_MESSAGE":             cut(letter.ErrorMessage, maxErrorMessage),
		"RETRY_ATTEMPTS":            strconv.Itoa(letter.RetryAttempts),
		"EXHAUSTED_RETRY_CONDITION": letter.ExhaustedRetryCondition,
	} {
		if value != "" {
			out.Attributes[name] = Attribute{DataType: "String", String: escape(value)}
		}
	}
	if d.q.fifo {
		out.Group = letter.Rule
		out.DedupID = uuid.New() // each letter counts
	}
	if _, err := d.q.Send(out); err != nil {
		return footbridge.Permanent(err)
	}
	return nil
}

// escape writes as \uXXXX what a message may not have.
func escape(s string) string {
	if isText(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // bytes that are not UTF-8 are U+FFFD
		if !isNoText(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(`\u`)
		b.WriteString(strconv.FormatInt(0x10000|int64(r), 16)[1:])
	}
	return b.String()
}

// cut returns the first n characters of s.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}
