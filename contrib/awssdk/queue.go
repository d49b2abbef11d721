package awssdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/footbridge-go/footbridge"
)

// A QueueClient sends messages: the SDK's *[sqs.Client].
type QueueClient interface {
	SendMessageBatch(ctx context.Context, params *sqs.SendMessageBatchInput, optFns ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

var _ QueueClient = (*sqs.Client)(nil)

// maxMessages is how many bytes a message, and the messages of a request together, may have.
const maxMessages = 1 << 20

// Queue returns a target that sends what it receives, the envelope or what its Input makes, to
// a queue of SQS, as the service's own targets do. It sends up to ten messages and 1 MiB in a
// request, and fails, retries and gives up as [EventBus] says; an entry's SenderFault says
// that no retry mends it. For a queue in FIFO order there is [FIFOQueue].
func Queue(id string, client QueueClient, url string) footbridge.Target {
	return queueTarget(id, client, url, nil)
}

// FIFOQueue returns a target as [Queue] does, for a queue in FIFO order. group gives each
// event its MessageGroupId, 1 to 128 ASCII letters, digits and punctuation.
//
// group is the target's OrderBy, too: of a group one message is sent at a time, so that its
// messages are in the queue in the order the events were published, retries included, and a
// message that fails holds back its group and no other.
//
// The MessageDeduplicationId follows from the event's ID and the target: attempts of a
// delivery have the same one, so that in five minutes one message comes of them.
func FIFOQueue(id string, client QueueClient, url string, group func(footbridge.Event) string) footbridge.Target {
	if group == nil {
		return footbridge.Target{ID: id} // which PutRule refuses
	}
	t := queueTarget(id, client, url, group)
	t.OrderBy = group
	return t
}

func queueTarget(id string, client QueueClient, url string, group func(footbridge.Event) string) footbridge.Target {
	if client == nil {
		return footbridge.Target{ID: id} // which PutRule refuses
	}
	q := &sqsQueue{client: client, url: url, group: group}
	q.batch = batcher[types.SendMessageBatchRequestEntry]{maxSize: maxMessages, send: q.send}
	return footbridge.Target{ID: id, Handler: q, Concurrency: DefaultConcurrency, Timeout: DefaultTimeout}
}

// An sqsQueue is the handler of a queue of SQS.
type sqsQueue struct {
	client QueueClient
	url    string
	group  func(footbridge.Event) string // nil: the queue has no order
	batch  batcher[types.SendMessageBatchRequestEntry]
}

func (q *sqsQueue) Handle(ctx context.Context, d footbridge.Delivery) error {
	body, err := d.Payload()
	if err != nil {
		return footbridge.Permanent(fmt.Errorf("awssdk: queue %s: %w", q.url, err))
	}
	if len(body) > maxMessages {
		message := fmt.Sprintf("want a message of at most %d bytes, got %d", maxMessages, len(body))
		return footbridge.Permanent(entryError("queue "+q.url, "InvalidParameterValue", message, smithy.FaultClient))
	}
	e := types.SendMessageBatchRequestEntry{MessageBody: aws.String(string(body))}
	if q.group != nil {
		e.MessageGroupId = aws.String(q.group(d.Event))
		e.MessageDeduplicationId = aws.String(deduplicationID(d))
	}
	return q.batch.do(ctx, e, len(body))
}

// deduplicationID tells a delivery from all others: one event may come to a queue by several
// targets, and again by a replay. It is a hash, since names and IDs may be longer than the
// 128 characters there are.
func deduplicationID(d footbridge.Delivery) string {
	h := sha256.New()
	for _, s := range [...]string{d.Bus, d.Rule, d.Target, d.Event.ReplayName, d.Event.ID} {
		fmt.Fprintf(h, "%d:", len(s))
		io.WriteString(h, s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// send implements batcher.send. An entry's Id is its place in the request.
func (q *sqsQueue) send(ctx context.Context, entries []types.SendMessageBatchRequestEntry) ([]error, error) {
	results := make([]error, len(entries))
	unanswered := make(map[string]int, len(entries))
	for i := range entries {
		id := strconv.Itoa(i)
		entries[i].Id = &id
		unanswered[id] = i
	}
	out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		return nil, fmt.Errorf("awssdk: queue %s: %w", q.url, err)
	}
	if out == nil {
		out = &sqs.SendMessageBatchOutput{}
	}
	for _, e := range out.Successful {
		delete(unanswered, aws.ToString(e.Id))
	}
	for _, e := range out.Failed {
		i, ok := unanswered[aws.ToString(e.Id)]
		if !ok {
			continue
		}
		delete(unanswered, aws.ToString(e.Id))
		fault := smithy.FaultServer
		if e.SenderFault {
			fault = smithy.FaultClient
		}
		results[i] = entryError("queue "+q.url, aws.ToString(e.Code), aws.ToString(e.Message), fault)
	}
	for _, i := range unanswered {
		results[i] = fmt.Errorf("awssdk: queue %s: the answer has nothing of the message", q.url)
	}
	return results, nil
}
