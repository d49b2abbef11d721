package queue_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/queue"
)

func newQueue(t testing.TB, name string, s queue.Settings) *queue.Queue {
	q, err := new(queue.Service).Create(name, s)
	require.NoError(t, err)
	return q
}

func send(t testing.TB, q *queue.Queue, o queue.Outgoing) queue.Sent {
	sent, err := q.Send(o)
	require.NoError(t, err)
	return sent
}

func receive(t testing.TB, q *queue.Queue, o queue.ReceiveOptions) []queue.Message {
	got, err := q.Receive(t.Context(), o)
	require.NoError(t, err)
	return got
}

func TestMessageIsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q.fifo", queue.Settings{ContentBasedDedup: true})
		attributes := map[string]queue.Attribute{"s": {DataType: "String", String: "x"}, "b": {DataType: "Binary.gif", Binary: []byte{0, 1}}}
		sent := send(t, q, queue.Outgoing{Body: "body", Attributes: attributes, Group: "g", TraceHeader: "Root=1"})
		began := time.Now()
		attributes["b"].Binary[0] = 9 // the sender may use its own again
		delete(attributes, "s")

		<-time.After(time.Second)
		first := receive(t, q, queue.ReceiveOptions{})[0]
		<-time.After(30 * time.Second)
		m := receive(t, q, queue.ReceiveOptions{})[0]
		assert.NotEqual(t, first.Receipt, m.Receipt)
		m.Receipt = ""
		assert.Equal(t, queue.Message{
			ID: sent.ID, Body: "body", Group: "g", TraceHeader: "Root=1", Sequence: sent.Sequence, Sent: began, ReceiveCount: 2, FirstReceive: began.Add(time.Second),
			DedupID:    "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5",
			Attributes: map[string]queue.Attribute{"s": {DataType: "String", String: "x"}, "b": {DataType: "Binary.gif", Binary: []byte{0, 1}}},
		}, m)
		assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, m.ID)
	})
}

// TestDigests has digests that the service was recorded to give.
func TestDigests(t *testing.T) {
	assert.Equal(t, "6e2baaf3b97dbeef01c0043275f9a0e7", queue.MD5OfBody("msg"))
	text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
	for _, c := range []struct {
		want       string
		attributes map[string]queue.Attribute
	}{
		{"", nil},
		{"ae7155c6026991b6d54b11589678bf9c", map[string]queue.Attribute{"Foo": text("Bar")}},
		{"4c360f3fdafd970e05fae2f149d997f5", map[string]queue.Attribute{"General": text("Kenobi"), "Hello": text("There"), "Help.Me": text("Me")}},
		{"83fee93c1bcd8b9a5a923ffacdc636c7", map[string]queue.Attribute{"Help.Me": text("Me"), "Hello": text("There")}},
		{"8cbe4db156db8a94db8b801b7addb984", map[string]queue.Attribute{"attr1": {DataType: "Binary",
			Binary: []byte("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}}},
	} {
		assert.Equal(t, c.want, queue.MD5OfAttributes(c.attributes), "%v", c.attributes)
	}
}

// TestConcurrentUse has the race detector look at everything.
func TestConcurrentUse(t *testing.T) {
	service := new(queue.Service)
	dlq, err := service.Create("dlq", queue.Settings{})
	require.NoError(t, err)
	q, err := service.Create("q", queue.Settings{DeadLetterARN: dlq.ARN(), MaxReceiveCount: 2, VisibilityTimeout: queue.None})
	require.NoError(t, err)
	const each = 300
	var users sync.WaitGroup
	var done atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		users.Go(func() {
			for range each {
				_, err := q.Send(queue.Outgoing{Body: "a"})
				assert.NoError(t, err)
			}
		})
	}
	for _, from := range []*queue.Queue{q, dlq} {
		users.Go(func() {
			err := from.Consume(ctx, 2, func(context.Context, queue.Message) error {
				if done.Add(1) == 4*each { // with what fails, all are there before the last
					cancel()
				}
				return nil
			})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	users.Go(func() {
		for ctx.Err() == nil {
			q.Stats()
			service.Queues("")
			assert.NoError(t, q.Configure(q.Settings()))
		}
	})
	users.Wait()
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"q", "q.fifo"} {
			q := newQueue(t, name, queue.Settings{VisibilityTimeout: time.Hour})
			for n := range queue.MaxInFlight + 1 {
				o := queue.Outgoing{Body: "a"}
				if q.FIFO() {
					o.Group, o.DedupID = strconv.Itoa(n/10), strconv.Itoa(n)
				}
				send(t, q, o)
			}
			for range queue.MaxInFlight / 10 {
				require.Len(t, receive(t, q, queue.ReceiveOptions{Max: 10}), 10)
			}
			require.Equal(t, 1, q.Stats().Ready)
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{})
			assert.Empty(t, got)
			if q.FIFO() {
				assert.NoError(t, err)
				continue
			}
			var e *queue.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, queue.CodeOverLimit, e.Code)
			assert.Equal(t, queue.MaxInFlight, q.Stats().InFlight)
		}
	})
}

func TestIdleQueueHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q", queue.Settings{})
		before := runtime.NumGoroutine()
		send(t, q, queue.Outgoing{Body: "a", Delay: time.Minute})
		send(t, q, queue.Outgoing{Body: "b"})
		receive(t, q, queue.ReceiveOptions{})
		assert.False(t, q.HasTimer(), "though two moments are due")
		go func() { _, _ = q.Receive(t.Context(), queue.ReceiveOptions{Wait: time.Second}) }()
		synctest.Wait()
		assert.True(t, q.HasTimer(), "somebody waits for them")
		<-time.After(time.Second)
		synctest.Wait()
		assert.False(t, q.HasTimer())
		assert.Equal(t, before, runtime.NumGoroutine())
	})
}

