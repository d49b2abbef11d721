package footbridge

import (
	"context"
	"fmt"
	"time"
)

// closeGrace is how long a Close whose context has ended waits for handlers to
// return, and then for DLQs to take letters.
const closeGrace = 5 * time.Second

// Close refuses new events from now on, and returns when everything accepted is
// decided. That includes retries, at the times their policies gave, unless
// [Bus.RetryNow] is called. What handlers publish is refused, too, with [ErrClosed]: a
// handler that returns it makes a dead letter of its delivery, at once. So where handlers
// publish, stop the publishers outside, then [Bus.Wait], then Close.
//
// When ctx ends first, nothing more is attempted: what waits becomes dead letters
// with the code [CodeBusClosed], and the contexts of running attempts end. Handlers
// have five seconds more to return; deliveries whose handlers do not are dead letters,
// too, and what these handlers return does not count. Each letter is sent once, and
// DLQs have ten seconds in all (a Send that was running before has five): what they
// have not taken by then is lost. Close then returns a *CloseError that says how many
// deliveries were given up, or nil if none was.
//
// Close may be called again. It returns [ErrInHandler] if ctx is that of one of the
// bus's handlers.
func (b *Bus) Close(ctx context.Context) error {
	if b.isHandlers(ctx) {
		return fmt.Errorf("footbridge: close: %w", ErrInHandler)
	}
	b.mu.Lock() // no rule comes behind this
	b.closed.Store(true)
	b.mu.Unlock()
	if b.dispatcher.Close(ctx) == nil {
		b.stopAttempts(ErrClosed)
		b.stopLetters(ErrClosed)
		return nil
	}
	c := &b.counters
	e := &CloseError{Err: ctx.Err(), DeadLettered: -c.deadLettered.Load(), Lost: -c.lost.Load()}
	b.stopAttempts(ErrClosed)
	b.dispatcher.Abort()
	if !b.drained(closeGrace) {
		e.Running = int64(b.dispatcher.AbandonRunning())
		if !b.drained(closeGrace) {
			b.stopLetters(ErrClosed)
			b.dispatcher.Expire()
			b.drained(closeGrace)
		}
	}
	b.stopLetters(ErrClosed)
	e.DeadLettered += c.deadLettered.Load()
	e.Lost += c.lost.Load()
	e.Undecided = int64(b.dispatcher.Undecided())
	if e.DeadLettered+e.Lost+e.Undecided == 0 {
		return nil
	}
	return e
}

// drained waits until nothing is undecided, but no longer than d.
func (b *Bus) drained(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return b.dispatcher.Wait(ctx) == nil
}

// A CloseError says what a Close gave up when its context ended.
type CloseError struct {
	DeadLettered int64 // deliveries that became dead letters
	Lost         int64 // deliveries that no DLQ took
	Running      int64 // of both, those whose handlers, or DLQs, had not returned after five seconds
	Undecided    int64 // deliveries that were not decided when Close returned, since a publisher, or a function of Observer, had not
	Err          error // the context's
}

func (e *CloseError) Error() string {
	s := fmt.Sprintf("footbridge: close: %v: deliveries dead-lettered: %d, lost: %d; of them still running: %d",
		e.Err, e.DeadLettered, e.Lost, e.Running)
	if e.Undecided > 0 {
		s += fmt.Sprintf("; undecided: %d", e.Undecided)
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }
