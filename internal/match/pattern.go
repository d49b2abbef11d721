// Package match compiles event patterns and finds the patterns that an event matches.
//
// A pattern is compiled into a disjunction: one conjunction for each combination
// of its $or branches (pattern.go, values in operator.go). A [Set] holds many patterns
// (set.go) in an index (index.go); matching walks an event's bytes (walk.go) and wakes the
// rules that wait for what it finds (wake.go).
//
// The package knows JSON and patterns, and nothing of buses.
package match

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unique"
)

// Limits on what a pattern may multiply out to. They keep compiling and matching
// bounded; the service's own limit of 1,000 combinations is lower.
const (
	maxCombinations = 10_000    // of $or branches
	maxSteps        = 1_000     // keys on the way to one field, dots in keys counted
	maxWork         = 2_000_000 // steps to the fields of combinations, as often as they are put in or copied
	maxPathBytes    = 64 << 20  // of the paths of all fields, each spelt out
)

// A Pattern is a compiled event pattern. It is immutable.
type Pattern struct {
	source string
	any    []conjunction                 // the pattern matches if any of these does
	alone  atomic.Pointer[Set[struct{}]] // of this pattern alone; made by the first Match
}

// Compile compiles an event pattern.
func Compile(source string) (*Pattern, *Error) {
	t, err := parseTree(source)
	if err != nil {
		return nil, err
	}
	if t.kind != object {
		return nil, top.errorf(t.offset, "Filter is not an object")
	}
	c := compiler{room: maxPathBytes, work: maxWork}
	all, err := c.object([]combination{{}}, t, "", 0, top, false)
	if err != nil {
		return nil, err
	}
	p := &Pattern{source: source, any: make([]conjunction, 0, len(all))}
	for _, fields := range all {
		p.any = append(p.any, newConjunction(fields))
	}
	return p, nil
}

// Match reports whether event, which must be a JSON object, matches p. What
// [Set.AppendMatches] says of events that are not JSON holds here, too.
func (p *Pattern) Match(event []byte) (bool, error) {
	var buf [1]struct{}
	matches, err := p.set().AppendMatches(buf[:0], event)
	return len(matches) > 0, err
}

// patternScratches are those of all patterns that are matched alone: there may be many.
var patternScratches sync.Pool

func (p *Pattern) set() *Set[struct{}] {
	if p == nil {
		return &Set[struct{}]{}
	}
	s := p.alone.Load()
	if s == nil {
		s = &Set[struct{}]{shared: &patternScratches}
		s.Add(struct{}{}, p)
		p.alone.Store(s)
	}
	return s
}

// String returns the pattern's source text.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.source
}

// A path is the keys that lead to a field, joined with dots. No key holds a dot: one
// that does in the pattern's text is several. In the service (measured with its
// TestEventPattern) {"a.b":["x"]} and {"a":{"b":["x"]}} are the same pattern.
type path = unique.Handle[string]

// A field is a leaf of a pattern: where it is and the values it may have.
type field struct {
	path   path
	values *values
}

// A combination is the fields of one choice of $or branches.
type combination map[path]*values

// A compiler keeps what all of a pattern's parts share.
type compiler struct {
	room int // bytes that the paths of fields may still take
	work int // that multiplying out $or may still make
}

// spend takes n from the work that is left.
func (c *compiler) spend(n int, t tree, at *place) *Error {
	if c.work -= n; c.work < 0 {
		return at.errorf(t.offset, "Rule is too complex - $or multiplies out to too many fields")
	}
	return nil
}

// object adds the fields of an object, which stands at path, depth keys deep, to each
// of the combinations so far.
func (c *compiler) object(all []combination, t tree, path string, depth int, at *place, inOr bool) ([]combination, *Error) {
	if len(t.keys) == 0 {
		return nil, at.errorf(t.offset, "Empty objects are not allowed")
	}
	for i, key := range t.keys {
		kid, at := t.kids[i], at.key(key)
		if key == "$or" {
			var err *Error
			if all, err = c.or(all, kid, path, depth, at); err != nil {
				return nil, err
			}
			continue
		}
		if inOr && slices.Contains(reserved, key) {
			return nil, at.errorf(kid.offset, "%s is Ruler reserved fieldName which cannot be used inside $or.", key)
		}
		below, depth := key, depth+1+strings.Count(key, ".")
		if depth > 1+strings.Count(key, ".") {
			below = path + "." + key
		}
		if depth > maxSteps {
			return nil, at.errorf(kid.offset, "Rule is too complex - a field is more than %d keys deep", maxSteps)
		}
		if c.room -= len(below); c.room < 0 {
			return nil, at.errorf(kid.offset, "Rule is too complex - the paths of its fields take more than %d bytes", maxPathBytes)
		}
		var err *Error
		switch kid.kind {
		case object:
			all, err = c.object(all, kid, below, depth, at, inOr)
		case array:
			err = c.field(all, kid, unique.Make(below), depth, at)
		default:
			err = at.errorf(kid.offset, "%q must be an object or an array", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// field puts a field, depth keys deep, into each of the combinations; one that is there
// already, from an earlier key or branch, is replaced.
func (c *compiler) field(all []combination, t tree, p path, depth int, at *place) *Error {
	v, err := compileValues(t, at)
	if err != nil {
		return err
	}
	if len(all) > 1 {
		if err := c.spend(len(all)*depth, t, at); err != nil {
			return err
		}
	}
	for _, fields := range all {
		fields[p] = v
	}
	return nil
}

// or returns each of the combinations so far with each of the branches.
func (c *compiler) or(all []combination, t tree, path string, depth int, at *place) ([]combination, *Error) {
	if t.kind != array {
		return nil, at.errorf(t.offset, "It must be an Array followed with $or.")
	}
	if len(t.kids) < 2 {
		return nil, at.errorf(t.offset, "There must have at least 2 Objects in $or relationship.")
	}
	var out []combination
	for i, branch := range t.kids {
		at := at.index(i)
		if branch.kind != object {
			return nil, at.errorf(branch.offset, "Only JSON object is allowed in array of $or relationship.")
		}
		if err := c.spend(work(all), branch, at); err != nil {
			return nil, err
		}
		copies := make([]combination, len(all))
		for i, c := range all {
			copies[i] = maps.Clone(c)
		}
		copies, err := c.object(copies, branch, path, depth, at, true)
		if err != nil {
			return nil, err
		}
		if out = append(out, copies...); len(out) > maxCombinations {
			return nil, at.errorf(branch.offset, "Rule is too complex - $or multiplies out to more than %d combinations", maxCombinations)
		}
	}
	return out, nil
}

// work is the work of copying all combinations.
func work(all []combination) (n int) {
	for _, fields := range all {
		n++
		for p := range fields {
			n += 1 + strings.Count(p.Value(), ".")
		}
	}
	return n
}

// A conjunction is fields that must all hold, in byte order of their paths, which is
// the order absence is judged in.
type conjunction struct{ fields []field }

func newConjunction(fields combination) conjunction {
	c := conjunction{make([]field, 0, len(fields))}
	for p, v := range fields {
		c.fields = append(c.fields, field{p, v})
	}
	slices.SortFunc(c.fields, func(a, b field) int { return strings.Compare(a.path.Value(), b.path.Value()) })
	return c
}
