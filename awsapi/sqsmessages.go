package awsapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge/queue"
)

// This file has the operations on messages.

type messageAttribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// traceHeader is the one system attribute that may be sent.
const traceHeader = "AWSTraceHeader"

type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]messageAttribute
	MessageSystemAttributes map[string]messageAttribute
	MessageDeduplicationId  string
	MessageGroupId          string
}

// message returns m as package queue takes it.
func (m *outgoing) message() (o queue.Outgoing, err error) {
	o = queue.Outgoing{Body: m.MessageBody, Group: m.MessageGroupId, DedupID: m.MessageDeduplicationId}
	for name, a := range m.MessageSystemAttributes {
		if name != traceHeader || a.DataType != "String" {
			return o, sqsRefuse(queue.CodeInvalidParameterValue, fmt.Sprintf("Message system attribute name '%s' of type '%s' is invalid: want AWSTraceHeader of type 'String'.", name, a.DataType))
		}
		o.TraceHeader = a.StringValue
	}
	o.Attributes = make(map[string]queue.Attribute, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		o.Attributes[name] = queue.Attribute{DataType: a.DataType, String: a.StringValue, Binary: a.BinaryValue}
	}
	o.Delay, err = optionalSeconds("DelaySeconds", m.DelaySeconds, "DelaySeconds must be >= 0 and <= 900.")
	return o, err
}

// optionalSeconds returns a number of seconds as package queue has it; nil is its default.
func optionalSeconds(parameter string, n *int, bounds string) (time.Duration, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 0:
		return 0, sqsValue(parameter, *n, bounds)
	}
	return seconds(*n), nil
}

