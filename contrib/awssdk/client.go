package awssdk

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/footbridge-go/footbridge"
)

// An EventsClient puts events: the SDK's *[eventbridge.Client], and [Client]. Code that
// takes one runs with either.
type EventsClient interface {
	PutEvents(ctx context.Context, params *eventbridge.PutEventsInput, optFns ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

var (
	_ EventsClient = (*eventbridge.Client)(nil)
	_ EventsClient = (*Client)(nil)
)

// A Publisher takes the entries of a request: a *[footbridge.Hub], or a *[footbridge.Bus].
type Publisher interface {
	PutEvents(ctx context.Context, entries []footbridge.Entry) (footbridge.PutEventsResult, error)
}

// A Client puts events on buses of this process, with the method of the SDK's client. Its
// methods may be called by any number of goroutines.
type Client struct{ to Publisher }

// NewClient returns a client that puts events on the buses of to.
func NewClient(to Publisher) *Client { return &Client{to} }

// PutEvents puts each entry on the bus that it names, and answers as the service does: what
// becomes of an entry is in the output. Time, where it is missing, is the time of the call.
//
// As the SDK's, its error is a *[smithy.OperationError]. It wraps
//
//   - a [smithy.InvalidParamsError] if there is nothing that can be sent;
//   - a [smithy.APIError], in a *[awshttp.ResponseError] with its status, if the request is
//     refused: with ValidationException one of no entry, of more than ten, or too large;
//   - the context's error if that had ended;
//   - what the publisher returns else, such as [footbridge.ErrClosed].
//
// EndpointId and the options, which say where and how a request is sent, have no effect.
func (c *Client) PutEvents(ctx context.Context, params *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	out, err := c.putEvents(ctx, params)
	if err != nil {
		return nil, &smithy.OperationError{ServiceID: eventbridge.ServiceID, OperationName: "PutEvents", Err: err}
	}
	return out, nil
}

func (c *Client) putEvents(ctx context.Context, params *eventbridge.PutEventsInput) (*eventbridge.PutEventsOutput, error) {
	if params == nil || params.Entries == nil {
		invalid := smithy.InvalidParamsError{Context: "PutEventsInput"}
		invalid.Add(smithy.NewErrParamRequired("Entries"))
		return nil, invalid
	}
	entries := make([]footbridge.Entry, len(params.Entries))
	for i := range entries {
		entries[i] = entryOf(&params.Entries[i])
	}
	if err := checkRequest(entries); err != nil {
		return nil, err
	}
	result, err := c.to.PutEvents(ctx, entries)
	if err != nil {
		return nil, requestError(err)
	}
	out := &eventbridge.PutEventsOutput{
		FailedEntryCount: int32(result.FailedEntryCount),
		Entries:          make([]types.PutEventsResultEntry, len(result.Entries)),
	}
	for i, e := range result.Entries {
		out.Entries[i] = types.PutEventsResultEntry{EventId: text(e.EventID), ErrorCode: text(e.ErrorCode), ErrorMessage: text(e.ErrorMessage)}
	}
	return out, nil
}

// entryOf copies field by field: the SDK's structs have fields that are not exported.
func entryOf(e *types.PutEventsRequestEntry) footbridge.Entry {
	return footbridge.Entry{
		Time:         aws.ToTime(e.Time),
		Source:       aws.ToString(e.Source),
		Resources:    e.Resources,
		DetailType:   aws.ToString(e.DetailType),
		Detail:       aws.ToString(e.Detail),
		EventBusName: aws.ToString(e.EventBusName),
		TraceHeader:  aws.ToString(e.TraceHeader),
	}
}

// text is the SDK's form of a string that may be missing.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// checkRequest refuses what the service always refuses. A bus does so with Strict only,
// since within a process these limits mean nothing; a client stands for the service.
func checkRequest(entries []footbridge.Entry) error {
	const members = "' at 'entries' failed to satisfy constraint: Member must have length "
	size := 0
	for i := range entries {
		size += entries[i].Size()
	}
	switch {
	case len(entries) == 0:
		return refusal(footbridge.CodeValidation, "1 validation error detected: Value '[]"+members+"greater than or equal to 1")
	case len(entries) > footbridge.MaxEntries:
		return refusal(footbridge.CodeValidation, "1 validation error detected: Value '..."+members+"less than or equal to 10")
	case size >= footbridge.MaxRequestSize:
		return refusal(footbridge.CodeValidation, overTheLimit)
	}
	return nil
}

const overTheLimit = "Total size of the entries in the request is over the limit."

// requestError returns the SDK's form of an error of a Publisher.
func requestError(err error) error {
	var request *footbridge.RequestError
	switch {
	case errors.As(err, &request):
		return refusal(request.Code, request.Message)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return err
}

// refusal returns the error of a request that the service has answered with status 400.
// An error without its own type is a GenericAPIError in the SDK, ValidationException too.
func refusal(code, message string) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody}},
		Err:      &smithy.GenericAPIError{Code: code, Message: message},
	}}
}
