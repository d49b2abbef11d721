package awsapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge"
)

// A shape is what the service's model says of a kind of value: bounds of a string's
// characters, of a list's or a map's members, or of a number; and what a string may be.
type shape struct {
	min, max    int // max 0: none
	pattern     *regexp.Regexp
	enum        []string
	member, key string // shapes of a list's or map's members, and of a map's keys
}

// text is the shape of a string of min to max characters, which match a regular expression
// from begin to end; "" is any.
func text(min, max int, pattern string) shape {
	s := shape{min: min, max: max}
	if pattern != "" {
		s.pattern = regexp.MustCompile(pattern)
	}
	return s
}

// list is the shape of a list of min to max members of a shape.
func list(min, max int, member string) shape { return shape{min: min, max: max, member: member} }

// number is the shape of a number from min to max.
func number(min, max int) shape { return shape{min: min, max: max} }

// one is the shape of a string that is one of these.
func one(of ...string) shape { return shape{enum: of} }

// matches reports whether the whole of s matches.
func matches(pattern *regexp.Regexp, s string) bool {
	at := pattern.FindStringIndex(s)
	return at != nil && at[0] == 0 && at[1] == len(s)
}

// checks collects the constraints that a request fails, as the service words them.
type checks struct {
	failures []string // the first maxFailures
	count    int      // of all
}

// maxFailures is how many failures are told.
const maxFailures = 20

// maxMembers bounds lists and maps whose shapes do not.
const maxMembers = 1000

// tooMany reports whether a list or map of n members is beyond its shape, which then is
// noted, or beyond maxMembers. Its members are not looked at.
func (c *checks) tooMany(n int, at, shape string) bool {
	if shapes[shape].max > 0 {
		return n > shapes[shape].max
	}
	if n > maxMembers {
		c.failed("'"+shownList(n)+"'", at, fmt.Sprintf("have length less than or equal to %d", maxMembers))
	}
	return n > maxMembers
}

// maxShown bounds how much of a value is repeated in an error, in bytes.
const maxShown = 1024

// failed notes that a value does not what "Member must" do.
func (c *checks) failed(value, at, must string) {
	if c.count++; c.count > maxFailures {
		return
	}
	c.failures = append(c.failures, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: Member must %s", value, at, must))
}

// check notes what of its shape raw fails.
func (c *checks) check(raw any, at, name string) {
	s, known := shapes[name]
	if !known {
		return
	}
	shown, n, what := "", 0, "length"
	switch raw := raw.(type) {
	case string:
		n, shown = utf8.RuneCountInString(raw), raw
		if len(shown) > maxShown {
			shown = strings.ToValidUTF8(shown[:maxShown], "") + "..."
		}
	case []any:
		n, shown = len(raw), shownList(len(raw))
	case map[string]any:
		n, shown = len(raw), shownList(len(raw))
	case json.Number:
		i, _ := integer(raw) // if it is none, decode refuses it
		n, shown, what = int(i), raw.String(), "value"
	}
	shown = "'" + shown + "'"
	if s.max > 0 && n > s.max {
		c.failed(shown, at, fmt.Sprintf("have %s less than or equal to %d", what, s.max))
	}
	if n < s.min {
		c.failed(shown, at, fmt.Sprintf("have %s greater than or equal to %d", what, s.min))
	}
	text, isText := raw.(string)
	if isText && s.pattern != nil && !matches(s.pattern, text) {
		c.failed(shown, at, "satisfy regular expression pattern: "+s.pattern.String())
	}
	if isText && s.enum != nil && !slices.Contains(s.enum, text) {
		c.failed(shown, at, "satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
	}
}

// shownList is what stands for a list of n members in an error: the service prints them all.
func shownList(n int) string {
	if n == 0 {
		return "[]"
	}
	return "..."
}

// fault returns what was noted, nil if nothing was.
func (c *checks) fault() error {
	if c.count == 0 {
		return nil
	}
	plural := map[bool]string{true: "s"}[c.count > 1]
	return &fault{code: footbridge.CodeValidation,
		message: fmt.Sprintf("%d validation error%s detected: %s", c.count, plural, strings.Join(c.failures, "; "))}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
