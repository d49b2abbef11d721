package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
		t.Why, t.Reason = Element, x.element(&t, f, kept, picks)
		return t
	}
	if len(t.Found) == 0 {
		t.Why, t.Reason = x.nothing(f)
		return t
	}
	best := reason{rank: -1}
	for i := range t.Found {
		for _, want := range f.values {
			if r := whyNot(want, t.Found[i].leaf, len(f.values)); r.better(best) {
				best = r
				if len(t.Found) > 1 {
					best.text = t.Found[i].At + ": " + r.text
				}
			}
		}
	}
	t.Why, t.Reason = best.why, best.text
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
	var there []string
	array := ""
	for i, g := range kept {
		switch {
		case !slices.Contains(others, g):
		case picks[i] == nil:
			there = append(there, g.path+" is absent")
		default:
			there = append(there, g.path+" matches in "+picks[i].where())
			for _, found := range t.Found {
				if a := sharedArray(found.node, picks[i]); a != nil && found.Wanted && array == "" {
					array = a.where()
				}
			}
		}
	}
	here := "elsewhere"
	if i := slices.IndexFunc(t.Found, func(v Found) bool { return v.Wanted }); i >= 0 {
		here = "in " + t.Found[i].At
	}
	if array == "" {
		array = "an array"
	}
	return fmt.Sprintf("array consistency: it matches %s, %s; one element of %s must have both", here, strings.Join(there, ", "), array)
}

// sharedArray returns the innermost array that two leaves are in different elements of.
func sharedArray(a, b *node) *node {
	above := make(map[*node]*node) // ancestors of a, each with the one below it
	for below, n := a, a.parent; n != nil; below, n = n, n.parent {
		above[n] = below
	}
	for below, n := b, b.parent; n != nil; below, n = n, n.parent {
		if kid, ok := above[n]; ok {
			if n.array && kid != below {
				return n
			}
			return nil
		}
	}
	return nil
}

// nothing says why an event has no value for f.
func (x *explainer) nothing(f *field) (Why, string) {
	n := x.event
	for i, key := range f.keys {
		if n.array {
			return Absent, "absent in every element of " + n.where()
		}
		next := n.kids[key]
		if next == nil {
			why := "absent"
			if i+1 < len(f.keys) {
				why = "absent: there is no " + strings.Join(f.keys[:i+1], ".")
			}
			if n.leaf != nil && !n.object {
				why = fmt.Sprintf("absent: %s is %s", n.where(), kindName(n.leaf.kind))
			} else if near := Nearest(key, n.names); near != "" {
				why += fmt.Sprintf("; the event has %q", near)
			}
			return Absent, why
		}
		n = next
	}
	switch {
	case n.array && len(n.elems) == 0:
		return NoValue, "an empty array, which has no value"
	case n.array:
		return NoValue, "an array without a value"
	default:
		return NoValue, "an object, which has fields and no value"
	}
}

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
		return reason{Case, "case differs from " + raw, 7, 0}
	case strings.TrimSpace(want) == strings.TrimSpace(got):
		return reason{Space, "white space differs from " + raw, 6, 0}
	}
	if d := distance(want, got); d <= nearEnough(want) {
		return reason{Near, "nearly " + raw, 5, float64(d)}
	}
	r := closest(raw, n, math.Inf(1))
	if n > 1 {
		r.distance = float64(distance(want, got))
	}
	return r
}

// closest is the reason of last resort: another value than raw, one of n.
func closest(raw string, n int, distance float64) reason {
	if n == 1 {
		return reason{Differs, "another value", 2, distance}
	}
	return reason{Differs, fmt.Sprintf("none of %d values; the closest is %s", n, raw), 2, distance}
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
	if d := distance(strings.ToLower(arg.text), strings.ToLower(got)); d <= nearEnough(arg.text) {
		return reason{Near, "nearly " + raw + " in any case", 5, float64(d)}
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
