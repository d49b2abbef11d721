package match

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// run wakes the rules that wait for what the walk has found and keeps the keys of
// those that match.
func (sc *scratch) run(x *index) {
	for _, n := range sc.found {
		sc.wake(x, n.leaf.Load(), &sc.slots[n.slot].leaf)
	}
	for i := range sc.tree {
		if t := &sc.tree[i]; t.leaf.kind != none {
			sc.wake(x, t.node.leaf.Load(), &t.leaf)
		}
	}
	sc.tryAll(x, x.always.load())
}

// wake tries the rules that wait for v.
func (sc *scratch) wake(x *index, l *leaf, v *value) {
	switch v.kind {
	case str:
		sc.wakeString(x, l, v)
	case number:
		sc.wakeNumber(x, l, v)
	default:
		sc.tryAll(x, l.words[v.kind-boolTrue].load())
	}
	sc.tryAll(x, l.any.load())
}

func (sc *scratch) wakeString(x *index, l *leaf, v *value) {
	if l.strings.used() {
		if e := l.strings.get(v.hash(), v.text); e != nil {
			sc.tryPostings(x, &e.value)
		}
	}
	for _, n := range l.prefixes.lengths.load() {
		if n <= len(v.text) {
			sc.wakeKey(x, &l.prefixes.table, v.text[:n])
		}
	}
	for _, n := range l.suffixes.lengths.load() {
		if n <= len(v.text) {
			sc.wakeKey(x, &l.suffixes.table, v.text[len(v.text)-n:])
		}
	}
	if l.folded.used() || l.foldPrefixes.table.used() || l.foldSuffixes.table.used() {
		sc.wakeFolded(x, l, v)
	}
	if l.grams.table.used() {
		sc.wakeGrams(x, l, v)
	}
	if l.ips.used() || l.networks.table.used() {
		if ip, ok := parseIP(v.text); ok {
			sc.wakeAddress(x, l, ip)
		}
	}
}

func (sc *scratch) wakeFolded(x *index, l *leaf, v *value) {
	sc.lower = appendLower(sc.lower[:0], v.text)
	sc.wakeKey(x, &l.folded, sc.lower)
	for _, n := range l.foldPrefixes.lengths.load() {
		if n <= len(sc.lower) {
			sc.wakeKey(x, &l.foldPrefixes.table, sc.lower[:n])
		}
	}
	for _, n := range l.foldSuffixes.lengths.load() {
		if n <= len(sc.lower) {
			sc.wakeKey(x, &l.foldSuffixes.table, sc.lower[len(sc.lower)-n:])
		}
	}
}

// wakeGrams looks up each place of the text. What has been waked is remembered, so
// that a text in which a part comes again and again costs no more.
func (sc *scratch) wakeGrams(x *index, l *leaf, v *value) {
	sc.grams = sc.grams[:0]
	for i := 0; i+gramSize <= len(v.text); i++ {
		gram := v.text[i : i+gramSize]
		e := l.grams.table.get(hash(gram), gram)
		if e == nil || sc.waked(e) {
			continue
		}
		sc.grams = append(sc.grams, e)
		sc.tryPostings(x, &e.value)
	}
	clear(sc.grams) // keep nothing of an index alive
}

func (sc *scratch) waked(e *entry[postings]) bool {
	for _, g := range sc.grams {
		if g == e {
			return true
		}
	}
	return false
}

func (sc *scratch) wakeAddress(x *index, l *leaf, ip netip.Addr) {
	b := ip.As16()
	sc.wakeKey(x, &l.ips, addressBytes(ip, &b))
	for _, length := range l.networks.lengths.load() {
		bits, v6 := length, false
		if length < 0 {
			bits, v6 = -1-length, true
		}
		if v6 != ip.Is6() {
			continue
		}
		p, err := ip.Prefix(bits)
		if err != nil {
			continue
		}
		masked := p.Addr().As16()
		var key [17]byte
		n := copy(key[:], addressBytes(p.Addr(), &masked))
		key[n] = byte(bits)
		sc.wakeKey(x, &l.networks.table, key[:n+1])
	}
}

