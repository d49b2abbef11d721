package awssdk

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
)

// create creates a queue and returns its URL. attributes are pairs of key and value.
func (w *wire) create(t *testing.T, name string, attributes ...string) *string {
	t.Helper()
	in := &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{}}
	for i := 0; i < len(attributes); i += 2 {
		in.Attributes[attributes[i]] = attributes[i+1]
	}
	out, err := w.queues.CreateQueue(t.Context(), in)
	require.NoError(t, err)
	return out.QueueUrl
}

func (w *wire) send(t *testing.T, url *string, body string) {
	t.Helper()
	_, err := w.queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	require.NoError(t, err)
}

// receive receives up to ten messages, with all their attributes, without waiting.
func (w *wire) receive(t *testing.T, url *string) []types.Message {
	t.Helper()
	out, err := w.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
	require.NoError(t, err)
	return out.Messages
}

func bodiesOf(messages []types.Message) (bodies []string) {
	for _, m := range messages {
		bodies = append(bodies, *m.Body)
	}
	return bodies
}

// Each of SQS's operations is answered to the SDK's client, which checks the digests of bodies.
func TestQueueOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{Credentials: map[string]string{"key": secret}})
		w.manageQueues(t)
		w.messages(t)
		w.batches(t)
		slices.Sort(w.answered)
		assert.Equal(t, []string{
			"AmazonSQS.ChangeMessageVisibility", "AmazonSQS.ChangeMessageVisibilityBatch", "AmazonSQS.CreateQueue",
			"AmazonSQS.DeleteMessage", "AmazonSQS.DeleteMessageBatch", "AmazonSQS.DeleteQueue", "AmazonSQS.GetQueueAttributes",
			"AmazonSQS.GetQueueUrl", "AmazonSQS.ListQueueTags", "AmazonSQS.ListQueues", "AmazonSQS.PurgeQueue",
			"AmazonSQS.ReceiveMessage", "AmazonSQS.SendMessage", "AmazonSQS.SendMessageBatch", "AmazonSQS.SetQueueAttributes",
			"AmazonSQS.TagQueue", "AmazonSQS.UntagQueue",
		}, slices.Compact(w.answered))
	})
}

func (w *wire) manageQueues(t *testing.T) {
	ctx := t.Context()
	url := w.create(t, "orders", "VisibilityTimeout", "60")
	assert.Equal(t, url, w.create(t, "orders", "VisibilityTimeout", "60"), "the same again")
	_, err := w.queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("orders"), Attributes: map[string]string{"VisibilityTimeout": "61"}})
	var exists *types.QueueNameExists
	require.ErrorAs(t, err, &exists)
	got, err := w.queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
	require.NoError(t, err)
	assert.Equal(t, url, got.QueueUrl)

	_, err = w.queues.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "30"}})
	require.NoError(t, err)
	w.send(t, url, "to be purged")
	attributes, err := w.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	require.NoError(t, err)
	assert.Equal(t, []string{arn("sqs", "orders"), "30", "1"}, []string{attributes.Attributes["QueueArn"],
		attributes.Attributes["VisibilityTimeout"], attributes.Attributes["ApproximateNumberOfMessages"]})
	_, err = w.queues.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
	require.NoError(t, err)
	assert.Empty(t, w.receive(t, url))

	_, err = w.queues.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"team": "a", "cost": "1"}})
	require.NoError(t, err)
	_, err = w.queues.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"team"}})
	require.NoError(t, err)
	tags, err := w.queues.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"cost": "1"}, tags.Tags)

	other := w.create(t, "orders-old")
	pages := sqs.NewListQueuesPaginator(w.queues, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("orders"), MaxResults: aws.Int32(1)})
	var urls []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		urls = append(urls, page.QueueUrls...)
	}
	assert.Equal(t, []string{*url, *other}, urls)
	_, err = w.queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: other})
	require.NoError(t, err)
	_, err = w.queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: other, MessageBody: aws.String("x")})
	var missing *types.QueueDoesNotExist
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "AWS.SimpleQueueService.NonExistentQueue", missing.ErrorCode(), "as the service has it since before there was JSON")
}

