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
	number uint32 // of leaves, in the order of their making

	strings  table[postings]
	exact    table[postings] // numbers, by floatBytes
	inexact  table[postings] // numbers, by their text
	words    [3]list[posting]
	ips      table[postings] // by addressBytes
	networks networks

	prefixes, suffixes         affixes
	folded                     table[postings] // equals-ignore-case, in lower case
	foldPrefixes, foldSuffixes affixes         // likewise
	grams                      grams
	ranges                     ranges
	any                        list[posting] // what every value wakes, since nothing better is known
}

// postings are those that wait for one value. Most often it is one.
type postings struct {
	first posting // there from the beginning
	rest  list[posting]
	pairs atomic.Pointer[pairs]
}

// pairs are postings whose guards want a string at one path, by the hash of the string:
// a value that wakes a thousand rules of a hundred sources looks at those of its source.
//
// Optimization: BenchmarkMixed prices it.
type pairs struct {
	slot   uint32
	byHash table[list[posting]] // by pairKey
}

func pairKey(hash uint64) (key [8]byte) {
	binary.LittleEndian.PutUint64(key[:], hash)
	return key
}

// add lets one more wait.
func (p *postings) add(n posting) {
	all := p.pairs.Load()
	if n.op != sameHash || all != nil && all.slot != n.slot {
		p.rest.add(n)
		return
	}
	if all == nil {
		all = &pairs{slot: n.slot}
		defer p.pairs.Store(all)
	}
	key := pairKey(n.a)
	e := all.byHash.get(hash(key[:]), key[:])
	if e == nil {
		e = &entry[list[posting]]{key: string(key[:])}
		e.value.add(n)
		all.byHash.insert(e)
		return
	}
	e.value.add(n)
}

// count is how many others than p, which is not there yet, a value wakes that wakes p.
func (p *postings) count(n posting) int {
	count := 1 + len(p.rest.load())
	if all := p.pairs.Load(); n.op == sameHash && all != nil && all.slot == n.slot {
		key := pairKey(n.a)
		if e := all.byHash.get(hash(key[:]), key[:]); e != nil {
			count += len(e.value.load())
		}
	}
	return count
}

// Costs of waiting: about the number of rules that a value wakes in vain.
const (
	costAffix   = 2  // beside those that wait for the same text
	costNumeric = 8  // beside a part of those that wait for an interval
	costAny     = 64 // beside all that any value wakes
	costNoGuard = 8  // times as much, if no other field is a guard: then a rule that is waked must be looked at
)

func addPosting(t *table[postings], key string, p posting) {
	if e := t.find(key); e != nil {
		e.value.add(p)
		return
	}
	t.insert(&entry[postings]{key: key, value: postings{first: p}})
}

