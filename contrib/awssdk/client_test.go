package awssdk

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

func entry(source, detailType, detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{Source: text(source), DetailType: text(detailType), Detail: text(detail)}
}

func TestClientPutsEvents(t *testing.T) {
	bus := footbridgetest.New(t, nil)
	got := footbridgetest.Record(t, bus, `{"source":["shop"]}`)
	at := time.Date(2024, 12, 24, 9, 30, 0, 0, time.UTC)
	out, err := NewClient(bus).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("shop"), DetailType: aws.String("Order"), Detail: aws.String(`{"n":1}`), Time: &at,
			Resources: []string{"arn:a"}, EventBusName: aws.String("default"), TraceHeader: aws.String("Root=1")},
		entry("shop", "Order", "no JSON"),
	}})
	require.NoError(t, err)
	assert.Equal(t, int32(1), out.FailedEntryCount)
	require.Len(t, out.Entries, 2)
	assert.NotEmpty(t, *out.Entries[0].EventId)
	assert.Nil(t, out.Entries[0].ErrorCode)
	assert.Equal(t, types.PutEventsResultEntry{ErrorCode: aws.String("MalformedDetail"), ErrorMessage: aws.String("Detail is malformed.")}, out.Entries[1])
	got.Expect(`{"source":["shop"],"detail-type":["Order"],"time":["2024-12-24T09:30:00Z"],"resources":["arn:a"],"detail":{"n":[1]}}`)
}

func TestClientRoutesByName(t *testing.T) {
	hub := footbridge.NewHub(nil)
	orders, err := hub.Create("orders", nil)
	require.NoError(t, err)
	e := entry("shop", "Order", "{}")
	e.EventBusName = aws.String(orders.ARN())
	out, err := NewClient(hub).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{e}})
	require.NoError(t, err)
	assert.Zero(t, out.FailedEntryCount)
	assert.EqualValues(t, 1, orders.Stats().Published)
	assert.Zero(t, hub.Default().Stats().Published)
}

func TestClientErrors(t *testing.T) {
	hub := footbridge.NewHub(nil)
	client := NewClient(hub)
	put := func(ctx context.Context, entries ...types.PutEventsRequestEntry) *smithy.OperationError {
		_, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		var operation *smithy.OperationError
		require.ErrorAs(t, err, &operation)
		assert.Equal(t, "EventBridge", operation.Service())
		assert.Equal(t, "PutEvents", operation.Operation())
		return operation
	}
	order := entry("shop", "Order", "{}")

	var missing smithy.InvalidParamsError
	require.ErrorAs(t, put(t.Context()), &missing)
	assert.Equal(t, "PutEventsInput", missing.Context)
	_, err := client.PutEvents(t.Context(), nil)
	require.ErrorAs(t, err, &missing)

	large := entry("shop", "Order", `{"n":"`+strings.Repeat("x", footbridge.MaxRequestSize)+`"}`)
	for message, entries := range map[string][]types.PutEventsRequestEntry{
		"1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1": {},
		"1 validation error detected: Value '...' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10":  make([]types.PutEventsRequestEntry, 11),
		"Total size of the entries in the request is over the limit.":                                                                           {large},
	} {
		err := put(t.Context(), entries...)
		var api smithy.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, "ValidationException", api.ErrorCode())
		assert.Equal(t, message, api.ErrorMessage())
		var response *awshttp.ResponseError
		require.ErrorAs(t, err, &response)
		assert.Equal(t, 400, response.HTTPStatusCode())
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, put(ctx, order).Err)

	require.NoError(t, hub.Close(t.Context()))
	assert.ErrorIs(t, put(t.Context(), order), footbridge.ErrClosed)
}

// Options are taken as the SDK's client takes them, and change nothing.
func TestClientTakesOptions(t *testing.T) {
	var client EventsClient = NewClient(footbridge.NewHub(nil))
	_, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry("shop", "Order", "{}")}},
		func(o *eventbridge.Options) { o.Region = "eu-central-1" })
	require.NoError(t, err)
}

// An EventBus may forward to buses of another process, or, as here, of this one.
func TestForwardToAClient(t *testing.T) {
	far := footbridge.NewHub(nil)
	bus, dlq := busTo(t, EventBus("far", NewClient(far), ""))
	publish(t, bus, `{"n":1}`, `{"n":2}`)
	require.NoError(t, bus.Wait(t.Context()))
	assert.EqualValues(t, 2, far.Default().Stats().Published)
	require.NoError(t, far.Close(t.Context()))
	publish(t, bus, `{"n":3}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, bus.Close(ctx))
	assert.Equal(t, 1, dlq.Len())
}
