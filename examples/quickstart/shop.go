package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/footbridge-go/footbridge"
)

// A shop has the targets of the rules, by ID.
type shop struct {
	targets  map[string]footbridge.Target
	audit    chan footbridge.Event
	audited  chan int    // has the number of events received from audit when that is closed
	repaired atomic.Bool // the ledger is
}

type order struct {
	Order, Customer string
	Total           float64
}

type payment struct {
	Payment, Order string
	Amount         float64
}

func newShop() *shop {
	s := &shop{targets: make(map[string]footbridge.Target), audit: make(chan footbridge.Event), audited: make(chan int, 1)}
	go func() {
		n := 0
		for range s.audit {
			n++
		}
		s.audited <- n
	}()
	for _, t := range []footbridge.Target{
		footbridge.Func("thumbnails", handle),
		footbridge.Func("log-index", handle),
		footbridge.Func("on-call", handle),
		footbridge.Func("fraud", handle),
		footbridge.Chan("audit", s.audit),
		footbridge.Typed("invoice", invoice),
		footbridge.Typed("ledger", s.book),
		{ID: "email", Handler: footbridge.HandlerFunc(email)},
	} {
		s.targets[t.ID] = t
	}
	return s
}

// handle stands for work that goes well.
func handle(context.Context, footbridge.Event) error { return nil }

// invoice gets the event's detail as an order.
func invoice(_ context.Context, _ footbridge.Event, o order) error {
	if o.Total <= 0 {
		return footbridge.Permanent(fmt.Errorf("order %s has no total", o.Order)) // no retry would mend it
	}
	return nil
}

// email fails at the first two attempts for each event: it recovers by retry.
func email(_ context.Context, d footbridge.Delivery) error {
	if d.Attempt <= 2 {
		return errors.New("mail server: try again")
	}
	return nil
}

// book fails until the ledger is repaired: its deliveries end in the dead letters.
func (s *shop) book(_ context.Context, _ footbridge.Event, p payment) error {
	if !s.repaired.Load() {
		return fmt.Errorf("ledger is down, cannot book %s", p.Payment)
	}
	return nil
}
