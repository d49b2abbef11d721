package footbridge_test

import (
	"context"
	"fmt"

	"github.com/footbridge-go/footbridge"
)

// Why does this event not match?
func ExamplePattern_Explain() {
	p := footbridge.MustCompile(`{"source":["shop"],"detail":{"total":[{"numeric":[">=",1000]}],"state":["paid","sent"]}}`)
	fmt.Print(p.Explain([]byte(`{"source":"shop","detail":{"total":"2450","stat":"paid"}}`)))
	// Output:
	// no match: 1 of 3 fields hold
	//   ok  source        wants "shop"                   has "shop"
	//   NO  detail.total  wants {"numeric":[">=",1000]}  has "2450" (a string, numeric wants a number)
	//   NO  detail.state  wants "paid" or "sent"         has nothing (absent; the event has "stat")
}

// Where would this event go, and which rules miss it by little?
func ExampleBus_Explain() {
	bus := footbridge.New(nil)
	nothing := func(context.Context, footbridge.Event) error { return nil }
	for name, pattern := range map[string]string{
		"all":  `{"source":["shop"]}`,
		"dear": `{"source":["shop"],"detail":{"total":[{"numeric":[">=",1000]}]}}`,
	} {
		err := bus.PutRule(footbridge.Rule{Name: name, Pattern: footbridge.MustCompile(pattern), Targets: []footbridge.Target{footbridge.Func("mail", nothing)}})
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Print(bus.Explain(footbridge.Event{Source: "shop", DetailType: "Order Placed", Detail: []byte(`{"total":12}`)}))
	// Output:
	// 1 of 2 rules match
	//   match     all -> mail
	//   no match  dear: 1 of 2 fields hold
	//               NO  detail.total  wants {"numeric":[">=",1000]}  has 12 (not >= 1000)
}

// Patterns that compile and are not what was meant.
func ExamplePattern_Lint() {
	for _, text := range []string{
		`{"detailtype":["Order Placed"]}`,
		`{"detail":{"state":[{"anything-but":"paid"},{"anything-but":"sent"}]}}`,
	} {
		for _, f := range footbridge.MustCompile(text).Lint() {
			fmt.Println(f)
		}
	}
	// Output:
	// never-routed: no event of a bus can match
	// /detailtype: unknown-field: detailtype is no field of an event of a bus: did you mean detail-type?
	// /detail/state: always-holds: takes every value: a list is an OR; to leave out both write one anything-but with a list
}
