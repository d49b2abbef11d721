package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func Example() {
	if err := run(nil, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 11 events, 7 rules. What went where:
	//
	//   Object Created products/42/front.PNG     new-images/thumbnails
	//   Object Created tmp/scratch.png           -
	//   Object Created 2026/11/12/access.log     logs/log-index
	//   EC2 i-0abcd1234efgh5678                  instances/on-call
	//   EC2 i-0fedc9876ba543210                  -
	//   Order Placed O-1001                      audit/audit  orders/email (attempt 3)  orders/invoice
	//   Order Placed O-1002                      audit/audit  fraud-check/fraud  orders/email (attempt 3)  orders/invoice
	//   Order Placed O-1003                      audit/audit
	//   Payment Succeeded P-1                    audit/audit  payments/ledger (dead letter)
	//   Payment Failed P-2                       audit/audit  fraud-check/fraud
	//   Newsletter Opened                        -
	//
	// Dead letters: 1
	//   payments/ledger: Payment Succeeded P-1
	//     ERROR_FROM_TARGET: "ledger is down, cannot book P-1" after 3 retries, MaximumRetryAttempts
	//
	// The ledger is repaired; 1 redriven, 0 dead letters left.
	// 16 deliveries in 23 attempts: 15 delivered, 1 dead-lettered, 0 lost; 3 events matched no rule.
	// The channel of rule audit received 5 events.
}

// Input that is wrong gets an error that says where.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		f, err := os.CreateTemp(dir, "")
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, errors.Join(err, f.Close()))
		return f.Name()
	}
	events := write(`{"source":"s","detail-type":"t","detail":{}}` + "\n\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"none.jsonl"}, "none.jsonl"},
		{[]string{events, "none.json"}, "none.json"},
		{[]string{events, "x", "y"}, "usage"},
		{[]string{"--help"}, "usage"},
		{[]string{events, write(`[] x`)}, "want the end of the text, got 'x' (line 1, column 4, offset 3)"},
		{[]string{events, write(`{}`)}, "want a JSON array of rules"},
		{[]string{events, write(`[{"name":"r","pattern":{"a":[1]}},{"name":"r","pattern":{"a":[1]}}]`)}, "no other rule has"},
		{[]string{write("{}\n{")}, ":2: "},
		{[]string{write(`{"source":"s","detail":{}}`)}, ":1: footbridge: Parameter DetailType is not valid"},
		{[]string{events, write(`[{"name":"r","patern":{}}]`)}, `got "patern" (at /0/patern, line 1, column 14, offset 13)`},
		{[]string{events, write(`[{"name":"r","pattern":{"a":[{"prefix":1}]}}]`)}, `Reason: prefix match pattern must be a string (at /0/pattern/a/0/prefix, line 1, column 40, offset 39)`},
		{[]string{events, write(`[{"name":"r","pattern":{"a":[1]},"targets":["emial"]}]`)}, `got "emial" (at /0/targets/0, line 1, column 45, offset 44)`},
		{[]string{events, write(`[{"name":"a b","pattern":{"a":[1]}}]`)}, `Name: want 1 to 64 characters`},
	} {
		err := run(c.args, io.Discard)
		assert.ErrorContains(t, err, c.want)
	}
	var out strings.Builder
	require.NoError(t, run([]string{events, write(`[{"name":"r","pattern":{"source":["s"]},"targets":["audit"]}]`)}, &out))
	assert.Contains(t, out.String(), "t                                        r/audit")
}
