package queue

import (
	"context"
	"sync"
)

// Consume calls work for each message of the queue, in as many goroutines as there are
// workers, at least one, and deletes the message when work returns nil. When it returns an
// error the message stays hidden until its visibility timeout ends, and comes again; work that
// takes longer than that may be done twice. Errors are not reported: that is for work to do. A
// panic of work is not recovered. While [MaxInFlight] messages are in flight workers wait.
//
// It returns when all calls have returned after ctx has ended, with ctx's error, or after the
// queue was deleted, with the code QueueDoesNotExist; if both have, with either. Calls get
// ctx. Idle workers have no timer of their own.
func (q *Queue) Consume(ctx context.Context, workers int, work func(ctx context.Context, m Message) error) error {
	errs := make([]error, max(workers, 1))
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = q.consume(ctx, work) })
	}
	all.Wait()
	return errs[0]
}

func (q *Queue) consume(ctx context.Context, work func(ctx context.Context, m Message) error) error {
	for ctx.Err() == nil {
		messages, err := q.await(ctx, ReceiveOptions{Max: 1}, nil)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if work(ctx, m) == nil {
				_ = q.Delete(m.Receipt) // that it comes again, if its time was up, is said above
			}
		}
	}
	return ctx.Err()
}
