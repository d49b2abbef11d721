// Package explain says why an event matches a pattern or does not, and what is surely
// wrong with a pattern.
//
// It is a matcher of its own, slow and plain: package match keeps nothing that could be
// told. What both must agree on, their verdicts, the tests compare. It knows JSON and
// patterns, and nothing of buses.
package explain

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A Result is how a pattern fares with an event.
//
// A pattern with $or means one combination of fields for each choice of branches. A field
// is judged in the combination that matches or, if none does, in the one that comes
// nearest; the fields of a branch that is not in it are judged in the nearest combination
// that has the branch.
type Result struct {
	Matched      bool
	Error        *jsonwalk.SyntaxError // the event is not a JSON object; then there is nothing else
	Held, Missed int                   // fields of that combination that hold, and that do not
	Near         int                   // of those missed, the ones that little would make hold
	Branch                             // the pattern itself
}

// A Branch is a pattern, or an object in a $or.
type Branch struct {
	Holds  bool // all below does
	Fields []Field
	Ors    []Or
}

// An Or is a $or.
type Or struct {
	Path, Pointer string
	Holds         bool // one of the branches does
	Branches      []Branch
}

// A Field is a leaf of the pattern.
type Field struct {
	Path, Pointer string
	Wanted        []string // JSON
	Found         []Found  // at most maxFound
	More          int      // that were found, too
	Holds         bool
	Why           Why    // it does not hold; "": it does
	Reason        string // in words
	Near          bool   // little would make it hold

	field *field
}

// A Found is a value that an event has at a field's path.
type Found struct {
	At     string // such as detail.items[2].id
	Index  string // of the elements that it is in, such as [2]; "": it is in no array
	Value  string // JSON
	Wanted bool   // the value is one of those wanted
	Told   bool   // the field's Reason is about this one of several
	leaf   *value
	node   *node
}

const (
	maxFound  = 20        // values of a field that are told
	maxLeaves = 1000      // values of a field that are looked at for a reason
	maxEffort = 2_000_000 // steps that finding reasons may take; beyond, reasons are for fields alone
)

// Explain says how a pattern, which Compile has accepted, fares with an event.
func Explain(pattern string, event []byte) Result {
	root, err := parseEvent(event)
	if err != nil {
		return Result{Error: err}
	}
	top, all := parsePattern(pattern)
	x := &explainer{event: root, effort: maxEffort, fields: make(map[*field]Field), alone: make(map[*field]bool)}
	r := Result{}
	chosen := slices.IndexFunc(all, func(c combination) bool {
		_, ok := evaluate(c.sorted(), root)
		return ok
	})
	if r.Matched = chosen >= 0; r.Matched {
		all[0], all[chosen] = all[chosen], all[0]
		x.rank(all[1:])
	} else {
		x.rank(all)
	}
	told := map[*branch]bool{top: true}
	x.tell(top, x.judge(&all[0]))
	for _, f := range x.judge(&all[0]) {
		switch {
		case f.Holds:
			r.Held++
		default:
			r.Missed++
			if f.Near {
				r.Near++
			}
		}
	}
	for i := range all {
		for _, b := range all[i].branches {
			if !told[b] {
				told[b] = true
				x.tell(b, x.judge(&all[i]))
			}
		}
	}
	r.Branch = x.branch(top)
	return r
}

// An explainer judges fields in an event.
type explainer struct {
	event  *node
	effort int              // that is left
	fields map[*field]Field // that are told
	alone  map[*field]bool  // whether a field holds if it is the only one
	byName map[string]*node // the event's values by their keys; nil: nobody has asked

	judged *combination // the last one
	last   map[string]Field
}

// rank sorts combinations by how many of their fields do not hold, each judged alone.
func (x *explainer) rank(all []combination) {
	misses := func(c combination) (n int) {
		for _, f := range c.fields {
			if !x.holdsAlone(f) {
				n++
			}
		}
		return n
	}
	type ranked struct {
		misses int
		combination
	}
	sorted := make([]ranked, len(all))
	for i, c := range all {
		sorted[i] = ranked{misses(c), c}
	}
	slices.SortStableFunc(sorted, func(a, b ranked) int { return cmp.Compare(a.misses, b.misses) })
	for i := range sorted {
		all[i] = sorted[i].combination
	}
}

