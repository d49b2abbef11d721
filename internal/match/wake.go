package match

import (
	"math"
	"net/netip"
)

// run wakes the rules that wait for what the walk has found and keeps the keys of
// those that match.
func (sc *scratch) run(x *index) {
	// First strings are looked up: guards ask for those of other fields.
	for _, n := range sc.found {
		sc.slots[n.slot].leaf.lookUp(n.leaf.Load())
	}
	for i := 1; i < len(sc.tree) && sc.strings; i++ {
		if t := &sc.tree[i]; t.leaf.kind == str {
			t.leaf.lookUp(t.node.leaf.Load())
		}
	}
	sc.current = outside
	for _, n := range sc.found {
		sc.wake(x, n.leaf.Load(), &sc.slots[n.slot].leaf)
	}
	for i := range sc.tree[1:] {
		if t := &sc.tree[1+i]; t.leaf.kind != none {
			sc.current = int32(1 + i)
			sc.wake(x, t.node.leaf.Load(), &t.leaf)
		}
	}
	sc.current = outside
	sc.tryAll(x, x.always.load())
}

// lookUp finds the literal that v is, if it is a string that rules name at l.
func (v *value) lookUp(l *leaf) {
	if v.kind == str && l.uses.Load()&usesStrings != 0 {
		if e := l.strings.find(textKey(v.text)); e != nil {
			v.literal = &e.value
		}
	}
}

// wake tries the rules that wait for v.
func (sc *scratch) wake(x *index, l *leaf, v *value) {
	uses := l.uses.Load()
	sc.waking = v
	switch v.kind {
	case str:
		if v.literal != nil {
			sc.tryPostings(x, v.literal)
		}
		if uses&^(usesStrings|usesAny) != 0 {
			sc.wakeString(x, l, v, uses)
		}
	case number:
		if uses&(usesExact|usesInexact|usesRanges) != 0 {
			sc.wakeNumber(x, l, v, uses)
		}
	default:
		sc.tryAll(x, l.words[v.kind-boolTrue].load())
	}
	if uses&usesAny != 0 {
		any := l.any.load()
		for i := range any {
			p := &any[i]
			if p.test != nil && (p.op != noGuard && sc.guard(&p.posting) == fails || p.test.holds(v) == p.not) {
				continue
			}
			sc.try(x, &p.posting)
		}
	}
}

func (sc *scratch) wakeString(x *index, l *leaf, v *value, uses uint32) {
	if uses&usesPrefixes != 0 {
		sc.wakePrefixes(x, &l.prefixes, v.text)
	}
	if uses&usesSuffixes != 0 {
		sc.wakeSuffixes(x, &l.suffixes, v.text)
	}
	if uses&usesFolds != 0 {
		sc.wakeFolds(x, l, v.text)
	}
	if uses&usesGrams != 0 {
		sc.wakeGrams(x, l, v)
	}
	if uses&usesAddresses != 0 {
		if ip, ok := parseIP(v.text); ok {
			sc.wakeAddress(x, l, ip)
		}
	}
}

func (sc *scratch) wakeFolds(x *index, l *leaf, text string) {
	first, last := endOf(text, 0), endOf(text, len(text)-1)
	same := l.folded.length(len(text))
	whole := same != nil && same.ends.Load()&first != 0
	if !whole && l.foldPrefixes.ends.Load()&first == 0 && l.foldSuffixes.ends.Load()&last == 0 {
		return
	}
	sc.lower = appendLower(sc.lower[:0], text)
	text = bytesString(sc.lower)
	if whole {
		wakeKey(sc, x, &l.folded.table, textKey(text))
	}
	sc.wakePrefixes(x, &l.foldPrefixes, text)
	sc.wakeSuffixes(x, &l.foldSuffixes, text)
}

func (sc *scratch) wakePrefixes(x *index, a *affixes, text string) {
	end := endOf(text, 0)
	if a.ends.Load()&end == 0 {
		return
	}
	for _, l := range a.lengths.load() {
		if l.n <= len(text) && l.ends.Load()&end != 0 {
			wakeKey(sc, x, &a.table, textKey(text[:l.n]))
		}
	}
}

func (sc *scratch) wakeSuffixes(x *index, a *affixes, text string) {
	end := endOf(text, len(text)-1)
	if a.ends.Load()&end == 0 {
		return
	}
	for _, l := range a.lengths.load() {
		if l.n <= len(text) && l.ends.Load()&end != 0 {
			wakeKey(sc, x, &a.table, textKey(text[len(text)-l.n:]))
		}
	}
}

// wakeGrams looks up each place of the text. What has been waked is remembered, so
// that a text in which a part comes again and again costs no more.
func (sc *scratch) wakeGrams(x *index, l *leaf, v *value) {
	if sc.waked == nil {
		sc.waked = make(map[*postings]struct{})
	}
	var last *postings
	for i := 0; i+gramSize <= len(v.text); i++ {
		e := l.grams.find(gramKey(v.text[i:]))
		if e == nil || &e.value == last {
			continue
		}
		last = &e.value
		if _, again := sc.waked[last]; again {
			continue
		}
		sc.waked[last] = struct{}{}
		sc.tryPostings(x, last)
	}
	if len(sc.waked) > manyWaked { // else each later match would clear as much
		sc.waked = nil
	}
	clear(sc.waked)
}

// manyWaked is how many parts a text wakes at most whose memory is kept.
const manyWaked = 1024

