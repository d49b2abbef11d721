package schedule

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fact is a stanza of testdata/expressions.txt.
type fact struct {
	line       int
	expression string
	refused    string // "OFFSET WANT"; "" is accepted
}

func expressions(t testing.TB) (all []fact) {
	t.Helper()
	text, err := os.ReadFile("testdata/expressions.txt")
	require.NoError(t, err)
	for i, line := range strings.Split(string(text), "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case verb == "accept" || verb == "refuse":
			all = append(all, fact{line: i + 1, expression: rest})
		case strings.HasPrefix(line, "  ") && len(all) > 0:
			all[len(all)-1].refused = strings.TrimPrefix(line, "  ")
		default:
			require.Failf(t, "bad stanza", "expressions.txt:%d: %q", i+1, line)
		}
	}
	require.NotEmpty(t, all)
	return all
}

func TestFacts(t *testing.T) {
	for _, f := range expressions(t) {
		e, err := Parse(f.expression)
		if f.refused == "" {
			if assert.NoError(t, err, "expressions.txt:%d", f.line) {
				assert.Equal(t, f.expression, e.String())
			}
			continue
		}
		var refused *ParseError
		if assert.ErrorAs(t, err, &refused, "expressions.txt:%d: %s", f.line, f.expression) {
			assert.Equal(t, f.refused, fmt.Sprintf("%d %s", refused.Offset, refused.Want), "expressions.txt:%d: %s", f.line, f.expression)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := Parse("cron(0 25 * * ? *)")
	assert.EqualError(t, err, `schedule: Parameter ScheduleExpression is not valid. Reason: want an hour from 0 to 23, got "25" (offset 7 in "cron(0 25 * * ? *)")`)
	_, err = Parse("cron(0 0 1 1 ? *")
	assert.ErrorContains(t, err, `want a parenthesis, got the end (offset 16 in `)
	for fields, n := range map[string]int{"": 0, "* * * * ?": 5, "0 * * * * ? *": 7} {
		_, err = Parse("cron(" + fields + ")")
		assert.ErrorContains(t, err, fmt.Sprintf("Reason: want six fields, got %d (offset 5 in ", n))
	}
	assert.Panics(t, func() { MustParse("cron()") })
}

// The firings of 31 expressions are those that Quartz computes, up to 120 of each.
func TestQuartz(t *testing.T) {
	text, err := os.ReadFile("testdata/quartz.golden")
	require.NoError(t, err)
	expressions, firings := 0, 0
	var e *Expression
	var at time.Time
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "cron(") {
			e, err = Parse(line)
			require.NoError(t, err, "quartz.golden:%d", i+1)
			at = time.Date(2026, 2, 27, 23, 58, 30, 0, time.UTC)
			expressions++
			continue
		}
		at = e.Next(at)
		if line == "none" {
			require.Zero(t, at, "quartz.golden:%d: %s", i+1, e)
			continue
		}
		require.Equal(t, line, at.Format(time.RFC3339), "quartz.golden:%d: %s", i+1, e)
		firings++
	}
	assert.Equal(t, 31, expressions)
	assert.Greater(t, firings, 3000)
}

func TestNext(t *testing.T) {
	date := func(year int, month time.Month, day, hour, minute, second int) time.Time {
		return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	}
	for _, c := range []struct {
		expression  string
		after, want time.Time
	}{
		{"rate(5 minutes)", date(2026, 11, 24, 12, 0, 0), date(2026, 11, 24, 12, 5, 0)},
		{"rate(5 minutes)", date(2026, 11, 24, 12, 3, 59), date(2026, 11, 24, 12, 8, 0)},
		{"rate(1 day)", date(2026, 12, 31, 12, 0, 0), date(2027, 1, 1, 12, 0, 0)},
		{"cron(* * * * ? *)", date(2026, 11, 24, 12, 0, 0), date(2026, 11, 24, 12, 1, 0)}, // strictly behind
		{"cron(* * * * ? *)", date(2026, 11, 24, 12, 0, 1), date(2026, 11, 24, 12, 1, 0)},
		{"cron(59 23 31 12 ? *)", date(2026, 12, 31, 23, 59, 0), date(2027, 12, 31, 23, 59, 0)},
		{"cron(0 0 1 1 ? 1970)", date(1812, 1, 1, 0, 0, 0), date(1970, 1, 1, 0, 0, 0)},
		{"cron(* * * * ? *)", date(2199, 12, 31, 23, 58, 30), date(2199, 12, 31, 23, 59, 0)},
		{"cron(* * * * ? *)", date(2199, 12, 31, 23, 59, 0), time.Time{}},
		{"cron(* * * * ? *)", date(2300, 1, 1, 0, 0, 0), time.Time{}},
		{"cron(0 0 31 2 ? *)", date(2026, 1, 1, 0, 0, 0), time.Time{}},                  // no February has 31 days
		{"cron(0 0 29 2 ? *)", date(2096, 2, 29, 0, 0, 0), date(2104, 2, 29, 0, 0, 0)},  // 2100 is no leap year
		{"cron(0 0 31W * ? *)", date(2026, 5, 30, 0, 0, 0), date(2026, 7, 31, 0, 0, 0)}, // June has no 31st to be near to
		{"cron(0 0 1W * ? *)", date(2026, 7, 31, 0, 0, 0), date(2026, 8, 3, 0, 0, 0)},   // the 1st is a Saturday
		{"cron(0 0 31W * ? *)", date(2026, 5, 1, 0, 0, 0), date(2026, 5, 29, 0, 0, 0)},  // the 31st is a Sunday
		{"cron(0 0 ? * 1#5 *)", date(2026, 3, 30, 0, 0, 0), date(2026, 5, 31, 0, 0, 0)}, // April has four Sundays
		{"cron(0 0 L-30 * ? *)", date(2026, 1, 2, 0, 0, 0), date(2026, 3, 1, 0, 0, 0)},  // February has no such day
		{"cron(30 1 ? * 7 *)", date(2026, 11, 21, 1, 30, 0), date(2026, 11, 28, 1, 30, 0)},
	} {
		assert.Equal(t, c.want, MustParse(c.expression).Next(c.after), "%s after %v", c.expression, c.after)
	}
	east := time.FixedZone("", 5*3600+1800)
	assert.Equal(t, date(2026, 11, 24, 0, 0, 0), MustParse("cron(0 0 * * ? *)").Next(time.Date(2026, 11, 24, 5, 29, 0, 0, east)))
	assert.Zero(t, new(Expression).Next(time.Now()))
}

// An expression that never fires is found not to within its years, not its minutes.
func BenchmarkNext(b *testing.B) {
	for _, expression := range []string{"rate(5 minutes)", "cron(*/5 * * * ? *)", "cron(0 12 LW * ? *)", "cron(0 0 29 2 ? *)", "cron(0 0 31 2 ? *)"} {
		e, at := MustParse(expression), time.Date(2026, 11, 24, 12, 1, 0, 0, time.UTC)
		b.Run(strings.ReplaceAll(expression, "/", "|"), func(b *testing.B) {
			for b.Loop() {
				e.Next(at)
			}
		})
	}
}
