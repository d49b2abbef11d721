package awssdk

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/footbridge-go/footbridge"
)

// maxEntries is how many entries a request of either service may have.
const maxEntries = 10

// A batcher sends the entries of calls that wait at the same time in one request.
//
// A request begins when none is under way, or when what waits fills one. So at low load each
// entry is sent at once, without a timer; under load requests are full; and the more calls
// there may be at a time, the more full requests are under way: a target's Concurrency bounds
// them. A goroutine lives as long as its request.
type batcher[E any] struct {
	maxSize int // bytes that the entries of a request may have together

	// send sends a request, and returns the result of each entry, or an error if the request
	// as a whole failed.
	send func(ctx context.Context, entries []E) ([]error, error)

	mu       sync.Mutex // guards the fields below, and those of calls and requests that say so
	waiting  []*call[E] // in the order they came
	requests int        // under way
}

// A call is an entry, and the goroutine that waits for its result.
type call[E any] struct {
	ctx     context.Context
	entry   E
	size    int // bytes
	result  chan error
	request *request[E] // nil: it waits; guarded by the batcher's mu
}

// A request is what was sent together.
type request[E any] struct {
	calls  []*call[E]
	left   int // calls that still wait for it; guarded by the batcher's mu
	ctx    context.Context
	cancel context.CancelFunc
}

// do sends an entry, of so many bytes, and returns its result. When ctx ends it returns ctx's
// error: an entry that was not sent yet is not sent; one that was may have been taken.
func (b *batcher[E]) do(ctx context.Context, entry E, size int) error {
	c := &call[E]{ctx: ctx, entry: entry, size: size, result: make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	b.beginLocked()
	b.mu.Unlock()
	select {
	case err := <-c.result:
		return err
	case <-ctx.Done():
	}
	b.leave(c)
	select {
	case err := <-c.result: // it came at the same time
		return err
	default:
		return ctx.Err()
	}
}

// leave takes back a call that no longer waits. A request that nobody waits for is canceled.
func (b *batcher[E]) leave(c *call[E]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := c.request
	if r == nil {
		i := slices.Index(b.waiting, c)
		b.waiting = slices.Delete(b.waiting, i, i+1)
		return
	}
	if r.left--; r.left == 0 {
		r.cancel()
	}
}

// beginLocked begins all requests that may begin.
func (b *batcher[E]) beginLocked() {
	for {
		n, full := b.nextLocked()
		if n == 0 || b.requests > 0 && !full {
			return
		}
		r := &request[E]{calls: slices.Clone(b.waiting[:n]), left: n}
		b.waiting = slices.Delete(b.waiting, 0, n)
		for _, c := range r.calls {
			c.request = r
		}
		// The request has the values of the first caller's context, but ends with none of them
		// alone.
		r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(r.calls[0].ctx))
		b.requests++
		go b.run(r)
	}
}

// nextLocked returns how many of the calls that wait are for the next request, and whether
// that is full: no other would be added to it. The first goes whatever its size.
func (b *batcher[E]) nextLocked() (n int, full bool) {
	size := 0
	for _, c := range b.waiting {
		if n == maxEntries || n > 0 && size+c.size > b.maxSize {
			return n, true
		}
		size += c.size
		n++
	}
	return n, n == maxEntries
}

// run sends a request and gives each call its result, also if the client panics or ends its
// goroutine.
func (b *batcher[E]) run(r *request[E]) {
	results := slices.Repeat([]error{errGoexit}, len(r.calls))
	defer func() {
		if p := recover(); p != nil {
			results = slices.Repeat([]error{&footbridge.PanicError{Value: p, Stack: debug.Stack()}}, len(r.calls))
		}
		for i, c := range r.calls {
			c.result <- results[i]
		}
		r.cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.requests--
		b.beginLocked()
	}()
	entries := make([]E, len(r.calls))
	for i, c := range r.calls {
		entries[i] = c.entry
	}
	results = b.sendApart(r.ctx, entries)
}

var errGoexit = errors.New("awssdk: the client has ended its goroutine")

// sendApart sends a request, and if it is refused as a whole, which one of its entries may
// be to blame for, each entry alone.
func (b *batcher[E]) sendApart(ctx context.Context, entries []E) []error {
	results, err := b.send(ctx, entries)
	switch {
	case err == nil:
		for i := range results {
			results[i] = judge(results[i])
		}
		return results
	case len(entries) > 1 && refused(err):
		results = make([]error, 0, len(entries))
		for i := range entries {
			results = append(results, b.sendApart(ctx, entries[i:i+1])...)
		}
		return results
	}
	return slices.Repeat([]error{judge(err)}, len(entries))
}
