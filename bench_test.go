package footbridge

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"
)

// benchDetail is a detail of about 250 bytes.
var benchDetail = []byte(`{"order":"O-1001","customer":"ada@example.com","country":"DE","total":89.5,"currency":"EUR","items":[{"sku":"MUG-1","quantity":2,"price":19.75},{"sku":"TEE-7","quantity":1,"price":50}],"shipping":{"method":"parcel","street":"Hauptstr. 5","city":"Berlin"}}`)

// BenchmarkFloor is what Go itself needs for an event: to validate its JSON and to
// hand it from one goroutine to another through a buffered channel.
func BenchmarkFloor(b *testing.B) {
	ch, done := make(chan []byte, 1024), make(chan struct{})
	go func() {
		for range ch {
		}
		close(done)
	}()
	for b.Loop() {
		if !gjson.ValidBytes(benchDetail) {
			b.Fatal("invalid")
		}
		ch <- benchDetail
	}
	close(ch)
	<-done
}

// BenchmarkPublish publishes to one rule, and waits until all is handled.
func BenchmarkPublish(b *testing.B) {
	for _, targets := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("targets=", targets), func(b *testing.B) {
			bus := New(nil)
			r := Rule{Name: "r", Pattern: MustCompile(`{"source":["shop"],"detail":{"country":["DE"]}}`)}
			for i := range targets {
				r.Targets = append(r.Targets, Func(fmt.Sprint("t", i), func(context.Context, Event) error { return nil }))
			}
			if err := bus.PutRule(r); err != nil {
				b.Fatal(err)
			}
			e := Event{Source: "shop", DetailType: "Order Placed", Detail: benchDetail}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bus.Publish(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
			if err := bus.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
