package jsonwalk

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Number returns the position behind the number that begins at data[i].
func Number(data []byte, i int) (int, *SyntaxError) {
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i < len(data) && data[i] == '0':
		i++
	case i < len(data) && '1' <= data[i] && data[i] <= '9':
		i = digits(data, i)
	default:
		return i, Unexpected(data, i, "a digit")
	}
	if i < len(data) && data[i] == '.' {
		j := digits(data, i+1)
		if j == i+1 {
			return j, Unexpected(data, j, "a digit")
		}
		i = j
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		j := digits(data, i)
		if j == i {
			return j, Unexpected(data, j, "a digit")
		}
		i = j
	}
	return i, nil
}

// numberEnd returns the position behind the number at i, or -1 if it is none.
func numberEnd(data []byte, i int) int {
	start := i
	if data[i] == '-' {
		i++
	}
	whole := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i > whole && i < len(data) && (data[whole] != '0' || i == whole+1) {
		if data[i] == '.' {
			fraction := i + 1
			if i = digits(data, fraction); i == fraction || i == len(data) {
				return -1 // the end of the text may come behind the number, but hardly ever does
			}
		}
		if data[i]|0x20 != 'e' {
			return i
		}
	}
	end, err := Number(data, start)
	if err != nil {
		return -1
	}
	return end
}

// A Decimal is a number as it is written: digits / 10^fraction, negated or not.
type Decimal struct {
	Digits   uint64
	Fraction uint8 // at most MaxDigits - 1
	Negative bool
	Known    bool // false: it has an exponent or too many digits
}

// MaxDigits is how many digits a number has at most that is a Decimal.
const MaxDigits = 19

// ParseNumber returns the position behind the number at i, and sets d to what it is.
//
// Optimization: a number is read once, eight digits at a time, through a window that is
// checked once. BenchmarkParcels prices it with its numeric kinds.
func ParseNumber(data []byte, i int, d *Decimal) (end int, err *SyntaxError) {
	start := i
	if i < len(data) && data[i] == '-' {
		i++
	}
	if i+32 > len(data) {
		return parseNumber(data, start, d)
	}
	w := (*[32]byte)(data[i : i+32])
	digits, n := uint64(0), uint(0)
	for c := w[0] - '0'; c <= 9 && n < 8; c = w[n] - '0' {
		digits = digits*10 + uint64(c)
		n++
	}
	if n == 0 || n == 8 || w[0] == '0' && n > 1 {
		return parseNumber(data, start, d)
	}
	fraction := uint(0)
	if w[n] == '.' {
		n++
		x := binary.LittleEndian.Uint64(w[n:])
		if noDigits(x) == 0 {
			digits = digits*1e8 + eightDigits(x^'0'*ones)
			fraction = 8
			x = binary.LittleEndian.Uint64(w[n+8:])
		}
		more := uint(bits.TrailingZeros64(noDigits(x))) / 8
		if fraction += more; more == 8 || fraction == 0 {
			return parseNumber(data, start, d)
		}
		if more > 0 {
			digits = digits*powers[more] + eightDigits((x^'0'*ones)<<(64-8*more))
		}
		n += fraction
	}
	if w[n]|0x20 == 'e' || n > MaxDigits+1 {
		return parseNumber(data, start, d)
	}
	d.Digits, d.Fraction, d.Negative, d.Known = digits, uint8(fraction), i > start, true
	return i + int(n), nil
}

// parseNumber is the readable twin of ParseNumber.
func parseNumber(data []byte, i int, d *Decimal) (end int, err *SyntaxError) {
	*d = Decimal{}
	if end, err = Number(data, i); err != nil {
		return end, err
	}
	text := data[i:end]
	if text[0] == '-' {
		d.Negative, text = true, text[1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	if len(whole)+len(fraction) > MaxDigits || bytes.ContainsAny(text, "eE") {
		return end, nil
	}
	for _, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			d.Digits = d.Digits*10 + uint64(c-'0')
		}
	}
	d.Fraction, d.Known = uint8(len(fraction)), true
	return end, nil
}

var powers = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// eightDigits returns the number that eight digits are, each the value of its byte, the
// first the lowest: pairs of them, pairs of pairs, and those together.
func eightDigits(x uint64) uint64 {
	x = x*10 + x>>8
	return ((x&0xff000000ff)*(100+1e6<<32) + (x>>16&0xff000000ff)*(1+1e4<<32)) >> 32
}

// digits returns the position behind the digits at i.
func digits(data []byte, i int) int {
	for i+8 <= len(data) {
		if m := noDigits(load(data, i)); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}

// noDigits marks the bytes of x that are no digits. Only the first mark counts.
func noDigits(x uint64) uint64 {
	x ^= '0' * ones
	return (x + (0x7f-9)*ones | x) & tops
}
