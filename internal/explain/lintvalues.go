package explain

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxCovers bounds how many pairs of values of one list are compared.
const maxCovers = 1_000_000

// values looks at the list of a field.
func (l *linter) values(f *field) {
	if message := takesAll(f); message != "" {
		l.add(f.pointer, AlwaysHolds, "%s", message)
		return
	}
	empty := 0
	for i, v := range f.values {
		at := fmt.Sprintf("%s/%d", f.pointer, i)
		if v.kind == '{' && v.keys[0] == "numeric" && isEmpty(v.kids[0].kids) {
			empty++
			l.add(at, EmptyRange, "no number is %s", bounds(v.kids[0].kids))
		}
		if f.misledByDigits(v) {
			l.add(at, NumericString, "this is a string, which no number matches; for the number write %s", v.text)
		}
		l.star(at, v)
	}
	l.dead[f] = empty == len(f.values)
	l.covered(f)
}

// star looks for a * that is no wildcard.
func (l *linter) star(at string, v value) {
	switch {
	case v.kind == '"' && v.text == "*":
		l.add(at, LiteralStar, `this is the character *; for any value write {"exists":true}`)
	case v.kind == '"' && strings.Contains(v.text, "*"):
		l.add(at, LiteralStar, `here * stands for itself; for any text in its place write {"wildcard":%s}`, v.raw)
	case v.kind == '{' && v.keys[0] == "prefix" && strings.HasSuffix(v.kids[0].text, "*"):
		l.add(at, LiteralStar, "in a prefix * stands for itself; any text may follow without it")
	}
}

// misledByDigits reports whether v is a string that looks like a number, where the event
// may have the number. What an envelope has as a string, and the twelve digits of an
// account, is meant so.
func (f *field) misledByDigits(v value) bool {
	if v.kind != '"' || v.text == "" || kindAt(v.text[0]) != '0' || !json.Valid([]byte(v.text)) {
		return false
	}
	both := slices.ContainsFunc(f.values, func(other value) bool { return other.kind == '0' && other.text == v.text })
	return !both && envelopeKinds[f.keys[0]] != '"' && envelopeKinds[f.keys[0]] != '[' && len(v.text) != len("123456789012")
}

// takesAll says so if the values of f leave next to nothing out.
func takesAll(f *field) string {
	var excluded []value // what each plain anything-but leaves out
	lists, exists := 0, false
	for _, v := range f.values {
		if v.kind != '{' {
			continue
		}
		switch arg := v.kids[0]; {
		case v.keys[0] == "exists" && arg.kind == 't':
			exists = true
		case v.keys[0] == "anything-but" && arg.kind == '[':
			lists++
			excluded = append(excluded, arg.kids...)
		case v.keys[0] == "anything-but" && arg.kind != '{':
			lists++
			excluded = append(excluded, arg)
		}
	}
	// What is left out must be left out by every anything-but, and taken by nothing else.
	left := slices.ContainsFunc(excluded, func(out value) bool {
		return !slices.ContainsFunc(f.values, func(v value) bool { return holds(v, &out) })
	})
	all := exists || lists > 0 && !left
	switch {
	case !all:
		return ""
	case f.mayBeAbsent():
		return fmt.Sprintf("takes every value of %s, and its absence: it is no condition", f.path)
	case lists > 1:
		return `takes every value: a list is an OR; to leave out both write one anything-but with a list`
	case len(f.values) > 1:
		return `takes every value; {"exists":true} says the same`
	}
	return ""
}

// covered looks for values of a list that another one makes useless.
func (l *linter) covered(f *field) {
	seen := make(map[string]bool) // literals, by kind and text
	var operators []int
	for i, v := range f.values {
		if v.kind == '{' && !isAbsence(v) {
			operators = append(operators, i)
		}
	}
	effort := maxCovers
	for i, v := range f.values {
		at := fmt.Sprintf("%s/%d", f.pointer, i)
		if v.kind != '{' {
			key := string(v.kind) + v.text
			if seen[key] {
				l.add(at, Covered, "%s is in the list already", compact(v.raw))
				continue
			}
			seen[key] = true
		}
		for _, j := range operators {
			if effort--; effort < 0 {
				return
			}
			by := f.values[j]
			if i != j && covers(by, v) && (j < i || !covers(v, by)) {
				l.add(at, Covered, "%s decides nothing: %s takes all that it does", compact(v.raw), compact(by.raw))
				break
			}
		}
	}
}

