package match

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (k kind) String() string {
	return [...]string{"nothing", "an object", "an array", "a string", "a number", "true", "false", "null"}[k]
}

// A value is a leaf of an event.
type value struct {
	kind kind
	text []byte // of a string without quotes and escapes, of a number as written
}

// A test is one way in which a leaf may match.
type test interface{ holds(v value) bool }

// values are the values that a field may have: it holds if one of them does.
type values struct {
	absent   bool                // {"exists":false}
	literals map[string]struct{} // by literalKey
	ips      bool                // some literal is an address
	tests    []test
}

func (v *values) addLiteral(key string) {
	if v.literals == nil {
		v.literals = make(map[string]struct{})
	}
	v.literals[key] = struct{}{}
}

// addString adds a literal string; one that is an address stands for all its spellings.
func (v *values) addString(s string) {
	if ip, ok := parseIP([]byte(s)); ok {
		v.ips = true
		v.addLiteral(ipKey(ip))
		return
	}
	v.addLiteral(literalKey(str, s))
}

// holds reports whether a leaf has one of the values.
func (v *values) holds(leaf value) bool {
	if v.literals != nil {
		if _, ok := v.literals[literalKey(leaf.kind, string(leaf.text))]; ok {
			return true
		}
		if v.ips && leaf.kind == str {
			if ip, ok := parseIP(leaf.text); ok {
				if _, ok := v.literals[ipKey(ip)]; ok {
					return true
				}
			}
		}
	}
	for _, t := range v.tests {
		if t.holds(leaf) {
			return true
		}
	}
	return false
}

// literalKey maps values that are equal, and only those, to equal strings. Numbers
// are equal by value if both are exact, else by their text.
func literalKey(k kind, text string) string {
	switch k {
	case str:
		return "s" + text
	case number:
		if f, exact := parseNumber([]byte(text)); exact {
			return string(binary.BigEndian.AppendUint64([]byte("x"), math.Float64bits(f)))
		}
		return "n" + text
	}
	return "k" + string(rune('0'+k))
}

func ipKey(ip netip.Addr) string { return "i" + string(ip.AsSlice()) }

// parseIP parses an address in any of its spellings, but for zones and IPv4
// numbers with leading zeros, which systems read in different ways.
func parseIP(text []byte) (netip.Addr, bool) {
	// No spelling is longer than eight groups with an embedded IPv4 address.
	if len(text) < 2 || len(text) > 45 || !hexOrColon(text[0]) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(string(text))
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip.Unmap(), true
}

func hexOrColon(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':'
}

type exists struct{}

func (exists) holds(value) bool { return true }

type prefix string

func (p prefix) holds(v value) bool {
	return v.kind == str && len(v.text) >= len(p) && string(v.text[:len(p)]) == string(p)
}

type suffix string

func (s suffix) holds(v value) bool {
	return v.kind == str && len(v.text) >= len(s) && string(v.text[len(v.text)-len(s):]) == string(s)
}

// A fold is a string whose characters equal their upper and their lower case.
type fold [][3]rune // the character, its upper case, its lower case

func newFold(s string) fold {
	f := make(fold, 0, len(s))
	for _, r := range s {
		f = append(f, [3]rune{r, unicode.ToUpper(r), unicode.ToLower(r)})
	}
	return f
}

// equal compares one character of an event, size bytes long, with f[i]. A byte that
// is not UTF-8 decodes to U+FFFD of size 1 and equals nothing.
func (f fold) equal(i int, r rune, size int) bool {
	return (r == f[i][0] || r == f[i][1] || r == f[i][2]) && (r != utf8.RuneError || size > 1)
}

// prefixLen returns how many bytes at the beginning of text f matches, or -1.
func (f fold) prefixLen(text []byte) int {
	n := 0
	for i := range f {
		r, size := utf8.DecodeRune(text[n:])
		if size == 0 || !f.equal(i, r, size) {
			return -1
		}
		n += size
	}
	return n
}

type equalsFold fold

func (e equalsFold) holds(v value) bool {
	return v.kind == str && fold(e).prefixLen(v.text) == len(v.text)
}

type prefixFold fold

func (p prefixFold) holds(v value) bool { return v.kind == str && fold(p).prefixLen(v.text) >= 0 }

type suffixFold fold

func (s suffixFold) holds(v value) bool {
	if v.kind != str {
		return false
	}
	text := v.text
	for i := len(s) - 1; i >= 0; i-- {
		r, size := utf8.DecodeLastRune(text)
		if size == 0 || !fold(s).equal(i, r, size) {
			return false
		}
		text = text[:len(text)-size]
	}
	return true
}

// A wildcard is the parts of a text between its stars: parts[0] must begin the
// value, the last one must end it, and the others follow in order. Taking each at
// its first place is enough, so that the time is bounded by value length times
// pattern length.
type wildcard struct{ parts []string }

func (w wildcard) holds(v value) bool {
	if v.kind != str {
		return false
	}
	text, last := v.text, len(w.parts)-1
	if last == 0 {
		return string(text) == w.parts[0]
	}
	if !prefix(w.parts[0]).holds(v) {
		return false
	}
	text = text[len(w.parts[0]):]
	for _, part := range w.parts[1:last] {
		i := bytes.Index(text, []byte(part))
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(string(text), w.parts[last])
}

type cidr struct{ netip.Prefix }

func (c cidr) holds(v value) bool {
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

func (n numeric) holds(v value) bool {
	if v.kind != number {
		return false
	}
	f, exact := parseNumber(v.text)
	return exact &&
		(!n.hasLow || f > n.low || f == n.low && n.withLow) &&
		(!n.hasHigh || f < n.high || f == n.high && n.withHigh)
}

type anythingBut struct{ excluded values }

func (a anythingBut) holds(v value) bool { return !a.excluded.holds(v) }
