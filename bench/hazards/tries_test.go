package hazards

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/bench/peer"
)

var hazards = []hazard{
	{name: "publish 3,000 events inside a handler", try: publishInside, ours: "ok",
		bus: func() peer.Bus {
			return peer.NewFootbridge(func(t *footbridge.Target) { t.Concurrency, t.Queue = 1, 1 })
		}, note: "Concurrency 1, Queue 1"},
	{name: "handler panics", try: panics, ours: "contained, tried again"},
	{name: "Close with 500 queued", try: closeQueued, ours: "500 when it returns"},
	{name: "20,000 from one publisher", try: order},
	{name: "the same, order asked for", try: order, ours: "in order", only: true,
		bus: func() peer.Bus {
			return peer.NewFootbridge(func(t *footbridge.Target) { t.OrderBy = func(footbridge.Event) string { return "" } })
		}, note: "OrderBy"},
	{name: "one blocked handler beside a fast one, 5,000 events", try: blocked, ours: "5000"},
	{name: "a pending event", try: pending, most: 500}, // its Event, its ID and a part of what is fixed included
	{name: "goroutines left after Close, 50 subscribers", try: leftover, ours: "none"},
	{name: "publish after Close", try: publishClosed, ours: "error"},
	{name: "1,000 idle subscribers", try: idle, ours: "0 goroutines, 0 % CPU"},
	{name: "inside testing/synctest", try: bubble, ours: "ok"},
}

// numbered is an event that footbridge's rule matches.
func numbered(n int) []byte { return fmt.Appendf(nil, `{"country":"DE","n":%d}`, n) }

func number(event []byte) int { return int(gjson.GetBytes(event, "n").Int()) }

func mustPublish(ctx context.Context, bus peer.Bus, n int) {
	if err := bus.Publish(ctx, numbered(n)); err != nil {
		panic(err)
	}
}

// publishInside publishes more than queues hold, from the handler they would wait for.
func publishInside(t *testing.T, newBus func() peer.Bus) string {
	const inside = 3000
	bus := newBus()
	var handled atomic.Int64
	bus.Subscribe(func(e []byte) {
		if number(e) == 0 {
			for n := range inside {
				mustPublish(t.Context(), bus, n+1)
			}
		}
		handled.Add(1)
	})
	bus.Start()
	mustPublish(t.Context(), bus, 0)
	if !eventually(10*time.Second, func() bool { return handled.Load() == inside+1 }) {
		return fmt.Sprintf("stuck: %d handled", handled.Load())
	}
	return "ok"
}

// panics lets a handler panic once.
func panics(t *testing.T, newBus func() peer.Bus) string {
	bus := newBus()
	var calls, others atomic.Int64
	bus.Subscribe(func(e []byte) {
		if number(e) > 0 {
			others.Add(1)
		} else if calls.Add(1) == 1 {
			panic("boom")
		}
	})
	bus.Start()
	for n := range 11 {
		mustPublish(t.Context(), bus, n)
	}
	if !eventually(10*time.Second, func() bool { return others.Load() == 10 }) {
		return fmt.Sprintf("contained, %d of 10 others handled", others.Load())
	}
	if !eventually(10*time.Second, func() bool { return calls.Load() > 1 }) {
		return "contained, not tried again"
	}
	return "contained, tried again"
}

// closeQueued closes while a handler is at the first of 500 events.
func closeQueued(t *testing.T, newBus func() peer.Bus) string {
	const queued = 500
	bus := newBus()
	var handled atomic.Int64
	gate := make(chan struct{})
	bus.Subscribe(func([]byte) {
		<-gate
		handled.Add(1)
	})
	bus.Start()
	for n := range queued {
		mustPublish(t.Context(), bus, n)
	}
	closed := make(chan string, 1)
	go func() {
		err := bus.Close()
		n := handled.Load()
		says := fmt.Sprintf("%d when it returns", n)
		if err != nil {
			says += " an error"
		}
		closed <- says
	}()
	says := ""
	select {
	case says = <-closed:
	case <-time.After(50 * time.Millisecond): // Close has begun, and waits
	}
	close(gate)
	if says == "" {
		says = <-closed
	}
	early := handled.Load()
	if early < queued && eventually(2*time.Second, func() bool { return handled.Load() == queued }) {
		return says + ", 500 later"
	} else if early < queued {
		return fmt.Sprintf("%s, %d never handled", says, queued-handled.Load())
	}
	return says
}

