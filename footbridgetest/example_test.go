package footbridgetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing/fstest"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

// A printer takes the place of a *testing.T, which examples do not have: it prints
// failures.
type printer struct {
	mu       sync.Mutex // guards the fields below
	cleanups []func()
}

func (p *printer) Helper()                  {}
func (p *printer) Output() io.Writer        { return io.Discard }
func (p *printer) Context() context.Context { return context.Background() }

func (p *printer) Errorf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

func (p *printer) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (p *printer) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// end is the end of the test.
func (p *printer) end() {
	for len(p.cleanups) > 0 {
		last := len(p.cleanups) - 1
		f := p.cleanups[last]
		p.cleanups = p.cleanups[:last]
		f()
	}
}

func placed(id, json string) footbridge.Event {
	return footbridge.Event{ID: id, Source: "shop", DetailType: "Order Placed", Detail: []byte(json)}
}

func put(bus *footbridge.Bus, name, pattern string, targets ...footbridge.Target) {
	if err := bus.PutRule(footbridge.Rule{Name: name, Pattern: footbridge.MustCompile(pattern), Targets: targets}); err != nil {
		panic(err)
	}
}

func publish(bus *footbridge.Bus, e footbridge.Event) {
	if _, err := bus.Publish(context.Background(), e); err != nil {
		panic(err)
	}
}

// A test fails at its end on what nobody expected.
func ExampleNew() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, &footbridge.Options{Retry: footbridge.NoRetry})
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Func("mail", func(context.Context, footbridge.Event) error {
		return errors.New("mail server is down")
	}))
	publish(bus, placed("1", `{"id":"O-1"}`))
	// Output:
	// footbridgetest: unexpected dead letter: orders/mail, event 1 (shop, Order Placed) {"id":"O-1"}: ERROR_FROM_TARGET: mail server is down (MaximumRetryAttempts, after 0 retries)
}

// An expectation that fails says why the nearest event does not match.
func ExampleRecord() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	orders := footbridgetest.Record(t, bus, `{"source":["shop"]}`)
	publish(bus, placed("1", `{"id":"O-1","total":"12.50"}`))
	orders.Expect(`{"detail":{"id":["O-1"],"total":[{"numeric":[">",10]}]}}`)
	// Output:
	// footbridgetest: recorder of {"source":["shop"]}: events are not as expected: want 1, got 1
	//   none is left for {"detail":{"id":["O-1"],"total":[{"numeric":[">",10]}]}}
	//     the nearest is event 1 (shop, Order Placed) {"id":"O-1","total":"12.50"}
	//     no match: 1 of 2 fields hold
	//       ok  detail.id     wants "O-1"                 has "O-1"
	//       NO  detail.total  wants {"numeric":[">",10]}  has "12.50" (a string, numeric wants a number)
	//   left over is event 1 (shop, Order Placed) {"id":"O-1","total":"12.50"}
}

// A recorder may be a target of any rule.
func ExampleNewRecorder() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	r := footbridgetest.NewRecorder(t, bus)
	put(bus, "orders", `{"detail-type":["Order Placed"]}`, r.Target("journal"))
	publish(bus, placed("1", `{"id":"O-1"}`))
	for _, e := range r.Wait(1) {
		fmt.Println(e.DetailType, string(e.Detail))
	}
	r.ExpectNone(`{"detail":{"id":["O-2"]}}`)
	// Output: Order Placed {"id":"O-1"}
}

func ExampleExpectPublished() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	footbridgetest.Publish(t, bus, "shop", "Order Placed", map[string]string{"id": "O-1"})
	footbridgetest.ExpectPublished(t, bus, `{"detail-type":["Order Placed"],"detail":{"id":["O-1"]}}`)
	// Output:
}

func ExampleExpectDeadLetters() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, &footbridge.Options{Retry: footbridge.Backoff{Base: 1, MaxRetries: 2}})
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Target{ID: "mail", Handler: footbridgetest.FailTimes(3, errors.New("mail server is down"), nil)})
	publish(bus, placed("1", `{"id":"O-1"}`))
	for _, d := range footbridgetest.ExpectDeadLetters(t, bus, "orders/mail") {
		fmt.Println(d.ErrorMessage, d.RetryAttempts)
	}
	// Output: mail server is down 2
}

// Where would an event go? Nothing is delivered.
func ExampleExpectRouted() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	nothing := func(context.Context, footbridge.Event) error { return nil }
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Func("mail", nothing))
	put(bus, "dear", `{"source":["shop"],"detail":{"total":[{"numeric":[">=",1000]}]}}`, footbridge.Func("call", nothing))
	footbridgetest.ExpectRouted(t, bus, placed("1", `{"total":2450}`), "orders/mail", "dear/call")
	footbridgetest.ExpectRouted(t, bus, placed("2", `{"total":12}`), "dear/call")
	// Output:
	// footbridgetest: event 2 (shop, Order Placed) {"total":12} goes elsewhere
	//   not to dear/call: no match: 1 of 2 fields hold
	//       ok  source        wants "shop"                   has "shop"
	//       NO  detail.total  wants {"numeric":[">=",1000]}  has 12 (not >= 1000)
	//   but to orders/mail
}

