package footbridge

import (
	"context"
	"time"
)

// The context of an attempt, or of a letter's sending, ends with a context of the bus,
// and has the values of the publisher's.

type attemptKey struct{}

// A firstContext is the context of a delivery's first attempt, if that has no Timeout.
//
// Optimization: it is the delivery itself, so that it costs no allocation
// (BenchmarkPublish). An attemptContext would do, too.
type firstContext delivery

func (c *firstContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *firstContext) Done() <-chan struct{}       { return c.accepted.bus.attempts.Done() }
func (c *firstContext) Err() error                  { return c.accepted.bus.attempts.Err() }

// Value implements context.Context.
func (c *firstContext) Value(key any) any {
	if key == (attemptKey{}) {
		return c
	}
	return valueOf(key, c.accepted.bus.attempts, c.accepted.values)
}

// An attemptContext is the context of an attempt, or of a letter's sending.
type attemptContext struct {
	context.Context // the bus's
	delivery        *delivery
	attempt         int // 0 for a letter
}

// Value implements context.Context.
func (c *attemptContext) Value(key any) any {
	if key == (attemptKey{}) {
		if c.attempt == 0 {
			return nil // nor is it that of an attempt that has published the event
		}
		return c
	}
	return valueOf(key, c.Context, c.delivery.accepted.values)
}

// valueOf looks for a value. The bus's context comes first, since package context finds
// out through a value of its own where cancellation comes from.
func valueOf(key any, bus, publisher context.Context) any {
	if v := bus.Value(key); v != nil {
		return v
	}
	return publisher.Value(key)
}

// context returns the context of an attempt. cancel may be nil.
func (d *delivery) context(attempt int) (ctx context.Context, cancel context.CancelFunc) {
	if attempt == 1 && d.target.Timeout == 0 {
		return (*firstContext)(d), nil
	}
	ctx = d.accepted.bus.attempts
	if d.target.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, d.target.Timeout)
	}
	return &attemptContext{ctx, d, attempt}, cancel
}

// attemptOf returns the delivery and the number of the attempt whose context ctx is, or
// comes from.
func attemptOf(ctx context.Context) (d *delivery, attempt int) {
	switch c := ctx.Value(attemptKey{}).(type) {
	case *firstContext:
		return (*delivery)(c), 1
	case *attemptContext:
		return c.delivery, c.attempt
	}
	return nil, 0
}

// valuesOf returns the context that has the values of a publisher's ctx. For one
// that a handler passes on as it got it, it is that of the first publisher: handlers
// that publish to each other for ever build no chain of contexts. One that was derived
// in between, by a tracing middleware, say, stays in it, as in every use of contexts.
func valuesOf(ctx context.Context) context.Context {
	switch c := ctx.(type) {
	case *firstContext:
		return c.accepted.values
	case *attemptContext:
		return c.delivery.accepted.values
	}
	return ctx
}

// inHandler reports whether ctx is, or comes from, that of a handler of any bus.
func inHandler(ctx context.Context) bool { return ctx.Value(attemptKey{}) != nil }

// isHandlers reports whether ctx is, or comes from, that of a handler of b.
func (b *Bus) isHandlers(ctx context.Context) bool {
	d, _ := attemptOf(ctx)
	return d != nil && d.accepted.bus == b
}
