// Quickstart shows the model in one screen: events from a file, routed by rules from
// another to functions and a channel; a target that recovers by retry; one that ends
// in the dead letters and is redriven.
//
//	go run ./examples/quickstart [events.jsonl [rules.json]]
//
// Each line of the events file is an envelope as EventBridge delivers it. The rules
// file is what footbridge.LoadRules reads: names, patterns, and the IDs of targets, which
// are in shop.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) > 2 || len(args) > 0 && strings.HasPrefix(args[0], "-") {
		return errors.New("usage: quickstart [events.jsonl [rules.json]]")
	}
	events, err := readEvents(args)
	if err != nil {
		return err
	}
	shop := newShop()
	rules, err := readRules(args, shop.targets)
	if err != nil {
		return err
	}

	// A bus that retries quickly and keeps what it cannot deliver.
	ctx := context.Background()
	journal := &journal{ends: make(map[string][]string)}
	dlq := &footbridge.MemoryDLQ{}
	bus := footbridge.New(&footbridge.Options{
		Retry:    footbridge.Backoff{Base: 5 * time.Millisecond, MaxRetries: 3},
		DLQ:      dlq,
		Observer: journal.observer(),
	})
	for _, rule := range rules {
		if err := bus.PutRule(rule); err != nil {
			return err
		}
	}

	for i, e := range events {
		if events[i].ID, err = bus.Publish(ctx, e.Event); err != nil {
			return fmt.Errorf("%s: %w", e.place, err)
		}
	}
	if err := bus.Wait(ctx); err != nil { // until every delivery is decided
		return err
	}

	fmt.Fprintf(out, "%d events, %d rules. What went where:\n\n", len(events), len(rules))
	for _, e := range events {
		fmt.Fprintf(out, "  %-40s %s\n", subject(e.Event), strings.Join(journal.of(e.ID), "  "))
	}
	printDeadLetters(out, dlq)

	shop.repaired.Store(true)
	n, err := dlq.Redrive(ctx, bus, nil)
	if err != nil {
		return err
	}
	if err := bus.Close(ctx); err != nil { // drains; then no goroutine is left
		return err
	}
	fmt.Fprintf(out, "\nThe ledger is repaired; %d redriven, %d dead letters left.\n", n, dlq.Len())
	s := bus.Stats()
	fmt.Fprintf(out, "%d deliveries in %d attempts: %d delivered, %d dead-lettered, %d lost; %d events matched no rule.\n",
		s.Deliveries, s.Invocations, s.Delivered, s.DeadLettered, s.Lost, s.Unmatched)
	close(shop.audit)
	fmt.Fprintf(out, "The channel of rule audit received %d events.\n", <-shop.audited)
	return nil
}

func printDeadLetters(out io.Writer, dlq *footbridge.MemoryDLQ) {
	fmt.Fprintf(out, "\nDead letters: %d\n", dlq.Len())
	for _, d := range dlq.Letters() {
		fmt.Fprintf(out, "  %s/%s: %s\n    %s: %q after %d retries, %s\n", d.Rule, d.Target, subject(d.Event),
			d.ErrorCode, d.ErrorMessage, d.RetryAttempts, d.ExhaustedRetryCondition)
	}
}

// subject is what an event is about, in a few words.
func subject(e footbridge.Event) string {
	var d struct {
		Object     struct{ Key string }
		InstanceID string `json:"instance-id"`
		Payment    string
		Order      string
	}
	_ = e.Decode(&d) // events of other shapes are named by their type alone
	name := strings.TrimSuffix(e.DetailType, " Instance State-change Notification")
	for _, s := range []string{d.Object.Key, d.InstanceID, d.Payment, d.Order} {
		if s != "" {
			return name + " " + s
		}
	}
	return name
}
