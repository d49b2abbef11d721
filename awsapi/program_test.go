package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// These tests are of a hub that the program and requests change, both.

const eu = "arn:aws:events:eu-west-1:123456789012:"

var shop = footbridge.MustCompile(`{"source":["shop"]}`)

// ok sends a request that must be answered well, and returns the answer.
func (w *world) ok(t testing.TB, operation, body string) string {
	t.Helper()
	status, answer := w.ask(operation, body)
	require.Equal(t, 200, status, "%s %s: %s", operation, body, answer)
	return answer
}

// refused sends a request that must be refused, and returns the code and the message.
func (w *world) refused(t testing.TB, operation, body string) string {
	t.Helper()
	status, answer := w.ask(operation, body)
	require.NotEqual(t, 200, status, "%s %s: %s", operation, body, answer)
	return faultIn(t, []byte(answer))
}

// publish publishes an event of the shop on the default bus.
func (w *world) publish(t testing.TB) {
	t.Helper()
	_, err := w.hub.Default().Publish(t.Context(), footbridge.Event{Source: "shop", DetailType: "d", Detail: []byte(`{"id":1}`)})
	require.NoError(t, err)
	require.NoError(t, w.hub.Wait(t.Context()))
}

// count returns a target of the program's that counts in n, with settings of its own.
func count(id string, n *atomic.Int32) footbridge.Target {
	t := footbridge.Func(id, func(context.Context, footbridge.Event) error { n.Add(1); return nil })
	t.Concurrency = 1
	t.Input.Path = "$.detail"
	return t
}

// What the program has put is described and listed, and stays when requests change the
// rule. What it is listed as can be put again, on other rules too.
func TestTargetsOfTheProgram(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	bus := w.hub.Default()
	var n atomic.Int32
	require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Description: "of the program", Pattern: shop, Targets: []footbridge.Target{count("go", &n)}}))
	assert.JSONEq(t, `{"Name":"r","Arn":"`+eu+`rule/r","EventPattern":"{\"source\":[\"shop\"]}","State":"ENABLED","Description":"of the program","EventBusName":"default","CreatedBy":"123456789012"}`,
		w.ok(t, "DescribeRule", `{"Name":"r"}`))
	goTarget := `{"Id":"go","Arn":"` + eu + `target/r/go","InputPath":"$.detail"}`
	assert.JSONEq(t, `{"Targets":[`+goTarget+`]}`, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`))
	assert.JSONEq(t, `{"RuleNames":["r"]}`, w.ok(t, "ListRuleNamesByTarget", `{"TargetArn":"`+eu+`target/r/go"}`))

	w.ok(t, "TagResource", `{"ResourceARN":"`+eu+`rule/r","Tags":[{"Key":"k","Value":"v"}]}`)
	w.ok(t, "PutTargets", `{"Rule":"r","Targets":[{"Id":"f","Arn":"`+functions+`f"}]}`)
	w.ok(t, "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"shop\",\"store\"]}"}`)
	w.ok(t, "DisableRule", `{"Name":"r"}`)
	w.ok(t, "EnableRule", `{"Name":"r"}`)
	w.publish(t)
	assert.EqualValues(t, 1, n.Load())
	assert.Len(t, w.take(), 1)
	assert.Equal(t, "ValidationException Rule can't be deleted since it has targets.", w.refused(t, "DeleteRule", `{"Name":"r"}`))
	assert.JSONEq(t, `{"Tags":[{"Key":"k","Value":"v"}]}`, w.ok(t, "ListTagsForResource", `{"ResourceARN":"`+eu+`rule/r"}`))

	// As it was listed; and on a rule of another bus, where it is another target.
	w.ok(t, "PutTargets", `{"Rule":"r","Targets":[`+goTarget+`]}`)
	r, ok := bus.Rule("r")
	require.True(t, ok)
	require.Len(t, r.Targets, 2)
	assert.Equal(t, 1, r.Targets[1].Concurrency, "what requests do not know stays")
	w.ok(t, "CreateEventBus", `{"Name":"orders"}`)
	w.ok(t, "PutRule", `{"Name":"other","EventBusName":"orders","EventPattern":"{\"source\":[\"shop\"]}"}`)
	w.ok(t, "PutTargets", `{"Rule":"other","EventBusName":"orders","Targets":[{"Id":"copy","Arn":"`+eu+`target/r/go"}]}`)
	w.ok(t, "PutTargets", `{"Rule":"r","Targets":[{"Id":"copy","Arn":"`+eu+`target/orders/other/copy"}]}`)
	w.publish(t)
	assert.EqualValues(t, 3, n.Load(), "by go and by copy")
	w.take()

	w.ok(t, "RemoveTargets", `{"Rule":"r","Ids":["go","f","copy"]}`)
	w.ok(t, "DeleteRule", `{"Name":"r"}`)
	assert.Empty(t, bus.Rules())
}

