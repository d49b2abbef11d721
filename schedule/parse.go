package schedule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Parse reads an expression: "rate(VALUE UNIT)" or "cron(MINUTES HOURS DAY-OF-MONTH MONTH
// DAY-OF-WEEK YEAR)". The error is a *ParseError.
//
// A rate's unit is minute, hour or day for a value of 1, and minutes, hours or days
// for more.
//
// A cron field is *, or a list of values, ranges and steps: 5,10-15,20/10. A range may
// wrap, FRI-MON, but for years; a step without a range goes on to the largest value.
// Months and days of the week may be named, JAN and SUN; days of the week count from 1,
// Sunday. Exactly one of the two fields for days is ?. In the other may stand alone:
//
//	L     the last day of the month; Saturday, as a day of the week
//	L-n   n days before the last of the month
//	LW    the last day of the month from Monday to Friday
//	nW    the day from Monday to Friday that is nearest to day n, in the same month
//	nL    the last weekday n of the month
//	n#k   the k-th weekday n of the month
//
// A month that has no such day has no firing.
func Parse(expression string) (*Expression, error) {
	p := &parser{text: expression}
	e := &Expression{text: expression}
	switch {
	case p.skip("rate("):
		e.period = p.rate()
	case p.skip("cron("):
		e.cron = p.cron()
	default:
		p.fail(`"rate(" or "cron("`)
	}
	if p.err == nil && p.i < len(p.text) {
		p.fail("the end")
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// A parser reads text from i on. Once err is set, what it reads means nothing.
type parser struct {
	text string
	i    int
	err  *ParseError
}

// fail records the first error: at i, want was expected.
func (p *parser) fail(want string) {
	if p.err != nil {
		return
	}
	got := "the end"
	if p.i < len(p.text) {
		rest := p.text[p.i:]
		end := strings.IndexAny(rest[1:], " ,)") + 1
		if end == 0 {
			end = len(rest)
		}
		got = fmt.Sprintf("%.40q", rest[:end])
	}
	p.err = &ParseError{Expression: p.text, Offset: p.i, Want: want, Got: got}
}

// skip passes over s if it stands at i.
func (p *parser) skip(s string) bool {
	found := strings.HasPrefix(p.text[p.i:], s)
	if found {
		p.i += len(s)
	}
	return found
}

// want passes over s, which must stand at i.
func (p *parser) want(s, name string) {
	if !p.skip(s) {
		p.fail(name)
	}
}

// number reads a number from low to high of at most digits digits, which may begin with
// zeros. what names it in errors. It returns a number in these bounds in any case.
func (p *parser) number(low, high, digits int, what string) int {
	start := p.i
	for p.i < len(p.text) && '0' <= p.text[p.i] && p.text[p.i] <= '9' {
		p.i++
	}
	n, err := strconv.Atoi(p.text[start:p.i])
	if err != nil || p.i-start > digits || n < low || n > high {
		p.i = start
		p.fail(fmt.Sprintf("%s from %d to %d", what, low, high))
		return low
	}
	return n
}

// rate reads what follows "rate(".
func (p *parser) rate() time.Duration {
	if strings.HasPrefix(p.text[p.i:], "0") {
		p.fail("a number from 1, without leading zeros")
	}
	start := p.i
	n := p.number(1, math.MaxInt32, 10, "a number")
	p.want(" ", "a blank")
	for unit, d := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour} {
		if n > 1 {
			unit += "s"
		}
		if !p.skip(unit + ")") {
			continue
		}
		if time.Duration(n) > math.MaxInt64/d {
			p.i = start
			p.fail("at most 292 years")
		}
		return time.Duration(n) * d
	}
	if n == 1 {
		p.fail(`"minute)", "hour)" or "day)"`)
	} else {
		p.fail(`"minutes)", "hours)" or "days)"`)
	}
	return 0
}

// A field is one of the fields of a cron expression.
type field struct {
	what      string // a value of it, in errors
	low, high int
	step      int      // the largest
	names     []string // of the values from low on
	wraps     bool     // a range may go over the largest value
}

var (
	months   = strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	weekdays = strings.Fields("SUN MON TUE WED THU FRI SAT")

	minuteField  = field{what: "a minute", low: 0, high: 59, step: 59, wraps: true}
	hourField    = field{what: "an hour", low: 0, high: 23, step: 23, wraps: true}
	dayField     = field{what: "a day", low: 1, high: 31, step: 31, wraps: true}
	monthField   = field{what: "a month", low: 1, high: 12, step: 12, names: months, wraps: true}
	weekdayField = field{what: "a day of the week", low: 1, high: 7, step: 7, names: weekdays, wraps: true}
	yearField    = field{what: "a year", low: firstYear, high: lastYear, step: lastYear - firstYear}
)

// cron reads what follows "cron(".
func (p *parser) cron() (c cron) {
	inside, _, closed := strings.Cut(p.text[p.i:], ")")
	if n := len(strings.Fields(inside)); closed && n != 6 { // said first: what stands in a field's place is often its neighbour
		p.err = &ParseError{Expression: p.text, Offset: p.i, Want: "six fields", Got: strconv.Itoa(n)}
		return c
	}
	c.minutes = p.set(minuteField, 0)
	p.want(" ", "a blank")
	c.hours = p.set(hourField, 0)
	p.want(" ", "a blank")
	anyDate := p.skip("?")
	if !anyDate {
		c.days = p.dates()
	}
	p.want(" ", "a blank")
	c.months = p.set(monthField, 0)
	p.want(" ", "a blank")
	switch {
	case !anyDate:
		p.want("?", `"?", since the day of the month is not`)
	case strings.HasPrefix(p.text[p.i:], "?"):
		p.fail(`a day of the week, since the day of the month is "?"`)
	default:
		c.days = p.weekdays()
	}
	p.want(" ", "a blank")
	c.years = p.set(yearField, firstYear)
	p.want(")", "a parenthesis")
	return c
}

// dates reads the day of the month.
func (p *parser) dates() days {
	switch {
	case p.skip("LW"):
		return days{by: byEndWork}
	case p.skip("L-"):
		return days{by: byEnd, n: p.number(1, 30, 2, "a number of days")}
	case p.skip("L"):
		return days{by: byEnd}
	}
	start := p.i
	if end := strings.IndexAny(p.text[start:], "W ,-/)"); end > 0 && p.text[start+end] == 'W' {
		n := p.number(1, 31, 2, "a day")
		p.want("W", `"W"`)
		return days{by: byNearest, n: n}
	}
	return days{by: byDate, in: p.set(dayField, 0)}
}

// weekdays reads the day of the week.
func (p *parser) weekdays() days {
	if p.skip("L") {
		d := days{by: byWeekday}
		d.in.add(int(time.Saturday))
		return d
	}
	if end := strings.IndexAny(p.text[p.i:], "L# ,-/)"); end > 0 && strings.IndexByte("L#", p.text[p.i+end]) >= 0 {
		n, _ := p.value(weekdayField)
		d := days{by: byLast}
		d.in.add(n - 1)
		if !p.skip("L") {
			p.want("#", `"L" or "#"`)
			d.by, d.n = byNth, p.number(1, 5, 1, "a number")
		}
		return d
	}
	return days{by: byWeekday, in: p.set(weekdayField, 1)}
}

// set reads a list; it takes base off each value.
func (p *parser) set(f field, base int) (s set) {
	for more := true; more && p.err == nil; more = p.skip(",") {
		low, high, step := p.part(f)
		if low > high { // FRI-MON: 6 to 9, of which 8 and 9 are 1 and 2
			high += f.high - f.low + 1
		}
		for n := low; n <= high; n += step {
			s.add((n-f.low)%(f.high-f.low+1) + f.low - base)
		}
	}
	return s
}

// part reads one element of a list: *, a value, a range, and a step behind each.
func (p *parser) part(f field) (low, high, step int) {
	low, high = f.low, f.high
	named := false
	if !p.skip("*") {
		low, named = p.value(f)
		switch {
		case p.skip("-"):
			start, name := p.i, false
			if high, name = p.value(f); high < low && !f.wraps {
				p.i = start
				p.fail(fmt.Sprintf("%s from %d", f.what, low))
			}
			named = named || name
		case !strings.HasPrefix(p.text[p.i:], "/"):
			high = low
		}
	}
	// Quartz, whose dialect this is, passes over a step behind a name in silence.
	if named && strings.HasPrefix(p.text[p.i:], "/") {
		p.fail("no step behind a name")
	}
	if !p.skip("/") {
		return low, high, 1
	}
	return low, high, p.number(1, f.step, 3, "a step")
}

// value reads a number or a name.
func (p *parser) value(f field) (n int, named bool) {
	for i, name := range f.names {
		if p.skip(name) {
			return f.low + i, true
		}
	}
	what := f.what
	if f.names != nil {
		what += ", " + f.names[0] + " to " + f.names[len(f.names)-1] + " or"
	}
	return p.number(f.low, f.high, len(strconv.Itoa(f.high)), what), false
}
