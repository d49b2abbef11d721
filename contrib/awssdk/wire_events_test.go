package awssdk

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
)

// Each of EventBridge's operations is answered to the SDK's client.
func TestEventsOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{Credentials: map[string]string{"key": secret}})
		w.buses(t)
		w.rules(t)
		w.targets(t)
		w.archives(t)
		slices.Sort(w.answered)
		assert.Equal(t, []string{
			"AWSEvents.CancelReplay", "AWSEvents.CreateArchive", "AWSEvents.CreateEventBus", "AWSEvents.DeleteArchive",
			"AWSEvents.DeleteEventBus", "AWSEvents.DeleteRule", "AWSEvents.DescribeArchive", "AWSEvents.DescribeEventBus",
			"AWSEvents.DescribeReplay", "AWSEvents.DescribeRule", "AWSEvents.DisableRule", "AWSEvents.EnableRule",
			"AWSEvents.ListArchives", "AWSEvents.ListEventBuses", "AWSEvents.ListReplays", "AWSEvents.ListRuleNamesByTarget",
			"AWSEvents.ListRules", "AWSEvents.ListTagsForResource", "AWSEvents.ListTargetsByRule", "AWSEvents.PutEvents",
			"AWSEvents.PutRule", "AWSEvents.PutTargets", "AWSEvents.RemoveTargets", "AWSEvents.StartReplay",
			"AWSEvents.TagResource", "AWSEvents.TestEventPattern", "AWSEvents.UntagResource", "AWSEvents.UpdateArchive",
			"AWSEvents.UpdateEventBus",
		}, slices.Compact(w.answered))
	})
}

func (w *wire) buses(t *testing.T) {
	ctx := t.Context()
	created, err := w.events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("orders"), Description: aws.String("of shops"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
	require.NoError(t, err)
	assert.Equal(t, arn("events", "event-bus/orders"), *created.EventBusArn)

	_, err = w.events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("orders")})
	var exists *types.ResourceAlreadyExistsException
	require.ErrorAs(t, err, &exists)
	assert.Equal(t, "Event bus orders already exists.", exists.ErrorMessage())

	updated, err := w.events.UpdateEventBus(ctx, &eventbridge.UpdateEventBusInput{Name: aws.String("orders"), Description: aws.String("of all shops")})
	require.NoError(t, err)
	assert.Equal(t, "orders", *updated.Name)
	bus, err := w.events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: created.EventBusArn})
	require.NoError(t, err)
	assert.Equal(t, []string{"orders", "of all shops"}, []string{*bus.Name, *bus.Description})
	assert.Equal(t, time.Now(), bus.CreationTime.Local())

	for _, name := range []string{"a", "b"} {
		_, err = w.events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &name})
		require.NoError(t, err)
	}
	var names []string
	in := &eventbridge.ListEventBusesInput{Limit: aws.Int32(3)}
	for pages := 1; ; pages++ {
		page, err := w.events.ListEventBuses(ctx, in)
		require.NoError(t, err)
		for _, b := range page.EventBuses {
			names = append(names, *b.Name)
		}
		if in.NextToken = page.NextToken; page.NextToken == nil {
			assert.Equal(t, 2, pages)
			break
		}
	}
	assert.Equal(t, []string{"a", "b", "default", "orders"}, names)
	_, err = w.events.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{NextToken: aws.String("made up")})
	requireCode(t, "ValidationException", err)

	_, err = w.events.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: aws.String("a")})
	require.NoError(t, err)
	_, err = w.events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String("a")})
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "Event bus a does not exist.", missing.ErrorMessage())
	_, err = w.events.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: aws.String("default")})
	assert.Equal(t, "Cannot delete event bus default.", requireCode(t, "ValidationException", err))
}

