package awssdk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

func TestEventBusPutsWhatAnEventHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{}
		bus, _ := busTo(t, EventBus("cloud", f, "orders"))
		at := time.Date(2024, 12, 24, 9, 30, 0, 0, time.UTC)
		_, err := bus.Publish(t.Context(), footbridge.Event{Source: "shop", DetailType: "Order", Time: at,
			Resources: []string{"arn:a", "arn:b"}, Detail: json.RawMessage(`{"n":1}`)})
		require.NoError(t, err)
		require.NoError(t, bus.Close(t.Context()))
		require.Len(t, f.requests, 1)
		assert.Equal(t, []types.PutEventsRequestEntry{{
			Source: aws.String("shop"), DetailType: aws.String("Order"), Time: &at, Resources: []string{"arn:a", "arn:b"},
			Detail: aws.String(`{"n":1}`), EventBusName: aws.String("orders"),
		}}, f.requests[0])
	})
}

func TestEventBusSendsInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{}
		bus, _ := busTo(t, EventBus("cloud", f, ""))
		for i := range 1000 {
			publish(t, bus, fmt.Sprintf(`{"n":%d}`, i))
		}
		require.NoError(t, bus.Close(t.Context()))
		// With 100 attempts at a time there is some request of one entry, and the rest are full.
		assert.Less(t, len(f.requests), 250)
		seen := map[string]int{}
		for _, r := range f.details() {
			assert.LessOrEqual(t, len(r), 10)
			for _, d := range r {
				seen[d]++
			}
		}
		assert.Len(t, seen, 1000, "each event once")
	})
}

func TestEntriesThatFailAreRetriedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{code: func(n int, detail string) string {
			if n < 4 && detail == `{"n":2}` {
				return "ThrottlingException"
			}
			return ""
		}}
		bus, dlq := busTo(t, EventBus("cloud", f, ""))
		start := time.Now()
		publish(t, bus, `{"n":0}`)
		synctest.Wait() // it has left, alone
		publish(t, bus, `{"n":1}`, `{"n":2}`, `{"n":3}`)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, [][]string{{`{"n":0}`}, {`{"n":1}`, `{"n":2}`, `{"n":3}`}, {`{"n":2}`}, {`{"n":2}`}}, f.details())
		assert.Equal(t, 1020*time.Millisecond, f.times[2].Sub(start), "as the policy says")
		assert.Equal(t, 3030*time.Millisecond, f.times[3].Sub(start))
		assert.Zero(t, dlq.Len())
	})
}

func TestRetryAfterIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{err: func(n int, _ []string) error {
			if n == 1 {
				return answered(400, "ThrottlingException", "Retry-After", "60")
			}
			return nil
		}}
		bus, dlq := busTo(t, EventBus("cloud", f, ""))
		publish(t, bus, `{}`)
		require.NoError(t, bus.Close(t.Context()))
		require.Len(t, f.times, 2)
		assert.Equal(t, time.Minute+10*time.Millisecond, f.times[1].Sub(f.times[0]))
		assert.Zero(t, dlq.Len())
	})
}

// letters returns what there is in a dead-letter queue: detail, code, condition, attempts.
func letters(dlq *footbridge.MemoryDLQ) (all []string) {
	for _, l := range dlq.Letters() {
		all = append(all, fmt.Sprintf("%.20s %s %s %d", l.Event.Detail, l.ErrorCode, l.ExhaustedRetryCondition, l.RetryAttempts))
	}
	slices.Sort(all)
	return all
}

func TestWhatTheServiceRefusesIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{
			code: func(_ int, detail string) string {
				return map[string]string{
					`{"n":1}`: "MalformedDetail",
					`{"n":2}`: "InternalFailure",
					`{"n":3}`: "AccessDeniedException",
					`{"n":4}`: "SomethingNew", // retried: it may be mended
				}[detail]
			},
			err: func(_ int, details []string) error {
				if slices.Contains(details, `{"n":5}`) {
					return answered(400, "ValidationException")
				}
				return nil
			},
		}
		target := EventBus("cloud", f, "")
		target.Retry = footbridge.Backoff{MaxRetries: 3}
		bus, dlq := busTo(t, target)
		for i := range 7 {
			publish(t, bus, fmt.Sprintf(`{"n":%d}`, i))
		}
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{
			`{"n":1} MalformedDetail  0`,
			`{"n":2} InternalFailure MaximumRetryAttempts 3`,
			`{"n":3} AccessDeniedException  0`,
			`{"n":4} SomethingNew MaximumRetryAttempts 3`,
			`{"n":5} ValidationException  0`,
		}, letters(dlq))
	})
}

// What the service would refuse for certain is not sent.
func TestEventsThatCannotBePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{}
		bus, dlq := busTo(t, EventBus("cloud", f, ""))
		_, err := bus.Publish(t.Context(), footbridge.Event{Source: "aws.s3", DetailType: "Object Created", Detail: []byte(`{"n":1}`)})
		require.NoError(t, err)
		large := func(size int) string {
			rest := footbridge.Entry{Time: time.Now(), Source: "shop", DetailType: "Order", Detail: `{"n":""}`}
			return fmt.Sprintf(`{"n":"%s"}`, strings.Repeat("x", size-rest.Size()))
		}
		publish(t, bus, large(footbridge.MaxRequestSize), large(footbridge.MaxRequestSize-1))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{
			`{"n":"xxxxxxxxxxxxxx ValidationException  0`,
			`{"n":1} NotAuthorizedForSourceException  0`,
		}, letters(dlq))
		assert.Len(t, f.requests, 1, "of a byte less")

		target := EventBus("cloud", f, "")
		target.Input = footbridge.Input{Path: "$.detail"}
		bus, dlq = busTo(t, target)
		publish(t, bus, `{"n":1}`)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{`{"n":1} INVALID_INPUT  0`}, letters(dlq))
	})
}

func TestAnswersOfTheWrongLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := EventBus("cloud", shortClient{}, "")
		target.Retry = footbridge.NoRetry
		bus, dlq := busTo(t, target)
		publish(t, bus, `{}`)
		require.NoError(t, bus.Close(t.Context()))
		require.Equal(t, 1, dlq.Len())
		assert.Equal(t, `awssdk: event bus "": want an answer of 1 entries, got 0`, dlq.Letters()[0].ErrorMessage)
	})
}

type shortClient struct{}

func (shortClient) PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return &eventbridge.PutEventsOutput{}, nil
}

// An attempt that is out of time does not take the others of its request with it.
func TestTimeoutOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{}
		target := EventBus("cloud", f, "")
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		handle := func(ctx context.Context, detail string) <-chan error {
			result := make(chan error, 1)
			go func() {
				result <- target.Handler.Handle(ctx, footbridge.Delivery{Event: footbridge.Event{Source: "shop", DetailType: "Order", Detail: []byte(detail)}})
			}()
			synctest.Wait()
			return result
		}
		first := handle(t.Context(), `{"n":0}`)
		impatient, patient := handle(ctx, `{"n":1}`), handle(t.Context(), `{"n":2}`)
		assert.NoError(t, <-first)
		assert.ErrorIs(t, <-impatient, context.DeadlineExceeded)
		assert.NoError(t, <-patient)
		assert.Equal(t, [][]string{{`{"n":0}`}, {`{"n":1}`, `{"n":2}`}}, f.details())
	})
}

// A request that hangs is given up, and what waits for it goes on.
func TestRequestThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEvents{}
		bus, dlq := busTo(t, EventBus("cloud", &hangsFirst{fakeEvents: f}, ""))
		publish(t, bus, `{"n":1}`)
		<-time.After(time.Second) // so that the two are not out of time at the same moment
		publish(t, bus, `{"n":2}`)
		<-time.After(DefaultTimeout + time.Minute)
		assert.EqualValues(t, 2, bus.Stats().Delivered)
		assert.ElementsMatch(t, []string{`{"n":1}`, `{"n":2}`}, slices.Concat(f.details()...))
		require.NoError(t, bus.Close(t.Context()))
		assert.Empty(t, letters(dlq))
		assert.Equal(t, DefaultTimeout, Queue("sqs", &fakeQueue{}, "url").Timeout)
	})
}

// hangsFirst is a client whose first request takes as long as its context.
type hangsFirst struct {
	*fakeEvents
	first atomic.Bool
}

func (h *hangsFirst) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, opts ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if h.first.CompareAndSwap(false, true) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.fakeEvents.PutEvents(ctx, in, opts...)
}

// A Close by force ends the requests; the bubble fails if a goroutine of theirs is left.
func TestCloseByForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &fakeEvents{err: func(int, []string) error { return nil }}
		target := EventBus("cloud", slow{hangs}, "")
		bus, dlq := busTo(t, target)
		publish(t, bus, `{"n":1}`, `{"n":2}`, `{"n":3}`)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var closed *footbridge.CloseError
		require.ErrorAs(t, bus.Close(ctx), &closed)
		assert.Equal(t, int64(3), closed.DeadLettered)
		assert.Zero(t, closed.Running, "the handlers have returned")
		assert.Equal(t, []string{`{"n":1} BUS_CLOSED  0`, `{"n":2} BUS_CLOSED  0`, `{"n":3} BUS_CLOSED  0`}, letters(dlq))
	})
}

// slow is a client whose requests take an hour, or as long as their contexts.
type slow struct{ *fakeEvents }

func (s slow) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, opts ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	select {
	case <-time.After(time.Hour):
		return s.fakeEvents.PutEvents(ctx, in, opts...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestTargetsWithoutAClient(t *testing.T) {
	bus := footbridge.New(nil)
	for _, target := range []footbridge.Target{EventBus("t", nil, ""), Queue("t", nil, "url"), FIFOQueue("t", nil, "url", group), FIFOQueue("t", &fakeQueue{}, "url", nil)} {
		err := bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"a":["b"]}`), Targets: []footbridge.Target{target}})
		var invalid *footbridge.RuleError
		require.ErrorAs(t, err, &invalid)
		assert.Contains(t, invalid.Error(), "Handler: want one, got nil")
	}
}

// All handlers are what every handler is to be.
func TestHandlers(t *testing.T) {
	event := footbridge.Event{Source: "shop", DetailType: "Order", Detail: []byte(`{"Customer":"a"}`)}
	for _, target := range []footbridge.Target{
		EventBus("t", NewClient(footbridge.NewHub(nil)), ""), Queue("t", &fakeQueue{}, "url"), FIFOQueue("t", &fakeQueue{}, "url", group),
	} {
		footbridgetest.TestHandler(t, target.Handler, event)
	}
}