func (sc *scratch) wakeNumber(x *index, l *leaf, v *value) {
	if l.exact.used() && v.isExact() {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], math.Float64bits(v.float))
		sc.wakeKey(x, &l.exact, b[:])
	}
	if l.inexact.used() && !v.isExact() {
		sc.wakeKey(x, &l.inexact, v.text)
	}
	if s := l.ranges.state.Load(); s != nil {
		low, high := v.around()
		sc.wakeIntervals(x, s.sorted, low, high)
		for i := range s.recent {
			if r := &s.recent[i]; r.low <= high && low <= r.high {
				sc.try(x, &r.posting)
			}
		}
	}
}

// wakeIntervals tries those of a tree that a number between low and high may lie in.
func (sc *scratch) wakeIntervals(x *index, tree []interval, low, high float64) {
	for len(tree) > 0 {
		root := &tree[len(tree)/2]
		if root.highest < low {
			return
		}
		sc.wakeIntervals(x, tree[:len(tree)/2], low, high)
		if root.low > high {
			return
		}
		if low <= root.high {
			sc.try(x, &root.posting)
		}
		tree = tree[len(tree)/2+1:]
	}
}

func (sc *scratch) wakeKey(x *index, t *table[postings], key []byte) {
	if !t.used() {
		return
	}
	if e := t.get(hash(key), key); e != nil {
		sc.tryPostings(x, &e.value)
	}
}

func (sc *scratch) tryPostings(x *index, p *postings) {
	sc.try(x, &p.first)
	sc.tryAll(x, p.rest.load())
	if all := p.pairs.Load(); all != nil {
		sc.tryPairs(x, all)
	}
}

// tryPairs tries those whose string the event has, or all if there are arrays.
func (sc *scratch) tryPairs(x *index, all *pairs) {
	if len(sc.tree) == 1 {
		if all.slot >= sc.view.nodes {
			return
		}
		s := &sc.slots[all.slot]
		if s.stamp != sc.stamp || s.leaf.kind != str {
			return
		}
		key := pairKey(s.leaf.hash())
		if e := all.byHash.get(hash(key[:]), key[:]); e != nil {
			sc.tryAll(x, e.value.load())
		}
		return
	}
	all.byHash.each(func(e *entry[list[posting]]) { sc.tryAll(x, e.value.load()) })
}

func (sc *scratch) tryAll(x *index, all []posting) {
	for i := range all {
		sc.try(x, &all[i])
	}
}

// try keeps the key of a rule that is waked if the rule matches. What it looks at
// comes in the order of cost: the posting, a few bits, what is far in memory.
func (sc *scratch) try(x *index, p *posting) {
	if p.rule >= sc.view.rules {
		return
	}
	flat, verdict := len(sc.tree) == 1, perhaps
	if flat {
		if verdict = sc.guard(p); verdict == fails {
			return
		}
	}
	if !sc.view.sees(p.rule) {
		return
	}
	again := !flat || p.tied // it may be waked again
	if again || sc.view.shared {
		if sc.keys[p.key] == sc.stamp {
			return
		}
	}
	if again {
		if sc.rules[p.rule] == sc.stamp {
			return
		}
		sc.rules[p.rule] = sc.stamp
	}
	switch {
	case verdict == passes && p.complete:
	case flat:
		if !sc.holdsFlat(x.all.load()[p.rule]) {
			return
		}
	default:
		if r := x.all.load()[p.rule]; !sc.holds(r, x.stepsOf(r), outside, 0, false) {
			return
		}
	}
	if again || sc.view.shared {
		sc.keys[p.key] = sc.stamp
	}
	sc.hits = append(sc.hits, p.key)
}

// holdsFlat is holds for an event without arrays: each field for itself.
func (sc *scratch) holdsFlat(r *rule) bool {
	for i, n := range r.nodes {
		s, v := sc.slotOf(n), r.conj.fields[i].values
		if s != nil && s.stamp == sc.stamp && s.leaf.kind != none {
			if !v.holds(&s.leaf) {
				return false
			}
		} else if !v.absent() {
			return false
		}
	}
	return true
}
