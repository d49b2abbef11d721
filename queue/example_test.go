package queue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/queue"
)

func Example() {
	var service queue.Service
	orders, err := service.Create("orders", queue.Settings{VisibilityTimeout: time.Minute})
	if err != nil {
		panic(err)
	}
	_, _ = orders.Send(queue.Outgoing{Body: "order 1"})

	messages, _ := orders.Receive(context.Background(), queue.ReceiveOptions{Wait: 5 * time.Second})
	for _, m := range messages {
		fmt.Println(m.Body, m.ReceiveCount)
		_ = orders.Delete(m.Receipt) // else it comes again in a minute
	}
	// Output: order 1 1
}

// From a bus through a queue to a worker: what the worker fails at comes again, and in the end
// to the dead-letter queue.
func Example_worker() {
	var service queue.Service
	failed, _ := service.Create("failed", queue.Settings{})
	jobs, _ := service.Create("jobs", queue.Settings{
		VisibilityTimeout: 10 * time.Millisecond, DeadLetterARN: failed.ARN(), MaxReceiveCount: 3,
	})
	bus := footbridge.New(nil)
	_ = bus.PutRule(footbridge.Rule{Name: "orders", Pattern: footbridge.MustCompile(`{"source":["shop"]}`), Targets: []footbridge.Target{
		{ID: "jobs", Handler: jobs.Handler(""), Input: footbridge.Input{Path: "$.detail.id"}},
	}})
	for _, id := range []string{"O-1", "O-2"} {
		e, _ := footbridge.NewEvent("shop", "Order Placed", map[string]string{"id": id})
		_, _ = bus.Deliver(context.Background(), e)
	}

	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_ = jobs.Consume(ctx, 1, func(_ context.Context, m queue.Message) error {
			fmt.Println("work on", m.Body)
			if m.Body == `"O-2"` {
				return errors.New("out of stock")
			}
			return nil
		})
	}()
	letters, _ := failed.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
	stop()
	fmt.Println("given up:", letters[0].Body)
	// Output:
	// work on "O-1"
	// work on "O-2"
	// work on "O-2"
	// work on "O-2"
	// given up: "O-2"
}