func (w *wire) messages(t *testing.T) {
	ctx, url := t.Context(), w.create(t, "work")
	sent, err := w.queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("grüße"), MessageAttributes: map[string]types.MessageAttributeValue{
		"text": {DataType: aws.String("String"), StringValue: aws.String("a")}, "bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
		"number": {DataType: aws.String("Number.int"), StringValue: aws.String("7")},
	}})
	require.NoError(t, err)
	got := w.receive(t, url)
	require.Len(t, got, 1)
	assert.Equal(t, []string{*sent.MessageId, "grüße", *sent.MD5OfMessageBody, *sent.MD5OfMessageAttributes},
		[]string{*got[0].MessageId, *got[0].Body, *got[0].MD5OfBody, *got[0].MD5OfMessageAttributes})
	assert.Equal(t, []byte{0, 255}, got[0].MessageAttributes["bytes"].BinaryValue)
	assert.Equal(t, "7", *got[0].MessageAttributes["number"].StringValue)
	assert.Equal(t, "1", got[0].Attributes["ApproximateReceiveCount"])
	assert.Empty(t, w.receive(t, url), "it is hidden")

	_, err = w.queues.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 5})
	require.NoError(t, err)
	<-time.After(5*time.Second - time.Millisecond)
	assert.Empty(t, w.receive(t, url))
	<-time.After(time.Millisecond)
	got = w.receive(t, url)
	require.Len(t, got, 1)
	assert.Equal(t, "2", got[0].Attributes["ApproximateReceiveCount"])
	_, err = w.queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle})
	require.NoError(t, err)
	<-time.After(time.Hour)
	assert.Empty(t, w.receive(t, url))
	_, err = w.queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("made up")})
	var invalid *types.ReceiptHandleIsInvalid
	require.ErrorAs(t, err, &invalid)
}

func (w *wire) batches(t *testing.T) {
	ctx, url := t.Context(), w.create(t, "batches")
	entry := func(id, body string) types.SendMessageBatchRequestEntry {
		return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
	}
	sent, err := w.queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		entry("a", "1"), entry("b", "not allowed: \x00"), entry("c", "3")}})
	require.NoError(t, err)
	require.Len(t, sent.Successful, 2)
	require.Len(t, sent.Failed, 1)
	assert.Equal(t, []any{"b", true, "InvalidMessageContents"}, []any{*sent.Failed[0].Id, sent.Failed[0].SenderFault, *sent.Failed[0].Code})

	_, err = w.queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{}})
	var empty *types.EmptyBatchRequest
	require.ErrorAs(t, err, &empty)
	_, err = w.queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: slices.Repeat([]types.SendMessageBatchRequestEntry{entry("a", "x")}, 11)})
	var tooMany *types.TooManyEntriesInBatchRequest
	require.ErrorAs(t, err, &tooMany)
	_, err = w.queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: slices.Repeat([]types.SendMessageBatchRequestEntry{entry("a", "x")}, 2)})
	var same *types.BatchEntryIdsNotDistinct
	require.ErrorAs(t, err, &same)

	got := w.receive(t, url)
	require.Equal(t, []string{"1", "3"}, bodiesOf(got))
	changed, err := w.queues.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 600}, {Id: aws.String("b"), ReceiptHandle: aws.String("made up")}}})
	require.NoError(t, err)
	assert.Len(t, changed.Successful, 1)
	assert.Len(t, changed.Failed, 1)
	deleted, err := w.queues.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got[1].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("made up")}}})
	require.NoError(t, err)
	assert.Len(t, deleted.Successful, 1)
	require.Len(t, deleted.Failed, 1)
	assert.Equal(t, "b", *deleted.Failed[0].Id)
	<-time.After(10 * time.Minute)
	assert.Equal(t, []string{"1"}, bodiesOf(w.receive(t, url)))
}

func TestLongPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{})
		url := w.create(t, "work")
		poll := func() ([]types.Message, time.Duration) {
			start := time.Now()
			out, err := w.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
			assert.NoError(t, err)
			return out.Messages, time.Since(start)
		}
		got, after := poll()
		assert.Empty(t, got)
		assert.Equal(t, 20*time.Second, after)
		var sending sync.WaitGroup
		sending.Go(func() {
			<-time.After(7 * time.Second)
			w.send(t, url, "at last")
		})
		got, after = poll()
		sending.Wait()
		assert.Equal(t, []string{"at last"}, bodiesOf(got))
		assert.Equal(t, 7*time.Second, after)
	})
}

func TestRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{})
		dead := w.create(t, "dead")
		url := w.create(t, "work", "VisibilityTimeout", "10", "RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"2"}`, arn("sqs", "dead")))
		w.send(t, url, "poison")
		for range 2 {
			assert.Len(t, w.receive(t, url), 1)
			<-time.After(10 * time.Second)
		}
		assert.Empty(t, w.receive(t, url))
		got := w.receive(t, dead)
		require.Equal(t, []string{"poison"}, bodiesOf(got))
		assert.Equal(t, "3", got[0].Attributes["ApproximateReceiveCount"])
		assert.Equal(t, arn("sqs", "work"), got[0].Attributes["DeadLetterQueueSourceArn"])
	})
}

// From PutEvents to a queue, and what cannot be delivered to another, with its six attributes.
func TestRuleToQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{})
		ctx, rule, work, dead := t.Context(), aws.String("r"), w.create(t, "work"), w.create(t, "dead")
		_, err := w.events.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":["shop"]}`)})
		require.NoError(t, err)
		broken := aws.String(arn("lambda", "function:broken"))
		put, err := w.events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []ebtypes.Target{
			{Id: aws.String("work"), Arn: aws.String(arn("sqs", "work")), InputPath: aws.String("$.detail")},
			{Id: aws.String("broken"), Arn: broken, DeadLetterConfig: &ebtypes.DeadLetterConfig{Arn: aws.String(arn("sqs", "dead"))},
				RetryPolicy: &ebtypes.RetryPolicy{MaximumRetryAttempts: aws.Int32(1)}},
		}})
		require.NoError(t, err)
		require.Empty(t, put.FailedEntries)
		_, err = w.events.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{entry("shop", "Order", `{"n":1}`)}})
		require.NoError(t, err)
		<-time.After(time.Hour)
		assert.Equal(t, []string{`{"n":1}`}, bodiesOf(w.receive(t, work)))
		got := w.receive(t, dead)
		require.Len(t, got, 1)
		attributes := map[string]string{}
		for name, value := range got[0].MessageAttributes {
			attributes[name] = *value.StringValue
		}
		assert.Equal(t, map[string]string{
			"RULE_ARN": arn("events", "rule/r"), "TARGET_ARN": *broken, "ERROR_CODE": "ERROR_FROM_TARGET", "ERROR_MESSAGE": "it is broken",
			"RETRY_ATTEMPTS": "1", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
		}, attributes)
		assert.Contains(t, *got[0].Body, `"detail":{"n":1}`)
	})
}

// The targets of this package, over the SDK's client, to queues.
func TestQueuesOverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wireInBubble(t, awsapi.Options{})
		url := w.create(t, "work")
		bus, dlq := busTo(t, Queue("work", w.queues, *url))
		for i := range 100 {
			publish(t, bus, fmt.Sprintf(`{"n":%d}`, i))
		}
		publish(t, bus, `{"text":"\u0000"}`) // as JSON escapes it, it is allowed
		require.NoError(t, bus.Close(t.Context()))
		assert.Zero(t, dlq.Len())
		n := 0
		for got := w.receive(t, url); len(got) > 0; got = w.receive(t, url) {
			n += len(got)
		}
		assert.Equal(t, 101, n)

		fifo := w.create(t, "ledger.fifo", "FifoQueue", "true")
		target := FIFOQueue("ledger", w.queues, *fifo, group)
		target.Input = footbridge.Input{Path: "$.detail"}
		bus, dlq = busTo(t, target)
		var want []string
		for n := range 20 {
			publish(t, bus, order("a", n), order("b", n))
			want = append(want, order("a", n))
		}
		require.NoError(t, bus.Close(t.Context()))
		assert.Zero(t, dlq.Len())
		var kept []string
		for got := w.receive(t, fifo); len(got) > 0; got = w.receive(t, fifo) {
			for _, m := range got {
				if m.Attributes["MessageGroupId"] == "a" {
					kept = append(kept, *m.Body)
				}
				_, err := w.queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: fifo, ReceiptHandle: m.ReceiptHandle})
				require.NoError(t, err)
			}
		}
		assert.Equal(t, want, kept)
	})
}

func TestQueueThatIsNotThere(t *testing.T) {
	w := newWire(t, awsapi.Options{}, nil, nil)
	bus, dlq := busTo(t, Queue("work", w.queues, *w.events.Options().BaseEndpoint+"/"+account+"/none"))
	publish(t, bus, `{}`)
	require.NoError(t, bus.Close(t.Context()))
	assert.Equal(t, []string{"{} AWS.SimpleQueueService.NonExistentQueue  0"}, letters(dlq))
}
