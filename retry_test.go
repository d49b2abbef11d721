package footbridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBackoffCeilings(t *testing.T) {
	for name, c := range map[string]struct {
		policy Backoff
		want   []time.Duration // before retries 0, 1, 2...; it ends where they do
		ended  string
	}{
		"base and cap":    {Backoff{Base: time.Second, MaxDelay: 5 * time.Second, MaxRetries: 5}, []time.Duration{1e9, 2e9, 4e9, 5e9, 5e9}, ConditionMaxRetries},
		"none":            {NoRetry, nil, ConditionMaxRetries},
		"no younger":      {Backoff{MaxAge: 7 * time.Second}, []time.Duration{1e9, 2e9, 4e9}, ConditionMaxAge},
		"cap below base":  {Backoff{Base: time.Hour, MaxDelay: time.Minute, MaxRetries: 2}, []time.Duration{60e9, 60e9}, ConditionMaxRetries},
		"negative values": {Backoff{Base: -1, MaxDelay: -1, MaxAge: -1, MaxRetries: 2}, []time.Duration{1e9, 2e9}, ConditionMaxRetries},
	} {
		t.Run(name, func(t *testing.T) {
			c.policy.NoJitter = true
			a := Attempt{Err: errDown}
			var got []time.Duration
			for {
				delay, retry := c.policy.Next(a)
				assert.Equal(t, retry, c.policy.Exhausted(a) == "")
				if !retry {
					break
				}
				got = append(got, delay)
				a.Retries++
				a.Age += delay
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.ended, c.policy.Exhausted(a))
		})
	}
}

// The zero Backoff is the service's default: 185 retries fit into 24 hours, and the
// same attempt has the same delay whoever asks.
func TestBackoffDefaults(t *testing.T) {
	fits := 0
	const events = 200
	for e := range events {
		a := Attempt{EventID: fmt.Sprint(e), Rule: "r", Target: "t"}
		for {
			delay, retry := Backoff{}.Next(a)
			again, _ := Backoff{}.Next(a)
			require.Equal(t, delay, again)
			if !retry {
				break
			}
			require.True(t, 0 <= delay && delay <= min(time.Second<<min(a.Retries, 30), 16*time.Minute), "%v at %d", delay, a.Retries)
			a.Retries++
			a.Age += delay
		}
		require.LessOrEqual(t, a.Retries, 185)
		require.LessOrEqual(t, a.Age, 24*time.Hour)
		if a.Retries == 185 {
			fits++
		}
	}
	assert.Greater(t, fits, events/2, "events that got all 185 retries within 24 hours")
}

// Jitter is spread evenly over [0, 1), over events, retries and targets alike.
func TestJitterIsEven(t *testing.T) {
	const n, boxes = 20000, 20
	for name, attempt := range map[string]func(i int) Attempt{
		"events":  func(i int) Attempt { return Attempt{EventID: fmt.Sprint(i), Rule: "r", Target: "t"} },
		"retries": func(i int) Attempt { return Attempt{EventID: "e", Retries: i} },
		"targets": func(i int) Attempt { return Attempt{EventID: "e", Target: fmt.Sprint(i)} },
	} {
		var counts [boxes]int
		for i := range n {
			j := jitter(attempt(i))
			require.True(t, 0 <= j && j < 1)
			counts[int(j*boxes)]++
		}
		for _, c := range counts {
			assert.InDelta(t, n/boxes, c, 5*math.Sqrt(n/boxes), name)
		}
	}
	assert.NotEqual(t, jitter(Attempt{EventID: "a", Rule: "b"}), jitter(Attempt{EventID: "ab"}))
}

