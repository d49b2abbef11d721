package awsapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/queue"
)

// An sqs answers requests for queues: SQS's protocol, AWS JSON 1.0.
type sqs struct {
	*queue.Service
	ended context.Context // when the server is closed

	mu     sync.Mutex // guards the field below; held while a queue is created, changed or deleted
	states map[*queue.Queue]*queueState
}

// A queueState is what requests have said of a queue and the queue itself does not keep.
type queueState struct {
	tags map[string]string
	kept map[string]string // attributes that do nothing here, by name
}

// newSQS returns the queues of the service, or if that is nil of one of the hub's account and
// region.
func newSQS(of *queue.Service, hub *footbridge.Hub, ended context.Context) *sqs {
	if of == nil {
		arn := strings.Split(hub.Default().ARN(), ":")
		of = &queue.Service{Region: arn[3], Account: arn[4]}
	}
	return &sqs{Service: of, ended: ended, states: make(map[*queue.Queue]*queueState)}
}

func (s *sqs) service() service {
	return service{prefix: "AmazonSQS", name: "sqs", contentType: json10, operations: map[string]operation{
		"CreateQueue":        sqsOp(s.createQueue),
		"GetQueueUrl":        sqsOp(s.getQueueURL),
		"ListQueues":         sqsOp(s.listQueues),
		"GetQueueAttributes": sqsOp(s.getQueueAttributes),
		"SetQueueAttributes": sqsOp(s.setQueueAttributes),
		"PurgeQueue":         sqsOp(s.purgeQueue),
		"DeleteQueue":        sqsOp(s.deleteQueue),

		"TagQueue":      sqsOp(s.tagQueue),
		"UntagQueue":    sqsOp(s.untagQueue),
		"ListQueueTags": sqsOp(s.listQueueTags),

		"SendMessage":                  sqsOp(s.sendMessage),
		"SendMessageBatch":             sqsOp(s.sendMessageBatch),
		"ReceiveMessage":               sqsOp(s.receiveMessage),
		"DeleteMessage":                sqsOp(s.deleteMessage),
		"DeleteMessageBatch":           sqsOp(s.deleteMessageBatch),
		"ChangeMessageVisibility":      sqsOp(s.changeMessageVisibility),
		"ChangeMessageVisibilityBatch": sqsOp(s.changeMessageVisibilityBatch),
	}}
}

// sqsOp is op with the faults of this service.
func sqsOp[In any](f func(ctx context.Context, in *In) (any, error)) operation {
	run := op(f)
	return func(ctx context.Context, body []byte) (any, error) {
		answer, err := run(ctx, body)
		var e *queue.Error
		if errors.As(err, &e) {
			return nil, sqsFault(e)
		}
		return answer, err
	}
}

// Codes that only requests can bring about.
const (
	codeInvalidAddress       = "InvalidAddress"
	codeInvalidAttributeName = "InvalidAttributeName"
)

// queryCodes are codes as clients know them from the service's older protocol, where they are
// not the same.
var queryCodes = map[string]string{
	queue.CodeQueueDoesNotExist:      "AWS.SimpleQueueService.NonExistentQueue",
	queue.CodeQueueNameExists:        "QueueAlreadyExists",
	queue.CodePurgeQueueInProgress:   "AWS.SimpleQueueService.PurgeQueueInProgress",
	queue.CodeEmptyBatchRequest:      "AWS.SimpleQueueService.EmptyBatchRequest",
	queue.CodeTooManyEntries:         "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	queue.CodeBatchEntryIDsNotUnique: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	queue.CodeInvalidBatchEntryID:    "AWS.SimpleQueueService.InvalidBatchEntryId",
	queue.CodeBatchRequestTooLong:    "AWS.SimpleQueueService.BatchRequestTooLong",
}

// sqsTypes are the types of errors that are not of the service's model.
var sqsTypes = map[string]string{
	queue.CodeInvalidParameterValue: "com.amazon.coral.service#InvalidParameterValueException",
	queue.CodeMissingParameter:      "com.amazon.coral.service#MissingRequiredParameterException",
}

