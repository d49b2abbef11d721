package footbridge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// An Observer is told what a bus does. Any of its functions may be nil. They are
// called where the thing happens, on publishers' and workers' goroutines, by any
// number of them at once, and by who closes a bus or removes a rule: they should be quick.
// They must not wait for the bus, as Publish may for room. A panic in one is logged and
// otherwise ignored.
type Observer struct {
	Published    func(PublishInfo) // an event was accepted
	Unmatched    func(PublishInfo) // an event was accepted and matches no rule
	Refused      func(RefusedInfo) // an event was not accepted
	UnknownBus   func(RefusedInfo) // PutEvents took an event for a bus there is not, and dropped it
	Attempted    func(AttemptInfo) // an attempt came back
	Delivered    func(Delivery)    // a handler returned nil: that ends the delivery
	DeadLettered func(DeadLetter)  // a DLQ took a letter: that ends the delivery
	Lost         func(LostInfo)    // no DLQ, or it failed for good: that ends the delivery
}

// A PublishInfo tells of an event that was accepted.
type PublishInfo struct {
	Event   Event
	Rules   int // that it matches
	Targets int // of those rules
}

// A RefusedInfo tells of an event that was not accepted.
type RefusedInfo struct {
	Event Event
	Err   error // what Publish returned; of an unknown bus a *RequestError that names it
}

// An AttemptInfo tells of an attempt.
type AttemptInfo struct {
	Delivery Delivery
	Duration time.Duration
	Err      error         // nil: delivered
	Retry    bool          // there is to be another attempt, if the backlog has room,
	Delay    time.Duration // after this
}

// A LostInfo tells of a delivery that no one has taken.
type LostInfo struct {
	Letter DeadLetter
	Err    error // why there is no dead letter: [ErrNoDLQ], or the DLQ's error
}

// Stats are counts since the bus was made, and what it holds now. Where EventBridge
// has a metric for a count, it has the metric's name. At any time at which nothing happens,
//
//	Deliveries = Delivered + DeadLettered + Lost + Undecided
type Stats struct {
	Published      int64 // events accepted
	Unmatched      int64 // of these, events that match no rule
	Refused        int64 // events not accepted
	UnknownBus     int64 // events that PutEvents dropped, since they were for a bus there is not
	TriggeredRules int64 // sum over events of the rules matched
	Deliveries     int64 // sum over events of the targets of those rules; redriven ones count again

	Invocations             int64 // attempts
	FailedInvocations       int64 // attempts that failed
	RetryInvocationAttempts int64 // attempts but for the first

	Delivered    int64 // handler returned nil
	DeadLettered int64 // taken by a DLQ (InvocationsSentToDlq)
	Lost         int64 // taken by none
	Undecided    int64 // accepted, and none of the three yet

	Targets []TargetStats // of the rules there are, by rule and target
}

// TargetStats are what a target holds now.
type TargetStats struct {
	Rule, Target string
	Waiting      int // deliveries that wait for an attempt
	Running      int // attempts
	Retrying     int // deliveries that wait for a retry, or behind one
}

// counters are the counts of Stats. A delivered delivery is one whose attempt succeeded
// and was not late.
//
// Optimization: what publishers count and what workers count is on different cache
// lines, and what workers count for different targets mostly is, too, so that they do not
// wait for each other (BenchmarkPublish).
type counters struct {
	_                                                         [64]byte
	published, unmatched, refused, triggeredRules, deliveries atomic.Int64 // by publishers
	unknownBus                                                atomic.Int64 // by publishers
	_                                                         [64]byte
	failed, retries                                           atomic.Int64 // attempts, by workers
	late                                                      atomic.Int64 // attempts that succeeded when Close had given them up
	deadLettered, lost                                        atomic.Int64
	_                                                         [64]byte

	succeeded [8]struct { // attempts, by workers: each target has one of these
		atomic.Int64
		_ [56]byte
	}
}

// allSucceeded returns how many attempts have succeeded.
func (c *counters) allSucceeded() (n int64) {
	for i := range c.succeeded {
		n += c.succeeded[i].Load()
	}
	return n
}

// Stats returns the bus's counts. They are read one after the other, so that while
// the bus works they may differ by what happens meanwhile.
func (b *Bus) Stats() Stats {
	c := &b.counters
	failed, late, succeeded := c.failed.Load(), c.late.Load(), c.allSucceeded()
	s := Stats{
		Published: c.published.Load(), Unmatched: c.unmatched.Load(), Refused: c.refused.Load(), UnknownBus: c.unknownBus.Load(), TriggeredRules: c.triggeredRules.Load(),
		Deliveries: c.deliveries.Load(), Invocations: succeeded + failed, FailedInvocations: failed,
		RetryInvocationAttempts: c.retries.Load(), Delivered: succeeded - late, DeadLettered: c.deadLettered.Load(),
		Lost: c.lost.Load(), Undecided: int64(b.dispatcher.Undecided()),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.sortedRulesLocked() {
		for _, t := range r.targets {
			waiting, running, retrying := t.queue.Depth()
			s.Targets = append(s.Targets, TargetStats{r.Name, t.ID, waiting, running, retrying})
		}
	}
	return s
}

// call calls an observer's function, if there is one, and contains its panics.
//
// What must be done behind it is deferred before it, since fn may end its goroutine.
func call[T any](b *Bus, fn func(T), info T) {
	if fn == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("footbridge: a function of Observer, or of PublishNotify, panicked", slog.String("bus", b.options.Name), slog.Any("panic", r))
		}
	}()
	fn(info)
}

// A containedLog is the slog.Handler of a bus, which contains panics: there is no one to tell.
type containedLog struct{ slog.Handler }

func (l containedLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() { _ = recover() }()
	return l.Handler.Enabled(ctx, level)
}

func (l containedLog) Handle(ctx context.Context, r slog.Record) error {
	defer func() { _ = recover() }()
	return l.Handler.Handle(ctx, r)
}
