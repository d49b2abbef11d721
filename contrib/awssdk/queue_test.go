package awssdk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

func group(e footbridge.Event) string {
	var order struct{ Customer string }
	_ = e.Decode(&order)
	return order.Customer
}

func TestQueueSendsThePayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		plain, part := Queue("plain", f, "url"), Queue("part", f, "url")
		part.Input = footbridge.Input{Path: "$.detail"}
		for _, target := range []footbridge.Target{plain, part} {
			bus, _ := busTo(t, target)
			_, err := bus.Publish(t.Context(), footbridge.Event{ID: "e", Source: "shop", DetailType: "Order",
				Time: time.Date(2024, 12, 24, 9, 30, 0, 0, time.UTC), Detail: []byte(`{"n": 1}`)})
			require.NoError(t, err)
			require.NoError(t, bus.Close(t.Context()))
		}
		assert.Equal(t, [][]types.SendMessageBatchRequestEntry{
			{{Id: aws.String("0"), MessageBody: aws.String(`{"version":"0","id":"e","detail-type":"Order","source":"shop","account":"000000000000",` +
				`"time":"2024-12-24T09:30:00Z","region":"us-east-1","resources":[],"detail":{"n":1}}`)}},
			{{Id: aws.String("0"), MessageBody: aws.String(`{"n":1}`)}},
		}, f.requests)
	})
}

// order is the detail of an order.
func order(customer string, n int) string { return fmt.Sprintf(`{"Customer":%q,"n":%d}`, customer, n) }

// bodies returns the bodies of all requests, each sorted.
func (f *fakeQueue) bodies() (all [][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		var bodies []string
		for _, e := range r {
			bodies = append(bodies, *e.MessageBody)
		}
		slices.Sort(bodies)
		all = append(all, bodies)
	}
	return all
}

func TestMessagesThatFailAreRetriedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{answer: func(n int, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
			out := &sqs.SendMessageBatchOutput{}
			for _, e := range in.Entries {
				failed := types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError"), Message: aws.String("because")}
				switch *e.MessageBody {
				case `{"n":1}`: // the answer has nothing of it at first
					if n > 3 {
						out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
					}
				case `{"n":2}`:
					failed.Code, failed.SenderFault = aws.String("InvalidMessageContents"), true
					out.Failed = append(out.Failed, failed)
				case `{"n":3}`:
					out.Failed = append(out.Failed, failed)
				default:
					out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
				}
			}
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: aws.String("of another"), Code: aws.String("X")})
			return out, nil
		}}
		target := Queue("sqs", f, "url")
		target.Input = footbridge.Input{Path: "$.detail"}
		target.Retry = footbridge.Backoff{MaxRetries: 2, NoJitter: true}
		bus, dlq := busTo(t, target)
		publish(t, bus, `{"n":0}`)
		synctest.Wait()
		publish(t, bus, `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`)
		require.NoError(t, bus.Close(t.Context()))
		sent := f.bodies()
		assert.Equal(t, [][]string{{`{"n":0}`}, {`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`}}, sent[:2])
		for _, again := range sent[2:] {
			assert.Subset(t, []string{`{"n":1}`, `{"n":3}`}, again, "only these are sent again")
		}
		assert.Equal(t, []string{
			`{"n":2} InvalidMessageContents  0`,
			`{"n":3} InternalError MaximumRetryAttempts 2`,
		}, letters(dlq))
	})
}

// A message that the answer leaves out was not sent, for all that is known.
func TestMessageWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{answer: func(n int, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
			if n == 1 {
				return &sqs.SendMessageBatchOutput{}, nil
			}
			return &sqs.SendMessageBatchOutput{Successful: []types.SendMessageBatchResultEntry{{Id: in.Entries[0].Id}}}, nil
		}}
		target := Queue("sqs", f, "url")
		target.Input = footbridge.Input{Path: "$.detail"}
		bus, dlq := busTo(t, target)
		publish(t, bus, `{"n":1}`)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, [][]string{{`{"n":1}`}, {`{"n":1}`}}, f.bodies())
		assert.Empty(t, letters(dlq))
	})
}

func TestFIFOQueueKeepsTheOrderOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := map[string][]string{} // bodies by group, as the queue takes them
		ids := map[string]map[string]bool{}
		f := &fakeQueue{}
		f.answer = func(n int, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			out := &sqs.SendMessageBatchOutput{}
			inRequest := map[string]bool{}
			for i, e := range in.Entries {
				assert.False(t, inRequest[*e.MessageGroupId], "one of a group at a time")
				inRequest[*e.MessageGroupId] = true
				if ids[*e.MessageBody] == nil {
					ids[*e.MessageBody] = map[string]bool{}
				}
				ids[*e.MessageBody][*e.MessageDeduplicationId] = true
				if (n+i)%3 == 0 {
					out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
					continue
				}
				kept[*e.MessageGroupId] = append(kept[*e.MessageGroupId], *e.MessageBody)
				out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
			}
			return out, nil
		}
		target := FIFOQueue("sqs", f, "url.fifo", group)
		target.Input = footbridge.Input{Path: "$.detail"}
		bus, dlq := busTo(t, target)
		want := map[string][]string{}
		for n := range 20 {
			for _, customer := range []string{"a", "b", "c", "d"} {
				publish(t, bus, order(customer, n))
				want[customer] = append(want[customer], order(customer, n))
			}
		}
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, want, kept)
		assert.Zero(t, dlq.Len())
		all := map[string]bool{}
		for body, of := range ids {
			assert.Len(t, of, 1, "all attempts of %s have one deduplication ID", body)
			for id := range of {
				all[id] = true
			}
		}
		assert.Len(t, all, 80, "no two deliveries have the same")
	})
}

func TestDeduplicationIDTellsDeliveriesApart(t *testing.T) {
	d := footbridge.Delivery{Bus: "b", Rule: "r", Target: "t", Event: footbridge.Event{ID: strings.Repeat("long ", 100)}, Attempt: 1}
	id := deduplicationID(d)
	assert.Regexp(t, `^[0-9a-f]{64}$`, id)
	again := d
	again.Attempt = 2
	assert.Equal(t, id, deduplicationID(again))
	for _, change := range []func(d *footbridge.Delivery){
		func(d *footbridge.Delivery) { d.Bus = "c" },
		func(d *footbridge.Delivery) { d.Rule = "s" },
		func(d *footbridge.Delivery) { d.Target = "u" },
		func(d *footbridge.Delivery) { d.Event.ID = "e" },
		func(d *footbridge.Delivery) { d.Event.ReplayName = "again" },
		func(d *footbridge.Delivery) { d.Bus, d.Rule = "br", "" },
	} {
		other := d
		change(&other)
		assert.NotEqual(t, id, deduplicationID(other), "%+v", other)
	}
}

func TestMessagesThatAreTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{}
		target := Queue("sqs", f, "url")
		target.Input = footbridge.Input{Path: "$.detail"}
		bus, dlq := busTo(t, target)
		detail := func(size int) string { return `{"n":"` + strings.Repeat("x", size-8) + `"}` }
		publish(t, bus, detail(maxMessages), detail(maxMessages+1))
		require.NoError(t, bus.Close(t.Context()))
		assert.Len(t, f.requests, 1)
		assert.Equal(t, []string{`{"n":"xxxxxxxxxxxxxx InvalidParameterValue  0`}, letters(dlq))
		assert.Equal(t, "awssdk: queue url: api error InvalidParameterValue: want a message of at most 1048576 bytes, got 1048577", dlq.Letters()[0].ErrorMessage)
	})
}

// A queue that is gone takes nothing: dead letters at once, with the service's code.
func TestQueueThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeQueue{answer: func(int, *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
			return nil, answered(400, "AWS.SimpleQueueService.NonExistentQueue")
		}}
		bus, dlq := busTo(t, Queue("sqs", f, "url"))
		publish(t, bus, `{"n":1}`, `{"n":2}`)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{
			`{"n":1} AWS.SimpleQueueService.NonExistentQueue  0`,
			`{"n":2} AWS.SimpleQueueService.NonExistentQueue  0`,
		}, letters(dlq))
	})
}
