package match

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
)

// A leaf is what waits for values of one path. For each kind of test it has a
// structure in which a value finds what waits for it without a look at the rest.
type leaf struct {
	number uint32        // of leaves, in the order of their making
	ids    uint32        // of strings so far; the writer's
	uses   atomic.Uint32 // bit n: structure n is used

	strings table[textKey, postings]   // all that rules name, so that each has an id
	exact   table[numberKey, postings] // numbers, by the bits of their float64
	inexact table[textKey, postings]   // numbers, by their text
	words   [3]list[posting]
	ips     table[textKey, postings] // by addressBytes

	networks                   networks
	prefixes, suffixes         affixes
	folded                     affixes // equals-ignore-case, in lower case: prefixes that are the whole
	foldPrefixes, foldSuffixes affixes // likewise
	grams                      table[numberKey, postings]
	ranges                     ranges
	any                        list[testPosting] // what every value wakes, since nothing better is known
}

// A testPosting is a posting that waits for a value for which test holds; nil: any.
type testPosting struct {
	posting
	test test
}

// The structures of a leaf, as bits of its uses.
const (
	usesStrings = 1 << iota
	usesExact
	usesInexact
	usesAddresses // ips and networks
	usesPrefixes
	usesSuffixes
	usesFolds // all three
	usesGrams
	usesRanges
	usesAny
)

// use marks a structure as used, once it is. One writer at a time.
func (l *leaf) use(structure uint32) { l.uses.Store(l.uses.Load() | structure) }

// postings are those that wait for one value. Most often it is one.
type postings struct {
	first posting // there from the beginning; rule noRule: none
	id    uint32  // of a string: its number at the leaf, from 1 on
	more  atomic.Pointer[morePostings]
}

type morePostings struct {
	rest   list[posting]
	pairs  atomic.Pointer[pairs]
	ranges atomic.Pointer[guardRanges]
	total  int // the writer's
}

// pairs are postings whose guards want a string at one path, by its id: a value that
// wakes a thousand rules of a hundred sources looks at those of its source.
//
// Optimization: BenchmarkMixed prices it.
type pairs struct {
	slot uint32
	byID table[numberKey, list[posting]]
}

// guardRanges are postings whose guards want a number at one path, by their intervals.
type guardRanges struct {
	slot uint32
	ranges
}

// add lets one more wait.
func (p *postings) add(n posting) {
	m := p.more.Load()
	if m == nil {
		m = &morePostings{}
		defer p.more.Store(m)
	}
	m.total++
	if n.op == between {
		r := m.ranges.Load()
		if r == nil {
			r = &guardRanges{slot: n.slot}
			defer m.ranges.Store(r)
		}
		if r.slot == n.slot {
			r.add(n.interval(), n)
			return
		}
	}
	all := m.pairs.Load()
	if n.op != sameText || all != nil && all.slot != n.slot {
		m.rest.add(n)
		return
	}
	if all == nil {
		all = &pairs{slot: n.slot}
		defer m.pairs.Store(all)
	}
	id := numberKey(uint32(n.a))
	e := all.byID.find(id)
	if e == nil {
		e = &entry[numberKey, list[posting]]{key: id}
		e.value.add(n)
		all.byID.insert(e)
		return
	}
	e.value.add(n)
}

// count is how many a value wakes that wakes n, which is not there yet; total is how
// many wait.
func (p *postings) count(n posting) (count, total int) {
	if p.first.rule != noRule {
		count = 1
	}
	total = count
	m := p.more.Load()
	if m == nil {
		return count, total
	}
	count += len(m.rest.load())
	if r := m.ranges.Load(); n.op == between && r != nil && r.slot == n.slot {
		count += r.count() / intervalsPerHit
	}
	if all := m.pairs.Load(); n.op == sameText && all != nil && all.slot == n.slot {
		if e := all.byID.find(numberKey(uint32(n.a))); e != nil {
			count += len(e.value.load())
		}
	}
	return count, total + m.total
}