// TestNothingIsKept measures what is left of many messages.
func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q.fifo", queue.Settings{ContentBasedDedup: true})
		cycle := func(n int) {
			for i := range n {
				send(t, q, queue.Outgoing{Body: strconv.Itoa(i), Group: strconv.Itoa(i)})
				for _, m := range receive(t, q, queue.ReceiveOptions{Max: 10}) {
					require.NoError(t, q.Delete(m.Receipt))
				}
			}
			<-time.After(queue.DedupInterval)
			q.Stats()
		}
		heap := func() uint64 {
			var s runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&s)
			return s.HeapAlloc
		}
		cycle(10)
		before := heap()
		cycle(20_000)
		assert.Less(t, heap(), before+200_000, "bytes for 20,000 messages that are gone")
		runtime.KeepAlive(q)
	})
}

// TestLongHandles has handles that would make errors of their length.
func TestLongHandles(t *testing.T) {
	q := newQueue(t, "q", queue.Settings{})
	send(t, q, queue.Outgoing{Body: "a"})
	receipt := receive(t, q, queue.ReceiveOptions{})[0].Receipt
	for _, handle := range []string{strings.Repeat("\x01", 1<<20), receipt + strings.Repeat("\n", 1<<20)} {
		err := q.Delete(handle)
		var e *queue.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, queue.CodeReceiptHandleIsInvalid, e.Code)
		assert.Less(t, len(e.Message), 1000)
	}
	require.NoError(t, q.Delete(receipt))
	assert.Zero(t, q.Stats().InFlight)
}

