package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/queue"
)

func newBus(t *testing.T, o footbridge.Options, targets ...footbridge.Target) *footbridge.Bus {
	o.Account, o.Region = "123456789012", "eu-west-1"
	bus := footbridge.New(&o)
	require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"source":["shop"]}`), Targets: targets}))
	return bus
}

func event(id, detail string) footbridge.Event {
	return footbridge.Event{ID: id, Source: "shop", DetailType: "Order Placed", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Detail: json.RawMessage(detail)}
}

const envelope = `{"version":"0","id":"e1","detail-type":"Order Placed","source":"shop","account":"123456789012","time":"2026-01-02T03:04:05Z","region":"eu-west-1","resources":[],"detail":{"id":1}}`

func TestTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q", queue.Settings{})
		part := q.Target("part")
		part.Input = footbridge.Input{Path: "$.detail.id"}
		bus := newBus(t, footbridge.Options{}, q.Target("whole"), part)
		_, err := bus.Deliver(t.Context(), event("e1", `{"id":1}`))
		require.NoError(t, err)
		got := receive(t, q, queue.ReceiveOptions{Max: 10})
		assert.ElementsMatch(t, []string{envelope, "1"}, []string{got[0].Body, got[1].Body})
		require.NoError(t, bus.Close(t.Context()))
	})
}

func TestFIFOTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q.fifo", queue.Settings{ContentBasedDedup: true})
		bus := newBus(t, footbridge.Options{}, footbridge.Target{ID: "q", Handler: q.Handler("orders")})
		for _, id := range []string{"e1", "e2", "e1"} {
			_, err := bus.Deliver(t.Context(), event(id, `{}`))
			require.NoError(t, err)
		}
		got := receive(t, q, queue.ReceiveOptions{Max: 10})
		require.Len(t, got, 2, "what comes again within five minutes is dropped")
		assert.Equal(t, "orders", got[0].Group)
		assert.Contains(t, got[1].Body, `"id":"e2"`)
		require.NoError(t, bus.Close(t.Context()))
	})
}

func TestTargetRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(queue.Service)
		gone, err := service.Create("gone", queue.Settings{})
		require.NoError(t, err)
		require.NoError(t, service.Delete("gone"))
		small := newQueue(t, "small", queue.Settings{MaxMessageSize: 1024})
		dlq := &footbridge.MemoryDLQ{}
		bus := newBus(t, footbridge.Options{DLQ: dlq}, gone.Target("gone"), small.Target("small"), newQueue(t, "q.fifo", queue.Settings{}).Target("fifo"))
		_, err = bus.Deliver(t.Context(), event("e1", `"`+strings.Repeat("x", 1024)+`"`))
		require.Error(t, err)
		_, err = bus.Deliver(t.Context(), event("e1", `{"s":"`+strings.Repeat("x", 1024)+`"}`))
		require.NoError(t, err)
		codes := map[string]string{}
		for _, letter := range dlq.Letters() {
			codes[letter.Target] = letter.ErrorCode
			assert.Zero(t, letter.RetryAttempts)
		}
		assert.Equal(t, map[string]string{"gone": "NO_RESOURCE", "small": "INVALID_PARAMETER", "fifo": "INVALID_PARAMETER"}, codes)
		require.NoError(t, bus.Close(t.Context()))
	})
}

func TestDLQ(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"dlq", "dlq.fifo"} {
			q := newQueue(t, name, queue.Settings{})
			failing := func(id string, err error) footbridge.Target {
				return footbridge.Func(id, func(context.Context, footbridge.Event) error { return err })
			}
			part := failing("part", footbridge.Permanent(errors.New("bad \x00 "+strings.Repeat("€", 2000))))
			part.Input = footbridge.Input{Path: "$.detail"}
			bus := newBus(t, footbridge.Options{DLQ: q.DLQ(), Retry: footbridge.Backoff{MaxRetries: 2}}, failing("whole", errors.New("no")), part)
			_, err := bus.Deliver(t.Context(), event("e1", "{\"s\":\"a\ufffe\"}"))
			require.NoError(t, err)

			letters := map[string]queue.Message{}
			got := receive(t, q, queue.ReceiveOptions{Max: 10})
			require.Len(t, got, 2)
			for _, m := range got {
				target := m.Attributes["TARGET_ARN"].String
				letters[target[strings.LastIndexByte(target, '/')+1:]] = m
			}
			text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
			whole := letters["whole"]
			assert.Equal(t, strings.Replace(envelope, `{"id":1}`, `{"s":"a\ufffe"}`, 1), whole.Body)
			assert.Equal(t, map[string]queue.Attribute{
				"RULE_ARN":                  text("arn:aws:events:eu-west-1:123456789012:rule/r"),
				"TARGET_ARN":                whole.Attributes["TARGET_ARN"],
				"ERROR_CODE":                text("ERROR_FROM_TARGET"),
				"ERROR_MESSAGE":             text("no"),
				"RETRY_ATTEMPTS":            text("2"),
				"EXHAUSTED_RETRY_CONDITION": text("MaximumRetryAttempts"),
			}, whole.Attributes)
			assert.Equal(t, whole.Body, letters["part"].Body)
			assert.Equal(t, `bad \u0000 `+strings.Repeat("€", 1018), letters["part"].Attributes["ERROR_MESSAGE"].String)
			assert.NotContains(t, letters["part"].Attributes, "EXHAUSTED_RETRY_CONDITION")
			require.NoError(t, bus.Close(t.Context()))
		}
	})
}

// TestDLQRefuses has a letter that is too large lost, and reported as such.
func TestDLQRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "dlq", queue.Settings{MaxMessageSize: 1024})
		bus := newBus(t, footbridge.Options{DLQ: q.DLQ()}, footbridge.Func("f", func(context.Context, footbridge.Event) error {
			return footbridge.Permanent(errors.New("no"))
		}))
		out, err := bus.Deliver(t.Context(), event("e1", `{"s":"`+strings.Repeat("x", 1024)+`"}`))
		require.NoError(t, err)
		assert.Equal(t, footbridge.Lost, out.Targets[0].Result)
		assert.ErrorContains(t, out.Targets[0].Err, "Message must be shorter than 1024 bytes")
		require.NoError(t, bus.Close(t.Context()))
	})
}