func (w *wire) rules(t *testing.T) {
	ctx, orders := t.Context(), aws.String("orders")
	put, err := w.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("dear"), EventBusName: orders, Description: aws.String("d"),
		EventPattern: aws.String(`{"detail":{"total":[{"numeric":[">",10]}]}}`), State: types.RuleStateDisabled})
	require.NoError(t, err)
	assert.Equal(t, arn("events", "rule/orders/dear"), *put.RuleArn)
	_, err = w.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("bad"), EventPattern: aws.String(`{"a":[]}`)})
	var pattern *types.InvalidEventPatternException
	require.ErrorAs(t, err, &pattern)
	assert.Contains(t, pattern.ErrorMessage(), "Event pattern is not valid. Reason: Empty arrays are not allowed")

	_, err = w.events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: aws.String("dear"), EventBusName: orders})
	require.NoError(t, err)
	rule, err := w.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("dear"), EventBusName: orders})
	require.NoError(t, err)
	assert.Equal(t, types.RuleStateEnabled, rule.State)
	assert.Equal(t, []string{"d", `{"detail":{"total":[{"numeric":[">",10]}]}}`}, []string{*rule.Description, *rule.EventPattern})
	_, err = w.events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String("dear"), EventBusName: orders})
	require.NoError(t, err)

	for _, name := range []string{"order-a", "order-b", "other"} {
		_, err = w.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: &name, EventPattern: aws.String(`{"source":["shop"]}`)})
		require.NoError(t, err)
	}
	first, err := w.events.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: aws.String("order-"), Limit: aws.Int32(1)})
	require.NoError(t, err)
	second, err := w.events.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: aws.String("order-"), Limit: aws.Int32(1), NextToken: first.NextToken})
	require.NoError(t, err)
	require.Len(t, first.Rules, 1)
	require.Len(t, second.Rules, 1)
	assert.Equal(t, []string{"order-a", "order-b"}, []string{*first.Rules[0].Name, *second.Rules[0].Name})
	assert.Nil(t, second.NextToken)

	_, err = w.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("other")})
	require.NoError(t, err)
	_, err = w.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("other")})
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "Rule other does not exist on EventBus default.", missing.ErrorMessage())
	w.tags(t, *put.RuleArn)
}

func (w *wire) tags(t *testing.T, arn string) {
	ctx := t.Context()
	tags := func() map[string]string {
		out, err := w.events.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: &arn})
		require.NoError(t, err)
		all := map[string]string{}
		for _, tag := range out.Tags {
			all[*tag.Key] = *tag.Value
		}
		return all
	}
	_, err := w.events.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: &arn, Tags: []types.Tag{
		{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("cost"), Value: aws.String("1")}}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"team": "a", "cost": "1"}, tags())
	_, err = w.events.UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: &arn, TagKeys: []string{"team"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"cost": "1"}, tags())
}

func (w *wire) targets(t *testing.T) {
	ctx, rule, function := t.Context(), aws.String("order-a"), arn("lambda", "function:f")
	put, err := w.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{
		{Id: aws.String("f"), Arn: &function, InputTransformer: &types.InputTransformer{
			InputPathsMap: map[string]string{"n": "$.detail.n"}, InputTemplate: aws.String(`{"number":<n>}`)}},
		{Id: aws.String("bus"), Arn: aws.String(arn("events", "event-bus/orders")),
			RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(2), MaximumEventAgeInSeconds: aws.Int32(60)}},
	}})
	require.NoError(t, err)
	assert.Zero(t, put.FailedEntryCount)

	list, err := w.events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: rule})
	require.NoError(t, err)
	byID := map[string]types.Target{}
	for _, target := range list.Targets {
		byID[*target.Id] = target
	}
	assert.Equal(t, `{"number":<n>}`, *byID["f"].InputTransformer.InputTemplate)
	assert.EqualValues(t, 2, *byID["bus"].RetryPolicy.MaximumRetryAttempts)
	names, err := w.events.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: &function})
	require.NoError(t, err)
	assert.Equal(t, []string{"order-a"}, names.RuleNames)

	out, err := w.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		entry("shop", "Order", `{"n":7}`), entry("", "Order", `{}`), entry("aws.s3", "Order", `{}`)}})
	require.NoError(t, err)
	assert.EqualValues(t, 2, out.FailedEntryCount)
	assert.Equal(t, "InvalidArgument", *out.Entries[1].ErrorCode)
	assert.Equal(t, "NotAuthorizedForSourceException", *out.Entries[2].ErrorCode)
	d := <-w.received
	assert.Equal(t, `{"number":7}`, string(d.Input))
	assert.Equal(t, *out.Entries[0].EventId, d.Event.ID)

	_, err = w.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule})
	assert.Equal(t, "Rule can't be deleted since it has targets.", requireCode(t, "ValidationException", err))
	removed, err := w.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"bus"}})
	require.NoError(t, err)
	assert.Zero(t, removed.FailedEntryCount)
	_, err = w.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("none"), Targets: []types.Target{{Id: aws.String("f"), Arn: &function}}})
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)

	tested, err := w.events.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: aws.String(`{"detail":{"n":[7]}}`),
		Event: aws.String(`{"id":"1","account":"a","source":"shop","time":"2024-12-24T09:30:00Z","region":"r","detail-type":"Order","detail":{"n":7}}`)})
	require.NoError(t, err)
	assert.True(t, tested.Result)
}

