package queue_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/queue"
)

func TestConsume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(queue.Service)
		dlq, err := service.Create("dlq", queue.Settings{})
		require.NoError(t, err)
		q, err := service.Create("q", queue.Settings{DeadLetterARN: dlq.ARN(), MaxReceiveCount: 2})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var at []time.Duration
		done := make(chan error)
		go func() {
			done <- q.Consume(ctx, 1, func(ctx context.Context, m queue.Message) error {
				at = append(at, time.Since(began))
				if m.Body == "bad" {
					return assert.AnError
				}
				<-time.After(time.Second)
				return nil
			})
		}()
		send(t, q, queue.Outgoing{Body: "bad"})
		send(t, q, queue.Outgoing{Body: "good"})
		<-time.After(time.Minute)
		send(t, q, queue.Outgoing{Body: "good"})
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		assert.Equal(t, []time.Duration{0, 0, 30 * time.Second, time.Minute}, at)
		assert.Equal(t, 1, dlq.Stats().Ready)
		assert.Zero(t, q.Stats().Ready+q.Stats().InFlight, "work that had begun was finished, and its message deleted")
		assert.Equal(t, 61*time.Second, time.Since(began))
	})
}

// TestConsumeWaitsForTheLimit has as many messages in flight as there may be, which Receive
// refuses to add to. Consume goes on as soon as there is one less.
func TestConsumeWaitsForTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q", queue.Settings{VisibilityTimeout: time.Hour})
		var last queue.Message
		for range queue.MaxInFlight {
			send(t, q, queue.Outgoing{Body: "in flight"})
			last = receive(t, q, queue.ReceiveOptions{})[0]
		}
		for _, body := range []string{"a", "b"} {
			send(t, q, queue.Outgoing{Body: body})
		}
		_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: time.Second})
		var refused *queue.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, queue.CodeOverLimit, refused.Code)

		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var worked []string
		done := make(chan error)
		go func() {
			done <- q.Consume(ctx, 2, func(_ context.Context, m queue.Message) error {
				mu.Lock()
				defer mu.Unlock()
				worked = append(worked, m.Body)
				return nil
			})
		}()
		synctest.Wait()
		assert.Empty(t, worked)
		require.NoError(t, q.Delete(last.Receipt))
		synctest.Wait()
		assert.Equal(t, []string{"a", "b"}, worked)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func TestConsumeEndsWithTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(queue.Service)
		q, err := service.Create("q", queue.Settings{})
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			done <- q.Consume(t.Context(), 3, func(context.Context, queue.Message) error { return nil })
		}()
		synctest.Wait()
		require.NoError(t, service.Delete("q"))
		var e *queue.Error
		require.ErrorAs(t, <-done, &e)
		assert.Equal(t, queue.CodeQueueDoesNotExist, e.Code)
		assert.Equal(t, "queue: q: QueueDoesNotExist: The specified queue does not exist.", e.Error())
	})
}
