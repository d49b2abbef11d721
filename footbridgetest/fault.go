package footbridgetest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/footbridge-go/footbridge"
)

// FailTimes returns a handler whose first n calls, of whatever delivery, return err.
// All others are next's; a nil next succeeds.
func FailTimes(n int, err error, next footbridge.Handler) footbridge.Handler {
	return times(n, func() error { return err }, next)
}

// PanicTimes is FailTimes with a panic.
func PanicTimes(n int, value any, next footbridge.Handler) footbridge.Handler {
	return times(n, func() error { panic(value) }, next)
}

func times(n int, fail func() error, next footbridge.Handler) footbridge.Handler {
	var calls atomic.Int64
	return footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
		if calls.Add(1) <= int64(n) {
			return fail()
		}
		return handle(ctx, d, next)
	})
}

// FailMatching returns a handler whose calls return err if the event matches pattern. All
// others are next's; a nil next succeeds. It panics if the pattern is refused.
func FailMatching(pattern string, err error, next footbridge.Handler) footbridge.Handler {
	p := footbridge.MustCompile(pattern)
	return footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
		if matches(p, &d.Event) {
			return err
		}
		return handle(ctx, d, next)
	})
}

func handle(ctx context.Context, d footbridge.Delivery, next footbridge.Handler) error {
	if next == nil {
		return nil
	}
	return next.Handle(ctx, d)
}

// A Gate is a handler whose calls wait until it is released; then, and from then on, they
// are Next's. A call whose context ends before returns the context's error. The zero value
// is ready to use. All methods may be called by any number of goroutines.
type Gate struct {
	Next footbridge.Handler // nil succeeds

	mu       sync.Mutex // guards the fields below
	released chan struct{}
	arrived  int
	changed  chan struct{} // closed when one more has arrived
}

// lockedInit makes what the zero value lacks. It returns with mu locked.
func (g *Gate) lockedInit() {
	g.mu.Lock()
	if g.released == nil {
		g.released, g.changed = make(chan struct{}), make(chan struct{})
	}
}

// Handle waits, and then calls Next. It implements [footbridge.Handler].
func (g *Gate) Handle(ctx context.Context, d footbridge.Delivery) error {
	g.lockedInit()
	g.arrived++
	close(g.changed)
	g.changed = make(chan struct{})
	released := g.released
	g.mu.Unlock()
	select {
	case <-released:
		return handle(ctx, d, g.Next)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wait returns when n calls have arrived in all. If they have not within ten seconds, which
// in a bubble of testing/synctest means never, it fails the test.
func (g *Gate) Wait(t TB, n int) {
	t.Helper()
	ctx, cancel := patient(t)
	defer cancel()
	for {
		g.lockedInit()
		arrived, changed := g.arrived, g.changed
		g.mu.Unlock()
		if arrived >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("footbridgetest: gate: want %s, got %d %s", counted(n, "call"), arrived, why(ctx))
			return
		}
	}
}

// Release lets all calls through, those that wait and those to come. It may be called again.
func (g *Gate) Release() {
	g.lockedInit()
	defer g.mu.Unlock()
	select {
	case <-g.released:
	default:
		close(g.released)
	}
}