// Costs of waiting: about the number of rules that a value wakes in vain.
const (
	costAffix   = 2  // beside those that wait for the same text
	costNumeric = 8  // beside a part of those that wait for an interval: one of intervalsPerHit
	costAny     = 16 // times as much as all that any value wakes
	costNoGuard = 8  // times as much, if no other field is a guard: then a rule that is waked must be looked at
)

// intervalsPerHit is a guess: of so many intervals a number lies in one.
const intervalsPerHit = 8

func addPosting[K tableKey](t *table[K, postings], key K, p posting) {
	if e := t.find(key); e != nil {
		e.value.add(p)
		return
	}
	e := &entry[K, postings]{key: key}
	e.value.first = p
	t.insert(e)
}

// countPostings is how many a value wakes that wakes p, if p waits in t for key.
func countPostings[K tableKey](t *table[K, postings], key K, p posting) int {
	if e := t.find(key); e != nil {
		count, _ := e.value.count(p)
		return count
	}
	return 0
}

// addString lets p wait for a string.
func (l *leaf) addString(text string, p posting) {
	if e := l.strings.find(textKey(text)); e != nil {
		e.value.add(p)
		return
	}
	l.newString(text, p)
}

// newString puts in a string that is not there, with the first that waits for it, and
// returns its id.
func (l *leaf) newString(text string, first posting) uint32 {
	l.ids++
	e := &entry[textKey, postings]{key: textKey(text)}
	e.value.first, e.value.id = first, l.ids
	l.strings.insert(e)
	l.use(usesStrings)
	return l.ids
}

// id returns the id of a string, or 0. With make it has one in any case.
func (l *leaf) id(text string, make bool) uint32 {
	if e := l.strings.find(textKey(text)); e != nil {
		return e.value.id
	}
	if !make {
		return 0
	}
	return l.newString(text, posting{rule: noRule})
}

// cost is what it costs to let p wait for the values v.
func (l *leaf) cost(v *values, p posting) (n int) {
	for _, literal := range v.literals() {
		n += 1 + l.literalCount(literal, p)
	}
	for _, t := range v.tests() {
		n += l.testCost(t, p)
	}
	return n
}

func (l *leaf) literalCount(v literal, p posting) int {
	switch v.kind {
	case str:
		return countPostings(&l.strings, textKey(v.text), p)
	case exactNumber:
		return countPostings(&l.exact, floatKey(v.text), p)
	case number:
		return countPostings(&l.inexact, textKey(v.text), p)
	case address:
		return countPostings(&l.ips, textKey(v.text), p)
	}
	return len(l.words[v.kind-boolTrue].load())
}

// floatKey returns the key for floatBytes.
func floatKey(text string) numberKey { return numberKey(binary.BigEndian.Uint64([]byte(text))) }

func (l *leaf) testCost(t test, p posting) int {
	switch t := t.(type) {
	case prefix:
		return costAffix + countPostings(&l.prefixes.table, textKey(t), p)
	case suffix:
		return costAffix + countPostings(&l.suffixes.table, textKey(t), p)
	case equalsFold:
		if isASCII(string(t)) {
			return costAffix + countPostings(&l.folded.table, lower(string(t)), p)
		}
	case prefixFold:
		if isASCII(string(t)) {
			return costAffix + countPostings(&l.foldPrefixes.table, lower(string(t)), p)
		}
	case suffixFold:
		if isASCII(string(t)) {
			return costAffix + countPostings(&l.foldSuffixes.table, lower(string(t)), p)
		}
	case wildcard:
		if a := l.wildcardAccess(t, p); a.kind != 0 {
			return costAffix + a.count
		}
	case cidr:
		return costAffix + countPostings(&l.networks.table, networkKey(t.Prefix), p)
	case numeric:
		return costNumeric + l.ranges.count()/intervalsPerHit
	}
	return costAny * (1 + len(l.any.load()))
}