// An input that the program has given is listed as a request would ask for it.
func TestInputsOfTheProgram(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	f := func(id string, in footbridge.Input) footbridge.Target {
		return footbridge.Target{ID: id, Handler: function{id, w}, Input: in}
	}
	require.NoError(t, w.hub.Default().PutRule(footbridge.Rule{Name: "r", Pattern: shop, Targets: []footbridge.Target{
		f("b", footbridge.Input{Constant: []byte(`{"a":1}`)}),
		f("a", footbridge.Input{Transformer: footbridge.InputTransformer{InputPathsMap: map[string]string{"id": "$.id"}, InputTemplate: `"<id>"`}}),
	}}))
	assert.Equal(t, `{"Targets":[{"Id":"a","Arn":"`+eu+`target/r/a","InputTransformer":{"InputPathsMap":{"id":"$.id"},"InputTemplate":"\"<id>\""}},`+
		`{"Id":"b","Arn":"`+eu+`target/r/b","Input":"{\"a\":1}"}]}`, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`))
}

// someQueues are queues of which there are "q", "dead" and "q.fifo".
type someQueues struct{ *world }

const queueARNs = "arn:aws:sqs:eu-west-1:123456789012:"

func (q someQueues) handler(arn, group string) (footbridge.Handler, error) {
	switch arn {
	case queueARNs + "q", queueARNs + "q.fifo":
		return function{"queue " + arn[len(queueARNs):] + " " + group, q.world}, nil
	case queueARNs + "refused":
		return nil, invalid("refused")
	}
	return nil, nil
}

func (q someQueues) dlq(arn string) (footbridge.DLQ, error) {
	if arn == queueARNs+"dead" {
		return deadLetters{function{"queue dead", q.world}}, nil
	}
	return nil, nil
}

// Queues are targets, with their message groups, and dead-letter queues.
func TestQueues(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.queues = someQueues{w}
	w.ok(t, "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"shop\"]}"}`)
	put := func(id, arn, more string) string {
		return fmt.Sprintf(`{"Rule":"r","Targets":[{"Id":%q,"Arn":%q%s}]}`, id, queueARNs+arn, more)
	}
	all := `,"SqsParameters":{"MessageGroupId":"g"},"InputPath":"$.detail"`
	w.ok(t, "PutTargets", put("a", "q", `,"InputPath":"$.detail"`))
	w.ok(t, "PutTargets", put("b", "q.fifo", all))
	assert.Contains(t, w.ok(t, "PutTargets", put("c", "none", "")), `"ErrorCode":"ResourceNotFoundException"`)
	assert.Contains(t, w.ok(t, "PutTargets", put("c", "refused", "")), `"ErrorMessage":"refused"`)
	w.ok(t, "PutTargets", `{"Rule":"r","Targets":[{"Id":"d","Arn":"`+functions+`broken","InputPath":"$.detail","RetryPolicy":{"MaximumRetryAttempts":0},"DeadLetterConfig":{"Arn":"`+queueARNs+`dead"}}]}`)
	assert.Contains(t, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), `"Id":"b","Arn":"`+queueARNs+`q.fifo","InputPath":"$.detail","SqsParameters":{"MessageGroupId":"g"}`)
	w.publish(t)
	assert.Equal(t, []string{`broken {"id":1}`, `queue dead ` + functions + `broken ERROR_FROM_TARGET retries 0 MaximumRetryAttempts`,
		`queue q  {"id":1}`, `queue q.fifo g {"id":1}`}, w.take())
}

// A rule that the program has replaced or removed is another: what requests have said of
// the one before is forgotten.
func TestRulesThatTheProgramReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		defer w.close(t)
		bus := w.hub.Default()
		const scheduled = `{"Name":"r","ScheduleExpression":"rate(1 minute)","RoleArn":"role","Tags":[{"Key":"k","Value":"v"}]}`
		target := `{"Rule":"r","Targets":[{"Id":"f","Arn":"` + functions + `f"}]}`
		w.ok(t, "PutRule", scheduled)
		w.ok(t, "PutTargets", target)
		<-time.After(time.Minute)
		synctest.Wait()
		assert.Len(t, w.take(), 1)
		require.NoError(t, bus.DisableRule("r"))
		assert.Contains(t, w.ok(t, "DescribeRule", `{"Name":"r"}`), `"State":"DISABLED"`)
		<-time.After(time.Minute)
		synctest.Wait()
		assert.Zero(t, bus.Stats().Unmatched, "the schedule of a disabled rule publishes nothing")

		var n atomic.Int32
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: shop, Targets: []footbridge.Target{count("f", &n)}}))
		<-time.After(time.Hour)
		synctest.Wait()
		assert.Zero(t, bus.Stats().Unmatched, "nor does that of one that is gone")
		assert.NotContains(t, w.ok(t, "DescribeRule", `{"Name":"r"}`), "Schedule")
		assert.Contains(t, w.ok(t, "ListTargetsByRule", `{"Rule":"r"}`), "target/r/f")
		assert.JSONEq(t, `{"Tags":[]}`, w.ok(t, "ListTagsForResource", `{"ResourceARN":"`+eu+`rule/r"}`))

		require.NoError(t, bus.RemoveRule("r"))
		assert.Equal(t, "ResourceNotFoundException Rule r does not exist on EventBus default.", w.refused(t, "DescribeRule", `{"Name":"r"}`))
		w.ok(t, "PutRule", scheduled)
		require.NoError(t, bus.RemoveRule("r"))
		w.ok(t, "DeleteRule", `{"Name":"r"}`)
	})
}

