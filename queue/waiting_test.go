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

func TestWaitersThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, "q", queue.Settings{})
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
			left <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		_, err := q.Receive(ctx, queue.ReceiveOptions{})
		require.ErrorIs(t, err, context.Canceled, "who has left takes nothing")

		send(t, q, queue.Outgoing{Body: "a"})
		require.Len(t, receive(t, q, queue.ReceiveOptions{}), 1, "the message is not for who has left")
	})
}

// TestWaitersAreNotOvertaken has one receive that comes at the very moment at which a message
// is ready that another waits for, and before the queue has been told of it.
func TestWaitersAreNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			q := newQueue(t, "q", queue.Settings{})
			var waiting []queue.Message
			var both sync.WaitGroup
			both.Go(func() { waiting = receive(t, q, queue.ReceiveOptions{Wait: 2 * time.Second}) })
			both.Go(func() {
				<-time.After(time.Second)
				assert.Empty(t, receive(t, q, queue.ReceiveOptions{}))
			})
			synctest.Wait()
			send(t, q, queue.Outgoing{Body: "a", Delay: time.Second})
			both.Wait()
			assert.Len(t, waiting, 1)
		}
	})
}

// TestWaitersThatLeaveAsAMessageComes has a message sent while the one who waits leaves:
// either they have it, or it is in the queue.
func TestWaitersThatLeaveAsAMessageComes(t *testing.T) {
	q := newQueue(t, "q", queue.Settings{VisibilityTimeout: time.Hour})
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		var both sync.WaitGroup
		got := 0
		both.Go(func() {
			messages, err := q.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait})
			if err == nil {
				got = len(messages)
			}
		})
		both.Go(cancel)
		send(t, q, queue.Outgoing{Body: "a"})
		both.Wait()
		require.Equal(t, 1, got+len(receive(t, q, queue.ReceiveOptions{})))
	}
}
