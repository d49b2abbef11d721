package schedule

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The reference reads an expression's text anew for each time it is asked about, and
// takes each definition literally. It knows no sets and no next.

// fires reports whether a cron expression that Parse accepts fires at t.
func fires(expression string, t time.Time) bool {
	return firesOn(expression, t) && element(fieldsOf(expression)[1], t.Hour(), hourField) && element(fieldsOf(expression)[0], t.Minute(), minuteField)
}

func fieldsOf(expression string) []string {
	return strings.Fields(strings.TrimSuffix(strings.TrimPrefix(expression, "cron("), ")"))
}

// firesOn reports whether it fires at any time of t's day.
func firesOn(expression string, t time.Time) bool {
	f := fieldsOf(expression)
	return element(f[5], t.Year(), yearField) && element(f[3], int(t.Month()), monthField) &&
		(f[2] == "?" || dateIs(f[2], t)) && (f[4] == "?" || weekdayIs(f[4], t))
}

func works(t time.Time) bool { return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday }

// dateIs reports whether t is a day that s, a day of the month, means.
func dateIs(s string, t time.Time) bool {
	last := func(t time.Time) bool { return t.AddDate(0, 0, 1).Month() != t.Month() }
	switch {
	case s == "L":
		return last(t)
	case s == "LW":
		for d := t.AddDate(0, 0, 1); d.Month() == t.Month(); d = d.AddDate(0, 0, 1) {
			if works(d) {
				return false
			}
		}
		return works(t)
	case strings.HasPrefix(s, "L-"):
		n, _ := strconv.Atoi(s[2:])
		d := t.AddDate(0, 0, n)
		return d.Month() == t.Month() && last(d)
	case strings.HasSuffix(s, "W"):
		n, _ := strconv.Atoi(s[:len(s)-1])
		goal := time.Date(t.Year(), t.Month(), n, 0, 0, 0, 0, time.UTC)
		best := time.Time{}
		for d := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC); d.Month() == t.Month(); d = d.AddDate(0, 0, 1) {
			if works(d) && (best.IsZero() || d.Sub(goal).Abs() < best.Sub(goal).Abs()) {
				best = d
			}
		}
		return goal.Month() == t.Month() && best.Day() == t.Day()
	}
	return element(s, t.Day(), dayField)
}

// weekdayIs reports whether t is a day that s, a day of the week, means.
func weekdayIs(s string, t time.Time) bool {
	weekday := int(t.Weekday()) + 1
	if day, nth, found := strings.Cut(s, "#"); found {
		return element(day, weekday, weekdayField) && strconv.Itoa((t.Day()+6)/7) == nth
	}
	if s == "L" {
		return weekday == 7
	}
	if day, found := strings.CutSuffix(s, "L"); found {
		return element(day, weekday, weekdayField) && t.AddDate(0, 0, 7).Month() != t.Month()
	}
	return element(s, weekday, weekdayField)
}

// element reports whether v is in the list s.
func element(s string, v int, f field) bool {
	number := func(s string) int {
		for i, name := range f.names {
			if s == name {
				return f.low + i
			}
		}
		n, _ := strconv.Atoi(s)
		return n
	}
	for _, part := range strings.Split(s, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step, _ = strconv.Atoi(by)
		}
		from, to, isRange := strings.Cut(span, "-")
		low := number(from)
		if span == "*" {
			low = f.low
		}
		high := low
		switch {
		case isRange:
			high = number(to)
		case stepped || span == "*":
			high = f.high
		}
		// Walk from low to high, one by one, over the end if need be.
		for n, i := low, 0; ; n, i = n+1, i+1 {
			if n > f.high {
				n = f.low
			}
			if i%step == 0 && n == v {
				return true
			}
			if n == high {
				break
			}
		}
	}
	return false
}

// random returns an expression that Parse accepts.
func random(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	list := func(f field) string {
		value := func() string { return strconv.Itoa(f.low + r.IntN(f.high-f.low+1)) }
		var parts []string
		for range 1 + r.IntN(3) {
			low, high, step := value(), value(), strconv.Itoa(1+r.IntN(f.step))
			if f.names != nil && r.IntN(2) == 0 {
				low, high = pick(f.names...), pick(f.names...)
				parts = append(parts, pick(low, low+"-"+high))
				continue
			}
			parts = append(parts, pick(low, low+"-"+high, low+"-"+high+"/"+step, low+"/"+step, "*/"+step))
		}
		return strings.Join(parts, ",")
	}
	n, weekday := strconv.Itoa(1+r.IntN(31)), strconv.Itoa(1+r.IntN(7))
	date, day := "?", "?"
	if r.IntN(2) == 0 {
		date = pick("*", list(dayField), "L", "LW", "L-"+strconv.Itoa(1+r.IntN(30)), n+"W", n+"W")
	} else {
		day = pick("*", list(weekdayField), "L", weekday+"L", pick(weekdayField.names...)+"L", weekday+"#"+strconv.Itoa(1+r.IntN(5)))
	}
	years := pick("*", "*", "2025-2028", "2026/2", "2027,2029")
	return fmt.Sprintf("cron(%s %s %s %s %s %s)", pick("*", list(minuteField)), pick("*", list(hourField)), date, pick("*", "*", list(monthField)), day, years)
}

// Next finds what a search of every day, and of every minute of a day that fits, finds.
func TestNextIsTheFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(20261124, 1))
	for range 2000 {
		expression := random(r)
		e, err := Parse(expression)
		require.NoError(t, err, "%s", expression)
		at := time.Date(2026, 1, 1, 0, r.IntN(3*366*24*60), r.IntN(60), 0, time.UTC)
		for range 4 {
			next, horizon := e.Next(at), at.AddDate(0, 0, 800)
			want := search(expression, at, horizon)
			if want.IsZero() {
				assert.True(t, next.IsZero() || next.After(horizon.AddDate(0, 0, -1)), "%s after %v: got %v", expression, at, next)
				break
			}
			require.Equal(t, want, next, "%s after %v", expression, at)
			at = next
		}
	}
}

// search returns the first time behind after, and before horizon, at which expression fires.
func search(expression string, after, horizon time.Time) time.Time {
	f := fieldsOf(expression)
	for at := after.Truncate(time.Minute).Add(time.Minute); at.Before(horizon); {
		switch {
		case !firesOn(expression, at):
			at = at.Truncate(24*time.Hour).AddDate(0, 0, 1)
		case !element(f[1], at.Hour(), hourField):
			at = at.Truncate(time.Hour).Add(time.Hour)
		case !element(f[0], at.Minute(), minuteField):
			at = at.Add(time.Minute)
		default:
			return at
		}
	}
	return time.Time{}
}

func FuzzParse(f *testing.F) {
	for _, fact := range expressions(f) {
		f.Add(fact.expression, int64(1795471200))
	}
	f.Fuzz(func(t *testing.T, expression string, unix int64) {
		e, err := Parse(expression)
		if err != nil {
			var refused *ParseError
			require.ErrorAs(t, err, &refused)
			require.True(t, 0 <= refused.Offset && refused.Offset <= len(expression), "offset %d in %q", refused.Offset, expression)
			return
		}
		at := time.Unix(unix%(1<<33), 0).UTC()
		next := e.Next(at)
		if next.IsZero() {
			return
		}
		require.True(t, next.After(at) && next.Equal(next.Truncate(time.Minute)), "%s after %v: %v", expression, at, next)
		if e.period == 0 {
			require.True(t, fires(expression, next), "%s does not fire at %v", expression, next)
			require.Equal(t, next, e.Next(next.Add(-time.Second)), "%s just before %v", expression, next)
		}
	})
}