func TestQueues(t *testing.T) {
	service := &queue.Service{Account: "123456789012", Region: "eu-west-1"}
	for _, name := range []string{"b", "ab", "aa.fifo"} {
		_, err := service.Create(name, queue.Settings{})
		require.NoError(t, err)
	}
	names := func(prefix string) (all []string) {
		for _, q := range service.Queues(prefix) {
			all = append(all, q.Name())
		}
		return all
	}
	assert.Equal(t, []string{"aa.fifo", "ab", "b"}, names(""))
	assert.Equal(t, []string{"aa.fifo", "ab"}, names("a"))
	q, err := service.Queue("b")
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:sqs:eu-west-1:123456789012:b", q.ARN())
	assert.Equal(t, queue.Settings{VisibilityTimeout: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageSize: 1 << 20}, q.Settings())
	_, err = service.Queue("c")
	require.ErrorContains(t, err, "queue: c: QueueDoesNotExist")
}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q", queue.Settings{})
		code := func(err error) string {
			var e *queue.Error
			if err != nil {
				require.ErrorAs(t, err, &e)
				return e.Code
			}
			return ""
		}
		sendEntry := func(id, body string) queue.SendEntry {
			return queue.SendEntry{ID: id, Message: queue.Outgoing{Body: body}}
		}
		half := strings.Repeat("x", queue.MaxMessageSize/2)
		for want, entries := range map[string][]queue.SendEntry{
			queue.CodeEmptyBatchRequest:      nil,
			queue.CodeTooManyEntries:         make([]queue.SendEntry, 11),
			queue.CodeBatchEntryIDsNotUnique: {sendEntry("a", "x"), sendEntry("a", "x")},
			queue.CodeInvalidBatchEntryID:    {sendEntry("a", "x"), sendEntry("a b", "x")},
			queue.CodeBatchRequestTooLong:    {sendEntry("a", half), sendEntry("b", half+"x")},
		} {
			_, err := q.SendBatch(entries)
			assert.Equal(t, want, code(err))
		}
		assert.Zero(t, q.Stats().Ready)

		sent, err := q.SendBatch([]queue.SendEntry{sendEntry("a", half), sendEntry("b", ""), sendEntry("c", half)})
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b", "c"}, []string{sent[0].ID, sent[1].ID, sent[2].ID})
		assert.Equal(t, queue.CodeMissingParameter, code(sent[1].Err))
		got := receive(t, q, queue.ReceiveOptions{Max: 10})
		assert.Equal(t, []string{sent[0].Sent.ID, sent[2].Sent.ID}, []string{got[0].ID, got[1].ID})

		changed, err := q.ChangeVisibilityBatch([]queue.ReceiptEntry{{ID: "a", Receipt: got[0].Receipt, Visibility: time.Minute}, {ID: "b", Receipt: "none"}})
		require.NoError(t, err)
		assert.NoError(t, changed[0].Err)
		assert.Equal(t, queue.CodeReceiptHandleIsInvalid, code(changed[1].Err))
		<-time.After(30 * time.Second)
		assert.Equal(t, 1, q.Stats().InFlight)
		deleted, err := q.DeleteBatch([]queue.ReceiptEntry{{ID: "a", Receipt: got[0].Receipt}, {ID: "b", Receipt: "none"}})
		require.NoError(t, err)
		assert.NoError(t, deleted[0].Err)
		assert.Equal(t, queue.CodeReceiptHandleIsInvalid, code(deleted[1].Err))
		assert.Zero(t, q.Stats().InFlight)

		fifo := newQueue(t, "q.fifo", queue.Settings{})
		_, err = fifo.SendBatch([]queue.SendEntry{sendEntry("a", "x")})
		assert.ErrorContains(t, err, "MessageGroupId")
		_, err = fifo.SendBatch([]queue.SendEntry{{ID: "a", Message: queue.Outgoing{Body: "x", Group: "g"}}})
		assert.ErrorContains(t, err, "MessageDeduplicationId")
	})
}

// FuzzReceipt has handles that nobody gave out.
func FuzzReceipt(f *testing.F) {
	q := newQueue(f, "q", queue.Settings{VisibilityTimeout: time.Hour})
	send(f, q, queue.Outgoing{Body: "a"})
	good := receive(f, q, queue.ReceiveOptions{})[0].Receipt
	f.Add(good)
	f.Add("")
	f.Add("AAAA" + good[4:])
	f.Fuzz(func(t *testing.T, receipt string) {
		err := q.ChangeVisibility(receipt, time.Hour)
		if receipt == good {
			require.NoError(t, err)
			return
		}
		var e *queue.Error
		require.ErrorAs(t, err, &e)
		_ = q.Delete(receipt)
		require.Equal(t, 1, q.Stats().InFlight)
	})
}

// BenchmarkSendReceiveDelete is the life of one message.
func BenchmarkSendReceiveDelete(b *testing.B) {
	for _, name := range []string{"standard", "group.fifo"} {
		b.Run(name, func(b *testing.B) {
			q := newQueue(b, name, queue.Settings{DedupPerGroup: name == "group.fifo"})
			ids := 0
			b.ReportAllocs()
			for b.Loop() {
				o := queue.Outgoing{Body: "some body of a message"}
				if ids++; q.FIFO() {
					o.Group, o.DedupID = "g", strconv.Itoa(ids)
				}
				if _, err := q.Send(o); err != nil {
					b.Fatal(err)
				}
				got, err := q.Receive(b.Context(), queue.ReceiveOptions{})
				if err != nil || len(got) != 1 {
					b.Fatal(got, err)
				}
				if err := q.Delete(got[0].Receipt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
