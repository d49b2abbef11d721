package match

import "math"

// A posting is a rule that waits for a value, with a guard: a test of one or two more
// fields, for which neither the rule nor its pattern has to be looked at. Most rules
// that a common value wakes end here, and most that match are decided here.
//
// Optimization: 32 bytes side by side instead of a chain of pointers.
// BenchmarkMixed/rules=100000 prices it.
type posting struct {
	rule, key uint32
	slot      uint32 // of the guard's field
	op        guardOp
	complete  bool // what waked it and the guard together are the whole rule
	tied      bool // as in rule
	place     guardPlace
	a, b      uint64 // of op
}

// A guardPlace is where the field of a guard is in the trie of paths, beside the field
// that the rule waits at.
type guardPlace uint8

const (
	elsewhere guardPlace = iota
	sibling              // a member of the same object
	own                  // the field itself
)

// noRule is the number of no rule.
const noRule = math.MaxUint32

type guardOp uint8

const (
	noGuard  guardOp = iota
	between          // a number from a to b, the bits of float64s
	sameText         // the string whose id is the low half of a; and, if b is not 0, one more:
	//                   at the slot that b's high half is the string whose id is its low half,
	//                   or, with no slot, of what wakes the grams of its low half, a folded
	//                   gramMask, of which a hit is no certainty
	otherText // a value; if a string none of those whose ids are the halves of a and b
	hasGrams  // a string that has the grams of a, a gramMask; no certainty if it has
)

// posting returns what waits for the field access of r, with a guard by one or two of the
// fields in guards. With final, strings that guards want get ids.
func (r *rule) posting(access int, guards []int, final bool) posting {
	p := posting{rule: r.number, key: r.key, tied: r.tied}
	covered := 0 // fields whose holding is certain if the guard passes
	guarded := access
	for _, i := range guards {
		if i == access {
			continue
		}
		v, n := r.conj.fields[i].values, r.nodes[i]
		switch text, one := v.text(); {
		case one && p.op == sameText && p.b == 0:
			p.b = uint64(n.slot)<<32 | uint64(n.leaf.Load().id(text, final))
			covered++
		case one && p.op != sameText:
			p.op, p.slot, p.a, p.b = sameText, n.slot, uint64(n.leaf.Load().id(text, final)), 0
			covered, guarded = 1, i
		case p.op == noGuard && p.guardBy(v, n, final):
			covered, guarded = 1, i
		}
	}
	values, n := r.conj.fields[access].values, r.nodes[access]
	if values.wakesSurely() {
		covered++
	}
	if p.op == noGuard && values.excludes() && p.guardBy(values, n, final) {
		p.place = own
	} else if guarded != access && r.nodes[guarded].parent == n.parent {
		p.place = sibling
	}
	if p.op == sameText && p.b == 0 {
		p.b = uint64(folded(values.gramMask()))
	}
	p.complete = covered == len(r.conj.fields) && p.op != hasGrams
	return p
}

// guards returns the fields of r that may guard it, wherever it waits: strings first.
func (r *rule) guards() (some []int) {
	const most = 3 // one may be what it waits at
	others := make([]int, 0, most)
	for i := range r.conj.fields {
		v := r.conj.fields[i].values
		if _, one := v.text(); one {
			if some = append(some, i); len(some) == most {
				return some
			}
		} else if len(others) < most && new(posting).guardBy(v, r.nodes[i], false) {
			others = append(others, i)
		}
	}
	return append(some, others...)
}

// interval is that of a guard between.
func (p *posting) interval() interval {
	return interval{low: math.Float64frombits(p.a), high: math.Float64frombits(p.b)}
}

// gramMask is the mask of all the grams that a value of v has, if v is a wildcard.
func (v *values) gramMask() (mask uint64) {
	if len(v.tests()) != 1 || len(v.literals()) > 0 {
		return 0
	}
	w, _ := v.tests()[0].(wildcard)
	for _, part := range w.parts {
		mask = gramMask(mask, part)
	}
	return mask
}

// folded is half of a gramMask: it too has all the bits of a part's.
func folded(mask uint64) uint32 { return uint32(mask) | uint32(mask>>32) }

// text returns the one string that v admits, if it is that.
func (v *values) text() (text string, one bool) {
	if v.more != nil {
		return "", false
	}
	return v.one[0].text, v.one[0].kind == str
}

// guardBy makes v, the values of the field at n, the guard if it can be one.
func (p *posting) guardBy(v *values, n *pathNode, final bool) bool {
	if v.absent() || len(v.literals()) > 0 || len(v.tests()) != 1 {
		return false
	}
	op, mask := hasGrams, uint64(0)
	switch t := v.tests()[0].(type) {
	case numeric:
		op, p.a, p.b = between, math.Float64bits(t.low), math.Float64bits(t.high)
	case *anythingBut:
		if !p.guardByExclusion(&t.excluded, n.leaf.Load(), final) {
			return false
		}
		op = otherText
	case prefix:
		mask = gramMask(0, string(t))
	case suffix:
		mask = gramMask(0, string(t))
	case wildcard:
		mask = v.gramMask()
	}
	if op == hasGrams {
		if mask == 0 { // too short, or of another kind
			return false
		}
		p.a = mask
	}
	p.op, p.slot = op, n.slot
	return true
}