func (w *wire) archives(t *testing.T) {
	ctx, name, bus := t.Context(), aws.String("keep"), aws.String(arn("events", "event-bus/default"))
	created, err := w.events.CreateArchive(ctx, &eventbridge.CreateArchiveInput{ArchiveName: name, EventSourceArn: bus, RetentionDays: aws.Int32(7)})
	require.NoError(t, err)
	assert.Equal(t, arn("events", "archive/keep"), *created.ArchiveArn)
	_, err = w.events.UpdateArchive(ctx, &eventbridge.UpdateArchiveInput{ArchiveName: name, EventPattern: aws.String(`{"source":["shop"]}`)})
	require.NoError(t, err)
	_, err = w.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry("shop", "Order", `{"n":8}`)}})
	require.NoError(t, err)
	<-w.received
	synctest.Wait() // the archive has it, too
	kept, err := w.events.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: name})
	require.NoError(t, err)
	assert.Equal(t, types.ArchiveStateEnabled, kept.State)
	assert.EqualValues(t, 1, kept.EventCount)
	list, err := w.events.ListArchives(ctx, &eventbridge.ListArchivesInput{EventSourceArn: bus})
	require.NoError(t, err)
	assert.Len(t, list.Archives, 1)

	now := time.Now()
	start := &eventbridge.StartReplayInput{ReplayName: aws.String("again"), EventSourceArn: created.ArchiveArn,
		EventStartTime: aws.Time(now.Add(-time.Hour)), EventEndTime: aws.Time(now.Add(time.Hour)), Destination: &types.ReplayDestination{Arn: bus}}
	_, err = w.events.StartReplay(ctx, start)
	require.NoError(t, err)
	d := <-w.received
	assert.Equal(t, "again", d.Event.ReplayName)
	assert.Equal(t, `{"number":8}`, string(d.Input))
	synctest.Wait()
	replay, err := w.events.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: aws.String("again")})
	require.NoError(t, err)
	assert.Equal(t, types.ReplayStateCompleted, replay.State)
	_, err = w.events.CancelReplay(ctx, &eventbridge.CancelReplayInput{ReplayName: aws.String("again")})
	var illegal *types.IllegalStatusException
	require.ErrorAs(t, err, &illegal)
	replays, err := w.events.ListReplays(ctx, &eventbridge.ListReplaysInput{State: types.ReplayStateCompleted})
	require.NoError(t, err)
	assert.Len(t, replays.Replays, 1)
	w.cancelReplay(t, start)

	_, err = w.events.DeleteArchive(ctx, &eventbridge.DeleteArchiveInput{ArchiveName: name})
	require.NoError(t, err)
	_, err = w.events.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: name})
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
}

// cancelReplay cancels a replay that waits for a target to have room.
func (w *wire) cancelReplay(t *testing.T, start *eventbridge.StartReplayInput) {
	ctx, entries := t.Context(), []types.PutEventsRequestEntry{entry("shop", "Order", `{}`), entry("shop", "Order", `{}`), entry("shop", "Order", `{}`)}
	_, err := w.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	require.NoError(t, err)
	synctest.Wait()
	gate := make(chan struct{})
	blocks := footbridge.Func("blocks", func(context.Context, footbridge.Event) error { <-gate; return nil })
	blocks.Concurrency, blocks.Queue = 1, 1
	require.NoError(t, w.hub.Default().PutRule(footbridge.Rule{Name: "blocks", Targets: []footbridge.Target{blocks},
		Pattern: footbridge.MustCompile(`{"replay-name":["stopped"]}`)}))
	start.ReplayName = aws.String("stopped")
	_, err = w.events.StartReplay(ctx, start)
	require.NoError(t, err)
	synctest.Wait()
	state := func() types.ReplayState {
		replay, err := w.events.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: start.ReplayName})
		require.NoError(t, err)
		return replay.State
	}
	assert.Equal(t, types.ReplayStateRunning, state())
	cancelled, err := w.events.CancelReplay(ctx, &eventbridge.CancelReplayInput{ReplayName: start.ReplayName})
	require.NoError(t, err)
	assert.Equal(t, types.ReplayStateCancelling, cancelled.State)
	synctest.Wait()
	assert.Equal(t, types.ReplayStateCancelled, state())
	close(gate)
}
