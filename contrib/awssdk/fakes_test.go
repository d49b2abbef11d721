package awssdk

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// fakeEvents is a client of EventBridge that answers after 10 ms, and says what was put when.
type fakeEvents struct {
	// code returns the ErrorCode of an entry, by its detail; err fails the request. n counts
	// requests from 1. Both may be nil.
	code func(n int, detail string) string
	err  func(n int, details []string) error

	mu       sync.Mutex // guards the fields below
	requests [][]ebtypes.PutEventsRequestEntry
	times    []time.Time
}

func (f *fakeEvents) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	f.mu.Lock()
	f.requests, f.times = append(f.requests, in.Entries), append(f.times, time.Now())
	n := len(f.requests)
	f.mu.Unlock()
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	}
	if f.err != nil {
		if err := f.err(n, detailsOf(in.Entries)); err != nil {
			return nil, err
		}
	}
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		result := ebtypes.PutEventsResultEntry{EventId: aws.String("id")}
		if f.code != nil {
			if code := f.code(n, *e.Detail); code != "" {
				result = ebtypes.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: aws.String("because")}
				out.FailedEntryCount++
			}
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func detailsOf(entries []ebtypes.PutEventsRequestEntry) (details []string) {
	for _, e := range entries {
		details = append(details, *e.Detail)
	}
	return details
}

// details returns the details of all requests, each sorted.
func (f *fakeEvents) details() (all [][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, entries := range f.requests {
		details := detailsOf(entries)
		slices.Sort(details)
		all = append(all, details)
	}
	return all
}

// fakeQueue is a client of SQS that answers after 10 ms.
type fakeQueue struct {
	answer func(n int, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) // nil: all are successful

	mu       sync.Mutex // guards the field below
	requests [][]sqstypes.SendMessageBatchRequestEntry
}

func (f *fakeQueue) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	f.mu.Lock()
	f.requests = append(f.requests, slices.Clone(in.Entries))
	n := len(f.requests)
	f.mu.Unlock()
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	}
	if f.answer != nil {
		return f.answer(n, in)
	}
	out := &sqs.SendMessageBatchOutput{}
	for i := range in.Entries {
		out.Successful = append(out.Successful, sqstypes.SendMessageBatchResultEntry{Id: in.Entries[i].Id})
	}
	return out, nil
}

// answered is an error as the SDK has it of an answer with a status, a code and headers, which
// are pairs of key and value.
func answered(status int, code string, headers ...string) error {
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return &smithy.OperationError{ServiceID: "Any", OperationName: "Any", Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: header}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "because"},
	}}}
}

// busTo returns a bus with one rule, all, with that target, whose retries come after 1, 2, 4 s
// and so on.
func busTo(t *testing.T, target footbridge.Target) (*footbridge.Bus, *footbridge.MemoryDLQ) {
	t.Helper()
	dlq := &footbridge.MemoryDLQ{}
	bus := footbridge.New(&footbridge.Options{DLQ: dlq, Retry: footbridge.Backoff{NoJitter: true}})
	require.NoError(t, bus.PutRule(footbridge.Rule{
		Name:    "all",
		Pattern: footbridge.MustCompile(`{"source":[{"exists":true}]}`),
		Targets: []footbridge.Target{target},
	}))
	return bus, dlq
}

// publish publishes an event for each detail.
func publish(t *testing.T, bus *footbridge.Bus, details ...string) {
	t.Helper()
	for _, d := range details {
		_, err := bus.Publish(t.Context(), footbridge.Event{Source: "shop", DetailType: "Order", Detail: []byte(d)})
		require.NoError(t, err)
	}
}