func (sc *scratch) wakeAddress(x *index, l *leaf, ip netip.Addr) {
	b := ip.As16()
	key := append(sc.address[:0], addressBytes(ip, &b)...)
	wakeKey(sc, x, &l.ips, textKey(bytesString(key)))
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
		b := p.Addr().As16()
		key := append(append(sc.address[:0], addressBytes(p.Addr(), &b)...), byte(bits))
		wakeKey(sc, x, &l.networks.table, textKey(bytesString(key)))
	}
}

func (sc *scratch) wakeNumber(x *index, l *leaf, v *value, uses uint32) {
	if uses&usesExact != 0 && v.isExact() {
		wakeKey(sc, x, &l.exact, numberKey(v.bits))
	}
	if uses&usesInexact != 0 && !v.isExact() {
		wakeKey(sc, x, &l.inexact, textKey(v.text))
	}
	if uses&usesRanges != 0 {
		sc.wakeRanges(x, &l.ranges, v)
	}
}

// wakeRanges tries those that wait for a number as v.
func (sc *scratch) wakeRanges(x *index, r *ranges, v *value) {
	s := r.state.Load()
	low, high := v.around()
	if len(s.sorted) > 0 {
		sc.wakeIntervals(x, s.sorted, v, low, high)
	}
	for i := range s.recent {
		// Optimization: of two comparisons, each as likely as not, one branch, by the signs
		// of differences. BenchmarkParcels/numeric-in-array prices it.
		r := &s.recent[i]
		signs := math.Float64bits(high-r.low) | math.Float64bits(r.high-low)
		if int64(signs) >= 0 && v.between(r.low, r.high) {
			sc.try(x, &r.posting)
		}
	}
}

// wakeIntervals tries those of a tree that v, which is from low to high, lies in.
func (sc *scratch) wakeIntervals(x *index, tree []interval, v *value, low, high float64) {
	for len(tree) > 0 {
		root := &tree[len(tree)/2]
		if root.highest < low {
			return
		}
		sc.wakeIntervals(x, tree[:len(tree)/2], v, low, high)
		if root.low > high {
			return
		}
		if low <= root.high && v.between(root.low, root.high) {
			sc.try(x, &root.posting)
		}
		tree = tree[len(tree)/2+1:]
	}
}

func wakeKey[K tableKey](sc *scratch, x *index, t *table[K, postings], key K) {
	if !t.used() {
		return
	}
	if e := t.find(key); e != nil {
		sc.tryPostings(x, &e.value)
	}
}

func (sc *scratch) tryPostings(x *index, p *postings) {
	sc.try(x, &p.first)
	if m := p.more.Load(); m != nil {
		sc.tryAll(x, m.rest.load())
		if all := m.pairs.Load(); all != nil {
			sc.tryPairs(x, all)
		}
		if r := m.ranges.Load(); r != nil {
			sc.tryRanges(x, r)
		}
	}
}

// tryRanges tries those in whose interval the event's number lies, or all if it may be in
// an array.
func (sc *scratch) tryRanges(x *index, r *guardRanges) {
	switch v := sc.leafAt(r.slot); {
	case v == nil && sc.hasArrays():
		s := r.state.Load()
		for i := range s.sorted {
			sc.try(x, &s.sorted[i].posting)
		}
		for i := range s.recent {
			sc.try(x, &s.recent[i].posting)
		}
	case v != nil && v.kind == number:
		sc.wakeRanges(x, &r.ranges, v)
	}
}

// tryPairs tries those whose string the event has, or all if it may be in an array.
func (sc *scratch) tryPairs(x *index, all *pairs) {
	v := sc.leafAt(all.slot)
	switch {
	case v == nil && sc.hasArrays():
		all.byID.each(func(e *entry[numberKey, list[posting]]) { sc.tryAll(x, e.value.load()) })
	case v != nil && v.id() != 0:
		if e := all.byID.find(numberKey(v.id())); e != nil {
			sc.tryAll(x, e.value.load())
		}
	}
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
	again := sc.current != outside || p.tied // it may be waked again
	if again && marked(sc.keys, p.key, sc.stamp) {
		return
	}
	verdict := passes
	if p.op != noGuard {
		if verdict = sc.guard(p); verdict == fails {
			return
		}
	}
	if !sc.view.sees(p.rule) || sc.view.shared && marked(sc.keys, p.key, sc.stamp) {
		return
	}
	if verdict == perhaps || !p.complete {
		if again {
			if marked(sc.rules, p.rule, sc.stamp) {
				return
			}
			mark(&sc.rules, p.rule, sc.stamp, sc.view.rules)
		}
		if !sc.holdsRule(x, x.all.load()[p.rule]) {
			return
		}
	}
	if again || sc.view.shared {
		mark(&sc.keys, p.key, sc.stamp, sc.view.keys)
	}
	sc.hits = append(sc.hits, p.key)
}

// holdsRule reports whether all fields of r hold.
func (sc *scratch) holdsRule(x *index, r *rule) bool {
	if sc.hasArrays() {
		sc.link()
		return sc.holds(r, x.stepsOf(r), outside, 0, false)
	}
	for i, n := range r.nodes { // without arrays each field is judged for itself
		v := r.conj.fields[i].values
		if leaf := sc.leafAt(n.slot); leaf != nil {
			if !v.holds(leaf) {
				return false
			}
		} else if !v.absent() {
			return false
		}
	}
	return true
}