// A bus that the program has deleted and created again is another.
func TestBusesThatTheProgramReplaces(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.ok(t, "CreateEventBus", `{"Name":"b","Description":"first","Tags":[{"Key":"k","Value":"v"}]}`)
	require.NoError(t, w.hub.Delete(t.Context(), "b"))
	_, err := w.hub.Create("b", &footbridge.Options{Description: "second"})
	require.NoError(t, err)
	assert.Contains(t, w.ok(t, "DescribeEventBus", `{"Name":"b"}`), `"Description":"second"`)
	assert.JSONEq(t, `{"Tags":[]}`, w.ok(t, "ListTagsForResource", `{"ResourceARN":"`+eu+`event-bus/b"}`))
}

// A deleted bus is gone at once, and finishes what it has; Close ends that.
func TestDeletedBusesFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &footbridge.MemoryDLQ{}
		w := &world{hub: footbridge.NewHub(&footbridge.Options{DLQ: dlq})}
		w.Server = Handler(w.hub, nil)
		for _, name := range []string{"finishes", "never"} {
			b, err := w.hub.Create(name, nil)
			require.NoError(t, err)
			attempts := 0
			require.NoError(t, b.PutRule(footbridge.Rule{Name: "r", Pattern: shop, Targets: []footbridge.Target{
				footbridge.Func("t", func(context.Context, footbridge.Event) error {
					if attempts++; name == "finishes" && attempts == 2 {
						return nil
					}
					return footbridge.RetryAfter(errors.New("later"), time.Hour)
				}),
			}}))
			_, err = b.Publish(t.Context(), footbridge.Event{Source: "shop", DetailType: "d", Detail: []byte("{}")})
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, b.RemoveRule("r"))
			w.ok(t, "DeleteEventBus", fmt.Sprintf(`{"Name":%q}`, name))
			assert.Contains(t, w.refused(t, "DescribeEventBus", fmt.Sprintf(`{"Name":%q}`, name)), "does not exist")
		}
		<-time.After(2 * time.Hour)
		assert.Empty(t, dlq.Letters())
		w.close(t)
		require.Len(t, dlq.Letters(), 1)
		assert.Equal(t, "never", dlq.Letters()[0].Bus)
		assert.Equal(t, footbridge.CodeBusClosed, dlq.Letters()[0].ErrorCode)
	})
}

// An archive of the program's is no archive to requests, and its rule is not taken over.
func TestArchivesOfTheProgram(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	a, err := archive.New(archive.Options{Name: "a"})
	require.NoError(t, err)
	require.NoError(t, w.hub.Default().PutRule(a.Rule()))
	create := `{"ArchiveName":"a","EventSourceArn":"` + eu + `event-bus/default"}`
	assert.Equal(t, "ResourceAlreadyExistsException Archive a already exists.", w.refused(t, "CreateArchive", create))
	assert.JSONEq(t, `{"Archives":[]}`, w.ok(t, "ListArchives", `{}`))
	require.NoError(t, w.hub.Default().RemoveRule(a.Rule().Name))
	w.ok(t, "CreateArchive", create)
	require.NoError(t, w.hub.Default().RemoveRule(a.Rule().Name)) // by the program
	w.ok(t, "DeleteArchive", `{"ArchiveName":"a"}`)
}