// order counts the events that do not come right behind the one published before them.
func order(t *testing.T, newBus func() peer.Bus) string {
	const events = 20000
	bus := newBus()
	var mu sync.Mutex
	handled, strays, last := 0, 0, -1
	bus.Subscribe(func(e []byte) {
		n := number(e)
		mu.Lock()
		defer mu.Unlock()
		if n != last+1 {
			strays++
		}
		handled, last = handled+1, n
	})
	bus.Start()
	for n := range events {
		mustPublish(t.Context(), bus, n)
	}
	all := eventually(20*time.Second, func() bool { mu.Lock(); defer mu.Unlock(); return handled == events })
	switch {
	case !all:
		return fmt.Sprintf("%d handled", handled)
	case strays == 0:
		return "in order"
	}
	return fmt.Sprintf("%.0f %% out of order", 100*float64(strays)/events)
}

// blocked counts what a fast handler gets beside one that does not return.
func blocked(t *testing.T, newBus func() peer.Bus) string {
	const events = 5000
	bus := newBus()
	var fast atomic.Int64
	bus.Subscribe(func([]byte) { select {} })
	bus.Subscribe(func([]byte) { fast.Add(1) })
	bus.Start()
	ctx := t.Context()
	go func() {
		for n := range events {
			mustPublish(ctx, bus, n)
		}
	}()
	eventually(5*time.Second, func() bool { return fast.Load() == events })
	return fmt.Sprint(fast.Load())
}

// pending measures what an event costs that waits for its handler, beside its bytes.
func pending(t *testing.T, newBus func() peer.Bus) string {
	const events = 1000
	one := numbered(1)
	memory := func() int64 {
		runtime.GC()
		runtime.GC() // what pools hold goes in the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before, goroutines := memory(), runtime.NumGoroutine()
	bus := newBus()
	bus.Subscribe(func([]byte) { select {} })
	bus.Start()
	for range events {
		if err := bus.Publish(t.Context(), one); err != nil {
			panic(err)
		}
	}
	settle()
	each := (memory() - before) / events
	runtime.KeepAlive(bus)
	return fmt.Sprintf("%d B, %.0f goroutines", each, float64(runtime.NumGoroutine()-goroutines)/events)
}

// settle returns when the number of goroutines has stayed the same for a while.
func settle() {
	same, last := 0, 0
	eventually(5*time.Second, func() bool {
		n := runtime.NumGoroutine()
		if n != last {
			same, last = 0, n
		}
		same++
		return same > 100
	})
}

// leftover counts the goroutines that Close leaves.
func leftover(t *testing.T, newBus func() peer.Bus) string {
	const subscribers, events = 50, 10
	before := runtime.NumGoroutine()
	bus := newBus()
	var handled atomic.Int64
	for range subscribers {
		bus.Subscribe(func([]byte) { handled.Add(1) })
	}
	bus.Start()
	for n := range events {
		mustPublish(t.Context(), bus, n)
	}
	eventually(5*time.Second, func() bool { return handled.Load() == subscribers*events })
	if err := bus.Close(); err != nil {
		return err.Error()
	}
	if eventually(2*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
		return "none"
	}
	return fmt.Sprint(runtime.NumGoroutine() - before)
}

// publishClosed publishes on a bus that was closed.
func publishClosed(t *testing.T, newBus func() peer.Bus) (says string) {
	bus := newBus()
	var handled atomic.Int64
	bus.Subscribe(func([]byte) { handled.Add(1) })
	bus.Start()
	if err := bus.Close(); err != nil {
		return err.Error()
	}
	defer func() {
		if recover() != nil {
			says = "panics"
		}
	}()
	if err := bus.Publish(t.Context(), numbered(1)); err != nil {
		return "error"
	}
	if eventually(time.Second, func() bool { return handled.Load() == 1 }) {
		return "still delivers"
	}
	return "lost without a word"
}

// idle counts goroutines, and the time of the processor that a second of nothing takes.
func idle(t *testing.T, newBus func() peer.Bus) string {
	before := runtime.NumGoroutine()
	bus := newBus()
	for range 1000 {
		bus.Subscribe(func([]byte) {})
	}
	bus.Start()
	settle()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	goroutines, start := runtime.NumGoroutine()-before, used()
	<-time.After(time.Second)
	return fmt.Sprintf("%d goroutines, %.0f %% CPU", goroutines, 100*(used()-start).Seconds())
}

// bubble publishes and closes under a fake clock.
func bubble(t *testing.T, newBus func() peer.Bus) string {
	var handled atomic.Int64
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		synctest.Test(t, func(t *testing.T) {
			bus := newBus()
			bus.Subscribe(func([]byte) { handled.Add(1) })
			bus.Start()
			for n := range 10 {
				mustPublish(t.Context(), bus, n)
			}
			<-time.After(time.Hour)
			if err := bus.Close(); err != nil {
				panic(err)
			}
		})
	}()
	select {
	case <-finished:
	case <-time.After(10 * time.Second):
		return "fails: the bubble does not end"
	}
	if handled.Load() != 10 {
		return fmt.Sprintf("fails: %d of 10 handled", handled.Load())
	}
	return "ok"
}
