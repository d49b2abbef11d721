package bench

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/footbridge-go/footbridge/bench/peer"
)

// A burst counts the deliveries of some events at all subscribers, and tells when the
// last has been handled.
type burst struct {
	events int64
	subs   []subscriber
	open   atomic.Int64 // subscribers that have not handled all
	done   chan struct{}
}

// A subscriber counts alone: one count for all would be what the fan-out measures.
type subscriber struct {
	left atomic.Int64
	_    [56]byte // keeps neighbours off its cache line
}

func newBurst(events, subscribers int) *burst {
	return &burst{events: int64(events), subs: make([]subscriber, subscribers), done: make(chan struct{}, 1)}
}

func (b *burst) begin() {
	b.open.Store(int64(len(b.subs)))
	for i := range b.subs {
		b.subs[i].left.Store(b.events)
	}
}

// handler returns the handler of subscriber i: all it does is count.
func (b *burst) handler(i int) func([]byte) {
	s := &b.subs[i]
	return func([]byte) {
		if s.left.Add(-1) == 0 && b.open.Add(-1) == 0 {
			b.done <- struct{}{}
		}
	}
}

// BenchmarkDispatch publishes events in bursts and waits until every subscriber has
// handled each burst. Bursts bound what peers without a bound would pile up; they are
// long enough that what a peer waits for once a burst, a tick of 500 us for one, counts
// little.
func BenchmarkDispatch(b *testing.B) {
	detail := []byte(peer.Detail)
	for _, subscribers := range []int{1, 100} {
		events := 16384
		if subscribers > 1 {
			events = 256
		}
		b.Run(fmt.Sprintf("targets=%d/floor", subscribers), func(b *testing.B) {
			bus := peer.All()[0].New() // channels
			run(b, bus, events, subscribers, func() error {
				if !gjson.ValidBytes(detail) {
					return fmt.Errorf("not JSON: %s", detail)
				}
				return bus.Publish(b.Context(), detail)
			})
		})
		for _, p := range peer.All() {
			name := strings.ReplaceAll(p.Name, "/", "-") // a slash would part the name for -bench
			b.Run(fmt.Sprintf("targets=%d/%s", subscribers, name), func(b *testing.B) {
				bus := p.New()
				run(b, bus, events, subscribers, func() error { return bus.Publish(b.Context(), detail) })
			})
		}
	}
}

// run reports the time and the allocations of an event.
func run(b *testing.B, bus peer.Bus, events, subscribers int, publish func() error) {
	count := newBurst(events, subscribers)
	for i := range subscribers {
		bus.Subscribe(count.handler(i))
	}
	bus.Start()
	all := func() {
		count.begin()
		for range events {
			if err := publish(); err != nil {
				b.Fatal(err)
			}
		}
		<-count.done
	}
	all() // what is made once is not an event's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		all()
	}
	n := float64(b.N) * float64(events)
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/event")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/event")
	b.ReportMetric(0, "ns/op")
	if err := bus.Close(); err != nil {
		b.Fatal(err)
	}
}
