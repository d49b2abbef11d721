package footbridgetest_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
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
	require.NoError(t, s.register(bus)) // the service puts its rules
	paid := footbridgetest.Record(t, bus, `{"detail-type":["Order Paid"]}`)
	footbridgetest.Publish(t, bus, "shop", "Order Placed", order{"O-1", 12.50})
	paid.Expect(`{"detail":{"id":["O-1"],"total":[12.50]}}`)
	assert.Equal(t, []string{"O-1"}, emails)
}

// The test above, and the example of it, are as short as this project promises.
func TestNewcomersTestIsShort(t *testing.T) {
	short := 0
	for file, name := range map[string]string{"service_test.go": "TestOrderIsPaid", "example_kinds_test.go": "Example_testify"} {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, file, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
				assert.LessOrEqual(t, files.Position(fn.End()).Line-files.Position(fn.Pos()).Line+1, 15, "%s", name)
				short++
			}
		}
	}
	assert.Equal(t, 2, short)
}

// The README shows the tests of this file as they are.
func TestReadmeShowsTests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	tests, err := os.ReadFile("service_test.go")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(readme), "## Testing your code\n")
	section, _, _ = strings.Cut(section, "\n## ")
	shown := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(section, -1)
	assert.Len(t, shown, 2)
	for _, block := range shown {
		assert.True(t, strings.Contains(string(tests), block[1]), "README.md has a test that is not in service_test.go:\n%s", block[1])
	}
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
		assert.Greater(t, time.Since(start), 23*time.Hour)
		paid.ExpectNone()

		bank = nil
		_, err := dlq.Redrive(t.Context(), bus, nil)
		require.NoError(t, err)
		paid.Expect(`{"detail":{"id":["O-1"]}}`)
		assert.Equal(t, []string{"O-1"}, emails)
	})
}
