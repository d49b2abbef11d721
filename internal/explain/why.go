package explain

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Why is a kind of reason for which a field does not hold.
type Why string

const (
	Absent    Why = "absent"     // nothing is there
	NoValue   Why = "no-value"   // an object or an empty array is there
	Present   Why = "present"    // a value is there, and none is wanted
	WrongType Why = "wrong-type" // a value of another type than is wanted is there
	Case      Why = "case"       // upper and lower case differ
	Space     Why = "space"      // white space at the ends differs
	Near      Why = "near"       // a value near to one that is wanted is there
	Excluded  Why = "excluded"   // anything-but leaves the value out
	Differs   Why = "differs"    // the value is not wanted
	Element   Why = "element"    // it is not in the array element that other fields are in
	Replaced  Why = "replaced"   // the pattern sets the field again
)

// missed returns what is told of a field that does not hold together with those kept,
// which were found at picks.
func (x *explainer) missed(f *field, kept []*field, picks []*node, together bool) Field {
	t := x.held(f)
	t.Holds = false
	if x.holdsAlone(f) && together {
		t.Why, t.Reason, t.Near = Element, x.element(&t, f, kept, picks), true
		return t
	}
	if len(t.Found) == 0 {
		t.Why, t.Reason = x.nothing(f)
		return t
	}
	best, at := reason{rank: -1}, 0
	for i := range t.Found {
		for _, want := range f.values {
			if r := whyNot(want, t.Found[i].leaf, len(f.values)); r.better(best) {
				best, at = r, i
			}
		}
	}
	t.Why, t.Reason, t.Near = best.why, best.text, best.rank >= nearRank
	switch {
	case len(t.Found) == 1:
	case best.rank == lastResort && len(f.values) == 1:
		t.Reason = "other values"
	default:
		t.Found[at].Told = true
		t.Reason = t.Found[at].Index + ": " + best.text
	}
	return t
}

// element says why f, which holds alone, does not hold with those kept: of these it looks
// for a few with which it does not.
func (x *explainer) element(t *Field, f *field, kept []*field, picks []*node) string {
	others := slices.Clone(kept)
	for _, g := range kept {
		if !x.spend(len(others)) {
			break
		}
		fewer := slices.DeleteFunc(slices.Clone(others), func(o *field) bool { return o == g })
		if _, ok := evaluate(append(slices.Clip(fewer), f), x.event); !ok {
			others = fewer
		}
	}
	here, array := (*node)(nil), (*node)(nil)
	var there []string
	for i, g := range kept {
		switch {
		case !slices.Contains(others, g):
		case picks[i] == nil:
			there = append(there, g.path+" is absent")
		default:
			mine, other := t.apart(picks[i])
			if array == nil && mine != nil {
				here, array = mine, mine.parent
			}
			if array == nil || other == nil || other.parent != array {
				there = append(there, g.path+" matches in "+picks[i].where(nil))
				continue
			}
			there = append(there, strings.TrimPrefix(g.path, array.path()+".")+" matches in "+other.where(array))
		}
	}
	if array == nil {
		return fmt.Sprintf("array consistency: %s, this elsewhere; one element of an array must have both", strings.Join(there, ", "))
	}
	return fmt.Sprintf("array consistency: of %s, %s, this in %s; one must have both", array.where(nil), strings.Join(there, ", "), here.where(array))
}

// apart returns the elements that a wanted value of t and a leaf are in, if these are
// different ones of one array.
func (t *Field) apart(leaf *node) (mine, other *node) {
	for _, found := range t.Found {
		if mine, other := apart(found.node, leaf); mine != nil && found.Wanted {
			return mine, other
		}
	}
	return nil, nil
}

func apart(a, b *node) (elemA, elemB *node) {
	above := make(map[*node]*node) // ancestors of a, each with the one below it
	for below, n := a, a.parent; n != nil; below, n = n, n.parent {
		above[n] = below
	}
	for below, n := b, b.parent; n != nil; below, n = n, n.parent {
		if kid, ok := above[n]; ok {
			if n.array && kid != below {
				return kid, below
			}
			return nil, nil
		}
	}
	return nil, nil
}

