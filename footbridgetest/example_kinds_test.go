package footbridgetest_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

// With package testing alone: an order that is placed is paid for, and its customer gets an
// email.
func Example() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	s := &shop{
		charge: func(string, float64) error { return nil },
		email:  func(id string) error { fmt.Println("email about", id); return nil },
	}
	if err := s.register(bus); err != nil { // the service puts its rules
		t.Fatalf("%v", err)
	}
	paid := footbridgetest.Record(t, bus, `{"detail-type":["Order Paid"]}`)
	footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
	paid.Expect(`{"detail":{"id":["O-1"],"total":[12.50]}}`)
	// Output: email about O-1
}

// Beside testify.
func Example_testify() {
	t := &printer{} // in a test: t *testing.T
	defer t.end()
	bus := footbridgetest.New(t, nil)
	var emails []string
	s := &shop{
		charge: func(string, float64) error { return nil },
		email:  func(id string) error { emails = append(emails, id); return nil },
	}
	assert.NoError(t, s.register(bus))
	footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
	footbridgetest.ExpectPublished(t, bus, `{"detail-type":["Order Paid"],"detail":{"total":[12.50]}}`)
	assert.Equal(t, []string{"O-1"}, emails)
	// Output:
}

// In a bubble of testing/synctest a day of retries takes no time: a payment that fails ends
// in the dead letters, and is redriven when the bank is open.
func Example_synctest() {
	t := new(testing.T) // in a test: its own
	synctest.Test(t, func(t *testing.T) {
		dlq := &footbridge.MemoryDLQ{}
		bus := footbridgetest.New(t, &footbridge.Options{DLQ: dlq, Retry: footbridge.Backoff{NoJitter: true}}) // retries for 24 hours
		var bank error = errors.New("the bank is closed")
		s := &shop{
			charge: func(string, float64) error { return bank },
			email:  func(id string) error { fmt.Println("email about", id); return nil },
		}
		assert.NoError(t, s.register(bus))
		start := time.Now()
		footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
		letters := footbridgetest.ExpectDeadLetters(t, bus, "placed/charge")
		fmt.Println(letters[0].ErrorMessage, "after", time.Since(start).Round(time.Hour))

		bank = nil
		n, err := dlq.Redrive(t.Context(), bus, nil)
		footbridgetest.ExpectDeadLetters(t, bus) // waits for what was redriven
		fmt.Println("redriven:", n, err)
	})
	// Output:
	// charge order O-1: the bank is closed after 24h0m0s
	// email about O-1
	// redriven: 1 <nil>
}