// wait lets p wait for each of the values v.
func (l *leaf) wait(v *values, p posting) {
	for _, literal := range v.literals() {
		switch literal.kind {
		case str:
			l.addString(literal.text, p)
		case exactNumber:
			addPosting(&l.exact, floatKey(literal.text), p)
			l.use(usesExact)
		case number:
			addPosting(&l.inexact, textKey(literal.text), p)
			l.use(usesInexact)
		case address:
			addPosting(&l.ips, textKey(literal.text), p)
			l.use(usesAddresses)
		default:
			l.words[literal.kind-boolTrue].add(p)
		}
	}
	for _, t := range v.tests() {
		structure := l.waitFor(t, p)
		if structure == usesAny {
			if _, all := t.(exists); all || p.place == own {
				t = nil
			}
			l.any.add(testPosting{p, t})
		}
		l.use(structure)
	}
}

// waitFor lets p wait for t and returns where: usesAny if only any value will do, which
// is left to the caller.
func (l *leaf) waitFor(t test, p posting) (structure uint32) {
	switch t := t.(type) {
	case prefix:
		l.prefixes.addPrefix(textKey(t), p)
		return usesPrefixes
	case suffix:
		l.suffixes.addSuffix(textKey(t), p)
		return usesSuffixes
	case equalsFold:
		if isASCII(string(t)) {
			l.folded.addPrefix(lower(string(t)), p)
			return usesFolds
		}
	case prefixFold:
		if isASCII(string(t)) {
			l.foldPrefixes.addPrefix(lower(string(t)), p)
			return usesFolds
		}
	case suffixFold:
		if isASCII(string(t)) {
			l.foldSuffixes.addSuffix(lower(string(t)), p)
			return usesFolds
		}
	case wildcard:
		return l.waitForWildcard(t, p)
	case cidr:
		l.networks.add(t.Prefix, p)
		return usesAddresses
	case numeric:
		low, high := t.bounds()
		l.ranges.add(interval{low: low, high: high}, p)
		return usesRanges
	}
	return usesAny
}

// A wildcardAccess is what a wildcard waits for.
type wildcardAccess struct {
	kind         uint32 // of structure; 0: there is nothing to wait for
	text         string
	count, total int
}

// wildcardAccess returns what a wildcard waits for: the whole text if it has no star;
// else a prefix, a suffix, or a few bytes anywhere, whichever the fewest wait for.
func (l *leaf) wildcardAccess(w wildcard, p posting) (best wildcardAccess) {
	last := len(w.parts) - 1
	if last == 0 {
		return wildcardAccess{kind: usesStrings, text: w.parts[0], count: countPostings(&l.strings, textKey(w.parts[0]), p)}
	}
	consider := func(kind uint32, text string, e *postings) {
		if text == "" {
			return
		}
		a := wildcardAccess{kind: kind, text: text}
		if e != nil {
			a.count, a.total = e.count(p)
		}
		if best.kind == 0 || cmp.Or(cmp.Compare(a.count, best.count), cmp.Compare(a.total, best.total), cmp.Compare(len(best.text), len(text))) < 0 {
			best = a
		}
	}
	consider(usesPrefixes, w.parts[0], postingsOf(&l.prefixes.table, textKey(w.parts[0])))
	consider(usesSuffixes, w.parts[last], postingsOf(&l.suffixes.table, textKey(w.parts[last])))
	for _, part := range w.parts[1:last] {
		for i := 0; i+gramSize <= len(part) && i < maxGrams; i++ {
			consider(usesGrams, part[i:i+gramSize], postingsOf(&l.grams, gramKey(part[i:])))
		}
	}
	return best
}

func postingsOf[K tableKey](t *table[K, postings], key K) *postings {
	if e := t.find(key); e != nil {
		return &e.value
	}
	return nil
}