func (p *posting) guardByExclusion(excluded *values, l *leaf, final bool) bool {
	if len(excluded.tests()) > 0 || len(excluded.literals()) > 4 {
		return false
	}
	var ids [4]uint64
	for i, l1 := range excluded.literals() {
		if l1.kind != str {
			return false
		}
		ids[i] = uint64(l.id(l1.text, final))
	}
	p.a, p.b = ids[0]|ids[1]<<32, ids[2]|ids[3]<<32
	return true
}

// excludes reports whether v is all but some values.
func (v *values) excludes() bool {
	if len(v.tests()) != 1 || len(v.literals()) > 0 {
		return false
	}
	_, ok := v.tests()[0].(*anythingBut)
	return ok
}

// wakesSurely reports whether each value that wakes a rule that waits for v is one of v.
func (v *values) wakesSurely() bool {
	for _, t := range v.tests() {
		if _, ok := t.(wildcard); ok {
			return false
		}
	}
	return true
}

// gramMask adds a bit for each four bytes in a row of text to mask. A text that holds
// another has all its bits.
func gramMask(mask uint64, text string) uint64 {
	for i := 0; i+gramSize <= len(text); i++ {
		mask |= 1 << (uint32(gramKey(text[i:])) * 0x9e3779b1 >> 26)
	}
	return mask
}

// A verdict is what a guard says.
type verdict uint8

const (
	fails verdict = iota
	perhaps
	passes
)

// guard asks p's guard.
func (sc *scratch) guard(p *posting) verdict {
	v, verdict := sc.guarded(p)
	if v == nil {
		return verdict
	}
	switch p.op {
	case between:
		if !v.between(math.Float64frombits(p.a), math.Float64frombits(p.b)) {
			return fails
		}
	case sameText:
		if v.id() != uint32(p.a) {
			return fails
		}
		if p.b == 0 {
			return passes
		}
		if p.b>>32 == 0 {
			if sc.waking.kind != str || folded(sc.waking.gramMask())&uint32(p.b) != uint32(p.b) {
				return fails
			}
			return perhaps
		}
		if v = sc.leafAt(uint32(p.b >> 32)); v == nil {
			if sc.hasArrays() {
				return perhaps
			}
			return fails
		}
		if v.id() != uint32(p.b) {
			return fails
		}
	case otherText:
		if id := v.id(); id != 0 && (id == uint32(p.a) || id == uint32(p.a>>32) || id == uint32(p.b) || id == uint32(p.b>>32)) {
			return fails
		}
	case hasGrams:
		if v.kind != str || v.gramMask()&p.a != p.a {
			return fails
		}
		return perhaps
	}
	return passes
}

// guarded returns the value that p's guard is for, or nil with the guard's verdict. What
// is not found outside of arrays may be inside of one.
func (sc *scratch) guarded(p *posting) (*value, verdict) {
	if v := sc.leafAt(p.slot); v != nil {
		return v, perhaps
	}
	switch {
	case !sc.hasArrays():
		return nil, fails
	case sc.current == outside || p.place == elsewhere:
		return nil, perhaps
	case p.place == own:
		return &sc.tree[sc.current].leaf, perhaps
	}
	// The two fields are members of one object, which all their arrays share: only beside
	// the value that wakes can be what goes with it.
	t, node := sc.tree[sc.current].parent, sc.tree[sc.current].node
	for t != 0 && sc.tree[t].node == node { // an array at the field itself
		t = sc.tree[t].parent
	}
	if t == 0 {
		return nil, perhaps
	}
	for k := int(t) + 1; k < len(sc.tree) && sc.tree[k].parent >= t; k++ {
		if k > int(t)+mostSiblings {
			return nil, perhaps
		}
		if s := &sc.tree[k]; s.parent == t && s.node.slot == p.slot {
			if s.array {
				return nil, perhaps
			}
			if s.leaf.kind != none {
				return &s.leaf, perhaps
			}
		}
	}
	if sc.merged {
		return nil, perhaps
	}
	return nil, fails
}

// mostSiblings is behind how many nodes a sibling is looked for. Each value that wakes looks
// for it, so that more would be quadratic in the event.
const mostSiblings = 32

// leafAt returns what the event holds at a path outside of arrays, or nil.
func (sc *scratch) leafAt(slot uint32) *value {
	if slot >= sc.view.nodes {
		return nil
	}
	if s := &sc.slots[slot]; s.stamp == sc.stamp && s.leaf.kind != none {
		return &s.leaf
	}
	return nil
}

// hasArrays reports whether the event has arrays at paths that rules name.
func (sc *scratch) hasArrays() bool { return len(sc.tree) > 1 }

// between reports whether v is an exact number from a to b. Where about the number lies
// costs less to find out than its last bit, and whether it is exact costs more.
func (v *value) between(a, b float64) bool {
	if v.kind != number {
		return false
	}
	if low, high := v.around(); high < a || low > b {
		return false
	}
	f := v.parse()
	return a <= f && f <= b && v.isExact()
}
