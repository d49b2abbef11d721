package footbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/facts"
)

// Each fact of testdata/service/model.txt has a test of its name, which passes.
func TestModel(t *testing.T) {
	facts.Run(t, "testdata/service/model.txt", modelTests)
}

// deliverTo puts a rule with that target on b, puts the entry, and closes b.
func deliverTo(t *testing.T, b *Bus, target Target, e Entry) PutEventsResultEntry {
	put(t, b, "r", target)
	r, err := b.PutEvents(t.Context(), []Entry{e})
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	checkBooks(t, b)
	return r.Entries[0]
}

// payloadOf returns what a target receives of an entry.
func payloadOf(t *testing.T, e Entry) string {
	target, got := received("t", Input{})
	deliverTo(t, New(nil), target, e)
	require.Len(t, *got, 1)
	return (*got)[0]
}

// letterOf returns the dead letter of a target with that handler and policy.
func letterOf(t *testing.T, h Handler, p RetryPolicy) DeadLetter {
	dlq := &MemoryDLQ{}
	deliverTo(t, New(&Options{DLQ: dlq, Retry: p}), Target{ID: "t", Handler: h}, someEntry)
	require.Equal(t, 1, dlq.Len())
	return dlq.Letters()[0]
}

// refusedRequest returns why Strict refuses a request as a whole.
func refusedRequest(t *testing.T, entries []Entry) string {
	_, err := New(&Options{Strict: true}).PutEvents(t.Context(), entries)
	var refused *RequestError
	require.ErrorAs(t, err, &refused)
	return refused.Code + ": " + refused.Message
}

var someEntry = Entry{Source: "s", DetailType: "d", Detail: `{"a":1}`}

