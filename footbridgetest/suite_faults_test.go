package footbridgetest

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// A faultyDLQ is a memory queue with one fault.
type faultyDLQ struct {
	footbridge.MemoryDLQ
	fault func(d *footbridge.DeadLetter) // changes a letter
	byID  bool                           // keeps one letter for an event
	hangs <-chan struct{}
}

func (q *faultyDLQ) Send(ctx context.Context, d footbridge.DeadLetter) error {
	if q.hangs != nil {
		<-q.hangs
	}
	for _, kept := range q.Letters() {
		if q.byID && kept.Event.ID == d.Event.ID {
			return nil
		}
	}
	if q.fault != nil {
		q.fault(&d)
	}
	return q.MemoryDLQ.Send(ctx, d)
}

// reencode is what becomes of JSON in a value of type any.
func reencode(detail []byte) []byte {
	var v any
	if err := json.Unmarshal(detail, &v); err != nil {
		panic(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// A queue with one fault fails, in the case of the promise that it breaks.
func TestDLQFindsFaults(t *testing.T) {
	for name, q := range map[string]*faultyDLQ{
		"keyed by event":    {byID: true},
		"no Err":            {fault: func(d *footbridge.DeadLetter) { d.Err = nil }},
		"another Err":       {fault: func(d *footbridge.DeadLetter) { d.Err = errors.New("another") }},
		"whole seconds":     {fault: func(d *footbridge.DeadLetter) { d.Time = d.Time.Truncate(time.Second) }},
		"accepted, seconds": {fault: func(d *footbridge.DeadLetter) { d.Accepted = d.Accepted.Truncate(time.Second) }},
		"detail encoded":    {fault: func(d *footbridge.DeadLetter) { d.Event.Detail = reencode(d.Event.Detail) }},
	} {
		failures, _ := run(t, func(t *recordingTB) {
			TestDLQ(t, func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) {
				q := &faultyDLQ{fault: q.fault, byID: q.byID}
				return q, func() ([]footbridge.DeadLetter, error) { return q.Letters(), nil }
			})
		})
		assert.Contains(t, failures, "it keeps letters whole", "%s", name)
	}
}

// A faultyStore is a store with one fault.
type faultyStore struct {
	archive.MemoryStore
	fault func(e *footbridge.Event)
	hangs <-chan struct{}
}

func (s *faultyStore) Append(ctx context.Context, e footbridge.Event) error {
	if s.fault != nil {
		s.fault(&e)
	}
	return s.MemoryStore.Append(ctx, e)
}

func (s *faultyStore) Read(ctx context.Context, from, until time.Time) (archive.Cursor, error) {
	if s.hangs != nil {
		<-s.hangs
	}
	return s.MemoryStore.Read(ctx, from, until)
}

func TestStoreFindsFaults(t *testing.T) {
	for name, fault := range map[string]func(e *footbridge.Event){
		"detail encoded": func(e *footbridge.Event) { e.Detail = reencode(e.Detail) },
		"HTML escaped":   func(e *footbridge.Event) { e.Detail = []byte(strings.ReplaceAll(string(e.Detail), "<", `\u003c`)) },
		"changed for all": func(e *footbridge.Event) {
			shared := e.Detail
			e.Detail = slices.Clone(shared)
			shared[1] = 'x'
		},
		"whole seconds": func(e *footbridge.Event) { e.Time = e.Time.Truncate(time.Second) },
	} {
		failures, _ := run(t, func(t *recordingTB) {
			TestStore(t, func() (archive.Store, error) { return &faultyStore{fault: fault}, nil })
		})
		assert.Contains(t, failures, "it keeps events whole", "%s", name)
	}
}

// A call that does not return, or ends its goroutine, fails the promise that it was made for.
func TestSuitesDoNotHang(t *testing.T) {
	for name, test := range map[string]func(t *recordingTB, hangs <-chan struct{}){
		"handler: it handles the events: event 1 (shop, Order Placed) {}: Handle has not returned": func(t *recordingTB, hangs <-chan struct{}) {
			TestHandler(t, footbridge.HandlerFunc(func(context.Context, footbridge.Delivery) error { <-hangs; return nil }), order("1", `{}`))
		},
		"handler: it returns when its context ends during the call: Handle has not returned after 5s": func(t *recordingTB, hangs <-chan struct{}) {
			TestHandler(t, footbridge.HandlerFunc(func(ctx context.Context, _ footbridge.Delivery) error {
				if _, ok := ctx.Deadline(); ok && ctx.Err() == nil {
					<-hangs
				}
				return nil
			}), order("1", `{}`))
		},
		"handler: it handles the events: event 1 (shop, Order Placed) {}: it has ended its goroutine": func(t *recordingTB, _ <-chan struct{}) {
			TestHandler(t, footbridge.HandlerFunc(func(context.Context, footbridge.Delivery) error { runtime.Goexit(); return nil }), order("1", `{}`))
		},
		"dead-letter queue: it keeps letters whole: letter 0: Send has not returned": func(t *recordingTB, hangs <-chan struct{}) {
			TestDLQ(t, func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) { return &faultyDLQ{hangs: hangs}, nil })
		},
		"store: a cursor does not change: Read has not returned": func(t *recordingTB, hangs <-chan struct{}) {
			TestStore(t, func() (archive.Store, error) { return &faultyStore{hangs: hangs}, nil })
		},
	} {
		failures, _ := run(t, func(t *recordingTB) {
			hangs := make(chan struct{})
			t.Cleanup(func() { close(hangs) })
			test(t, hangs)
		})
		assert.Contains(t, failures, name)
	}
}

// A handler may rely on what a bus gives it: a delivery in its context, and whole events.
func TestHandlersAreCalledByABus(t *testing.T) {
	attempts := make(map[int]bool)
	lock := make(chan struct{}, 1)
	failures, _ := run(t, func(t *recordingTB) {
		TestHandler(t, footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
			lock <- struct{}{}
			defer func() { <-lock }()
			attempts[d.Attempt] = true
			of, ok := footbridge.DeliveryFromContext(ctx)
			if e := d.Event; !ok || of.Attempt != d.Attempt || e.ID == "" || e.Time.IsZero() || e.Account == "" || e.Region == "" {
				return errors.New("not of a bus")
			}
			return nil
		}), footbridge.Event{Source: "shop", DetailType: "Order Placed", Detail: []byte(`{}`)})
	})
	assert.Empty(t, failures)
	assert.Equal(t, map[int]bool{1: true, 2: true}, attempts)
}