func (x *explainer) holdsAlone(f *field) bool {
	ok, known := x.alone[f]
	if !known {
		_, ok = evaluate([]*field{f}, x.event)
		x.alone[f] = ok
	}
	return ok
}

// judge judges the fields of a combination one after the other, in the order absence is
// judged in: a field holds if it does together with those before it that hold. If all of
// them hold together, each does with those before it.
func (x *explainer) judge(c *combination) map[string]Field {
	if x.judged == c {
		return x.last
	}
	fields := c.sorted()
	x.judged, x.last = c, make(map[string]Field, len(fields))
	kept := fields
	if _, ok := evaluate(fields, x.event); !ok {
		var picks []*node
		kept = nil
		together := x.spend(len(fields) * len(fields))
		for _, f := range fields {
			with := append(slices.Clip(kept), f)
			if !together {
				with = []*field{f}
			}
			if p, ok := evaluate(with, x.event); ok {
				kept = append(slices.Clip(kept), f)
				picks = append(picks[:len(picks):len(picks)], nil)
				if together {
					picks = p
				}
				continue
			}
			x.last[f.path] = x.missed(f, kept, picks, together)
		}
		if len(kept) == len(fields) {
			kept = x.keepFew(fields)
		}
	}
	for _, f := range kept {
		x.last[f.path] = x.held(f)
	}
	return x.last
}

// keepFew is for fields of which each holds alone, but which do not all hold together. It
// tells of the first that does not hold together with all before it: if some fields do not
// hold together, more fields do not.
func (x *explainer) keepFew(fields []*field) (kept []*field) {
	i := sort.Search(len(fields), func(i int) bool {
		_, ok := evaluate(fields[:i+1], x.event)
		return !ok
	})
	t := x.held(fields[i])
	t.Holds, t.Near, t.Why, t.Reason = false, true, Element, "array consistency: it is in no array element together with the fields before it"
	x.last[t.Path] = t
	return slices.Concat(fields[:i], fields[i+1:])
}

// spend takes n from the effort that is left and reports whether it was there.
func (x *explainer) spend(n int) bool {
	x.effort -= n
	return x.effort >= 0
}

// tell enters the fields of b, as judged in a combination that has b.
func (x *explainer) tell(b *branch, judged map[string]Field) {
	for _, f := range b.fields {
		told := judged[f.path]
		if told.field != f {
			by := told.Pointer
			told = x.held(f)
			told.Holds, told.Why, told.Reason = false, Replaced, "set again at "+by+", which counts instead of it"
		}
		x.fields[f] = told
	}
}

// held returns what is told of a field that holds.
func (x *explainer) held(f *field) Field {
	t := Field{Path: f.path, Pointer: f.pointer, Holds: true, field: f}
	for _, v := range f.values {
		t.Wanted = append(t.Wanted, compact(v.raw))
	}
	for _, n := range x.event.leaves(nil, f.keys, maxLeaves) {
		if len(t.Found) == maxFound {
			t.More++
			continue
		}
		t.Found = append(t.Found, Found{At: n.where(nil), Index: n.indexes(), Value: n.leaf.raw, Wanted: f.holds(n.leaf), leaf: n.leaf, node: n})
	}
	return t
}

// branch gathers what is told of a branch.
func (x *explainer) branch(b *branch) Branch {
	out := Branch{Holds: true}
	for _, f := range b.fields {
		t := x.fields[f]
		out.Fields = append(out.Fields, t)
		out.Holds = out.Holds && (t.Holds || t.Why == Replaced)
	}
	for _, o := range b.ors {
		told := Or{Path: o.path, Pointer: o.pointer}
		for _, kid := range o.branches {
			t := x.branch(kid)
			told.Branches = append(told.Branches, t)
			told.Holds = told.Holds || t.Holds
		}
		out.Ors = append(out.Ors, told)
		out.Holds = out.Holds && told.Holds
	}
	return out
}

// compact returns JSON without white space, in one line.
func compact(raw string) string {
	if !strings.ContainsAny(raw, " \t\r\n") {
		return raw
	}
	var s strings.Builder
	inString := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			s.WriteString(raw[i : i+2])
			i++
			continue
		case c == '"':
			inString = !inString
		case !inString && c <= ' ':
			continue
		}
		s.WriteByte(raw[i])
	}
	return s.String()
}
