package match

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// A test is one way in which a leaf may match.
type test interface{ holds(v *value) bool }

// A literal is a value that a field may have.
type literal struct {
	kind kind   // number: an inexact one, by its text; exactNumber, address: by their bytes
	text string // "" for true, false and null
}

// Kinds that only literals have.
const (
	exactNumber kind = null + 1 + iota // text: the bytes of the float64
	address                            // text: the bytes of the IP address
)

// values are the values that a field may have: it holds if one of them does. Most are
// one literal, which takes 32 bytes.
type values struct {
	one  [1]literal  // if more is nil
	more *moreValues // all of them; nil: the one literal
}

// moreValues are values while they are compiled, and those that are not one literal.
type moreValues struct {
	absent   bool      // {"exists":false}
	ips      bool      // some literal is an address
	literals []literal // sorted, each once
	tests    []test
}

// values returns what m has become.
func (m *moreValues) values() values {
	slices.SortFunc(m.literals, func(a, b literal) int { return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.text, b.text)) })
	m.literals = slices.Clip(slices.Compact(m.literals))
	if len(m.literals) == 1 && len(m.tests) == 0 && !m.absent {
		return values{one: [1]literal(m.literals)}
	}
	return values{more: m}
}

func (v *values) literals() []literal {
	if v.more == nil {
		return v.one[:]
	}
	return v.more.literals
}

func (v *values) tests() []test {
	if v.more == nil {
		return nil
	}
	return v.more.tests
}

// absent reports whether the field may be absent.
func (v *values) absent() bool { return v.more != nil && v.more.absent }

// ips reports whether some literal is an address.
func (v *values) ips() bool {
	if v.more == nil {
		return v.one[0].kind == address
	}
	return v.more.ips
}

// addLiteral adds a literal of a kind that JSON has.
func (m *moreValues) addLiteral(t tree) {
	l := literal{kind: t.kind}
	switch t.kind {
	case str:
		l.text = t.text
	case number:
		l.text = t.text
		if f := parseFloat(t.text); isExact(f, t.text) {
			l = literal{exactNumber, floatBytes(f)}
		}
	}
	m.literals = append(m.literals, l)
}

// addString adds a literal string; one that is an address stands for all its spellings.
func (m *moreValues) addString(t tree) {
	if ip, ok := parseIP(t.text); ok {
		m.ips = true
		m.literals = append(m.literals, literal{address, string(ip.AsSlice())})
		return
	}
	m.addLiteral(t)
}

// has reports whether v has a literal. (With package slices, what text comes from would
// have to be on the heap.)
func (v *values) has(k kind, text string) bool {
	all := v.literals()
	for len(all) > 0 {
		l := &all[len(all)/2]
		switch {
		case l.kind == k && l.text == text:
			return true
		case l.kind < k || l.kind == k && l.text < text:
			all = all[len(all)/2+1:]
		default:
			all = all[:len(all)/2]
		}
	}
	return false
}

// holds reports whether a leaf has one of the values.
func (v *values) holds(leaf *value) bool {
	if len(v.literals()) > 0 && v.holdsLiteral(leaf) {
		return true
	}
	for _, t := range v.tests() {
		if t.holds(leaf) {
			return true
		}
	}
	return false
}

func (v *values) holdsLiteral(leaf *value) bool {
	switch leaf.kind {
	case str:
		if v.has(str, leaf.text) {
			return true
		}
		if v.ips() {
			if ip, ok := parseIP(leaf.text); ok {
				b := ip.As16()
				return v.has(address, bytesString(addressBytes(ip, &b)))
			}
		}
		return false
	case number:
		if leaf.isExact() {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], leaf.bits)
			return v.has(exactNumber, bytesString(b[:]))
		}
		return v.has(number, leaf.text)
	}
	return v.has(leaf.kind, "")
}
