package footbridge

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeadLetterJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{Name: "shop", Account: "123456789012", Region: "eu-west-1", Retry: plain, DLQ: dlq})
		put(t, b, "orders", Target{ID: "email", Handler: failing(9, errDown)})
		e := event(1)
		e.Time = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
		_, err := b.Publish(t.Context(), e)
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		letter := dlq.Letters()[0]
		data, err := json.Marshal(letter)
		require.NoError(t, err)
		assert.JSONEq(t, `{
			"event": {"version":"0","id":"e1","detail-type":"Test","source":"test","account":"123456789012","time":"2026-05-04T03:02:01Z",
				"region":"eu-west-1","resources":[],"detail":{"n":1}},
			"attributes": {
				"RULE_ARN": "arn:aws:events:eu-west-1:123456789012:rule/shop/orders",
				"TARGET_ARN": "arn:aws:events:eu-west-1:123456789012:target/shop/orders/email",
				"ERROR_CODE": "ERROR_FROM_TARGET", "ERROR_MESSAGE": "down",
				"RETRY_ATTEMPTS": "3", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"},
			"bus": "shop", "rule": "orders", "target": "email",
			"accepted": "2000-01-01T00:00:00Z", "time": "2000-01-01T00:00:07Z"}`, string(data))
		var back DeadLetter
		require.NoError(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		assert.Equal(t, string(data), string(again))
		assert.EqualError(t, back.Err, "down")
		assert.Error(t, json.Unmarshal([]byte(`{"attributes":{"RETRY_ATTEMPTS":"many"}}`), &back))
		assert.Error(t, json.Unmarshal([]byte(`[]`), &back))

		// A letter without retries has no EXHAUSTED_RETRY_CONDITION.
		letter.ExhaustedRetryCondition = ""
		data, err = json.Marshal(letter)
		require.NoError(t, err)
		assert.NotContains(t, string(data), "EXHAUSTED_RETRY_CONDITION")
	})
}

func TestRuleARNOfTheDefaultBus(t *testing.T) {
	assert.Equal(t, "arn:aws:events:us-east-1:000000000000:rule/r", New(nil).arn("rule", "r"))
}

// An error names its own code, as those of the AWS SDK do.
type codeError struct{}

func (codeError) Error() string     { return "throttled" }
func (codeError) ErrorCode() string { return "THROTTLING" }

func TestErrorCodes(t *testing.T) {
	b := New(&Options{Retry: NoRetry, DLQ: &MemoryDLQ{}})
	put(t, b, "r", Target{ID: "t", Handler: failing(1, errors.Join(errDown, codeError{}))})
	o, err := b.Deliver(t.Context(), event(1))
	require.NoError(t, err)
	assert.Equal(t, DeadLettered, o.Targets[0].Result)
	assert.Equal(t, "THROTTLING", b.options.DLQ.(*MemoryDLQ).Letters()[0].ErrorCode)
}

func TestMemoryDLQ(t *testing.T) {
	letter := func(bus, id string) DeadLetter {
		return DeadLetter{Bus: bus, Rule: "r", Target: "t", Event: Event{ID: id}}
	}
	ids := func(letters []DeadLetter) (ids []string) {
		for _, d := range letters {
			ids = append(ids, d.Event.ID)
		}
		return ids
	}
	q := &MemoryDLQ{Capacity: 3}
	assert.Empty(t, q.Letters())
	for _, id := range []string{"1", "2", "3"} {
		require.NoError(t, q.Send(t.Context(), letter("b", id)))
	}
	assert.ErrorIs(t, q.Send(t.Context(), letter("b", "4")), ErrDLQFull)
	assert.Equal(t, []string{"1", "2", "3"}, ids(q.Letters()))
	assert.Equal(t, []string{"2"}, ids(q.Take(func(d DeadLetter) bool { return d.Event.ID == "2" })))
	assert.Equal(t, 2, q.Len())
	assert.Equal(t, []string{"1", "3"}, ids(q.Take(nil)))
	assert.Zero(t, q.Len())
}

// Redrive takes only letters of the bus, and keeps those that are refused.
func TestRedriveKeepsWhatIsRefused(t *testing.T) {
	q := &MemoryDLQ{}
	b := New(&Options{Name: "b", DLQ: q})
	h := newBlocker()
	close(h.gate)
	put(t, b, "r", Target{ID: "t", Handler: h})
	good := DeadLetter{Bus: "b", Rule: "r", Target: "t", Event: event(1)}
	otherBus, noRule, noTarget, noEvent := good, good, good, good
	otherBus.Bus, noRule.Rule, noTarget.Target, noEvent.Event = "other", "gone", "gone", Event{}
	for _, d := range []DeadLetter{otherBus, noRule, good, noTarget, noEvent} {
		require.NoError(t, q.Send(t.Context(), d))
	}
	require.NoError(t, b.DisableRule("r")) // which does not matter
	n, err := q.Redrive(t.Context(), b, nil)
	assert.Equal(t, 1, n)
	assert.ErrorIs(t, err, ErrRuleNotFound)
	assert.ErrorIs(t, err, ErrTargetNotFound)
	var invalid *EventError
	assert.ErrorAs(t, err, &invalid)
	assert.Equal(t, 4, q.Len())
	assert.ErrorIs(t, b.Redrive(t.Context(), otherBus), ErrRuleNotFound)
	require.NoError(t, b.Close(t.Context()))
	assert.EqualValues(t, 1, h.handled.Load())
	checkBooks(t, b)
}

// The TARGET_ARN of a target that is a bus is the bus's, as in the service, which has none for
// functions: theirs is footbridge's own.
func TestTargetARNs(t *testing.T) {
	dlq := &MemoryDLQ{}
	b, other := New(&Options{DLQ: dlq, Retry: NoRetry}), New(&Options{Name: "other"})
	put(t, b, "r", Forward("forward", other), Target{ID: "fails", Handler: failing(1, errDown)})
	require.NoError(t, other.Close(t.Context()))
	publish(t, b, 1)
	require.NoError(t, b.Close(t.Context()))
	arns := map[string]string{}
	for _, d := range dlq.Letters() {
		arns[d.Target] = d.TargetARN
	}
	assert.Equal(t, map[string]string{
		"forward": "arn:aws:events:us-east-1:000000000000:event-bus/other",
		"fails":   "arn:aws:events:us-east-1:000000000000:target/r/fails",
	}, arns)
}
