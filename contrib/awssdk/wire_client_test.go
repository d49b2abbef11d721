package awssdk

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
)

// What changes from call to call.
var volatile = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|RequestID: [^,]*`)

// told is all that a caller can see of a result: the answer, and the errors that an error
// wraps, with their types.
func told(out *eventbridge.PutEventsOutput, err error) string {
	var b strings.Builder
	if out != nil {
		fmt.Fprintf(&b, "failed %d\n", out.FailedEntryCount)
		for _, e := range out.Entries {
			fmt.Fprintf(&b, "%q %q %q\n", aws.ToString(e.EventId), aws.ToString(e.ErrorCode), aws.ToString(e.ErrorMessage))
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%T %v\n", err, err)
	}
	return volatile.ReplaceAllString(b.String(), "...")
}

// The stand-in answers as the SDK's client does that talks to the same kind of hub over HTTP,
// to the letter.
func TestClientIsAsTheSDKs(t *testing.T) {
	w := newWire(t, awsapi.Options{}, nil, nil)
	hub := footbridge.NewHub(&footbridge.Options{Account: account, Region: region})
	clients := []EventsClient{w.events, NewClient(hub)}
	full := types.PutEventsRequestEntry{Source: aws.String("shop"), DetailType: aws.String("Order"), Detail: aws.String(`{"n":1}`),
		Resources: []string{"arn:a"}, EventBusName: aws.String("default")}
	with := func(change func(e *types.PutEventsRequestEntry)) types.PutEventsRequestEntry {
		e := types.PutEventsRequestEntry{Source: full.Source, DetailType: full.DetailType, Detail: full.Detail}
		change(&e)
		return e
	}
	detail := func(s string) types.PutEventsRequestEntry {
		return with(func(e *types.PutEventsRequestEntry) { e.Detail = &s })
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx context.Context
		in  *eventbridge.PutEventsInput
	}{
		"nil":        {t.Context(), nil},
		"no entries": {t.Context(), &eventbridge.PutEventsInput{}},
		"none":       {t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{}}},
		"eleven":     {t.Context(), &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, 11)}},
		"too large":  {t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{full, detail(`{"n":"` + strings.Repeat("x", 1<<20) + `"}`)}}},
		"canceled":   {ended, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{full}}},
		"mixed": {t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
			full, {}, detail(""), detail("no JSON"), detail("[]"), detail("{}"),
			with(func(e *types.PutEventsRequestEntry) { e.Source = aws.String("aws.s3") }),
			with(func(e *types.PutEventsRequestEntry) { e.DetailType = nil }),
			with(func(e *types.PutEventsRequestEntry) { e.EventBusName = aws.String("nowhere") }),
			with(func(e *types.PutEventsRequestEntry) { e.EventBusName = aws.String(hub.Default().ARN()) }),
		}}},
	} {
		var answers []string
		for _, client := range clients {
			out, err := client.PutEvents(c.ctx, c.in)
			answers = append(answers, told(out, err))
		}
		assert.Equal(t, answers[0], answers[1], name)
		assert.NotEmpty(t, answers[0])
	}
	assert.Equal(t, w.hub.Default().Stats(), hub.Default().Stats())
	require.NoError(t, hub.Close(t.Context()))
}

// A signature that is not of the secret is refused, and so is an unknown key.
func TestSignatures(t *testing.T) {
	order := &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry("shop", "Order", `{}`)}}
	for _, c := range []struct {
		keys map[string]string
		code string
	}{
		{map[string]string{"key": secret}, ""},
		{map[string]string{"other": "x", "key": secret}, ""},
		{map[string]string{"key": "another"}, "InvalidSignatureException"},
		{map[string]string{"other": secret}, "UnrecognizedClientException"},
	} {
		w := newWire(t, awsapi.Options{Credentials: c.keys}, nil, nil)
		_, err := w.events.PutEvents(t.Context(), order)
		if c.code == "" {
			require.NoError(t, err)
			assert.EqualValues(t, 1, w.hub.Default().Stats().Published)
			continue
		}
		requireCode(t, c.code, err)
		assert.Zero(t, w.hub.Default().Stats().Published)

		// A target that meets this gives up at once, and the dead letter says why.
		bus, dlq := busTo(t, EventBus("cloud", w.events, ""))
		publish(t, bus, `{}`)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{"{} " + c.code + "  0"}, letters(dlq))
	}
}

// Events go from a bus here over the SDK's client to one there, in batches.
func TestForwardOverTheWire(t *testing.T) {
	w := newWire(t, awsapi.Options{}, nil, nil)
	there, err := w.hub.Create("orders", nil)
	require.NoError(t, err)
	bus, dlq := busTo(t, EventBus("cloud", w.events, there.ARN()))
	for i := range 200 {
		publish(t, bus, fmt.Sprintf(`{"n":%d}`, i))
	}
	require.NoError(t, bus.Close(t.Context()))
	assert.Zero(t, dlq.Len())
	assert.EqualValues(t, 200, there.Stats().Published)
	assert.Less(t, len(w.answered), 200)
}