// coveredBranches looks for branches of a $or that another one makes useless.
func (l *linter) coveredBranches(o *or) {
	effort := maxCovers
	for i, b := range o.branches {
		for j, by := range o.branches {
			if effort -= len(b.fields) * len(by.fields); effort < 0 {
				return
			}
			if i != j && by.covers(b) && (j < i || !b.covers(by)) && !l.top.interferes(b, by, o) {
				l.add(fmt.Sprintf("%s/%d", o.pointer, i), Covered, "the branch decides nothing: branch %d of the $or takes all that it does", j+1)
				break
			}
		}
	}
}

// covers reports whether what matches b surely matches by, if both are all of the pattern. That
// is so if each field of by is one of b, and takes all that it does; one that may be
// absent is judged by what else is there.
func (by *branch) covers(b *branch) bool {
	if len(by.ors)+len(b.ors) > 0 {
		return false
	}
	fields := b.effective()
	for path, all := range by.effective() {
		f := fields[path]
		if f == nil || all.mayBeAbsent() || f.mayBeAbsent() {
			return false
		}
		for _, v := range f.values {
			if !slices.ContainsFunc(all.values, func(w value) bool { return compact(w.raw) == compact(v.raw) || covers(w, v) }) {
				return false
			}
		}
	}
	return true
}

// effective returns the fields of b that no other of b replaces, by path.
func (b *branch) effective() map[string]*field {
	fields := make(map[string]*field)
	for _, f := range b.fields {
		fields[f.path] = f
	}
	return fields
}

// interferes reports whether outside of a $or, in b or below it, a field stands that makes
// a difference to what fewer fields of one branch would match: one that may be absent is
// judged by what else is there, and one that the branch sets, too, and the other does not,
// counts in only one of them.
func (b *branch) interferes(one, other *branch, except *or) bool {
	fields, not := one.effective(), other.effective()
	for _, f := range b.fields {
		if f.mayBeAbsent() || fields[f.path] != nil && not[f.path] == nil {
			return true
		}
	}
	for _, o := range b.ors {
		if o != except && slices.ContainsFunc(o.branches, func(kid *branch) bool { return kid.interferes(one, other, except) }) {
			return true
		}
	}
	return false
}

// covers reports whether by, an operator, surely takes all that v does.
func covers(by, v value) bool {
	switch {
	case by.kind != '{' || isAbsence(v) || isAbsence(by):
		return false
	case compact(by.raw) == compact(v.raw):
		return true
	case v.kind == '"':
		if _, ok := address(v.text); ok && by.keys[0] != "cidr" {
			return false // it stands for all spellings of the address
		}
		return holds(by, &v)
	case v.kind != '{':
		return holds(by, &v)
	case v.keys[0] == "exactly":
		return holds(by, &v.kids[0])
	}
	return operatorCovers(by.keys[0], by.kids[0], v.keys[0], v.kids[0])
}

// operatorCovers is covers for operators with their arguments.
func operatorCovers(by string, all value, name string, arg value) bool {
	onStrings := slices.Contains([]string{"prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"}, name)
	switch {
	case by == "wildcard" && all.text == "*":
		return onStrings
	case by != name || all.kind == '{' || arg.kind == '{':
		return false
	case name == "prefix":
		return strings.HasPrefix(arg.text, all.text)
	case name == "suffix":
		return strings.HasSuffix(arg.text, all.text)
	case name == "numeric":
		low, high := interval(all.kids)
		lowest, highest := interval(arg.kids)
		return low <= lowest && highest <= high
	}
	return false
}

// interval returns the lowest and the highest float64 that a numeric takes.
func interval(bounds []value) (low, high float64) {
	low, high = -math.MaxFloat64, math.MaxFloat64
	for i := 0; i < len(bounds); i += 2 {
		bound, _ := number(bounds[i+1].text)
		switch bounds[i].text {
		case "=":
			low, high = bound, bound
		case "<":
			high = math.Nextafter(bound, math.Inf(-1))
		case "<=":
			high = bound
		case ">":
			low = math.Nextafter(bound, math.Inf(1))
		case ">=":
			low = bound
		}
	}
	return low, high
}

// isEmpty reports whether no number lies between the bounds of a numeric.
func isEmpty(bounds []value) bool {
	low, high := interval(bounds)
	return low > high
}