// A gate shows that a slow target does not hold up another.
func ExampleGate() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	gate, fast := &footbridgetest.Gate{}, footbridgetest.NewRecorder(t, bus)
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Target{ID: "slow", Handler: gate}, fast.Target("fast"))
	publish(bus, placed("1", `{}`))
	gate.Wait(t, 1) // it is at the gate
	fmt.Println(len(fast.Wait(1)), "delivered")
	gate.Release()
	// Output: 1 delivered
}

// As middleware it makes handlers of the code under test fail. Those of recorders do not.
func ExampleFailTimes() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	flaky := func(next footbridge.Handler) footbridge.Handler {
		return footbridgetest.FailTimes(2, errors.New("the network is down"), next)
	}
	bus := footbridgetest.New(t, &footbridge.Options{Retry: footbridge.Backoff{Base: 1, MaxRetries: 3}, Middleware: []footbridge.Middleware{flaky}})
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Target{ID: "mail", Handler: footbridge.HandlerFunc(
		func(_ context.Context, d footbridge.Delivery) error {
			fmt.Println("email in attempt", d.Attempt)
			return nil
		})})
	publish(bus, placed("1", `{}`))
	footbridgetest.ExpectDeadLetters(t, bus)
	// Output: email in attempt 3
}

func ExampleFailMatching() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, &footbridge.Options{Retry: footbridge.NoRetry})
	h := footbridgetest.FailMatching(`{"detail":{"id":["O-2"]}}`, errors.New("no such customer"), nil)
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Target{ID: "mail", Handler: h})
	publish(bus, placed("1", `{"id":"O-1"}`))
	publish(bus, placed("2", `{"id":"O-2"}`))
	fmt.Println(footbridgetest.ExpectDeadLetters(t, bus, "orders/mail")[0].Event.ID)
	// Output: 2
}

// A panic is an error: the delivery is attempted again.
func ExamplePanicTimes() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, &footbridge.Options{Retry: footbridge.Backoff{Base: 1, MaxRetries: 3}})
	journal := footbridgetest.NewRecorder(t, bus)
	put(bus, "orders", `{"source":["shop"]}`, footbridge.Target{ID: "mail", Handler: footbridgetest.PanicTimes(2, "nil map", journal)})
	publish(bus, placed("1", `{}`))
	journal.Expect(`{"source":["shop"]}`)
	fmt.Println(journal.Deliveries()[0].Attempt)
	// Output: 3
}

// Patterns and what they are to match, in files.
func ExampleRunPatternFiles() {
	t := &printer{} // in a test: t *testing.T, and os.DirFS("testdata")
	files := fstest.MapFS{"orders.txt": {Data: []byte(`
# Dear orders. The total is a number.
pattern {"detail":{"total":[{"numeric":[">=",1000]}]}}
match   {"detail":{"total":2450}}
match   {"detail":{"total":"2450"}}
reject  {"detail":{"total":12}}
`)}}
	footbridgetest.RunPatternFiles(t, files, "*.txt")
	// Output:
	// orders.txt:5: want match: {"detail":{"total":"2450"}}
	//     no match: 0 of 1 fields hold
	//       NO  detail.total  wants {"numeric":[">=",1000]}  has "2450" (a string, numeric wants a number)
}

func ExampleTestHandler() {
	t := &printer{} // in a test: t *testing.T
	footbridgetest.TestHandler(t, footbridge.HandlerFunc(func(ctx context.Context, d footbridge.Delivery) error {
		return ctx.Err()
	}), placed("1", `{"id":"O-1"}`))
	// Output:
}

// A policy with state is none.
func ExampleTestRetryPolicy() {
	t := &printer{} // in a test: t *testing.T
	footbridgetest.TestRetryPolicy(t, footbridge.Backoff{Base: time.Second})
	footbridgetest.TestRetryPolicy(t, &countdown{left: 804})
	// Output:
	// footbridgetest: retry policy: it is a pure function: 0 retries, age 0s: it has answered 1s, true, and now answers 1s, false
	//   why: one policy serves all deliveries, and who observes it must change nothing
	// footbridgetest: retry policy: it may be called by several goroutines: 8 of 8 calls failed: 0 retries, age 0s: it has answered 1s, true, and now answers 1s, false
	//   why: deliveries fail at the same time
}

type countdown struct {
	mu   sync.Mutex // guards the field below
	left int
}

func (c *countdown) Next(footbridge.Attempt) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	return time.Second, c.left >= 0
}

func ExampleTestDLQ() {
	t := &printer{} // in a test: t *testing.T
	footbridgetest.TestDLQ(t, func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) {
		q := &footbridge.MemoryDLQ{}
		return q, func() ([]footbridge.DeadLetter, error) { return q.Letters(), nil }
	})
	// Output:
}

func ExampleTestStore() {
	t := &printer{} // in a test: t *testing.T
	footbridgetest.TestStore(t, func() (archive.Store, error) { return &archive.MemoryStore{}, nil })
	// Output:
}
