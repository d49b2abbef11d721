package match

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// A posting is a rule that waits for a value, with a guard: a test of one more field,
// for which neither the rule nor its pattern has to be looked at. Most rules that a
// common value wakes end here.
//
// Optimization: 32 bytes side by side instead of a chain of pointers.
// BenchmarkMixed/rules=100000 prices it.
type posting struct {
	rule, key uint32
	slot      uint32 // of the guard's field
	op        guardOp
	complete  bool   // what waked it and the guard together are the whole rule
	tied      bool   // as in rule
	a, b      uint64 // of op
}

type guardOp uint8

const (
	noGuard  guardOp = iota
	between          // a number from a to b, the bits of float64s
	sameHash         // a string whose hash is a; no certainty if it is
	notHash          // a value; if a string none of whose 32-bit hashes are in a and b; no certainty if it is
	hasGrams         // a string that has the grams of a, a gramMask; no certainty if it has
)

// posting returns what waits for the field access of r.
func (r *rule) posting(access int) posting {
	p := posting{rule: r.number, key: r.key, tied: r.tied}
	for i := range r.conj.fields {
		if i != access && p.op < between {
			p.guardBy(r.conj.fields[i].values, r.nodes[i].slot)
		}
	}
	covered := 1
	if p.op != noGuard {
		covered++
	}
	p.complete = covered == len(r.conj.fields) && r.conj.fields[access].values.wakesSurely()
	return p
}

// guardBy makes v, the values of the field with that slot, the guard if it can be.
func (p *posting) guardBy(v *values, slot uint32) {
	switch {
	case v.absent():
		return
	case len(v.literals()) == 1 && len(v.tests()) == 0 && v.literals()[0].kind == str:
		p.op, p.a = sameHash, maphash.String(seed, v.literals()[0].text)
	case len(v.literals()) == 0 && len(v.tests()) == 1:
		switch t := v.tests()[0].(type) {
		case numeric:
			low, high := t.bounds()
			p.op, p.a, p.b = between, math.Float64bits(low), math.Float64bits(high)
		case anythingBut:
			if !p.guardByExclusion(&t.excluded) {
				return
			}
		case prefix:
			p.a = gramMask(0, []byte(t))
		case suffix:
			p.a = gramMask(0, []byte(t))
		case wildcard:
			p.a = 0
			for _, part := range t.parts {
				p.a = gramMask(p.a, []byte(part))
			}
		default:
			return
		}
		if p.op < between {
			if p.a == 0 { // too short
				return
			}
			p.op = hasGrams
		}
	default:
		return
	}
	p.slot = slot
}

func (p *posting) guardByExclusion(excluded *values) bool {
	if len(excluded.tests()) > 0 || len(excluded.literals()) > 4 {
		return false
	}
	var hashes [4]uint32
	for i := range hashes {
		l := excluded.literals()[min(i, len(excluded.literals())-1)]
		if l.kind != str {
			return false
		}
		hashes[i] = uint32(maphash.String(seed, l.text))
	}
	p.op, p.a, p.b = notHash, uint64(hashes[0])<<32|uint64(hashes[1]), uint64(hashes[2])<<32|uint64(hashes[3])
	return true
}

// wakesSurely reports whether each value that wakes a rule that waits for v is one of v.
func (v *values) wakesSurely() bool {
	for _, t := range v.tests() {
		switch t.(type) {
		case prefix, suffix, exists:
		default:
			return false
		}
	}
	return true
}

// bounds returns the least and the greatest float64 of an interval.
func (n numeric) bounds() (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	if n.hasLow {
		if low = n.low; !n.withLow {
			low = math.Nextafter(low, math.Inf(1))
		}
	}
	if n.hasHigh {
		if high = n.high; !n.withHigh {
			high = math.Nextafter(high, math.Inf(-1))
		}
	}
	return low, high
}

// gramMask adds a bit for each four bytes in a row of text to mask. A text that holds
// another has all its bits.
func gramMask(mask uint64, text []byte) uint64 {
	for i := 0; i+4 <= len(text); i++ {
		mask |= 1 << (binary.LittleEndian.Uint32(text[i:]) * 0x9e3779b1 >> 26)
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

// guard asks p's guard. There are no arrays.
func (sc *scratch) guard(p *posting) verdict {
	if p.op == noGuard {
		return passes
	}
	s := &sc.slots[p.slot]
	if s.stamp != sc.stamp || s.leaf.kind == none {
		return fails
	}
	v := &s.leaf
	switch p.op {
	case between:
		if v.kind != number {
			return fails
		}
		a, b := math.Float64frombits(p.a), math.Float64frombits(p.b)
		if low, high := v.around(); high < a || low > b {
			return fails
		}
		if f := v.parse(); f < a || f > b || !v.isExact() {
			return fails
		}
		return passes
	case sameHash:
		if v.kind != str || v.hash() != p.a {
			return fails
		}
		return perhaps
	case hasGrams:
		if v.kind != str || v.gramMask()&p.a != p.a {
			return fails
		}
		return perhaps
	default:
		if v.kind != str {
			return passes
		}
		if h := uint32(v.hash()); h == uint32(p.a) || h == uint32(p.a>>32) || h == uint32(p.b) || h == uint32(p.b>>32) {
			return perhaps
		}
		return passes
	}
}
