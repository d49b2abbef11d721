package footbridgetest_test

import (
	"context"
	"fmt"

	"github.com/footbridge-go/footbridge"
)

// A shop takes payments for orders and sends emails about those that are paid. It is the
// service that the examples test.
type shop struct {
	charge func(id string, total float64) error
	email  func(id string) error
}

// An order is the detail of the shop's events.
type order struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
}

// register puts the shop's rules on a bus.
func (s *shop) register(bus *footbridge.Bus) error {
	payment := footbridge.Typed("charge", func(ctx context.Context, e footbridge.Event, o order) error {
		if err := s.charge(o.ID, o.Total); err != nil {
			return fmt.Errorf("charge order %s: %w", o.ID, err)
		}
		paid, err := footbridge.NewEvent("shop", "Order Paid", o)
		if err != nil {
			return err
		}
		_, err = bus.Publish(ctx, paid)
		return err
	})
	email := footbridge.Typed("email", func(_ context.Context, _ footbridge.Event, o order) error { return s.email(o.ID) })
	for _, r := range []footbridge.Rule{
		{Name: "placed", Pattern: footbridge.MustCompile(`{"source":["shop"],"detail-type":["Order Placed"]}`), Targets: []footbridge.Target{payment}},
		{Name: "paid", Pattern: footbridge.MustCompile(`{"source":["shop"],"detail-type":["Order Paid"]}`), Targets: []footbridge.Target{email}},
	} {
		if err := bus.PutRule(r); err != nil {
			return err
		}
	}
	return nil
}
