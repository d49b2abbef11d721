package schedule

import (
	"fmt"
	"math/bits"
	"time"
)

// An Expression says when a scheduled rule fires. [Parse] makes one; it is immutable, and
// may be used by any number of goroutines. The zero value never fires.
type Expression struct {
	text   string
	period time.Duration // of a rate; 0: it is a cron expression
	cron   cron
}

// MustParse is [Parse] for expressions that are part of the program: it panics if the
// expression is refused.
func MustParse(expression string) *Expression {
	e, err := Parse(expression)
	if err != nil {
		panic(err)
	}
	return e
}

// String returns the text the expression was parsed from.
func (e *Expression) String() string { return e.text }

// Next returns the first time behind after at which e fires, in UTC and at a whole
// minute, or the zero time if there is none. A rate counts from the minute of after: of
// the times that it returns, pass on each to get the next.
func (e *Expression) Next(after time.Time) time.Time {
	minute := after.UTC().Truncate(time.Minute)
	if e.period > 0 {
		return minute.Add(e.period)
	}
	return e.cron.from(minute.Add(time.Minute))
}

// The years of cron expressions.
const (
	firstYear = 1970
	lastYear  = 2199
)

// A cron is what a cron expression says: the values that each of its fields may have.
type cron struct {
	minutes, hours, months set
	years                  set // counted from firstYear
	days                   days
}

// from returns the first time at or behind t, which is UTC and a whole minute, that c
// admits. It goes from year to year, month to month and day to day among those that c
// admits, so it looks at 12 months for each year at most, never at each minute.
func (c *cron) from(t time.Time) time.Time {
	if t.Year() < firstYear {
		t = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	year, month, day := t.Date()
	// What follows is the earliest that comes into question: behind t's own year, month
	// and day it is the beginning of each.
	m, d, clock := int(month), day, t.Hour()*60+t.Minute()
	for y, ok := c.years.from(year - firstYear); ok; y, ok = c.years.from(y + 1) {
		if y+firstYear > year {
			m, d, clock = 1, 1, 0
		}
		for mm, ok := c.months.from(m); ok; mm, ok = c.months.from(mm + 1) {
			if mm > m {
				m, d, clock = mm, 1, 0
			}
			of := c.days.of(y+firstYear, time.Month(mm))
			for dd, ok := of.from(d); ok; dd, ok = of.from(dd + 1) {
				if dd > d {
					d, clock = dd, 0
				}
				if at, ok := c.clock(clock); ok {
					return time.Date(y+firstYear, time.Month(mm), dd, at/60, at%60, 0, 0, time.UTC)
				}
			}
		}
	}
	return time.Time{}
}

// clock returns the first minute of a day at or behind minute that c admits.
func (c *cron) clock(minute int) (at int, ok bool) {
	hour, ok := c.hours.from(minute / 60)
	if ok && hour == minute/60 {
		if m, ok := c.minutes.from(minute % 60); ok {
			return hour*60 + m, true
		}
		hour, ok = c.hours.from(hour + 1)
	}
	m, _ := c.minutes.from(0)
	return hour*60 + m, ok
}

// days say which days of a month a cron expression admits. One of the two fields for
// days is always ?, so that it is by one of these.
type days struct {
	by byDay
	in set // of byDate, days of the month; of the last three, days of the week, from 0, Sunday
	n  int // the number that the kind of by has
}

type byDay int

const (
	byDate    byDay = iota // in
	byEnd                  // n days before the last: L is 0, L-3 is 3
	byEndWork              // the last that is a weekday: LW
	byNearest              // the weekday nearest to day n, in the same month: nW
	byWeekday              // in
	byLast                 // the last one of the weekday in: nL
	byNth                  // the n-th of the weekday in: 6#3
)

// of returns the days of a month.
func (d *days) of(year int, month time.Month) (s set) {
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
	weekday := func(day int) int { return (first + day - 1) % 7 }
	switch d.by {
	case byDate:
		s = d.in
		s.keep(length)
	case byEnd:
		if length > d.n {
			s.add(length - d.n)
		}
	case byEndWork:
		s.add(nearest(length, length, weekday))
	case byNearest:
		if d.n <= length {
			s.add(nearest(d.n, length, weekday))
		}
	case byWeekday:
		for day := 1; day <= length; day++ {
			if d.in.has(weekday(day)) {
				s.add(day)
			}
		}
	case byLast:
		w, _ := d.in.from(0)
		s.add(length - (weekday(length)-w+7)%7)
	case byNth:
		w, _ := d.in.from(0)
		if day := 1 + (w-first+7)%7 + 7*(d.n-1); day <= length {
			s.add(day)
		}
	}
	return s
}

// nearest returns the day from Monday to Friday that is nearest to day and in its month.
func nearest(day, length int, weekday func(int) int) int {
	switch {
	case weekday(day) == int(time.Saturday) && day == 1:
		return 3
	case weekday(day) == int(time.Saturday):
		return day - 1
	case weekday(day) == int(time.Sunday) && day == length:
		return day - 2
	case weekday(day) == int(time.Sunday):
		return day + 1
	}
	return day
}

// A set is a set of numbers from 0 to 255.
type set [4]uint64

func (s *set) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *set) has(n int) bool { return s[n/64]>>(n%64)&1 != 0 }

// from returns the least number of s at or behind n.
func (s *set) from(n int) (int, bool) {
	for i := n / 64; i < len(s); i++ {
		word := s[i]
		if i == n/64 {
			word &= ^uint64(0) << (n % 64)
		}
		if word != 0 {
			return i*64 + bits.TrailingZeros64(word), true
		}
	}
	return 0, false
}

// keep removes what is above n, which is below 64.
func (s *set) keep(n int) { *s = set{s[0] & (1<<(n+1) - 1)} }

// A ParseError says why an expression was refused and where.
type ParseError struct {
	Expression string // the text
	Offset     int    // of what cannot stand where it stands, in bytes
	Want, Got  string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("schedule: Parameter ScheduleExpression is not valid. Reason: want %s, got %s (offset %d in %q)",
		e.Want, e.Got, e.Offset, e.Expression)
}
