package schedule

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/facts"
)

// Each fact of testdata/service/schedule.txt has a test of its name, which passes.
func TestModel(t *testing.T) {
	facts.Run(t, "../testdata/service/schedule.txt", modelTests)
}

// received returns what a target with that input receives of a rule r that fires once, on a
// bus of that name, where a rule of the same name passes its events on.
func received(t *testing.T, bus, expression string, in footbridge.Input) string {
	var got []string
	b := footbridge.New(&footbridge.Options{Name: bus})
	require.NoError(t, b.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"detail-type":["Scheduled Event"]}`), Targets: []footbridge.Target{{
		ID: "t", Input: in, Handler: footbridge.HandlerFunc(func(_ context.Context, d footbridge.Delivery) error {
			d.Event.ID = "ID"
			payload, err := d.Payload()
			got = append(got, string(payload))
			return err
		}),
	}}}))
	require.NoError(t, Run(t.Context(), b, []Rule{{Name: "r", Expression: MustParse(expression)}}, nil))
	require.NoError(t, b.Close(t.Context()))
	require.Len(t, got, 1)
	return got[0]
}

// firings returns when a rule fires within a day that begins at 12:00:30.
func firings(t *testing.T, expression string) (at []string) {
	<-time.After(12*time.Hour + 30*time.Second)
	runFor(t, 24*time.Hour, publishFunc(func(_ context.Context, e footbridge.Event) (string, error) {
		at = append(at, time.Now().UTC().Format("15:04:05"))
		return "", nil
	}), []Rule{{Name: "r", Expression: MustParse(expression)}}, nil)
	return at
}

const once = "cron(0 2 1 1 ? 2000)"

var modelTests = map[string]func(t *testing.T){
	"utc":     func(t *testing.T) { assert.Equal(t, []string{"02:00:00"}, firings(t, "cron(0 2 * * ? *)")) },
	"minutes": func(t *testing.T) { assert.Equal(t, "12:01:00", firings(t, "cron(* * * * ? *)")[0]) },
	"rate-begins": func(t *testing.T) {
		assert.Equal(t, []string{"19:00:00", "02:00:00", "09:00:00"}, firings(t, "rate(7 hours)"))
	},
	"event": func(t *testing.T) {
		assert.Equal(t, `{"version":"0","id":"ID","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2000-01-01T02:00:00Z",`+
			`"region":"us-east-1","resources":["arn:aws:events:us-east-1:000000000000:rule/r"],"detail":{}}`, received(t, "default", once, footbridge.Input{}))
	},
	"constant-input": func(t *testing.T) {
		assert.Equal(t, `{"full":true}`, received(t, "default", once, footbridge.Input{Constant: []byte(`{"full":true}`)}))
	},
	"bad-expression": func(t *testing.T) {
		_, err := Parse("rate(1 minutes)")
		assert.ErrorContains(t, err, "schedule: Parameter ScheduleExpression is not valid.")
	},
	"rule-names": func(t *testing.T) {
		for name, ok := range map[string]bool{"a": true, "A-Z.a_z9": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false, "a/b": false, "é": false} {
			err := Run(t.Context(), footbridge.New(nil), []Rule{{Name: name, Expression: MustParse("cron(0 2 1 1 ? 1970)")}}, nil)
			assert.Equal(t, ok, err == nil, "%q", name)
		}
	},
	"any-bus": func(t *testing.T) {
		assert.Contains(t, received(t, "shop", once, footbridge.Input{}), `"resources":["arn:aws:events:us-east-1:000000000000:rule/shop/r"]`)
	},
	"rules-apart": func(t *testing.T) { received(t, "default", once, footbridge.Input{}) },
	"due-once": func(t *testing.T) {
		for catchUp, want := range map[int]int{0: 1, 2: 2} {
			n := 0
			to := publishFunc(func(context.Context, footbridge.Event) (string, error) { n++; return "", nil })
			rule := Rule{Name: "r", Expression: MustParse("cron(0 0 ? * SAT 1999)"), After: time.Now().AddDate(-1, 0, 0)}
			require.NoError(t, Run(t.Context(), to, []Rule{rule}, &Options{CatchUp: catchUp}))
			assert.Equal(t, want, n)
		}
	},
}
