package peer

import (
	"context"
	"fmt"

	"github.com/footbridge-go/footbridge"
)

// Detail is an event of about 250 bytes, which footbridge's rule matches.
const Detail = `{"order":"O-1001","customer":"ada@example.com","country":"DE","total":89.5,"currency":"EUR",` +
	`"items":[{"sku":"MUG-1","quantity":2,"price":19.75},{"sku":"TEE-7","quantity":1,"price":50}],` +
	`"shipping":{"method":"parcel","street":"Hauptstr. 5","city":"Berlin"}}`

// orders matches by the source and a field of the detail.
var orders = footbridge.MustCompile(`{"source":["shop"],"detail":{"country":["DE"]}}`)

// footbridgeBus has one rule, which every event matches; its subscribers are that
// rule's targets.
type footbridgeBus struct {
	bus     *footbridge.Bus
	targets []footbridge.Target
	change  func(*footbridge.Target)
}

// NewFootbridge returns a bus with a dead-letter queue and otherwise default options.
// change, which may be nil, is called for each target.
func NewFootbridge(change func(*footbridge.Target)) Bus {
	return &footbridgeBus{bus: footbridge.New(&footbridge.Options{DLQ: &footbridge.MemoryDLQ{}}), change: change}
}

func (f *footbridgeBus) Subscribe(handler func([]byte)) {
	t := footbridge.Func(fmt.Sprint("target", len(f.targets)+1), func(_ context.Context, e footbridge.Event) error {
		handler(e.Detail)
		return nil
	})
	if f.change != nil {
		f.change(&t)
	}
	f.targets = append(f.targets, t)
}

func (f *footbridgeBus) Start() {
	must(f.bus.PutRule(footbridge.Rule{Name: "orders", Pattern: orders, Targets: f.targets}))
}

func (f *footbridgeBus) Publish(ctx context.Context, detail []byte) error {
	_, err := f.bus.Publish(ctx, footbridge.Event{Source: "shop", DetailType: "Order Placed", Detail: detail})
	return err
}

func (f *footbridgeBus) Close() error { return f.bus.Close(context.Background()) }