// nothing says why an event has no value for f.
func (x *explainer) nothing(f *field) (Why, string) {
	at, inArray := []*node{x.event}, false
	for i, key := range f.keys {
		var next []*node
		for _, n := range at {
			if kid := n.kids[key]; kid != nil {
				next = kid.elements(next)
				inArray = inArray || len(kid.elems) > 0
			}
		}
		if next == nil {
			return Absent, x.absent(f, i, at)
		}
		at = next
	}
	object := slices.ContainsFunc(at, func(n *node) bool { return n.object })
	switch {
	case object && inArray:
		return NoValue, fmt.Sprintf("an array of objects, which has no value itself but fields: %s", fieldNames(at))
	case object:
		return NoValue, "an object, which has fields and no value"
	case inArray:
		return NoValue, "an array without a value"
	default:
		return NoValue, "an empty array, which has no value"
	}
}

// fieldNames returns the names of the first few fields of nodes.
func fieldNames(nodes []*node) string {
	const most = 4
	var names []string
	for _, n := range nodes {
		for _, name := range n.names {
			switch {
			case slices.Contains(names, name):
			case len(names) == most:
				return strings.Join(names, ", ") + ", …"
			default:
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// absent says of what lacks the key i of f that it does: a node, or all elements of arrays.
func (x *explainer) absent(f *field, i int, at []*node) string {
	above := strings.Join(f.keys[:i], ".")
	why := "absent"
	switch {
	case len(at) > 1:
		why = "absent in every element of " + above
	case at[0].array:
		return "absent: " + above + " is an empty array"
	case at[0].leaf != nil && !at[0].object:
		return fmt.Sprintf("absent: %s is %s", at[0].where(nil), kindName(at[0].leaf.kind))
	case i+1 < len(f.keys):
		why = "absent: there is no " + strings.Join(f.keys[:i+1], ".")
	}
	names := make(map[string]bool)
	for _, n := range at {
		for _, name := range n.names {
			names[name] = true
		}
	}
	if near := Nearest(f.keys[i], slices.Sorted(maps.Keys(names))); near != "" {
		return fmt.Sprintf("%s; the event has %q", why, near)
	}
	if x.byName == nil {
		x.byName = make(map[string]*node)
		x.event.byName(x.byName)
	}
	if n := x.byName[f.keys[len(f.keys)-1]]; n != nil {
		return why + "; the event has " + n.where(nil)
	}
	return why
}

// Ranks of reasons that others are compared with.
const (
	lastResort = 2 // the value is another one, and no more can be said
	nearRank   = 5 // from here on little would mend it
)

// A reason is why a value is not one that is wanted. The one with the greatest rank is
// told, among equals the one with the smallest distance.
type reason struct {
	why      Why
	text     string
	rank     int
	distance float64
}

func (r reason) better(than reason) bool {
	return r.rank > than.rank || r.rank == than.rank && r.distance < than.distance
}

// whyNot says why leaf is not want, one of n values.
func whyNot(want value, leaf *value, n int) reason {
	switch {
	case want.kind == '{':
		return whyNotOperator(want.keys[0], want.kids[0], leaf)
	case want.kind == '"' && leaf.kind == '"':
		return whyNotText(want.text, want.raw, leaf.text, n)
	case want.kind == '0' && leaf.kind == '0':
		x, exactX := number(want.text)
		y, exactY := number(leaf.text)
		if !exactX || !exactY {
			return reason{Differs, "not exactly a 64-bit float: compared by its text, not by value", 3, 0}
		}
		return closest(want.raw, n, math.Abs(x-y))
	}
	text := fmt.Sprintf("%s, the pattern wants %s", kindName(leaf.kind), kindName(want.kind))
	if want.kind == '"' && leaf.raw == want.text || leaf.kind == '"' && want.raw == leaf.text {
		return reason{WrongType, text, 6, 0}
	}
	return reason{WrongType, text, 1, 0}
}

// whyNotText compares two strings. raw is want as JSON.
func whyNotText(want, raw, got string, n int) reason {
	switch {
	case strings.EqualFold(want, got):
		return reason{Case, against("case differs from", raw, want, got), 7, 0}
	case strings.TrimSpace(want) == strings.TrimSpace(got):
		return reason{Space, against("white space differs from", raw, want, got), 6, 0}
	}
	if d := distance(want, got); isNear(want, got, d) {
		return reason{Near, against("nearly", raw, want, got), nearRank, float64(d)}
	}
	r := closest(raw, n, math.Inf(1))
	if n > 1 {
		r.distance = float64(distance(want, got))
	}
	return r
}

// against says that got differs from raw, which is want as JSON: of long texts, where.
func against(how, raw, want, got string) string {
	const most = 20
	if utf8.RuneCountInString(raw) <= 2*most {
		return how + " " + raw
	}
	x, y := []rune(want), []rune(got)
	i := 0
	for i < len(x) && i < len(y) && x[i] == y[i] {
		i++
	}
	from := func(text []rune) string { return Shortened(strconv.Quote(string(text[i:])), most) }
	return fmt.Sprintf("%s that: from character %d on it is %s, not %s", how, i+1, from(y), from(x))
}

// closest is the reason of last resort: another value than raw, one of n.
func closest(raw string, n int, distance float64) reason {
	if n == 1 {
		return reason{Differs, "another value", lastResort, distance}
	}
	return reason{Differs, fmt.Sprintf("none of %d values; the closest is %s", n, Shortened(raw, 40)), lastResort, distance}
}

// Shortened returns at most n characters of a text.
func Shortened(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

func whyNotOperator(name string, arg value, leaf *value) reason {
	wants := "a string"
	switch name {
	case "exists":
		if arg.kind == 'f' {
			return reason{Present, "present, the pattern wants it absent", 0, 0}
		}
	case "anything-but":
		return reason{Excluded, "excluded by anything-but " + compact(arg.raw), 3, 0}
	case "numeric":
		wants = "a number"
	}
	if name == "numeric" && leaf.kind == '0' {
		if _, exact := number(leaf.text); !exact {
			return reason{Differs, "not exactly a 64-bit float: it lies in no range", 4, 0}
		}
		return reason{Differs, "not " + bounds(arg.kids), 3, 0}
	}
	if name == "numeric" || leaf.kind != '"' {
		rank := 1
		if _, exact := number(leaf.text); name == "numeric" && exact {
			rank = 6 // "2450" for 2450
		}
		return reason{WrongType, fmt.Sprintf("%s, %s wants %s", kindName(leaf.kind), name, wants), rank, 0}
	}
	return whyNotAffix(name, arg, leaf.text)
}

// whyNotAffix is whyNotOperator for the operators on strings.
func whyNotAffix(name string, arg value, got string) reason {
	raw := arg.raw
	if arg.kind == '{' {
		raw = arg.kids[0].raw + " in any case"
	} else if (name == "prefix" || name == "suffix") && foldAffix(name, arg.text, got) {
		return reason{Case, fmt.Sprintf("case differs from %s %s", name, raw), 7, 0}
	}
	switch name {
	case "exactly":
		return whyNotText(arg.text, raw, got, 1)
	case "prefix":
		return reason{Differs, "does not begin with " + raw, 3, 0}
	case "suffix":
		return reason{Differs, "does not end with " + raw, 3, 0}
	case "wildcard":
		if wildcardHolds(strings.ToLower(arg.text), strings.ToLower(got)) {
			return reason{Case, "case differs from wildcard " + raw, 7, 0}
		}
		return reason{Differs, "does not have the form " + raw, 3, 0}
	case "cidr":
		if _, ok := address(got); !ok {
			return reason{Differs, "no IP address", 3, 0}
		}
		return reason{Differs, "not in the network " + arg.text, 4, 0}
	}
	if d := distance(strings.ToLower(arg.text), strings.ToLower(got)); isNear(strings.ToLower(arg.text), strings.ToLower(got), d) {
		return reason{Near, "nearly " + raw + " in any case", nearRank, float64(d)}
	}
	return reason{Differs, "another value than " + raw + " in any case", 3, 0}
}

// bounds returns what a numeric asks for, such as "> 0 and <= 5".
func bounds(list []value) string {
	s := list[0].text + " " + list[1].raw
	if len(list) == 4 {
		s += " and " + list[2].text + " " + list[3].raw
	}
	return s
}
