package match

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// String returns the index as text, for a look at what rules have become: for each
// path what waits there, by the value that wakes it, with its guard.
//
//	detail.amount
//	  5 to 10: rule 3 if source is "shop"
//
// A rule that waits at several values is there several times.
func (x *index) String() string {
	nodes := make(map[uint32]*pathNode)
	x.top.collect(nodes)
	sorted := make([]*pathNode, 0, len(nodes))
	for _, n := range nodes {
		sorted = append(sorted, n)
	}
	slices.SortFunc(sorted, func(a, b *pathNode) int { return strings.Compare(a.path, b.path) })
	var b strings.Builder
	for _, n := range sorted {
		if l := n.leaf.Load(); l != nil {
			fmt.Fprintf(&b, "%s\n", n.path)
			lines := l.lines(nodes)
			slices.Sort(lines)
			for _, line := range lines {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	for _, p := range x.always.load() {
		fmt.Fprintf(&b, "always: %s\n", p.text(nodes))
	}
	return b.String()
}

// collect enters all nodes below n by their slots.
func (n *pathNode) collect(nodes map[uint32]*pathNode) {
	n.kids.each(func(e *entry[textKey, *pathNode]) {
		nodes[e.value.slot] = e.value
		e.value.collect(nodes)
	})
}

func (l *leaf) lines(nodes map[uint32]*pathNode) (lines []string) {
	add := func(value string, p posting) { lines = append(lines, value+": "+p.text(nodes)) }
	addAll := func(what string, e *postings, key string) {
		for _, p := range e.all() {
			add(what+" "+key, p)
		}
	}
	for _, t := range []struct {
		what  string
		table *table[textKey, postings]
	}{
		{"string", &l.strings}, {"inexact number", &l.inexact}, {"address", &l.ips}, {"network", &l.networks.table},
		{"prefix", &l.prefixes.table}, {"suffix", &l.suffixes.table}, {"ignoring case", &l.folded.table}, {"prefix ignoring case", &l.foldPrefixes.table},
		{"suffix ignoring case", &l.foldSuffixes.table},
	} {
		t.table.each(func(e *entry[textKey, postings]) { addAll(t.what, &e.value, strconv.Quote(string(e.key))) })
	}
	l.exact.each(func(e *entry[numberKey, postings]) {
		addAll("number", &e.value, strconv.FormatFloat(math.Float64frombits(uint64(e.key)), 'g', -1, 64))
	})
	l.grams.each(func(e *entry[numberKey, postings]) {
		addAll("part", &e.value, strconv.Quote(string(binary.LittleEndian.AppendUint32(nil, uint32(e.key)))))
	})
	for i, word := range []string{"true", "false", "null"} {
		for _, p := range l.words[i].load() {
			add(word, p)
		}
	}
	if s := l.ranges.state.Load(); s != nil {
		for _, r := range slices.Concat(s.sorted, s.recent) {
			add(fmt.Sprintf("%v to %v", r.low, r.high), r.posting)
		}
	}
	for _, p := range l.any.load() {
		if p.test == nil {
			add("any value", p.posting)
		} else {
			add("any value that passes a test", p.posting)
		}
	}
	return lines
}

// all returns the postings, those by pairs too.
func (p *postings) all() (all []posting) {
	if p.first.rule != noRule {
		all = append(all, p.first)
	}
	if m := p.more.Load(); m != nil {
		all = append(all, m.rest.load()...)
		if pairs := m.pairs.Load(); pairs != nil {
			pairs.byID.each(func(e *entry[numberKey, list[posting]]) { all = append(all, e.value.load()...) })
		}
		if r := m.ranges.Load(); r != nil {
			s := r.state.Load()
			for _, i := range slices.Concat(s.sorted, s.recent) {
				all = append(all, i.posting)
			}
		}
	}
	return all
}

func (p *posting) text(nodes map[uint32]*pathNode) string {
	s := fmt.Sprintf("rule %d", p.rule)
	if p.op != noGuard {
		s += " if " + nodes[p.slot].path
	}
	switch p.op {
	case between:
		s += fmt.Sprintf(" is from %v to %v", math.Float64frombits(p.a), math.Float64frombits(p.b))
	case sameText:
		s += fmt.Sprintf(" is %q", nodes[p.slot].stringOf(uint32(p.a)))
		if p.b>>32 == 0 && p.b != 0 {
			s += " and it has the parts of a text"
		} else if p.b != 0 {
			n := nodes[uint32(p.b>>32)]
			s += fmt.Sprintf(" and %s is %q", n.path, n.stringOf(uint32(p.b)))
		}
	case otherText:
		s += " is none of"
		for _, id := range []uint32{uint32(p.a), uint32(p.a >> 32), uint32(p.b), uint32(p.b >> 32)} {
			if id != 0 {
				s += fmt.Sprintf(" %q", nodes[p.slot].stringOf(id))
			}
		}
	case hasGrams:
		s += " has the parts of a text"
	}
	if !p.complete {
		s += ", to be verified"
	}
	return s
}

// stringOf returns the string with an id at n.
func (n *pathNode) stringOf(id uint32) (text string) {
	n.leaf.Load().strings.each(func(e *entry[textKey, postings]) {
		if e.value.id == id {
			text = string(e.key)
		}
	})
	return text
}
