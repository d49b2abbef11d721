package queue

import (
	"fmt"
	"time"
)

// None is a duration of zero where zero stands for a default.
const None time.Duration = -1

// Bounds and defaults, as the service has them.
const (
	DefaultVisibilityTimeout = 30 * time.Second
	MaxVisibilityTimeout     = 12 * time.Hour
	MaxDelay                 = 15 * time.Minute
	MaxWait                  = 20 * time.Second
	MinRetention             = time.Minute
	DefaultRetention         = 4 * 24 * time.Hour
	MaxRetention             = 14 * 24 * time.Hour
	MinMessageSize           = 1 << 10
	MaxMessageSize           = 1 << 20 // also the default
	MaxReceives              = 1000    // the greatest MaxReceiveCount
	MaxInFlight              = 120_000 // messages in flight
	DedupInterval            = 5 * time.Minute
	PurgeInterval            = time.Minute // between purges of one queue
)

// Settings are what a queue is made with. The zero value of each field is its default.
type Settings struct {
	// VisibilityTimeout is how long a received message is hidden from others.
	// Zero: 30 seconds; at most 12 hours; None: it is not hidden.
	VisibilityTimeout time.Duration
	// Delay is how long a message is hidden that was just sent. Zero: not at all; at most
	// 15 minutes. A change affects messages in a FIFO queue that are still delayed; in others
	// only later ones.
	Delay time.Duration
	// ReceiveWait is how long a Receive that names no Wait waits for a message. Zero: not at
	// all; at most 20 seconds.
	ReceiveWait time.Duration
	// Retention is how long a message is kept, from when it was sent, in flight or not. Zero:
	// 4 days; 1 minute to 14 days. A change affects the messages that are there.
	Retention time.Duration
	// MaxMessageSize bounds a message's body and attributes, in bytes. Zero: 1 MiB, which is
	// the most; at least 1 KiB.
	MaxMessageSize int

	// DeadLetterARN is the ARN of the queue that messages are moved to which were received
	// MaxReceiveCount times and come up again. It is of the same service, of the same type,
	// and another queue. "": none. While that queue does not exist, messages stay.
	DeadLetterARN   string
	MaxReceiveCount int // 1 to 1,000 with a DeadLetterARN, else 0

	// ContentBasedDedup gives a message without a DedupID the SHA-256 of its body for one.
	// FIFO queues only.
	ContentBasedDedup bool
	// DedupPerGroup makes DedupIDs those of a group, not of the queue. FIFO queues only.
	DedupPerGroup bool
}

// normal returns s with each value as it counts: defaults in place of zeros, and None, where
// zero has another meaning, for all that is negative.
func (s Settings) normal() Settings {
	s.VisibilityTimeout = max(orDefault(s.VisibilityTimeout, DefaultVisibilityTimeout), None)
	s.Delay, s.ReceiveWait = max(s.Delay, 0), max(s.ReceiveWait, 0)
	s.Retention = orDefault(s.Retention, DefaultRetention)
	if s.MaxMessageSize == 0 {
		s.MaxMessageSize = MaxMessageSize
	}
	return s
}

func orDefault(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}

// checkSettings says what is wrong with the normal s.
func (q *Queue) checkSettings(s Settings) error {
	refuse := func(attribute, format string, args ...any) error {
		return q.refuse(CodeInvalidAttributeValue, "Invalid value for the parameter %s. Reason: %s.", attribute, fmt.Sprintf(format, args...))
	}
	for _, d := range [...]struct {
		attribute    string
		d, low, high time.Duration
	}{
		{"VisibilityTimeout", s.VisibilityTimeout, None, MaxVisibilityTimeout},
		{"DelaySeconds", s.Delay, 0, MaxDelay},
		{"ReceiveMessageWaitTimeSeconds", s.ReceiveWait, 0, MaxWait},
		{"MessageRetentionPeriod", s.Retention, MinRetention, MaxRetention},
	} {
		if d.d < d.low || d.d > d.high {
			return refuse(d.attribute, "want %v to %v, got %v", max(d.low, 0), d.high, d.d)
		}
	}
	switch {
	case s.MaxMessageSize < MinMessageSize || s.MaxMessageSize > MaxMessageSize:
		return refuse("MaximumMessageSize", "want %d to %d bytes, got %d", MinMessageSize, MaxMessageSize, s.MaxMessageSize)
	case s.ContentBasedDedup && !q.fifo:
		return refuse("ContentBasedDeduplication", "want it in a FIFO queue, got another")
	case s.DedupPerGroup && !q.fifo:
		return refuse("DeduplicationScope", "want it in a FIFO queue, got another")
	}
	return q.checkRedrive(s)
}

func (q *Queue) checkRedrive(s Settings) error {
	policy := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, s.DeadLetterARN, s.MaxReceiveCount)
	refuse := func(reason string) error { return q.refuseValue("RedrivePolicy", policy, reason) }
	switch dlq := q.service.byARN(s.DeadLetterARN); {
	case s.DeadLetterARN == "" && s.MaxReceiveCount == 0:
		return nil
	case s.DeadLetterARN == "":
		return refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	case s.MaxReceiveCount < 1 || s.MaxReceiveCount > MaxReceives:
		return refuse(fmt.Sprintf("Invalid value for maxReceiveCount: %d, valid values are from 1 to %d both inclusive.", s.MaxReceiveCount, MaxReceives))
	case s.DeadLetterARN == q.ARN():
		return refuse("Dead letter target is the queue itself.")
	case dlq == nil:
		return refuse("Dead letter target does not exist.")
	case dlq.fifo != q.fifo:
		return refuse("Dead-letter queue must be same type of queue as the source.")
	}
	return nil
}

// difference returns the attribute, by the service's name for it, that wanted names and in
// which it differs from s. Both are normal but that wanted's defaults are zero.
func (s Settings) difference(wanted Settings) string {
	n := wanted.normal()
	for _, a := range [...]struct {
		attribute     string
		named, equals bool
	}{
		{"VisibilityTimeout", wanted.VisibilityTimeout != 0, n.VisibilityTimeout == s.VisibilityTimeout},
		{"DelaySeconds", wanted.Delay != 0, n.Delay == s.Delay},
		{"ReceiveMessageWaitTimeSeconds", wanted.ReceiveWait != 0, n.ReceiveWait == s.ReceiveWait},
		{"MessageRetentionPeriod", wanted.Retention != 0, n.Retention == s.Retention},
		{"MaximumMessageSize", wanted.MaxMessageSize != 0, n.MaxMessageSize == s.MaxMessageSize},
		{"RedrivePolicy", wanted.DeadLetterARN != "" || wanted.MaxReceiveCount != 0,
			wanted.DeadLetterARN == s.DeadLetterARN && wanted.MaxReceiveCount == s.MaxReceiveCount},
		{"ContentBasedDeduplication", wanted.ContentBasedDedup, s.ContentBasedDedup},
		{"DeduplicationScope", wanted.DedupPerGroup, s.DedupPerGroup},
	} {
		if a.named && !a.equals {
			return a.attribute
		}
	}
	return ""
}
