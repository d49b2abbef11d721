package match

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

func (k kind) String() string {
	return [...]string{"nothing", "an object", "an array", "a string", "a number", "true", "false", "null"}[k]
}

// A value is a leaf of an event, with what has been found out about it so far.
type value struct {
	text    string // of a string without quotes and escapes, of a number as written
	kind    kind
	number  numberState
	masked  bool
	literal *postings // of a string: what waits for that very string, which has its id; nil: nothing
	decimal jsonwalk.Decimal
	bits    uint64 // of a number: of its float64, or one that is near; of a string that is masked: its gramMask
}

type numberState uint8

const (
	unparsed numberState = iota
	near                 // bits are off by a little at most
	parsed               // but it is not known whether it is exact
	exact
	inexact
)

// setNumber makes v the number that text is, which its decimal stands for if that is
// known.
func (v *value) setNumber(text string) {
	v.kind, v.text, v.number = number, text, unparsed
	if v.decimal.Known {
		f, sure := approximate(&v.decimal)
		v.bits, v.number = math.Float64bits(f), near
		if sure {
			v.number = parsed
		}
	}
}

// setString makes v a string.
func (v *value) setString(text string) { v.kind, v.text, v.literal, v.masked = str, text, nil, false }

// around returns bounds of what parse returns, at less cost.
func (v *value) around() (low, high float64) {
	if v.number == near {
		return around(math.Float64frombits(v.bits))
	}
	f := v.parse()
	return f, f
}

// parse returns the float64 nearest to a number.
func (v *value) parse() float64 {
	if v.number <= near {
		f, isExact, ok := 0.0, false, false
		if v.number == near {
			f, isExact, ok = nearest(&v.decimal, math.Float64frombits(v.bits))
		}
		switch {
		case !ok:
			f, v.number = parseFloat(v.text), parsed
		case isExact:
			v.number = exact
		default:
			v.number = inexact
		}
		v.bits = math.Float64bits(f)
	}
	return math.Float64frombits(v.bits)
}

// isExact reports whether that is the number's own value.
func (v *value) isExact() bool {
	f := v.parse()
	if v.number == parsed {
		v.number = inexact
		if v.decimal.Known && v.decimal.Digits < 1e15 || isExact(f, v.text) {
			v.number = exact
		}
	}
	return v.number == exact
}

// id returns the id of a string at its path, or 0 if no rule names it.
func (v *value) id() uint32 {
	if v.kind != str || v.literal == nil {
		return 0
	}
	return v.literal.id
}

// gramMask returns the gramMask of a string.
func (v *value) gramMask() uint64 {
	if !v.masked {
		v.bits, v.masked = gramMask(0, v.text), true
	}
	return v.bits
}

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

func (v *values) has(k kind, text string) bool {
	_, ok := slices.BinarySearchFunc(v.literals(), k, func(l literal, k kind) int {
		if l.kind != k {
			return cmp.Compare(l.kind, k)
		}
		return strings.Compare(l.text, text)
	})
	return ok
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

// bytesString returns b as a string, for as long as b does not change.
func bytesString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// floatBytes returns the bytes of f's float64.
func floatBytes(f float64) string {
	return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
}

// addressBytes returns the bytes of ip, the 4 last of b for IPv4.
func addressBytes(ip netip.Addr, b *[16]byte) []byte {
	if ip.Is4() {
		return b[12:]
	}
	return b[:]
}

// parseIP parses an address in any of its spellings, but for zones and IPv4
// numbers with leading zeros, which systems read in different ways.
func parseIP(text string) (netip.Addr, bool) {
	// No spelling is longer than eight groups with an embedded IPv4 address.
	if len(text) < 2 || len(text) > 45 || !hexOrColon(text[0]) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip.Unmap(), true
}

func hexOrColon(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':'
}

type exists struct{}

func (exists) holds(*value) bool { return true }

type prefix string

func (p prefix) holds(v *value) bool {
	return v.kind == str && strings.HasPrefix(v.text, string(p))
}

type suffix string

func (s suffix) holds(v *value) bool {
	return v.kind == str && strings.HasSuffix(v.text, string(s))
}

// A fold is a text whose characters equal their upper and their lower case.
type fold string

// foldEqual compares a character of an event, size bytes long, with one of a pattern.
// A byte that is not UTF-8 decodes to U+FFFD of size 1 and equals nothing.
func foldEqual(pattern, r rune, size int) bool {
	return (r == pattern || r == unicode.ToUpper(pattern) || r == unicode.ToLower(pattern)) && (r != utf8.RuneError || size > 1)
}

// prefixLen returns how many bytes at the beginning of text f matches, or -1.
func (f fold) prefixLen(text string) int {
	n := 0
	for _, want := range f {
		r, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || !foldEqual(want, r, size) {
			return -1
		}
		n += size
	}
	return n
}

type equalsFold fold

func (e equalsFold) holds(v *value) bool {
	return v.kind == str && fold(e).prefixLen(v.text) == len(v.text)
}

type prefixFold fold

func (p prefixFold) holds(v *value) bool { return v.kind == str && fold(p).prefixLen(v.text) >= 0 }

type suffixFold fold

func (s suffixFold) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	text := v.text
	for rest := string(s); rest != ""; {
		want, wantSize := utf8.DecodeLastRuneInString(rest)
		r, size := utf8.DecodeLastRuneInString(text)
		if size == 0 || !foldEqual(want, r, size) {
			return false
		}
		rest, text = rest[:len(rest)-wantSize], text[:len(text)-size]
	}
	return true
}

// A wildcard is the parts of a text between its stars: parts[0] must begin the
// value, the last one must end it, and the others follow in order. Taking each at
// its first place is enough, so that the time is bounded by value length times
// pattern length.
type wildcard struct{ parts []string }

func (w wildcard) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	text, last := v.text, len(w.parts)-1
	if last == 0 {
		return text == w.parts[0]
	}
	if !prefix(w.parts[0]).holds(v) {
		return false
	}
	text = text[len(w.parts[0]):]
	for _, part := range w.parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, w.parts[last])
}

type cidr struct{ netip.Prefix }

func (c cidr) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	ip, ok := parseIP(v.text)
	return ok && c.Contains(ip)
}

// A numeric is an interval of numbers; low <= high where it has both.
type numeric struct {
	low, high         float64
	hasLow, hasHigh   bool
	withLow, withHigh bool // the bound itself belongs to it
}

func (n numeric) holds(v *value) bool {
	if v.kind != number {
		return false
	}
	// Where about the number lies costs less to find out than its last bit, and whether
	// it is exact costs more.
	if low, high := v.around(); n.hasHigh && low > n.high || n.hasLow && high < n.low {
		return false
	}
	return n.contains(v.parse()) && v.isExact()
}

func (n numeric) contains(f float64) bool {
	return (!n.hasLow || f > n.low || f == n.low && n.withLow) &&
		(!n.hasHigh || f < n.high || f == n.high && n.withHigh)
}

type anythingBut struct{ excluded values }

func (a anythingBut) holds(v *value) bool { return !a.excluded.holds(v) }
