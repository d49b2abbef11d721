package match

import (
	"encoding/binary"
	"math"
	"net/netip"
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
	if !likeIP(text) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip.Unmap(), true
}

// likeIP reports whether text may be an address, so that other texts, dates and times
// among them, cost no error.
func likeIP(text string) bool {
	// No spelling is longer than eight groups with an embedded IPv4 address.
	if len(text) < 2 || len(text) > 45 {
		return false
	}
	dots, colons, doubled := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
			doubled = doubled || i > 0 && text[i-1] == ':'
		case c-'0' > 9 && c|0x20-'a' > 'f'-'a':
			return false
		}
	}
	switch {
	case colons == 0:
		return dots == 3
	case dots == 0:
		return colons == 7 || doubled
	}
	return dots == 3 && (colons == 6 || doubled)
}
