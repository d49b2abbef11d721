package footbridge

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// benchDetail is a detail of about 250 bytes.
var benchDetail = []byte(`{"order":"O-1001","customer":"ada@example.com","country":"DE","total":89.5,"currency":"EUR","items":[{"sku":"MUG-1","quantity":2,"price":19.75},{"sku":"TEE-7","quantity":1,"price":50}],"shipping":{"method":"parcel","street":"Hauptstr. 5","city":"Berlin"}}`)

// eventsAtATime is how many events a benchmark publishes before it waits until all are
// handled: as many as the floor's channel holds.
const eventsAtATime = 1024

// floor is what Go itself needs for n events: to validate their JSON and to hand them
// from one goroutine to another through a buffered channel.
func floor(n int) {
	ch, done := make(chan []byte, 1024), make(chan struct{})
	go func() {
		for range ch {
		}
		close(done)
	}()
	for range n {
		if !gjson.ValidBytes(benchDetail) {
			panic("invalid")
		}
		ch <- benchDetail
	}
	close(ch)
	<-done
}

// ofFloor reports the time of an event as a multiple of the floor. Work publishes n
// events and waits until all are handled. The two take turns, so that both see the
// same machine, and of their rounds the best counts.
func ofFloor(b *testing.B, work func(n int)) {
	const rounds, long = 5, 40 * time.Millisecond
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for b.Loop() { // the framework's own figure says nothing here: one loop is all it needs
		for range rounds {
			for k, f := range [2]func(int){work, floor} {
				events, start := 0, time.Now()
				for time.Since(start) < long {
					f(eventsAtATime)
					events += eventsAtATime
				}
				best[k] = min(best[k], float64(time.Since(start))/float64(events))
			}
		}
	}
	b.ReportMetric(best[0], "ns/event")
	b.ReportMetric(best[0]/best[1], "of-floor")
	b.ReportMetric(0, "ns/op")
}

// benchBus returns a bus with n rules, of which the last one, with that many targets,
// matches what benchEvent returns.
func benchBus(tb testing.TB, rules, targets int) *Bus {
	b := New(nil)
	for i := range rules {
		r := Rule{Name: fmt.Sprint("r", i), Pattern: MustCompile(fmt.Sprintf(`{"source":["shop"],"detail":{"order":["O-%d"]}}`, i+1002-rules))}
		for t := range targets {
			r.Targets = append(r.Targets, Func(fmt.Sprint("t", t), func(context.Context, Event) error { return nil }))
		}
		if err := b.PutRule(r); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return b
}

func benchEvent() Event {
	return Event{Source: "shop", DetailType: "Order Placed", Detail: benchDetail}
}

func publishAll(b *Bus, e Event, n int) {
	for range n {
		if _, err := b.Publish(context.Background(), e); err != nil {
			panic(err)
		}
	}
}

// BenchmarkPublish reports the time of an event, until it is handled, as a multiple of
// the floor: by the number of rules and the targets of the one that matches.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct{ rules, targets int }{{1, 1}, {1000, 1}, {1, 10}, {1, 100}} {
		b.Run(fmt.Sprintf("rules=%d/targets=%d", c.rules, c.targets), func(b *testing.B) {
			bus := benchBus(b, c.rules, c.targets)
			ofFloor(b, func(n int) {
				publishAll(bus, benchEvent(), n)
				if err := bus.Wait(context.Background()); err != nil {
					b.Fatal(err)
				}
			})
			if s := bus.Stats(); s.Delivered != int64(c.targets)*s.Published {
				b.Fatalf("%+v", s)
			}
		})
	}
}

// BenchmarkPublishers has eight publishers, each with a rule and a target of its own.
func BenchmarkPublishers(b *testing.B) {
	const publishers = 8
	bus := benchBus(b, 0, 0)
	for i := range publishers {
		r := Rule{Name: fmt.Sprint("r", i), Pattern: MustCompile(fmt.Sprintf(`{"source":["shop-%d"],"detail":{"country":["DE"]}}`, i))}
		r.Targets = []Target{Func("t", func(context.Context, Event) error { return nil })}
		if err := bus.PutRule(r); err != nil {
			b.Fatal(err)
		}
	}
	ofFloor(b, func(n int) {
		var g sync.WaitGroup
		for i := range publishers {
			e := benchEvent()
			e.Source = fmt.Sprint("shop-", i)
			g.Go(func() { publishAll(bus, e, n/publishers) })
		}
		g.Wait()
		if err := bus.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
	if s := bus.Stats(); s.Delivered != s.Published || s.Unmatched > 0 {
		b.Fatalf("%+v", s)
	}
}