// sqsStatuses are statuses of HTTP other than 400.
var sqsStatuses = map[string]int{
	queue.CodeReceiptHandleIsInvalid: http.StatusNotFound,
	queue.CodePurgeQueueInProgress:   http.StatusForbidden,
	queue.CodeOverLimit:              http.StatusForbidden,
	codeInvalidAddress:               http.StatusNotFound,
}

func queryCode(code string) string {
	if c := queryCodes[code]; c != "" {
		return c
	}
	return code
}

func sqsFault(e *queue.Error) *fault {
	f := &fault{code: sqsTypes[e.Code], message: e.Message, status: sqsStatuses[e.Code], queryError: queryCode(e.Code) + ";Sender"}
	if f.code == "" {
		f.code = "com.amazonaws.sqs#" + e.Code
	}
	return f
}

func sqsRefuse(code, message string) *queue.Error {
	return &queue.Error{Code: code, Message: message}
}

func missing(parameter string) *queue.Error {
	return sqsRefuse(queue.CodeMissingParameter, "The request must contain the parameter "+parameter+".")
}

// account returns the account of the service's queues.
func (s *sqs) account() string {
	if s.Account == "" {
		return footbridge.DefaultAccount
	}
	return s.Account
}

// url returns a queue's URL, at the host that the request was sent to.
func (s *sqs) url(ctx context.Context, q *queue.Queue) string {
	return "http://" + hostOf(ctx) + "/" + s.account() + "/" + q.Name()
}

// byURL returns the queue of a URL. Whatever its scheme and host are, the request came here.
func (s *sqs) byURL(url string) (*queue.Queue, error) {
	if url == "" {
		return nil, missing("QueueUrl")
	}
	parts := strings.Split(url, "/")
	if len(parts) < 2 {
		return nil, sqsRefuse(codeInvalidAddress, "The address "+url+" is not valid for this endpoint.")
	}
	return s.named(parts[len(parts)-1], parts[len(parts)-2])
}

// named returns the queue of a name. account "" is the service's.
func (s *sqs) named(name, account string) (*queue.Queue, error) {
	if account != "" && account != s.account() {
		return nil, sqsRefuse(queue.CodeQueueDoesNotExist, "The specified queue does not exist.")
	}
	return s.Queue(name)
}

// byARN returns the queue of an ARN, nil if there is none.
func (s *sqs) byARN(arn string) *queue.Queue {
	q, err := s.Queue(arn[strings.LastIndexByte(arn, ':')+1:])
	if err != nil || q.ARN() != arn {
		return nil
	}
	return q
}

// handler implements queues. What it returns sends to the queue of that name that there is
// then, which need not be the one of now.
func (s *sqs) handler(arn, messageGroup string) (footbridge.Handler, error) {
	q := s.byARN(arn)
	if q == nil {
		return nil, nil
	}
	name := q.Name()
	return footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
		q, err := s.Queue(name)
		if err != nil {
			return footbridge.Permanent(err)
		}
		return q.Handler(messageGroup).Handle(ctx, d)
	}), nil
}

// dlq implements queues; what it returns is as with handler.
func (s *sqs) dlq(arn string) (footbridge.DLQ, error) {
	q := s.byARN(arn)
	if q == nil {
		return nil, nil
	}
	if q.FIFO() {
		return nil, invalid("Parameter DeadLetterConfig.Arn is not valid. Reason: %s is a FIFO queue.", arn)
	}
	return sqsDLQ{s, q.Name()}, nil
}

type sqsDLQ struct {
	sqs  *sqs
	name string
}

func (d sqsDLQ) Send(ctx context.Context, letter footbridge.DeadLetter) error {
	q, err := d.sqs.Queue(d.name)
	if err != nil {
		return footbridge.Permanent(err)
	}
	return q.DLQ().Send(ctx, letter)
}