var modelTests = map[string]func(t *testing.T){
	"entry-names": func(t *testing.T) {
		data, err := json.Marshal(Entry{time.Unix(1, 0), "s", []string{"r"}, "d", "{}", "b", "t"})
		require.NoError(t, err)
		assert.JSONEq(t, `{"Time":1,"Source":"s","Resources":["r"],"DetailType":"d","Detail":"{}","EventBusName":"b","TraceHeader":"t"}`, string(data))
	},
	"bus-of-an-entry": func(t *testing.T) {
		b := New(&Options{Strict: true})
		put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
		for name, ok := range map[string]bool{"": true, "default": true, "a.B-c_9": true, b.ARN(): true, "arn:aws-cn:events:cn-north-1:123456789012:event-bus/b": true,
			"a b": false, "a/b": false, "é": false, "arn:aws:events:eu-west-1:1:event-bus/b": false, "arn:aws:events::123456789012:event-bus/b": false} {
			e := someEntry
			e.EventBusName = name
			_, err := b.PutEvents(t.Context(), []Entry{e})
			assert.Equal(t, ok, err == nil, "%q", name)
		}
		const grammar = `(arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[\.\-_A-Za-z0-9]+`
		assert.Equal(t, "ValidationException: 1 validation error detected: Value 'a b' at 'entries.2.member.eventBusName' failed to satisfy constraint: Member must satisfy regular expression pattern: "+grammar,
			refusedRequest(t, []Entry{someEntry, {EventBusName: "a b"}}))
	},
	"incomplete-entries": func(t *testing.T) {
		for _, strict := range []bool{false, true} {
			r, err := New(&Options{Strict: strict}).PutEvents(t.Context(), []Entry{{}, {Source: "s", DetailType: "d"}})
			require.NoError(t, err)
			assert.Equal(t, 2, r.FailedEntryCount)
		}
	},
	"account-and-region": func(t *testing.T) {
		for o, ok := range map[[2]string]bool{{}: true, {"123456789012", "eu-west-1"}: true, {"", "us-gov-west-1"}: true, {"", "us-iso-east-1"}: true,
			{"12345678901", ""}: false, {"12345678901x", ""}: false, {"", "here"}: false, {"", "EU-west-1"}: false, {"", "eu-west-1 "}: false} {
			err := New(&Options{Account: o[0], Region: o[1], Strict: true}).PutRule(Rule{Name: "r", Pattern: everything})
			assert.Equal(t, ok, err == nil, "%q: %v", o, err)
			assert.NoError(t, New(&Options{Account: o[0], Region: o[1]}).PutRule(Rule{Name: "r", Pattern: everything}))
		}
		err := New(&Options{Region: "here", Strict: true}).PutRule(Rule{Name: "r", Pattern: everything})
		assert.EqualError(t, err, `footbridge: Options.Region: want one such as "eu-west-1", got "here"`)
	},
	"response": func(t *testing.T) {
		r, err := New(nil).PutEvents(t.Context(), []Entry{{}, someEntry})
		require.NoError(t, err)
		data, err := json.Marshal(r)
		require.NoError(t, err)
		assert.Equal(t, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InvalidArgument","ErrorMessage":"Parameter Source is not valid. Reason: Source is a required argument."},{"EventId":"`+
			r.Entries[1].EventID+`"}]}`, string(data))
	},
	"detail-depth": func(t *testing.T) {
		nested := func(n int) Entry {
			return Entry{Source: "s", DetailType: "d", Detail: strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1)}
		}
		assert.Contains(t, payloadOf(t, nested(1)), `"detail":{}}`)
		assert.Contains(t, payloadOf(t, nested(1000)), strings.Repeat(`{"a":`, 999))
		target, _ := received("t", Input{})
		assert.Equal(t, CodeMalformedDetail, deliverTo(t, New(nil), target, nested(1001)).ErrorCode)
	},
	"no-rule": func(t *testing.T) {
		b := New(nil)
		r, err := b.PutEvents(t.Context(), []Entry{someEntry})
		require.NoError(t, err)
		assert.NotEmpty(t, r.Entries[0].EventID)
		assert.EqualValues(t, 1, b.Stats().Unmatched)
	},
	"envelope": func(t *testing.T) {
		got := payloadOf(t, Entry{Source: "s", DetailType: "d", Detail: ` { "a" : [ 1 ] } `, Resources: []string{"r"}})
		assert.Regexp(t, `^{"version":"0","id":"[0-9a-f-]{36}","detail-type":"d","source":"s","account":"000000000000","time":"2000-01-01T00:00:00Z","region":"us-east-1","resources":\["r"\],"detail":{"a":\[1\]}}$`, got)
	},
	"envelope-resources": func(t *testing.T) { assert.Contains(t, payloadOf(t, someEntry), `"resources":[],`) },
	"envelope-time": func(t *testing.T) {
		<-time.After(90 * time.Second)
		assert.Contains(t, payloadOf(t, someEntry), `"time":"2000-01-01T00:01:30Z"`)
		e := someEntry
		e.Time = time.Date(2022, 1, 1, 2, 0, 0, 999e6, time.FixedZone("", 7200))
		assert.Contains(t, payloadOf(t, e), `"time":"2022-01-01T00:00:00Z"`)
	},
	"envelope-replay": func(t *testing.T) {
		e := event(1)
		e.ReplayName = "again"
		data, err := e.MarshalJSON()
		require.NoError(t, err)
		assert.Contains(t, string(data), `"region":"","replay-name":"again","resources":[]`)
	},
	"same-id": func(t *testing.T) {
		b, one, two := New(nil), "", ""
		put(t, b, "one", Func("t", func(_ context.Context, e Event) error { one = e.ID; return nil }))
		id := deliverTo(t, b, Func("t", func(_ context.Context, e Event) error { two = e.ID; return nil }), someEntry).EventID
		assert.Equal(t, []string{id, id}, []string{one, two})
	},
	"delivered-twice": func(t *testing.T) {
		b := New(nil)
		target, got := received("t", Input{})
		put(t, b, "one", target)
		deliverTo(t, b, target, someEntry)
		assert.Len(t, *got, 2)
	},
	"eleven-entries": func(t *testing.T) {
		assert.Equal(t, "ValidationException: 1 validation error detected: Value '...' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10",
			refusedRequest(t, slices.Repeat([]Entry{someEntry}, 11)))
	},
	"no-entry": func(t *testing.T) {
		assert.Equal(t, "ValidationException: 1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1",
			refusedRequest(t, nil))
	},
	"too-large": func(t *testing.T) {
		large := Entry{Source: "s", DetailType: "d", Detail: `{"a":"` + strings.Repeat("x", 1<<20-10) + `"}`}
		require.Equal(t, 1<<20, large.Size())
		assert.Equal(t, "ValidationException: Total size of the entries in the request is over the limit.", refusedRequest(t, []Entry{large}))
	},
	"limit-exceeded": func(t *testing.T) {
		b := New(&Options{Strict: true})
		var refused *RuleError
		for n := range 301 {
			err := b.PutRule(Rule{Name: fmt.Sprint("r", n), Pattern: everything})
			require.Equal(t, n < 300, err == nil)
			errors.As(err, &refused)
		}
		assert.Equal(t, []string{"LimitExceededException", "The requested resource exceeds the maximum number allowed."}, []string{refused.Code, refused.Reason})
	},
	"later-failure": func(t *testing.T) {
		b := New(&Options{Retry: NoRetry})
		r := deliverTo(t, b, Target{ID: "t", Handler: failing(1, errDown)}, someEntry)
		assert.Equal(t, PutEventsResultEntry{EventID: r.EventID}, r)
		assert.EqualValues(t, 1, b.Stats().Lost)
	},
	"rule-names": func(t *testing.T) {
		for name, ok := range map[string]bool{"a": true, "A-Z.a_z9": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false, "a/b": false, "é": false} {
			rule := New(nil).PutRule(Rule{Name: name, Pattern: everything})
			target := New(nil).PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{{ID: name, Handler: failing(0, nil)}}})
			assert.Equal(t, []bool{ok, ok}, []bool{rule == nil, target == nil}, "%q", name)
			if !ok {
				assert.Equal(t, []string{CodeValidation, CodeValidation}, []string{refusal(rule), refusal(target)}, "%q", name)
			}
		}
	},
	"put-rule-replaces": func(t *testing.T) {
		b := New(nil)
		require.NoError(t, b.PutRule(Rule{Name: "r", Description: "d", Pattern: everything, Disabled: true}))
		require.NoError(t, b.PutRule(Rule{Name: "r", Pattern: everything}))
		assert.Equal(t, []Rule{{Name: "r", Pattern: everything}}, b.Rules())
	},
	"pattern-needed": func(t *testing.T) {
		var refused *RuleError
		require.ErrorAs(t, New(nil).PutRule(Rule{Name: "r"}), &refused)
		assert.Equal(t, "Pattern", refused.Field)
	},
	"targets-replaced": func(t *testing.T) {
		b := New(nil)
		put(t, b, "r", Target{ID: "old", Handler: failing(0, nil)})
		put(t, b, "r", Target{ID: "new", Handler: failing(0, nil)})
		require.Len(t, b.Rules()[0].Targets, 1)
		assert.Equal(t, "new", b.Rules()[0].Targets[0].ID)
	},
	"one-input": func(t *testing.T) {
		target, _ := received("ID", Input{Path: "$.detail", Constant: json.RawMessage(`1`)})
		var refused *RuleError
		require.ErrorAs(t, New(nil).PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{target}}), &refused)
		assert.Equal(t, []string{CodeValidation, "Only one of Input, InputPath, or InputTransformer must be provided for target ID."}, []string{refused.Code, refused.Reason})
	},
	"two-ids": func(t *testing.T) {
		b, h := New(nil), newBlocker()
		close(h.gate)
		put(t, b, "r", Target{ID: "a", Handler: h}, Target{ID: "b", Handler: h})
		publish(t, b, 1)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, h.handled.Load())
	},
	"test-event-pattern": func(t *testing.T) {
		const event = `{"id":"1","account":"a","source":"s","time":"t","region":"r","detail-type":"d"}`
		got, err := TestEventPattern(`{"source":["s"]}`, event)
		require.NoError(t, err)
		assert.True(t, got)
		_, err = TestEventPattern(`{"source":["s"]}`, strings.Replace(event, `"region":"r",`, "", 1))
		assert.EqualError(t, err, "footbridge: ValidationException: Parameter Event is not valid.")
	},
	"arns": func(t *testing.T) {
		b, named := New(&Options{Account: "123456789012", Region: "eu-west-1"}), New(&Options{Name: "orders"})
		assert.Equal(t, "arn:aws:events:eu-west-1:123456789012:event-bus/default", b.ARN())
		assert.Equal(t, "arn:aws:events:eu-west-1:123456789012:rule/r", b.RuleARN("r"))
		assert.Equal(t, "arn:aws:events:us-east-1:000000000000:event-bus/orders", named.ARN())
		assert.Equal(t, "arn:aws:events:us-east-1:000000000000:rule/orders/r", named.RuleARN("r"))
	},
	"disabled": func(t *testing.T) {
		b := New(nil)
		require.NoError(t, b.PutRule(Rule{Name: "r", Pattern: everything, Disabled: true, Targets: []Target{{ID: "t", Handler: failing(0, nil)}}}))
		publish(t, b, 1)
		assert.EqualValues(t, 1, b.Stats().Unmatched)
	},
	"missing-rule": func(t *testing.T) { assert.ErrorIs(t, New(nil).RemoveRule("r"), ErrRuleNotFound) },
	"rule-with-targets": func(t *testing.T) {
		b := New(nil)
		put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
		assert.NoError(t, b.RemoveRule("r"))
		assert.Empty(t, b.Rules())
	},
	"same-id-twice": func(t *testing.T) {
		target := Target{ID: "t", Handler: failing(0, nil)}
		assert.Error(t, New(nil).PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{target, target}}))
	},
	"parallel": func(t *testing.T) {
		b, h := New(nil), newBlocker()
		for n := range 3 {
			put(t, b, fmt.Sprint("r", n), Target{ID: "a", Handler: h}, Target{ID: "b", Handler: h})
		}
		publish(t, b, 1)
		synctest.Wait()
		running := 0
		for _, s := range b.Stats().Targets {
			running += s.Running
		}
		assert.Equal(t, 6, running)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
	},
	"retries": func(t *testing.T) {
		d := letterOf(t, failing(1000, errDown), Backoff{MaxAge: 1000 * time.Hour})
		assert.Equal(t, 185, d.RetryAttempts)
	},
	"age": func(t *testing.T) {
		d := letterOf(t, failing(1000, errDown), Backoff{MaxRetries: 1e6})
		assert.LessOrEqual(t, d.Time.Sub(d.Accepted), 24*time.Hour)
		assert.Greater(t, d.Time.Sub(d.Accepted), 23*time.Hour)
		assert.Equal(t, ConditionMaxAge, d.ExhaustedRetryCondition)
	},
	"backoff": func(t *testing.T) {
		spread := make(map[time.Duration]bool)
		for n := range 10 {
			greatest := time.Second << n
			plain, retry := Backoff{NoJitter: true}.Next(Attempt{EventID: "e", Retries: n})
			assert.Equal(t, []any{greatest, true}, []any{min(plain, DefaultMaxDelay), retry})
			jittered, _ := Backoff{}.Next(Attempt{EventID: "e", Retries: n})
			assert.Less(t, jittered, greatest)
			spread[jittered/(greatest/8)] = true
		}
		assert.Greater(t, len(spread), 3)
	},
	"permanent": func(t *testing.T) {
		d := letterOf(t, failing(1, Permanent(errDown)), nil)
		assert.Equal(t, []any{0, ""}, []any{d.RetryAttempts, d.ExhaustedRetryCondition})
		assert.Equal(t, d.Accepted, d.Time)
		data, err := json.Marshal(d)
		require.NoError(t, err)
		assert.NotContains(t, string(data), "EXHAUSTED_RETRY_CONDITION")
	},
	"attributes": func(t *testing.T) {
		data, err := json.Marshal(letterOf(t, failing(9, errDown), plain))
		require.NoError(t, err)
		var got struct {
			Event      map[string]any
			Attributes map[string]string
		}
		require.NoError(t, json.Unmarshal(data, &got))
		assert.Equal(t, map[string]any{"a": 1.0}, got.Event["detail"])
		assert.Equal(t, map[string]string{
			"RULE_ARN": "arn:aws:events:us-east-1:000000000000:rule/r", "TARGET_ARN": "arn:aws:events:us-east-1:000000000000:target/r/t",
			"ERROR_CODE": "ERROR_FROM_TARGET", "ERROR_MESSAGE": "down", "RETRY_ATTEMPTS": "3", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
		}, got.Attributes)
	},
	"conditions": func(t *testing.T) {
		assert.Equal(t, "MaximumRetryAttempts", letterOf(t, failing(9, errDown), Backoff{MaxRetries: 1}).ExhaustedRetryCondition)
		assert.Equal(t, "MaximumEventAgeInSeconds", letterOf(t, failing(99, errDown), Backoff{MaxAge: time.Minute}).ExhaustedRetryCondition)
	},
	"no-dlq": func(t *testing.T) {
		b := New(&Options{Retry: NoRetry})
		deliverTo(t, b, Target{ID: "t", Handler: failing(1, errDown)}, someEntry)
		assert.EqualValues(t, 1, b.Stats().Lost)
	},
	"one-hop": func(t *testing.T) {
		dlq := &MemoryDLQ{}
		a, b, c := New(&Options{Name: "a"}), New(&Options{Name: "b", DLQ: dlq}), New(&Options{Name: "c"})
		put(t, b, "r", Forward("to-c", c))
		deliverTo(t, a, Forward("to-b", b), someEntry)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, []int64{1, 0}, []int64{b.Stats().Published, c.Stats().Published})
		require.Equal(t, 1, dlq.Len())
		assert.Equal(t, "THIRD_ACCOUNT_HOP_DETECTED", dlq.Letters()[0].ErrorCode)
	},
	"metrics": func(t *testing.T) {
		b := New(&Options{Retry: plain, DLQ: &MemoryDLQ{}})
		put(t, b, "other", Target{ID: "t", Handler: failing(1, errDown)})
		deliverTo(t, b, Target{ID: "t", Handler: failing(9, errDown)}, someEntry)
		s := b.Stats()
		assert.EqualValues(t, []int64{2, 6, 5, 4, 1}, []int64{s.TriggeredRules, s.Invocations, s.FailedInvocations, s.RetryInvocationAttempts, s.DeadLettered})
	},
	"metrics-of-matches": func(t *testing.T) {
		b := New(nil)
		_, err := b.PutEvents(t.Context(), []Entry{someEntry})
		require.NoError(t, err)
		deliverTo(t, b, Target{ID: "t", Handler: failing(0, nil)}, someEntry)
		s := b.Stats()
		assert.EqualValues(t, []int64{2, 1}, []int64{s.Published, s.Unmatched})
	},
	"metrics-of-failing-queues": func(t *testing.T) {
		b := New(&Options{Retry: NoRetry, DLQ: dlqFunc(func(DeadLetter) error { return errDown })})
		deliverTo(t, b, Target{ID: "t", Handler: failing(1, errDown)}, someEntry)
		assert.EqualValues(t, []int64{0, 1}, []int64{b.Stats().DeadLettered, b.Stats().Lost})
	},
	"latency": func(t *testing.T) {
		b, h, latency := New(nil), newBlocker(), time.Duration(0)
		put(t, b, "r", Target{ID: "t", Concurrency: 1, Handler: HandlerFunc(func(ctx context.Context, d Delivery) error {
			latency = time.Since(d.Accepted)
			return h.Handle(ctx, d)
		})})
		publish(t, b, 1, 2)
		<-time.After(time.Minute)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, time.Minute, latency)
	},
	"redrive": func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{DLQ: dlq, Retry: NoRetry})
		down := errDown
		put(t, b, "r", Func("t", func(context.Context, Event) error { return down }))
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		down = nil
		n, err := dlq.Redrive(t.Context(), b, nil)
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, []int64{1, 1, 1}, []int64{int64(n), b.Stats().DeadLettered, b.Stats().Delivered})
	},
	"bus-takes-no-input": func(t *testing.T) {
		target := Forward("f", New(nil))
		target.Input.Path = "$.detail"
		assert.Error(t, New(nil).PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{target}}))
	},
}
