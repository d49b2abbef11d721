package footbridge

import (
	"errors"
	"hash/fnv"
	"math"
	"time"
)

// A RetryPolicy decides whether, and when, a delivery is attempted again.
//
// Next is called after each failed attempt that may be retried. It is a pure
// function of its argument: it keeps no state, so that one policy serves any number
// of deliveries at once and a program that observes it changes nothing. It may be
// called by any number of goroutines. A delay of zero or less means at once.
type RetryPolicy interface {
	Next(a Attempt) (delay time.Duration, retry bool)
}

// An Attempt is what a [RetryPolicy] decides on: an attempt that failed.
type Attempt struct {
	EventID      string
	Rule, Target string
	Retries      int           // attempts so far but for the first
	Age          time.Duration // since the bus accepted the event
	Err          error         // of this attempt
}

// Why retries ended, in a dead letter's ExhaustedRetryCondition: the service's words.
const (
	ConditionMaxRetries = "MaximumRetryAttempts"
	ConditionMaxAge     = "MaximumEventAgeInSeconds"
)

// Backoff is exponential backoff with full jitter: the delay before retry n (from
// 0) lies between 0 and Base*2^n, but at most MaxDelay. The zero value is the service's
// default: 185 retries within 24 hours; the service does not publish its base and
// its cap, these are footbridge's.
//
// The jitter is drawn from a hash of the event's ID, the rule, the target and the
// number of the retry: it spreads deliveries, and yet the same attempt always has
// the same delay. New and PutRule refuse one with a negative duration.
type Backoff struct {
	Base       time.Duration // zero: 1 second. Of more than 16 minutes it wants a MaxDelay, too
	MaxDelay   time.Duration // zero: 16 minutes
	MaxRetries int           // zero: 185; negative: none
	MaxAge     time.Duration // no retry begins at a greater age; zero: 24 hours
	NoJitter   bool          // the delay is always the greatest
}

// Defaults of Backoff.
const (
	DefaultBaseDelay  = time.Second
	DefaultMaxDelay   = 16 * time.Minute
	DefaultMaxRetries = 185
	DefaultMaxAge     = 24 * time.Hour
)

// NoRetry is a policy that never retries.
var NoRetry = Backoff{MaxRetries: -1}

// Next implements RetryPolicy. A [RetryAfter] in a.Err is heeded.
func (b Backoff) Next(a Attempt) (delay time.Duration, retry bool) {
	delay, exhausted := b.next(a)
	return delay, exhausted == ""
}

// Exhausted says why Next does not retry: [ConditionMaxRetries] or
// [ConditionMaxAge]. It is "" if Next retries. A policy of your own may
// have this method, too; without it the dead letter says ConditionMaxRetries.
func (b Backoff) Exhausted(a Attempt) string {
	_, exhausted := b.next(a)
	return exhausted
}

func (b Backoff) next(a Attempt) (delay time.Duration, exhausted string) {
	retries := b.MaxRetries
	if retries == 0 {
		retries = DefaultMaxRetries
	}
	if a.Retries >= retries {
		return 0, ConditionMaxRetries
	}
	delay = b.ceiling(a.Retries)
	if !b.NoJitter {
		delay = time.Duration(float64(delay) * jitter(a))
	}
	delay = max(delay, retryAfter(a.Err))
	// Not a.Age+delay: that may overflow.
	if maxAge := orDefault(b.MaxAge, DefaultMaxAge); delay > maxAge-a.Age {
		return 0, ConditionMaxAge
	}
	return delay, ""
}

// ceiling is the greatest delay before retry n.
func (b Backoff) ceiling(n int) time.Duration {
	base, limit := orDefault(b.Base, DefaultBaseDelay), orDefault(b.MaxDelay, DefaultMaxDelay)
	if n >= 62 || base > math.MaxInt64>>n {
		return limit
	}
	return min(base<<n, limit)
}

// RetryNow lets every delivery that waits for a retry be attempted as soon as its target
// has a worker for it, and every letter that waits to be sent again, and returns how many
// these are. What fails again waits as its policy says. It is for a target that has
// recovered, and for closing without waiting: call it once Close has been called, since
// then nothing new comes. It may be called at any time by any goroutine.
func (b *Bus) RetryNow() int { return b.dispatcher.RetryNow() }

func orDefault(d, zero time.Duration) time.Duration {
	if d <= 0 {
		return zero
	}
	return d
}

// jitter maps an attempt to a number in [0, 1), evenly.
func jitter(a Attempt) float64 {
	h := fnv.New64a()
	for _, s := range [...]string{a.EventID, a.Rule, a.Target} {
		h.Write([]byte(s))
		h.Write([]byte{0xff})
	}
	x := h.Sum64() + uint64(a.Retries)*0x9e3779b97f4a7c15
	// FNV's high bits differ little for short inputs: mix them (splitmix64's finalizer).
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// Permanent marks an error that no retry can mend: the delivery becomes a dead
// letter at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// RetryAfter marks an error after which the next attempt should come no sooner than
// d from now. Whether there is one is the policy's decision. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, d}
}

type retryAfterError struct {
	err   error
	delay time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// retryAfter is the delay that err asks for, or 0.
func retryAfter(err error) time.Duration {
	var r *retryAfterError
	if errors.As(err, &r) {
		return max(0, r.delay)
	}
	return 0
}
