package jsonwalk

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time. A word is loaded little-endian, so that the lowest byte is
// the first; a mask has the top bit of each byte that is meant.
//
// Optimization: BenchmarkParcels and BenchmarkSkip price it.
const (
	ones  = 0x0101010101010101
	tops  = 0x8080808080808080
	quote = '"' * ones
	slash = '\\' * ones
)

// load returns the eight bytes at i, the first one lowest.
//
// Optimization: a slice of known length needs no care for an empty one at the very end.
// BenchmarkSkip prices it.
func load(data []byte, i int) uint64 { return binary.LittleEndian.Uint64(data[i : i+8]) }

// zeros marks the bytes of x that are zero. Behind the first of them others may be
// marked wrongly: only the first mark counts.
func zeros(x uint64) uint64 { return (x - ones) &^ x & tops }

// PlainEnd returns the position behind the string whose opening quote is data[i], or 0
// if that takes a closer look: [String] is to be asked then. It is for inlining. There
// are nine bytes at i.
func PlainEnd(data []byte, i int) int {
	if m := stops(load(data, i+1)); m != 0 {
		if end := i + 1 + bits.TrailingZeros64(m)/8; data[end] == '"' {
			return end + 1
		}
	}
	return 0
}

// Stops marks those of the first eight bytes of text that a plain string does not hold.
// Only the first mark counts.
func Stops(text []byte) uint64 { return stops(binary.LittleEndian.Uint64(text)) }

// stops marks the bytes of x that a plain string does not hold: quotes, backslashes
// and control characters. Only the first mark counts.
func stops(x uint64) uint64 {
	y := x ^ 2*ones // quotes are 0x20 then, what is below stays there, and a space becomes 0x22
	z := x ^ slash
	return ((y-0x21*ones)&^y | (z-ones)&^z) & tops
}

// stringStop returns the position, from i on, of the first quote, backslash or control
// character, or of the end of the text.
func stringStop(data []byte, i int) int {
	for i+8 <= len(data) {
		if m := stops(load(data, i)); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for i < len(data) && data[i] != '"' && data[i] != '\\' && data[i] >= ' ' {
		i++
	}
	return i
}

// Key reads the string at i. plain says that it holds neither an escape nor a dot.
func Key(data []byte, i int) (end int, plain bool, err *SyntaxError) {
	end, escaped, err := String(data, i)
	if err != nil {
		return end, false, err
	}
	return end, !escaped && bytes.IndexByte(data[i+1:end-1], '.') < 0, nil
}

// exactZeros marks the bytes of x that are zero, and no others.
func exactZeros(x uint64) uint64 { return ^(((x &^ tops) + ^uint64(tops)) | x | ^uint64(tops)) }

// Pass returns the position behind the value at i. Of an object or array it looks at
// nothing but brackets and strings, so that text that is not JSON may pass; it
// reports an error only where an end is missing.
//
// In a word of eight bytes, a byte is inside of a string if the number of quotes up to
// it is odd: three shifts give that for all eight. Brackets outside of strings are then
// counted, not visited.
func Pass(data []byte, i int) (int, *SyntaxError) {
	if i >= len(data) || data[i] != '{' && data[i] != '[' {
		return Scalar(data, i)
	}
	if end := passFlat(data, i); end > 0 {
		return end, nil
	}
	depth, inside := 0, uint64(0) // inside: all ones in a string
	for i+8 <= len(data) {
		x := load(data, i)
		step, seen := 8, ^uint64(0)
		if s := zeros(x ^ slash); s != 0 { // look at what comes before it, pass over what it escapes
			before := bits.TrailingZeros64(s) / 8
			step, seen = before+2, 1<<(8*before)-1
		}
		folded := x | 0x20*ones // '[' and '{', ']' and '}' differ in the bit 0x20 alone
		quotes := exactZeros(x^quote) & seen
		in := quotes ^ quotes<<8
		in ^= in << 16
		in ^= in << 32
		in ^= inside
		opens, closes := exactZeros(folded^'{'*ones)&seen&^in, exactZeros(folded^'}'*ones)&seen&^in
		if n := bits.OnesCount64(closes); n >= depth && n > 0 {
			for m := opens | closes; m != 0; m &= m - 1 {
				if opens&m&-m != 0 {
					depth++
				} else if depth--; depth == 0 {
					return i + bits.TrailingZeros64(m)/8 + 1, nil
				}
			}
		} else {
			depth += bits.OnesCount64(opens) - n
		}
		inside ^= -uint64(bits.OnesCount64(quotes) & 1)
		i += step
	}
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\':
			i++
		case c == '"':
			inside = ^inside
		case inside != 0:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return len(data), Unexpected(data, len(data), "the end of an object or array")
}

// passFlat returns the position behind the object or array at i if none of its own kind
// is in it and no string of it has an escape, else 0. Then its end is the first closing
// bracket, unless that stands in a string: behind an odd number of quotes.
//
// Optimization: package bytes looks at 32 bytes at a time. BenchmarkParcels/numeric
// prices it.
func passFlat(data []byte, i int) int {
	length := bytes.IndexByte(data[i+1:], data[i]+2) // in ASCII each bracket closes two behind where it opens
	if length < 0 {
		return 0
	}
	inside := data[i+1 : i+1+length]
	if bytes.IndexByte(inside, data[i]) >= 0 || bytes.IndexByte(inside, '\\') >= 0 || bytes.Count(inside, quoteByte)%2 != 0 {
		return 0
	}
	return i + 1 + length + 1
}

var quoteByte = []byte{'"'}