// Whatever the fields are, a delay is never negative and no retry exceeds its bounds.
func FuzzBackoff(f *testing.F) {
	f.Add(int64(0), int64(0), 0, int64(0), 0, int64(0), int64(0), "e")
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), math.MaxInt, int64(math.MaxInt64), 62, int64(math.MaxInt64), int64(math.MaxInt64), "e")
	f.Add(int64(math.MinInt64), int64(5), math.MinInt, int64(math.MinInt64), 1<<30, int64(math.MinInt64), int64(-1), "")
	f.Fuzz(func(t *testing.T, base, limit int64, retries int, maxAge int64, n int, age, after int64, id string) {
		b := Backoff{Base: time.Duration(base), MaxDelay: time.Duration(limit), MaxRetries: retries, MaxAge: time.Duration(maxAge)}
		age, n = max(age, 0), max(n, 0) // what the bus counts
		allowed := retries
		if allowed == 0 {
			allowed = DefaultMaxRetries
		}
		delay, retry := b.Next(Attempt{EventID: id, Retries: n, Age: time.Duration(age), Err: RetryAfter(errDown, time.Duration(after))})
		if !retry {
			return
		}
		if delay < 0 || delay < time.Duration(after) || n >= allowed || delay > orDefault(b.MaxAge, DefaultMaxAge)-time.Duration(age) {
			t.Fatalf("%+v: delay %v before retry %d at age %d", b, delay, n, age)
		}
	})
}

func TestPermanentAndRetryAfter(t *testing.T) {
	assert.NoError(t, Permanent(nil))
	assert.NoError(t, RetryAfter(nil, time.Second))
	wrapped := fmt.Errorf("handler: %w", Permanent(errDown))
	assert.True(t, isPermanent(wrapped))
	assert.ErrorIs(t, wrapped, errDown)
	assert.EqualError(t, Permanent(errDown), "down")
	assert.False(t, isPermanent(errDown))
	_, retry := Backoff{MaxAge: time.Minute}.Next(Attempt{Err: RetryAfter(errDown, time.Hour)})
	assert.False(t, retry, "a retry behind MaxAge")
	later := errors.Join(errDown, RetryAfter(errDown, time.Minute))
	assert.Equal(t, time.Minute, retryAfter(later))
	assert.Zero(t, retryAfter(RetryAfter(errDown, -time.Minute)))
}

// every is a policy of the user's, which knows nothing of RetryAfter.
type every time.Duration

func (e every) Next(a Attempt) (time.Duration, bool) { return time.Duration(e), a.Retries < 3 }

func TestOwnPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{Retry: every(time.Second), DLQ: dlq})
		var seen []Attempt
		put(t, b, "r", Target{ID: "t", Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
			if d.Attempt == 2 {
				return RetryAfter(errDown, time.Hour) // no sooner, whatever the policy says
			}
			return errDown
		}), Retry: recording{every(time.Second), &seen}})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		require.Len(t, seen, 4)
		for n, age := range []time.Duration{0, time.Second, time.Hour + time.Second, time.Hour + 2*time.Second} {
			assert.ErrorIs(t, seen[n].Err, errDown)
			seen[n].Err = nil
			assert.Equal(t, Attempt{EventID: "e1", Rule: "r", Target: "t", Retries: n, Age: age}, seen[n])
		}
		assert.Equal(t, ConditionMaxRetries, dlq.Letters()[0].ExhaustedRetryCondition)
	})
}

// recording records what a policy is asked.
type recording struct {
	policy RetryPolicy
	seen   *[]Attempt
}

func (r recording) Next(a Attempt) (time.Duration, bool) {
	*r.seen = append(*r.seen, a)
	return r.policy.Next(a)
}

// Under testing/synctest a day of retries takes no time.
func TestADayOfRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{DLQ: dlq})
		put(t, b, "r", Target{ID: "t", Handler: failing(999, errDown)})
		publish(t, b, 1)
		start := time.Now()
		require.NoError(t, b.Wait(t.Context()))
		letter := dlq.Letters()[0]
		assert.Greater(t, time.Since(start), 20*time.Hour)
		assert.Equal(t, 185, letter.RetryAttempts)
		assert.Equal(t, ConditionMaxRetries, letter.ExhaustedRetryCondition)
		require.NoError(t, b.Close(t.Context()))
	})
}