// An archive is DISABLED while it receives nothing, as the program has it. That of a bus that
// is gone stays so, whatever bus has the name, whose rules are not managed.
func TestArchivesThatTheProgramDisables(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	const rule = "Events-Archive-a"
	state := func() string {
		var o struct{ State string }
		require.NoError(t, json.Unmarshal([]byte(w.ok(t, "DescribeArchive", `{"ArchiveName":"a"}`)), &o))
		return o.State
	}
	w.ok(t, "CreateEventBus", `{"Name":"b"}`)
	w.ok(t, "CreateArchive", `{"ArchiveName":"a","EventSourceArn":"`+eu+`event-bus/b"}`)
	b, err := w.hub.Bus("b")
	require.NoError(t, err)
	assert.Equal(t, "ENABLED", state())
	require.NoError(t, b.DisableRule(rule))
	assert.Equal(t, "DISABLED", state())
	require.NoError(t, b.RemoveRule(rule))
	assert.Equal(t, "DISABLED", state())
	assert.Contains(t, w.ok(t, "UpdateArchive", `{"ArchiveName":"a","Description":"d"}`), `"State":"ENABLED"`)
	assert.Equal(t, "ENABLED", state())

	require.NoError(t, b.RemoveRule(rule))
	require.NoError(t, w.hub.Delete(t.Context(), "b"))
	assert.Equal(t, "DISABLED", state())
	w.ok(t, "CreateEventBus", `{"Name":"b"}`)
	assert.Equal(t, "DISABLED", state())
	assert.JSONEq(t, `{"Archives":[]}`, w.ok(t, "ListArchives", `{"State":"ENABLED"}`))
	assert.Equal(t, "ResourceNotFoundException Event bus b does not exist: the one that archive a is of was deleted.",
		w.refused(t, "UpdateArchive", `{"ArchiveName":"a","Description":"d"}`))
	for _, bus := range []string{"b", "default"} {
		w.ok(t, "PutRule", `{"Name":"`+rule+`","EventBusName":"`+bus+`","EventPattern":"{\"source\":[\"shop\"]}"}`)
		assert.NotContains(t, w.ok(t, "ListRules", `{"EventBusName":"`+bus+`"}`), "ManagedBy")
		w.ok(t, "DeleteRule", `{"Name":"`+rule+`","EventBusName":"`+bus+`"}`)
	}
	w.ok(t, "DeleteArchive", `{"ArchiveName":"a"}`)
}

// Ten replays are active at a time at most, and can be cancelled. One that is left is
// cancelled by Close.
func TestReplaysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.ok(t, "CreateArchive", `{"ArchiveName":"a","EventSourceArn":"`+eu+`event-bus/default"}`)
		w.publish(t)
		gate := make(chan struct{})
		blocked := footbridge.Func("t", func(ctx context.Context, _ footbridge.Event) error {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return nil
		})
		blocked.Concurrency, blocked.Queue = 1, 1
		require.NoError(t, w.hub.Default().PutRule(footbridge.Rule{Name: "r", Pattern: shop, Targets: []footbridge.Target{blocked}}))
		start := func(name string) string {
			return fmt.Sprintf(`{"ReplayName":%q,"EventSourceArn":"%sarchive/a","EventStartTime":0,"EventEndTime":2000000000,"Destination":{"Arn":"%sevent-bus/default"}}`, name, eu, eu)
		}
		// One runs in the target, one waits in its queue, ten wait for room there.
		for i := range 12 {
			w.ok(t, "StartReplay", start(fmt.Sprint("x", i)))
			synctest.Wait()
		}
		assert.Equal(t, "LimitExceededException The requested resource exceeds the maximum number allowed.", w.refused(t, "StartReplay", start("y")))
		assert.Contains(t, w.ok(t, "DescribeReplay", `{"ReplayName":"x11"}`), `"State":"RUNNING"`)
		assert.JSONEq(t, `{"ReplayArn":"`+eu+`replay/x11","State":"CANCELLING"}`, w.ok(t, "CancelReplay", `{"ReplayName":"x11"}`))
		synctest.Wait()
		assert.Contains(t, w.ok(t, "DescribeReplay", `{"ReplayName":"x11"}`), `"State":"CANCELLED","StateReason":"archive: replay x11: replay was cancelled"`)
		w.Server.Close()
		assert.Contains(t, w.ok(t, "DescribeReplay", `{"ReplayName":"x10"}`), `"State":"CANCELLED"`)
		assert.Equal(t, "ServiceUnavailableException The server is closed.", w.refused(t, "StartReplay", start("z")))
		close(gate)
		require.NoError(t, w.hub.Close(t.Context()))
	})
}

// An archive that is deleted holds nothing, whoever still knows it.
func TestDeletedArchivesHoldNothing(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.ok(t, "CreateArchive", `{"ArchiveName":"a","EventSourceArn":"`+eu+`event-bus/default"}`)
	w.publish(t)
	require.NoError(t, w.hub.Wait(t.Context()))
	store := w.archives["a"].store
	require.EqualValues(t, 1, store.Stats().Events)
	w.ok(t, "DeleteArchive", `{"ArchiveName":"a"}`)
	assert.Zero(t, store.Stats().Events)
}
