package footbridgetest_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/footbridgetest"
)

// A newcomer's test: an order that is placed is paid for, and its customer gets an email.
func TestOrderIsPaid(t *testing.T) {
	bus := footbridgetest.New(t, nil)
	var emails []string
	s := &shop{
		charge: func(string, float64) error { return nil },
		email:  func(id string) error { emails = append(emails, id); return nil },
	}
	require.NoError(t, s.register(bus))
	paid := footbridgetest.Record(t, bus, `{"detail-type":["Order Paid"]}`)
	footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
	paid.Expect(`{"detail":{"id":["O-1"],"total":[12.50]}}`)
	assert.Equal(t, []string{"O-1"}, emails)
}

// The test above is as short as this project promises.
func TestNewcomersTestIsShort(t *testing.T) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "service_test.go", nil, 0)
	require.NoError(t, err)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "TestOrderIsPaid" {
			assert.LessOrEqual(t, files.Position(fn.End()).Line-files.Position(fn.Pos()).Line+1, 15)
			return
		}
	}
	t.Error("there is no TestOrderIsPaid")
}

// A payment that fails for good ends in the dead letters, no email is sent, and when the
// bank is back the letter is redriven. A day of retries takes no time.
func TestFailedPaymentIsRedriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &footbridge.MemoryDLQ{}
		bus := footbridgetest.New(t, &footbridge.Options{DLQ: dlq, Retry: footbridge.Backoff{NoJitter: true}}) // retries for 24 hours
		var bank error = errors.New("the bank is closed")
		var emails []string
		s := &shop{
			charge: func(string, float64) error { return bank },
			email:  func(id string) error { emails = append(emails, id); return nil },
		}
		require.NoError(t, s.register(bus))
		paid := footbridgetest.Record(t, bus, `{"detail-type":["Order Paid"]}`)

		start := time.Now()
		footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
		letters := footbridgetest.ExpectDeadLetters(t, bus, "placed/charge") // waits until the bus has given up
		assert.Equal(t, "charge order O-1: the bank is closed", letters[0].ErrorMessage)
		assert.Equal(t, footbridge.ConditionMaxAge, letters[0].ExhaustedRetryCondition)
		assert.Greater(t, time.Since(start), 23*time.Hour)
		paid.ExpectNone()
		assert.Empty(t, emails)

		bank = nil
		n, err := dlq.Redrive(t.Context(), bus, nil)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		paid.Expect(`{"detail":{"id":["O-1"]}}`)
		assert.Equal(t, []string{"O-1"}, emails)
		assert.Zero(t, dlq.Len())
	})
}
