package match

import (
	"cmp"
	"encoding/binary"
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

// A testPosting is a posting that waits for a value for which test holds, or with not
// does not hold; nil: any.
type testPosting struct {
	posting
	not  bool
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

// Costs of waiting: about the number of rules that a value wakes in vain.
const (
	costAffix   = 2  // beside those that wait for the same text
	costNumeric = 8  // beside a part of those that wait for an interval: one of intervalsPerHit
	costAny     = 16 // times as much as all that any value wakes
	costNoGuard = 8  // times as much, if no other field is a guard: then a rule that is waked must be looked at
)

// intervalsPerHit is a guess: of so many intervals a number lies in one.
const intervalsPerHit = 8

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
			l.any.add(p.testing(t))
		}
		l.use(structure)
	}
}

// testing returns p, waiting for a value that passes t.
func (p posting) testing(t test) testPosting {
	switch t := t.(type) {
	case exists:
		return testPosting{posting: p}
	case *anythingBut:
		if p.place == own {
			return testPosting{posting: p}
		}
		if e := &t.excluded; len(e.tests()) == 1 && len(e.literals()) == 0 {
			return testPosting{p, true, e.tests()[0]}
		}
	}
	return testPosting{p, false, t}
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
		l.ranges.add(interval{low: t.low, high: t.high}, p)
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