// countPostings is how many a value wakes that wakes p, if p waits in t for key.
func countPostings(t *table[postings], key string, p posting) int {
	if e := t.find(key); e != nil {
		return e.value.count(p)
	}
	return 0
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

func (l *leaf) literalTable(k kind) *table[postings] {
	switch k {
	case str:
		return &l.strings
	case exactNumber:
		return &l.exact
	case number:
		return &l.inexact
	case address:
		return &l.ips
	}
	return nil
}

func (l *leaf) literalCount(v literal, p posting) int {
	if t := l.literalTable(v.kind); t != nil {
		return countPostings(t, v.text, p)
	}
	return len(l.words[v.kind-boolTrue].load())
}

func (l *leaf) testCost(t test, p posting) int {
	switch t := t.(type) {
	case prefix:
		return costAffix + countPostings(&l.prefixes.table, string(t), p)
	case suffix:
		return costAffix + countPostings(&l.suffixes.table, string(t), p)
	case equalsFold:
		if isASCII(string(t)) {
			return costAffix + countPostings(&l.folded, lower(string(t)), p)
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
		if t, key := l.wildcardAccess(t, p); t != nil {
			return costAffix + countPostings(t, key, p)
		}
	case cidr:
		return costAffix + countPostings(&l.networks.table, networkKey(t.Prefix), p)
	case numeric:
		return costNumeric + l.ranges.count()/8
	}
	return costAny + len(l.any.load())
}

// wait lets p wait for each of the values v.
func (l *leaf) wait(v *values, p posting) {
	for _, literal := range v.literals() {
		if t := l.literalTable(literal.kind); t != nil {
			addPosting(t, literal.text, p)
		} else {
			l.words[literal.kind-boolTrue].add(p)
		}
	}
	for _, t := range v.tests() {
		if !l.waitFor(t, p) {
			l.any.add(p)
		}
	}
}

// waitFor lets p wait for t, and reports false if only any value will do.
func (l *leaf) waitFor(t test, p posting) bool {
	switch t := t.(type) {
	case prefix:
		l.prefixes.add(string(t), p)
	case suffix:
		l.suffixes.add(string(t), p)
	case equalsFold:
		if !isASCII(string(t)) {
			return false
		}
		addPosting(&l.folded, lower(string(t)), p)
	case prefixFold:
		if !isASCII(string(t)) {
			return false
		}
		l.foldPrefixes.add(lower(string(t)), p)
	case suffixFold:
		if !isASCII(string(t)) {
			return false
		}
		l.foldSuffixes.add(lower(string(t)), p)
	case wildcard:
		return l.waitForWildcard(t, p)
	case cidr:
		l.networks.add(t.Prefix, p)
	case numeric:
		l.ranges.add(t, p)
	default:
		return false
	}
	return true
}

// wildcardAccess returns what a wildcard waits for: the whole text if it has no star;
// else a prefix, a suffix, or a few bytes anywhere, whichever the fewest wait for. It
// returns nil if there is nothing to wait for.
func (l *leaf) wildcardAccess(w wildcard, p posting) (best *table[postings], key string) {
	last := len(w.parts) - 1
	if last == 0 {
		return &l.strings, w.parts[0]
	}
	bestCount := 0
	consider := func(t *table[postings], k string) {
		if n := countPostings(t, k, p); k != "" && (best == nil || n < bestCount || n == bestCount && len(k) > len(key)) {
			best, key, bestCount = t, k, n
		}
	}
	consider(&l.prefixes.table, w.parts[0])
	consider(&l.suffixes.table, w.parts[last])
	for _, part := range w.parts[1:last] {
		for i := 0; i+gramSize <= len(part) && i < maxGrams; i++ {
			consider(&l.grams.table, part[i:i+gramSize])
		}
	}
	return best, key
}

func (l *leaf) waitForWildcard(w wildcard, p posting) bool {
	t, key := l.wildcardAccess(w, p)
	switch t {
	case nil:
		return false
	case &l.prefixes.table:
		l.prefixes.add(key, p)
	case &l.suffixes.table:
		l.suffixes.add(key, p)
	default:
		addPosting(t, key, p)
	}
	return true
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
func lower(s string) string { return string(appendLower(nil, []byte(s))) }

func appendLower(dst, text []byte) []byte {
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// affixes are prefixes, or suffixes: a table of them and the lengths there are. A
// value is looked up once for each length.
type affixes struct {
	table   table[postings]
	lengths list[int]
}

func (a *affixes) add(affix string, p posting) {
	if !slices.Contains(a.lengths.load(), len(affix)) {
		defer a.lengths.add(len(affix)) // the table comes first: a length finds something
	}
	addPosting(&a.table, affix, p)
}

// grams find parts of texts by a few of their bytes, which are looked up at each place
// of a value.
type grams struct{ table table[postings] }

const (
	gramSize = 4
	maxGrams = 64 // of a part that are considered
)

// networks are those of cidr: a table by their bits and the lengths there are.
type networks struct {
	table   table[postings]
	lengths list[int] // bits; of IPv6 negative
}

func networkKey(p netip.Prefix) string {
	b := p.Addr().As16()
	return string(append(addressBytes(p.Addr(), &b), byte(p.Bits())))
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

func (r *ranges) add(n numeric, p posting) {
	old := r.state.Load()
	if old == nil {
		old = &rangeState{}
	}
	low, high := n.bounds()
	s := &rangeState{old.sorted, append(old.recent, interval{low: low, high: high, posting: p})}
	if len(s.recent) > 16+len(s.sorted)/4 {
		s = &rangeState{sorted: slices.Concat(s.sorted, s.recent)}
		slices.SortFunc(s.sorted, func(a, b interval) int { return cmp.Compare(a.low, b.low) })
		setHighest(s.sorted)
	}
	r.state.Store(s)
}

func setHighest(tree []interval) float64 {
	if len(tree) == 0 {
		return math.Inf(-1)
	}
	root := len(tree) / 2
	tree[root].highest = max(tree[root].high, setHighest(tree[:root]), setHighest(tree[root+1:]))
	return tree[root].highest
}
