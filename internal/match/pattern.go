// Package match compiles event patterns and finds the patterns that an event matches.
//
// A pattern is compiled into a disjunction: one conjunction for each combination
// of its $or branches (pattern.go, values in operator.go). An event becomes a tree
// (event.go), and a conjunction is evaluated by walking that tree and the trie of
// its own field paths together (eval.go). A [Set] holds many patterns (set.go).
//
// The package knows JSON and patterns, and nothing of buses.
package match

import (
	"maps"
	"slices"
	"strings"
)

// Limits on what a pattern may multiply out to. They keep compiling and matching
// bounded; the service's own limit of 1,000 combinations is lower.
const (
	maxCombinations = 10_000
	maxFields       = 200_000 // over all combinations
	maxSteps        = 1000    // keys on the way to one field, dots in keys counted
)

// A Pattern is a compiled event pattern. It is immutable.
type Pattern struct {
	source string
	any    []*conjunction // the pattern matches if any of these does
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
	all, err := compileObject([]combination{{}}, t, &path{}, top, false)
	if err != nil {
		return nil, err
	}
	p := &Pattern{source: source}
	for _, c := range all {
		p.any = append(p.any, newConjunction(c))
	}
	return p, nil
}

// String returns the pattern's source text.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.source
}

// A path is a node of the trie of all paths in a pattern, so that equal paths are
// equal pointers. A key with dots is several steps: in the service (measured with
// its TestEventPattern) {"a.b":["x"]} and {"a":{"b":["x"]}} are the same pattern.
type path struct {
	parent *path // nil for the top level
	key    string
	depth  int
	kids   map[string]*path
}

// below returns the path that key leads to from p, or nil if that is too long.
func (p *path) below(key string) *path {
	for step := range strings.SplitSeq(key, ".") {
		kid := p.kids[step]
		if kid == nil {
			if p.kids == nil {
				p.kids = make(map[string]*path)
			}
			if p.depth >= maxSteps {
				return nil
			}
			kid = &path{parent: p, key: step, depth: p.depth + 1}
			p.kids[step] = kid
		}
		p = kid
	}
	return p
}

// comparePaths compares two paths by the bytes of their keys joined with dots.
func comparePaths(a, b *path) int {
	moreA, moreB := "", "" // what follows the key at which the walk stands
	for ; a.depth > b.depth; a = a.parent {
		moreA = "."
	}
	for ; b.depth > a.depth; b = b.parent {
		moreB = "."
	}
	for a != b && a.parent != b.parent {
		a, b, moreA, moreB = a.parent, b.parent, ".", "."
	}
	return strings.Compare(a.key+moreA, b.key+moreB)
}

// A field is a leaf of a pattern: where it is and the values it may have.
type field struct {
	path   *path
	values *values
}

// A combination is the fields of one choice of $or branches.
type combination map[*path]*values

// compileObject adds the fields of an object to each of the combinations so far.
func compileObject(all []combination, t tree, p *path, at *place, inOr bool) ([]combination, *Error) {
	if len(t.keys) == 0 {
		return nil, at.errorf(t.offset, "Empty objects are not allowed")
	}
	for i, key := range t.keys {
		kid, at := t.kids[i], at.key(key)
		if key == "$or" {
			var err *Error
			if all, err = compileOr(all, kid, p, at); err != nil {
				return nil, err
			}
			continue
		}
		if inOr && slices.Contains(reserved, key) {
			return nil, at.errorf(kid.offset, "%s is Ruler reserved fieldName which cannot be used inside $or.", key)
		}
		below := p.below(key)
		if below == nil {
			return nil, at.errorf(kid.offset, "Rule is too complex - a field is more than %d keys deep", maxSteps)
		}
		var err *Error
		switch kid.kind {
		case object:
			all, err = compileObject(all, kid, below, at, inOr)
		case array:
			err = compileField(all, kid, below, at)
		default:
			err = at.errorf(kid.offset, "%q must be an object or an array", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// compileField puts a field into each of the combinations; one that is there
// already, from an earlier key or branch, is replaced.
func compileField(all []combination, t tree, p *path, at *place) *Error {
	v, err := compileValues(t, at)
	if err != nil {
		return err
	}
	for _, c := range all {
		c[p] = v
	}
	if len(all) > 1 && size(all) > maxFields {
		return at.errorf(t.offset, "Rule is too complex - $or multiplies out to more than %d fields", maxFields)
	}
	return nil
}

// compileOr returns each of the combinations so far with each of the branches.
func compileOr(all []combination, t tree, p *path, at *place) ([]combination, *Error) {
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
		if size(out)+size(all) > maxFields {
			return nil, at.errorf(branch.offset, "Rule is too complex - $or multiplies out to more than %d fields", maxFields)
		}
		copies := make([]combination, len(all))
		for i, c := range all {
			copies[i] = maps.Clone(c)
		}
		copies, err := compileObject(copies, branch, p, at, true)
		if err != nil {
			return nil, err
		}
		if out = append(out, copies...); len(out) > maxCombinations {
			return nil, at.errorf(branch.offset, "Rule is too complex - $or multiplies out to more than %d combinations", maxCombinations)
		}
	}
	return out, nil
}

// size is the number of fields in all combinations, an empty one counted as one.
func size(all []combination) (n int) {
	for _, c := range all {
		n += max(1, len(c))
	}
	return n
}

// A conjunction is a set of fields that must all hold.
type conjunction struct {
	fields []field // in byte order of their dotted paths, in which absence is judged
	root   *step   // the trie of their paths
}

// A step is a node of the trie of a conjunction's paths.
type step struct {
	path  *path
	key   string // path.key
	depth int    // path.depth
	field int    // index of the field that ends here, or -1
	last  int    // largest index of a field that ends here or below
	kids  []*step
}

func newConjunction(fields map[*path]*values) *conjunction {
	c := &conjunction{}
	for p, v := range fields {
		c.fields = append(c.fields, field{p, v})
	}
	slices.SortFunc(c.fields, func(a, b field) int { return comparePaths(a.path, b.path) })
	steps := make(map[*path]*step)
	for i, f := range c.fields {
		s := stepFor(steps, f.path)
		s.field = i
		for p := f.path; p != nil; p = p.parent {
			steps[p].last = i // indexes ascend
		}
	}
	c.root = stepFor(steps, c.fields[0].path.top())
	return c
}

// stepFor returns the step for p, made, with those that lead to it, if need be.
func stepFor(steps map[*path]*step, p *path) *step {
	s := steps[p]
	if s == nil {
		s = &step{path: p, key: p.key, depth: p.depth, field: -1}
		steps[p] = s
		if p.parent != nil {
			parent := stepFor(steps, p.parent)
			parent.kids = append(parent.kids, s)
		}
	}
	return s
}

func (p *path) top() *path {
	for p.parent != nil {
		p = p.parent
	}
	return p
}

// keys returns the keys of p from depth on.
func (p *path) keys(depth int) []string {
	keys := make([]string, p.depth-depth)
	for ; p.depth > depth; p = p.parent {
		keys[p.depth-depth-1] = p.key
	}
	return keys
}
