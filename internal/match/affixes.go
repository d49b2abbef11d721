package match

import (
	"net/netip"
	"slices"
	"sync/atomic"
)

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

// affixes are prefixes, or suffixes: a table of them and the lengths there are. A value is
// looked up once for each length, if some affix of that length begins, or ends, as it does.
type affixes struct {
	table   table[textKey, postings]
	lengths list[*affixLength]
	ends    atomic.Uint32 // a set of the outer bytes of all
}

// An affixLength is a length that affixes have.
type affixLength struct {
	n    int
	ends atomic.Uint32 // a set of their outer bytes
}

// length returns the affixes' length n, or nil.
func (a *affixes) length(n int) *affixLength {
	for _, l := range a.lengths.load() {
		if l.n == n {
			return l
		}
	}
	return nil
}

// endOf returns the set of one outer byte, the first of a prefix, or the last of a suffix.
// Bytes that are equal modulo 32 are one, and so letters in both cases. For no text it is
// all of them.
func endOf(text string, at int) uint32 {
	if text == "" {
		return ^uint32(0)
	}
	return 1 << (text[at] % 32)
}

func (a *affixes) addPrefix(affix textKey, p posting) { a.add(affix, 0, p) }
func (a *affixes) addSuffix(affix textKey, p posting) { a.add(affix, len(affix)-1, p) }

func (a *affixes) add(affix textKey, outer int, p posting) {
	addPosting(&a.table, affix, p) // before there is a length that leads to it
	l := a.length(len(affix))
	if l == nil {
		l = &affixLength{n: len(affix)}
		a.lengths.add(l)
	}
	end := endOf(string(affix), outer)
	l.ends.Store(l.ends.Load() | end)
	a.ends.Store(a.ends.Load() | end)
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