func (l *leaf) waitForWildcard(w wildcard, p posting) (structure uint32) {
	a := l.wildcardAccess(w, p)
	switch a.kind {
	case 0:
		return usesAny
	case usesStrings:
		l.addString(a.text, p)
	case usesPrefixes:
		l.prefixes.addPrefix(textKey(a.text), p)
	case usesSuffixes:
		l.suffixes.addSuffix(textKey(a.text), p)
	case usesGrams:
		addPosting(&l.grams, gramKey(a.text), p)
	}
	return a.kind
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// lower is strings.ToLower for the letters of ASCII alone.
func lower(s string) textKey { return textKey(appendLower(nil, s)) }

func appendLower(dst []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// affixes are prefixes, or suffixes: a table of them and the lengths there are. A
// value is looked up once for each length, if some affix may begin, or end, as it does.
type affixes struct {
	table   table[textKey, postings]
	lengths list[int]
	ends    atomic.Uint64 // a set of their outer bytes
}

// endOf returns the set of one outer byte, the first of a prefix, or the last of a suffix;
// bytes that are equal modulo 64 are one. For no text it is all of them.
func endOf(text string, at int) uint64 {
	if text == "" {
		return ^uint64(0)
	}
	return 1 << (text[at] % 64)
}

func (a *affixes) addPrefix(affix textKey, p posting) { a.add(affix, 0, p) }
func (a *affixes) addSuffix(affix textKey, p posting) { a.add(affix, len(affix)-1, p) }

func (a *affixes) add(affix textKey, outer int, p posting) {
	if !slices.Contains(a.lengths.load(), len(affix)) {
		defer a.lengths.add(len(affix)) // the table comes first: a length finds something
	}
	addPosting(&a.table, affix, p)
	a.ends.Store(a.ends.Load() | endOf(string(affix), outer))
}

// Grams find parts of texts by a few of their bytes, which are looked up at each place
// of a value.
const (
	gramSize = 4
	maxGrams = 64 // of a part that are considered
)

func gramKey(text string) numberKey {
	return numberKey(text[0]) | numberKey(text[1])<<8 | numberKey(text[2])<<16 | numberKey(text[3])<<24
}

// networks are those of cidr: a table by their bits and the lengths there are.
type networks struct {
	table   table[textKey, postings]
	lengths list[int] // bits; of IPv6 negative
}

func networkKey(p netip.Prefix) textKey {
	b := p.Addr().As16()
	return textKey(append(addressBytes(p.Addr(), &b), byte(p.Bits())))
}

func (n *networks) add(p netip.Prefix, posting posting) {
	length := p.Bits()
	if p.Addr().Is6() {
		length = -1 - length
	}
	if !slices.Contains(n.lengths.load(), length) {
		defer n.lengths.add(length)
	}
	addPosting(&n.table, networkKey(p), posting)
}

// ranges are the intervals of numeric: sorted ones in which a number finds those it
// lies in, and a few more that came since, which it is compared with one by one.
type ranges struct{ state atomic.Pointer[rangeState] }

// A rangeState is immutable, but that more is appended behind recent.
type rangeState struct {
	sorted []interval // by low; a balanced tree, the root in the middle
	recent []interval
}

type interval struct {
	low, high float64 // both belong to it; whether the number is exact is verified
	highest   float64 // in sorted: of the subtree
	posting   posting
}

func (r *ranges) count() int {
	if s := r.state.Load(); s != nil {
		return len(s.sorted) + len(s.recent)
	}
	return 0
}

// add adds an interval at which p waits.
func (r *ranges) add(i interval, p posting) {
	old := r.state.Load()
	if old == nil {
		old = &rangeState{}
	}
	i.posting = p
	s := &rangeState{old.sorted, append(old.recent, i)}
	if len(s.recent) > 16+len(s.sorted)/16 {
		s = &rangeState{sorted: merged(s.sorted, s.recent)}
		setHighest(s.sorted)
	}
	r.state.Store(s)
}

// merged returns the intervals of sorted and of recent by low. It changes neither.
func merged(sorted, recent []interval) []interval {
	byLow := func(a, b interval) int { return cmp.Compare(a.low, b.low) }
	recent = slices.SortedFunc(slices.Values(recent), byLow)
	all := make([]interval, 0, len(sorted)+len(recent))
	for len(sorted) > 0 && len(recent) > 0 {
		if byLow(recent[0], sorted[0]) < 0 {
			all, recent = append(all, recent[0]), recent[1:]
		} else {
			all, sorted = append(all, sorted[0]), sorted[1:]
		}
	}
	return append(append(all, sorted...), recent...)
}

func setHighest(tree []interval) float64 {
	if len(tree) == 0 {
		return math.Inf(-1)
	}
	root := len(tree) / 2
	tree[root].highest = max(tree[root].high, setHighest(tree[:root]), setHighest(tree[root+1:]))
	return tree[root].highest
}
