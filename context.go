package footbridge

import "context"

// An attemptContext is the context of an attempt, or of a letter's sending: it ends
// with a context of the bus, and has the values of the publisher's.
type attemptContext struct {
	context.Context // the bus's
	values          context.Context
	delivery        Delivery
	bus             *Bus // nil for a letter
}

type attemptKey struct{}

// Value implements context.Context. The bus's context comes first, since package
// context finds out through a value of its own where cancellation comes from.
func (c *attemptContext) Value(key any) any {
	if key == (attemptKey{}) && c.bus != nil {
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// valuesOf returns the context that has the values of a publisher's ctx. For one
// that a handler passes on as it got it, it is that of the first publisher: handlers
// that publish to each other for ever build no chain of contexts. One that was derived
// in between, by a tracing middleware, say, stays in it, as in every use of contexts.
func valuesOf(ctx context.Context) context.Context {
	if c, ok := ctx.(*attemptContext); ok {
		return c.values
	}
	return ctx
}

// context returns the context of an attempt.
func (d *delivery) context(info Delivery) (context.Context, context.CancelFunc) {
	b := d.accepted.bus
	ctx, cancel := b.attempts, context.CancelFunc(func() {})
	if d.target.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, d.target.Timeout)
	}
	return &attemptContext{Context: ctx, values: d.accepted.values, delivery: info, bus: b}, cancel
}

// inHandler reports whether ctx is, or comes from, that of a handler of any bus.
func inHandler(ctx context.Context) bool { return ctx.Value(attemptKey{}) != nil }

// isHandlers reports whether ctx is, or comes from, that of a handler of b.
func (b *Bus) isHandlers(ctx context.Context) bool {
	c, ok := ctx.Value(attemptKey{}).(*attemptContext)
	return ok && c.bus == b
}