func sqsValue(parameter string, value any, reason string) error {
	return sqsRefuse(queue.CodeInvalidParameterValue, fmt.Sprintf("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason))
}

type sentOutput struct {
	Id                           string `json:",omitempty"` // in a batch
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

func newSentOutput(id string, sent queue.Sent, o queue.Outgoing) sentOutput {
	out := sentOutput{Id: id, MessageId: sent.ID, MD5OfMessageBody: queue.MD5OfBody(o.Body), MD5OfMessageAttributes: queue.MD5OfAttributes(o.Attributes), SequenceNumber: sent.Sequence}
	if o.TraceHeader != "" {
		out.MD5OfMessageSystemAttributes = queue.MD5OfAttributes(map[string]queue.Attribute{traceHeader: {DataType: "String", String: o.TraceHeader}})
	}
	return out
}

type sendMessageInput struct {
	queueInput
	outgoing
}

func (s *sqs) sendMessage(_ context.Context, in *sendMessageInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	o, err := in.message()
	if err != nil {
		return nil, err
	}
	sent, err := q.Send(o)
	if err != nil {
		return nil, err
	}
	return newSentOutput("", sent, o), nil
}

// A batchOutput is the answer of a batch.
type batchOutput struct {
	Successful []any
	Failed     []failedBatchEntry
}

type failedBatchEntry struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// newBatchOutput returns the answer of a batch; done is that of an entry, the ith.
func newBatchOutput(results []queue.BatchResult, done func(i int) any) batchOutput {
	out := batchOutput{[]any{}, []failedBatchEntry{}}
	for i, r := range results {
		if r.Err == nil {
			out.Successful = append(out.Successful, done(i))
			continue
		}
		failed := failedBatchEntry{Id: r.ID, SenderFault: true, Code: codeInternalFailure, Message: r.Err.Error()}
		if e, ok := r.Err.(*queue.Error); ok {
			failed.Code, failed.Message = queryCode(e.Code), e.Message
		}
		out.Failed = append(out.Failed, failed)
	}
	return out
}

type sendMessageBatchInput struct {
	queueInput
	Entries []struct {
		Id string
		outgoing
	}
}

func (s *sqs) sendMessageBatch(_ context.Context, in *sendMessageBatchInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries, faults := make([]queue.SendEntry, len(in.Entries)), make([]error, len(in.Entries))
	for i, e := range in.Entries {
		m, err := e.message()
		if err != nil {
			m.Body, faults[i] = "", err // which the queue refuses, whatever else it has
		}
		entries[i] = queue.SendEntry{ID: e.Id, Message: m}
	}
	results, err := q.SendBatch(entries)
	setFaults(results, faults)
	return newBatchOutput(results, func(i int) any { return newSentOutput(results[i].ID, results[i].Sent, entries[i].Message) }), err
}

// setFaults gives entries that were wrong before the queue has refused them their own errors.
func setFaults(results []queue.BatchResult, faults []error) {
	for i := range results {
		if faults[i] != nil {
			results[i].Err = faults[i]
		}
	}
}

type receiveMessageInput struct {
	queueInput
	AttributeNames              []string // as MessageSystemAttributeNames
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string // "All" and ".*" are all, "p.*" all that begin with p
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string // does nothing here
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string           `json:",omitempty"`
	MD5OfMessageAttributes string                      `json:",omitempty"`
	MessageAttributes      map[string]messageAttribute `json:",omitzero"`
}

// receiveMessage receives messages; who waits for some leaves when the server is closed.
func (s *sqs) receiveMessage(ctx context.Context, in *receiveMessageInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	o, err := in.options()
	if err != nil {
		return nil, err
	}
	systemNames := append(in.AttributeNames, in.MessageSystemAttributeNames...)
	if _, err := pickAttributes(nil, systemNames, isSystemAttribute); err != nil {
		return nil, err // before a message is hidden
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	defer context.AfterFunc(s.ended, leave)()
	messages, err := q.Receive(ctx, o)
	switch {
	case err != nil && s.ended.Err() != nil:
		return nil, errClosed
	case err != nil && ctx.Err() == nil: // else the client has gone away
		return nil, err
	}
	received := make([]receivedMessage, len(messages))
	for i, m := range messages {
		received[i] = s.received(m, systemNames, in.MessageAttributeNames)
	}
	return struct {
		Messages []receivedMessage `json:",omitempty"` // left out, as by the service, if there are none
	}{received}, nil
}

func (in *receiveMessageInput) options() (o queue.ReceiveOptions, err error) {
	if n := in.MaxNumberOfMessages; n != nil {
		if o.Max = *n; o.Max == 0 { // which would be the default
			return o, sqsValue("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided.")
		}
	}
	if o.Wait, err = optionalSeconds("WaitTimeSeconds", in.WaitTimeSeconds, "Must be >= 0 and <= 20, if provided."); err != nil {
		return o, err
	}
	o.Visibility, err = optionalSeconds("VisibilityTimeout", in.VisibilityTimeout, "Must be >= 0 and <= 43200, if provided.")
	return o, err
}

// systemAttributes are the names of what messages have.
var systemAttributes = []string{"All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", "MessageGroupId", traceHeader, "DeadLetterQueueSourceArn"}

func isSystemAttribute(name string) bool { return slices.Contains(systemAttributes, name) }

// received returns m with what was asked for.
func (s *sqs) received(m queue.Message, systemNames, names []string) receivedMessage {
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	system := map[string]string{
		"SenderId":                         s.account(),
		"SentTimestamp":                    millis(m.Sent),
		"ApproximateReceiveCount":          strconv.Itoa(m.ReceiveCount),
		"ApproximateFirstReceiveTimestamp": millis(m.FirstReceive),
		"SequenceNumber":                   m.Sequence,
		"MessageDeduplicationId":           m.DedupID,
		"MessageGroupId":                   m.Group,
		traceHeader:                        m.TraceHeader,
		"DeadLetterQueueSourceArn":         m.DeadLetterSource,
	}
	maps.DeleteFunc(system, func(_, value string) bool { return value == "" })
	out := receivedMessage{MessageId: m.ID, ReceiptHandle: m.Receipt, MD5OfBody: queue.MD5OfBody(m.Body), Body: m.Body}
	out.Attributes, _ = pickAttributes(system, systemNames, isSystemAttribute) // which were checked
	if len(names) == 0 || len(m.Attributes) == 0 {
		return out
	}
	picked := make(map[string]queue.Attribute)
	out.MessageAttributes = make(map[string]messageAttribute)
	for name, a := range m.Attributes {
		if slices.ContainsFunc(names, func(wanted string) bool { return wantsAttribute(wanted, name) }) {
			picked[name] = a
			out.MessageAttributes[name] = messageAttribute{a.DataType, a.String, a.Binary}
		}
	}
	out.MD5OfMessageAttributes = queue.MD5OfAttributes(picked)
	return out
}

// wantsAttribute reports whether one of MessageAttributeNames is, or stands for, name.
func wantsAttribute(wanted, name string) bool {
	prefix, isPrefix := strings.CutSuffix(wanted, ".*")
	return wanted == name || wanted == "All" || isPrefix && strings.HasPrefix(name, prefix)
}

type deleteMessageInput struct {
	queueInput
	ReceiptHandle string
}

func (s *sqs) deleteMessage(_ context.Context, in *deleteMessageInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.ReceiptHandle == "" {
		return nil, missing("ReceiptHandle")
	}
	return nil, q.Delete(in.ReceiptHandle)
}

type changeMessageVisibilityInput struct {
	queueInput
	ReceiptHandle     string
	VisibilityTimeout *int
}

func (s *sqs) changeMessageVisibility(_ context.Context, in *changeMessageVisibilityInput) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	switch {
	case in.ReceiptHandle == "":
		return nil, missing("ReceiptHandle")
	case in.VisibilityTimeout == nil:
		return nil, missing("VisibilityTimeout")
	}
	d, err := optionalSeconds("VisibilityTimeout", in.VisibilityTimeout, "Must be >= 0 and <= 43200, if provided.")
	if err != nil {
		return nil, err
	}
	return nil, q.ChangeVisibility(in.ReceiptHandle, d)
}

// A receiptBatchInput is a batch of deletions, or of changes of visibility.
type receiptBatchInput struct {
	queueInput
	Entries []struct {
		Id                string
		ReceiptHandle     string
		VisibilityTimeout *int
	}
}

func (s *sqs) receiptBatch(in *receiptBatchInput, do func(*queue.Queue, []queue.ReceiptEntry) ([]queue.BatchResult, error)) (any, error) {
	q, err := s.byURL(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries, faults := make([]queue.ReceiptEntry, len(in.Entries)), make([]error, len(in.Entries))
	for i, e := range in.Entries {
		d, err := optionalSeconds("VisibilityTimeout", e.VisibilityTimeout, "Must be >= 0 and <= 43200, if provided.")
		if err != nil {
			e.ReceiptHandle, faults[i] = "", err // which the queue refuses
		}
		entries[i] = queue.ReceiptEntry{ID: e.Id, Receipt: e.ReceiptHandle, Visibility: d}
	}
	results, err := do(q, entries)
	setFaults(results, faults)
	return newBatchOutput(results, func(i int) any { return struct{ Id string }{results[i].ID} }), err
}

func (s *sqs) deleteMessageBatch(_ context.Context, in *receiptBatchInput) (any, error) {
	return s.receiptBatch(in, (*queue.Queue).DeleteBatch)
}

func (s *sqs) changeMessageVisibilityBatch(_ context.Context, in *receiptBatchInput) (any, error) {
	return s.receiptBatch(in, (*queue.Queue).ChangeVisibilityBatch)
}
