package footbridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A bus with one rule: dear orders go to a typed function.
func Example() {
	ctx := context.Background()
	bus := footbridge.New(nil)

	type order struct {
		ID    string
		Total float64
	}
	err := bus.PutRule(footbridge.Rule{
		Name:    "dear-orders",
		Pattern: footbridge.MustCompile(`{"source":["shop"],"detail":{"Total":[{"numeric":[">=",1000]}]}}`),
		Targets: []footbridge.Target{
			footbridge.Typed("call", func(ctx context.Context, e footbridge.Event, o order) error {
				fmt.Println("call the customer of", o.ID)
				return nil
			}),
		},
	})
	if err != nil {
		fmt.Println(err)
	}

	for _, o := range []order{{"O-1", 12.5}, {"O-2", 2450}} {
		e, err := footbridge.NewEvent("shop", "Order Placed", o)
		if err != nil {
			fmt.Println(err)
		}
		if _, err := bus.Publish(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	if err := bus.Close(ctx); err != nil { // waits until all is handled
		fmt.Println(err)
	}
	// Output: call the customer of O-2
}

// What fails for good is a dead letter, which can be delivered again.
func ExampleMemoryDLQ_Redrive() {
	ctx := context.Background()
	dlq := &footbridge.MemoryDLQ{}
	bus := footbridge.New(&footbridge.Options{
		DLQ:   dlq,
		Retry: footbridge.Backoff{Base: time.Millisecond, MaxRetries: 2},
	})
	down := true
	err := bus.PutRule(footbridge.Rule{
		Name:    "all",
		Pattern: footbridge.MustCompile(`{"source":["shop"]}`),
		Targets: []footbridge.Target{footbridge.Func("mail", func(context.Context, footbridge.Event) error {
			if down {
				return errors.New("mail server is down")
			}
			fmt.Println("mail sent")
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
	}

	e := footbridge.Event{Source: "shop", DetailType: "Order Placed", Detail: []byte(`{"id":1}`)}
	outcome, err := bus.Deliver(ctx, e) // publishes and waits
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(outcome.Targets[0].Result, "after", outcome.Targets[0].Attempts, "attempts")
	letter := dlq.Letters()[0]
	fmt.Println(letter.ErrorCode, letter.ErrorMessage, letter.ExhaustedRetryCondition)

	down = false
	n, err := dlq.Redrive(ctx, bus, func(d footbridge.DeadLetter) bool { return d.Target == "mail" })
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(n, "redriven")
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// dead-lettered after 3 attempts
	// ERROR_FROM_TARGET mail server is down MaximumRetryAttempts
	// 1 redriven
	// mail sent
}

// A pattern that is refused says where and why.
func ExampleCompile() {
	_, err := footbridge.Compile(`{"detail":{"total":[{"numeric":[">",1000,"<",10]}]}}`)
	fmt.Println(err)
	var refused *footbridge.PatternError
	if errors.As(err, &refused) {
		fmt.Println(refused.Pointer, refused.Offset)
	}
	// Output:
	// footbridge: Event pattern is not valid. Reason: Bottom must be less than top (at /detail/total/0/numeric, offset 31)
	// /detail/total/0/numeric 31
}

// The service's request, and its response in the service's JSON.
func ExampleBus_PutEvents() {
	ctx := context.Background()
	bus := footbridge.New(nil)
	result, err := bus.PutEvents(ctx, []footbridge.Entry{
		{Source: "shop", DetailType: "Order Placed", Detail: `{"id":1}`},
		{Source: "shop", DetailType: "Order Placed", Detail: `{"id":`},
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(result.FailedEntryCount, "failed")
	for _, e := range result.Entries {
		fmt.Printf("has an ID: %t, %q %q\n", e.EventID != "", e.ErrorCode, e.ErrorMessage)
	}
	// Output:
	// 1 failed
	// has an ID: true, "" ""
	// has an ID: false, "MalformedDetail" "Detail is malformed."
}

// The default bus and a named one, which it forwards to.
func ExampleHub() {
	ctx := context.Background()
	hub := footbridge.NewHub(nil)
	orders, err := hub.Create("orders", nil)
	if err != nil {
		fmt.Println(err)
	}
	shop := footbridge.MustCompile(`{"source":["shop"]}`)
	err = errors.Join(
		hub.Default().PutRule(footbridge.Rule{Name: "to-orders", Pattern: shop, Targets: []footbridge.Target{footbridge.Forward("orders", orders)}}),
		orders.PutRule(footbridge.Rule{Name: "print", Pattern: shop, Targets: []footbridge.Target{
			footbridge.Func("print", func(_ context.Context, e footbridge.Event) error {
				fmt.Println("received", string(e.Detail))
				return nil
			}),
		}}),
	)
	if err != nil {
		fmt.Println(err)
	}
	for _, hop := range hub.Hops() {
		fmt.Println(hop.Bus, hop.Rule, hop.Target, "->", hop.To)
	}
	_, err = hub.PutEvents(ctx, []footbridge.Entry{
		{Source: "shop", DetailType: "Order Placed", Detail: `{"id":1}`}, // to the default bus
		{Source: "shop", DetailType: "Order Placed", Detail: `{"id":2}`, EventBusName: "nowhere"},
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := hub.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("dropped:", hub.Default().Stats().UnknownBus)
	// Output:
	// default to-orders orders -> orders
	// received {"id":1}
	// dropped: 1
}

// Rules from a file; the targets they name are the program's.
func ExampleLoadRules() {
	ctx := context.Background()
	file := strings.NewReader(`[{
		"name": "dear-orders",
		"pattern": {"detail": {"total": [{"numeric": [">=", 1000]}]}},
		"targets": [{"id": "print", "inputPath": "$.detail.id"}]
	}]`)
	rules, err := footbridge.LoadRules(file, map[string]footbridge.Target{
		"print": {Handler: footbridge.HandlerFunc(func(_ context.Context, d footbridge.Delivery) error {
			fmt.Printf("%s/%s received %s\n", d.Rule, d.Target, d.Input)
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
	}
	bus := footbridge.New(nil)
	for _, r := range rules {
		if err := bus.PutRule(r); err != nil {
			fmt.Println(err)
		}
	}
	_, err = bus.Publish(ctx, footbridge.Event{Source: "shop", DetailType: "Order Placed", Detail: []byte(`{"id":"O-2","total":2450}`)})
	if err != nil {
		fmt.Println(err)
	}
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	_, err = footbridge.LoadRules(strings.NewReader(`[{"name":"r","pattern":{"a":[1]},"targets":["mail"]}]`), map[string]footbridge.Target{"print": {}})
	fmt.Println(err)
	// Output:
	// dear-orders/print received "O-2"
	// footbridge: rules: rule "r": want one of the targets [print], got "mail" (at /0/targets/0, line 1, column 45, offset 44)
}

// Many patterns at once, without a bus.
func ExampleMatcher() {
	var m footbridge.Matcher[string]
	m.Add("images", footbridge.MustCompile(`{"key":[{"suffix":".png"},{"suffix":".jpg"}]}`))
	m.Add("big", footbridge.MustCompile(`{"size":[{"numeric":[">",1000000]}]}`))
	keys, err := m.AppendMatches(nil, []byte(`{"key":"cat.png","size":5120}`))
	fmt.Println(keys, err)
	// Output: [images] <nil>
}
