package awssdk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/footbridge-go/footbridge"
)

// DefaultConcurrency is the Concurrency of the targets made here: ten full requests.
const DefaultConcurrency = 100

// DefaultTimeout is the Timeout of the targets made here, the retries of the SDK's client
// included.
const DefaultTimeout = time.Minute

// EventBus returns a target that puts each event on a bus of EventBridge, named by name or
// ARN, "" being the default one. The event there has the same source, detail-type, detail,
// time (in whole seconds) and resources, and an ID, account and region of its own.
//
// Deliveries are handled up to Concurrency at a time, [DefaultConcurrency] unless it is
// changed, and those that come while a request is under way wait for the next, of ten entries
// and less than 1 MiB; a full one does not wait. Each delivery ends as its own entry does:
//
//   - An entry that fails by itself is retried, or given up, alone.
//   - What the service refuses, by an entry's code or by a status 4xx, is a dead letter at
//     once, with the service's code. A request that is refused as a whole is sent again entry
//     by entry, so that one bad event does not spoil the nine beside it.
//   - Throttling, failures of the service, and requests without an answer are retried by the
//     target's policy, not before a Retry-After has passed. (The SDK's client has tried some
//     times by then; its Options.Retryer says how often.)
//   - When the context of an attempt ends, the attempt fails, and the others that share its
//     request go on. Its event may have been put: delivery is at least once.
//   - An attempt ends after the target's Timeout, [DefaultTimeout] unless it is changed. With
//     none, one request that hangs would hold up all that do not fill another.
//
// Events whose source begins with "aws." are dead letters, since the service takes none
// from others, and so are events of 1 MiB. A target that is a bus takes no Input: with one,
// every event is a dead letter.
func EventBus(id string, client EventsClient, bus string) footbridge.Target {
	if client == nil {
		return footbridge.Target{ID: id} // which PutRule refuses
	}
	b := &eventBus{client: client, name: bus}
	b.batch = batcher[types.PutEventsRequestEntry]{maxSize: footbridge.MaxRequestSize - 1, send: b.send}
	return footbridge.Target{ID: id, Handler: b, Concurrency: DefaultConcurrency, Timeout: DefaultTimeout}
}

// An eventBus is the handler of a bus of EventBridge.
type eventBus struct {
	client EventsClient
	name   string // or ARN; "": the default one
	batch  batcher[types.PutEventsRequestEntry]
}

func (b *eventBus) Handle(ctx context.Context, d footbridge.Delivery) error {
	e := footbridge.Entry{Time: d.Event.Time, Source: d.Event.Source, Resources: d.Event.Resources,
		DetailType: d.Event.DetailType, Detail: string(d.Event.Detail), EventBusName: b.name}
	refuse := func(code, message string) error {
		return footbridge.Permanent(entryError(b.what(), code, message, smithy.FaultClient))
	}
	switch size := e.Size(); {
	case d.Input != nil:
		return refuse(footbridge.CodeInvalidInput, "a target that is a bus takes no Input")
	case strings.HasPrefix(e.Source, "aws."):
		return refuse(footbridge.CodeNotAuthorizedForSource, "Not authorized for the source")
	case size >= footbridge.MaxRequestSize:
		return refuse(footbridge.CodeValidation, fmt.Sprintf("want an event of less than %d bytes, got %d", footbridge.MaxRequestSize, size))
	default:
		return b.batch.do(ctx, requestEntry(&e), size)
	}
}

func (b *eventBus) what() string { return fmt.Sprintf("event bus %q", b.name) }

func requestEntry(e *footbridge.Entry) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{
		Time:         aws.Time(e.Time),
		Source:       aws.String(e.Source),
		Resources:    e.Resources,
		DetailType:   aws.String(e.DetailType),
		Detail:       aws.String(e.Detail),
		EventBusName: text(e.EventBusName),
	}
}

// send implements batcher.send.
func (b *eventBus) send(ctx context.Context, entries []types.PutEventsRequestEntry) ([]error, error) {
	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		return nil, fmt.Errorf("awssdk: %s: %w", b.what(), err)
	}
	if out == nil {
		out = &eventbridge.PutEventsOutput{}
	}
	if len(out.Entries) != len(entries) {
		return nil, fmt.Errorf("awssdk: %s: want an answer of %d entries, got %d", b.what(), len(entries), len(out.Entries))
	}
	results := make([]error, len(entries))
	for i, e := range out.Entries {
		if code := aws.ToString(e.ErrorCode); code != "" {
			results[i] = entryError(b.what(), code, aws.ToString(e.ErrorMessage), faultOfEntry(code))
		}
	}
	return results, nil
}

// faultOfEntry returns whose fault an entry's code is. Those that the service does not
// document as final are retried: a retry too many is better than an event too few.
func faultOfEntry(code string) smithy.ErrorFault {
	if slices.Contains(finalCodes, code) {
		return smithy.FaultClient
	}
	return smithy.FaultServer
}

// finalCodes are codes of entries that no retry mends: those that the service documents, and
// those that a Strict bus of footbridge has beside them.
var finalCodes = []string{
	"AccessDeniedException", "InvalidAccountIdException", footbridge.CodeInvalidArgument, footbridge.CodeMalformedDetail,
	"RedactionFailure", footbridge.CodeNotAuthorizedForSource, "NotAuthorizedForDetailTypeException",
	footbridge.CodeValidation, footbridge.CodeResourceNotFound, footbridge.CodeUnmatched, footbridge.CodeInvalidInput,
}
