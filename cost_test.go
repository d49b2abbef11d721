package footbridge

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a bus costs that is not time.

// raceEnabled is true below the race detector, which allocates for itself.
var raceEnabled bool

// Publish allocates an ID, and an event with its first delivery in it; the other
// deliveries are one allocation more. Handling allocates nothing.
func TestAllocationsOfPublish(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for targets, want := range map[int]float64{0: 2, 1: 2, 10: 3, 100: 3} {
		b := benchBus(t, 1, targets)
		e := benchEvent()
		publishAll(b, e, 1000) // fills the pools
		require.NoError(t, b.Wait(t.Context()))
		got := testing.AllocsPerRun(1000, func() { publishAll(b, e, 1) })
		require.NoError(t, b.Wait(t.Context()))
		assert.LessOrEqual(t, got, want, "%d targets", targets)
	}
}

// live returns the bytes of the heap that are in use.
func live() int64 {
	var m runtime.MemStats
	for range 2 { // pools give their things up at the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// holdGoroutines holds that there are no more than n goroutines, once those have ended that
// are about to.
func holdGoroutines(t *testing.T, n int) {
	t.Helper()
	for range 1_000_000 {
		if runtime.NumGoroutine() <= n {
			return
		}
		runtime.Gosched()
	}
	assert.Fail(t, "too many goroutines", "%d, want at most %d", runtime.NumGoroutine(), n)
}

// A waiting delivery costs at most 200 bytes beside its event, which all targets share,
// and no goroutine; so does one that waits for a retry, but for its error. A key of its own
// adds about 100, and so does it that somebody asks for the outcome.
func TestMemoryOfWaitingDeliveries(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const deliveries = 50000
	const event = int(unsafe.Sizeof(Event{})) + 48 // and its ID
	waits := HandlerFunc(func(ctx context.Context, _ Delivery) error { <-ctx.Done(); return nil })
	for _, c := range []struct {
		name         string
		targets      int
		handler      Handler
		keyed, asked bool
		most         int64
	}{
		{"queued", 1, waits, false, false, 200},
		{"queued", 10, waits, false, false, 200},
		{"retrying", 1, failing(1, errDown), false, false, 200},
		{"retrying", 10, failing(1, errDown), false, false, 200},
		{"queued, with a key", 1, waits, true, false, 300},
		{"queued, with an outcome", 1, waits, false, true, 300},
		{"queued, with both", 1, waits, true, true, 400},
	} {
		b := New(&Options{Concurrency: 1, Retry: Backoff{Base: 24 * time.Hour, NoJitter: true}})
		r := Rule{Name: "r", Pattern: everything}
		for n := range c.targets {
			t := Target{ID: fmt.Sprint(n), Handler: c.handler}
			if c.keyed {
				t.OrderBy = func(e Event) string { return e.ID }
			}
			r.Targets = append(r.Targets, t)
		}
		require.NoError(t, b.PutRule(r))
		goroutines, before := runtime.NumGoroutine(), live()
		for range deliveries / c.targets {
			var err error
			if c.asked {
				_, err = b.PublishNotify(t.Context(), event1, func(Outcome) {})
			} else {
				_, err = b.Publish(t.Context(), event1)
			}
			require.NoError(t, err)
		}
		settled := func() bool {
			for _, s := range b.Stats().Targets {
				if s.Waiting+s.Running > 1 && c.name == "retrying" {
					return false
				}
			}
			return true
		}
		for !settled() {
			runtime.Gosched()
		}
		bytes := (live() - before - int64(event*deliveries/c.targets)) / deliveries
		t.Logf("%s, %d targets: %d bytes a delivery", c.name, c.targets, bytes)
		assert.LessOrEqual(t, bytes, c.most, "%s, %d targets", c.name, c.targets)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		holdGoroutines(t, goroutines+c.targets)
		assert.Error(t, b.Close(ctx))
	}
}

var event1 = Event{Source: "test", DetailType: "Test", Detail: []byte(`{"n":1}`)}

// A bus with 10,000 targets that has nothing to do has no goroutine and no timer, before
// its first event and after its last: in a bubble, time would pass for either.
func TestIdleBusHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets = 10000
		b := New(&Options{Retry: plain})
		goroutines := runtime.NumGoroutine()
		for n := range targets / 100 {
			r := Rule{Name: fmt.Sprint("r", n), Pattern: everything}
			for i := range 100 {
				r.Targets = append(r.Targets, Target{ID: fmt.Sprint("t", i), Handler: failing(i%2, errDown)})
			}
			require.NoError(t, b.PutRule(r))
		}
		holdGoroutines(t, goroutines)
		for n := range 3 {
			publish(t, b, n)
			require.NoError(t, b.Wait(t.Context()))
			synctest.Wait()
			holdGoroutines(t, goroutines)
		}
		assert.EqualValues(t, 3*targets, b.Stats().Delivered)
		// With no timer and no goroutine left, nothing happens however long one waits.
		before := b.Stats()
		<-time.After(1000 * time.Hour)
		assert.Equal(t, before, b.Stats())
		checkBooks(t, b)
	})
}

// 100,000 deliveries that wait for a retry have no goroutine each, and each is attempted
// again at its time.
func TestManyRetriesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const retries = 100_000
		b := New(&Options{Backlog: retries, Queue: retries, Retry: Backoff{Base: 24 * time.Hour, MaxDelay: 24 * time.Hour, MaxAge: 48 * time.Hour}})
		policy := b.options.Retry
		late := 0
		put(t, b, "r", Target{ID: "t", Concurrency: 1, Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
			if d.Attempt == 1 {
				return errDown
			}
			delay, _ := policy.Next(Attempt{EventID: d.Event.ID, Rule: "r", Target: "t", Err: errDown})
			if time.Since(d.Accepted) != delay {
				late++
			}
			return nil
		})})
		goroutines := runtime.NumGoroutine()
		for n := range retries {
			publish(t, b, n)
		}
		synctest.Wait()
		assert.Equal(t, retries, b.Stats().Targets[0].Retrying)
		holdGoroutines(t, goroutines)
		require.NoError(t, b.Close(t.Context()))
		assert.Zero(t, late)
		assert.EqualValues(t, retries, b.Stats().Delivered)
		checkBooks(t, b)
	})
}
