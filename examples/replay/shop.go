package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

type order struct {
	Time     time.Time `json:"-"`
	ID       string
	Item     string
	Quantity int
	Cents    int // of one
}

// A shop has rules that send mails and write invoices.
type shop struct {
	bus *footbridge.Bus

	mu      sync.Mutex // guards the fields below
	mailed  int
	written []invoice // in the order of their first writing
}

type invoice struct {
	order
	total, writings int
}

// take publishes orders, and returns when they have been handled.
func (s *shop) take(ctx context.Context, orders []order) error {
	for _, o := range orders {
		e, err := footbridge.NewEvent("shop", "Order Placed", o)
		if err != nil {
			return err
		}
		e.Time = o.Time
		if _, err := s.bus.Publish(ctx, e); err != nil {
			return err
		}
	}
	return s.bus.Wait(ctx)
}

// mails is a rule whose work must not be done twice.
func (s *shop) mails() footbridge.Rule {
	return footbridge.Rule{
		Name:    "mails",
		Pattern: footbridge.MustCompile(`{"detail-type":["Order Placed"]}`),
		Targets: []footbridge.Target{footbridge.Typed("customer", func(_ context.Context, _ footbridge.Event, o order) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mailed++
			return nil
		})},
	}
}

func byQuantity(o order) int        { return o.Quantity * o.Cents }
func quantityForgotten(o order) int { return o.Cents }

// invoices is a rule that may get an order again: the later invoice replaces the other.
func (s *shop) invoices(total func(order) int) footbridge.Rule {
	write := footbridge.Typed("write", func(_ context.Context, e footbridge.Event, o order) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		o.Time = e.Time
		for i := range s.written {
			if w := &s.written[i]; w.ID == o.ID {
				*w = invoice{o, total(o), w.writings + 1}
				return nil
			}
		}
		s.written = append(s.written, invoice{o, total(o), 1})
		return nil
	})
	write.Concurrency = 1 // in the order they come
	return footbridge.Rule{
		Name:    "invoices",
		Pattern: footbridge.MustCompile(`{"detail-type":["Order Placed"]}`),
		Targets: []footbridge.Target{write},
	}
}

// print prints the invoices. Those that are wrong, or were written again, are marked.
func (s *shop) print(out io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.written {
		mark := ""
		if w.total != byQuantity(w.order) {
			mark = "  wrong"
		} else if w.writings > 1 {
			mark = "  written again"
		}
		fmt.Fprintf(out, "  %s  %s  %d x %-5s  %7.2f%s\n", w.Time.Format("15:04"), w.ID, w.Quantity, w.Item, float64(w.total)/100, mark)
	}
}
