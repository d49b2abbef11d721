package match

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// parseFloat returns the float64 nearest to a JSON number: an infinity for one that
// is out of range, zero for minus zero.
func parseFloat(text []byte) float64 {
	low, high := around(text)
	if low != high {
		low, _ = strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	}
	return low + 0 // -0 + 0 is 0
}

// around returns bounds of the float64 nearest to a JSON number. They are equal if they
// are that float64 itself; infinities if nothing is known.
//
// Optimization: most numbers of an event lie far from the bounds of rules, and need
// not be parsed to the last bit. BenchmarkParcels/numeric-in-array prices it.
func around(text []byte) (low, high float64) {
	digits, count, point := uint64(0), 0, -1
	i := 0
	if text[0] == '-' {
		i = 1
	}
	if len(text)-i > 19 { // more digits than a uint64 holds, or nearly
		return math.Inf(-1), math.Inf(1)
	}
	for i < len(text) {
		c := text[i] - '0'
		switch {
		case c <= 9:
			digits = digits*10 + uint64(c)
			count++
			i++
			continue
		case text[i] != '.': // an exponent
			return math.Inf(-1), math.Inf(1)
		}
		point = count
		for i++; i+8 <= len(text); i += 8 {
			n, ok := eightDigits(binary.LittleEndian.Uint64(text[i:]))
			if !ok {
				break
			}
			digits, count = digits*1e8+n, count+8
		}
	}
	f := float64(digits)
	if point >= 0 {
		f /= pow10[count-point]
	}
	if text[0] == '-' {
		f = -f
	}
	if digits < 1<<53 { // both are exact, and so the quotient is the nearest
		return f, f
	}
	// Each of two roundings is off by half of the last bit at most.
	slack := math.Abs(f) * 0x1p-51
	return f - slack, f + slack
}

// eightDigits returns the number that eight digits are: pairs of them, pairs of pairs,
// and those together.
func eightDigits(x uint64) (n uint64, ok bool) {
	if x&0xf0f0f0f0f0f0f0f0 != 0x3030303030303030 || (x+0x0606060606060606)&0xf0f0f0f0f0f0f0f0 != 0x3030303030303030 {
		return 0, false
	}
	x -= 0x3030303030303030
	x = x*10 + x>>8
	return ((x&0xff000000ff)*(100+1e6<<32) + (x>>16&0xff000000ff)*(1+1e4<<32)) >> 32, true
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// isExact reports whether f, the float64 nearest to a number, has its own value: if
// the shortest decimal that identifies f does. 0.1, 1e2 and 100 are exact,
// 9007199254740993, 1e400 and 1e-400 are not.
func isExact(f float64, text []byte) bool {
	if math.IsInf(f, 0) {
		return false
	}
	var buf [40]byte
	digits, exponent := decimal(buf[:0], text)
	if f == 0 {
		return len(digits) == 0
	}
	// 15 digits survive the way to float64 and back, but for the smallest numbers.
	if len(digits) <= 15 && math.Abs(f) > 1e-290 {
		return true
	}
	if len(digits) > 17 {
		return false
	}
	var formatted, short [40]byte
	shortest, shortestExponent := decimal(short[:0], strconv.AppendFloat(formatted[:0], f, 'e', -1, 64))
	return exponent == shortestExponent && bytes.Equal(digits, shortest)
}

// decimal splits a number that is not out of range into its digits, without zeros
// at either end, and the exponent of ten behind 0.digits. It appends to buf, which
// is empty.
func decimal(buf, text []byte) (digits []byte, exponent int) {
	if text[0] == '-' {
		text = text[1:]
	}
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		// Overflow is possible only beside a mantissa that makes the number zero.
		exponent, _ = strconv.Atoi(string(text[i+1:]))
		text = text[:i]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	exponent += len(whole)
	digits = append(append(buf, whole...), fraction...)
	for len(digits) > 0 && digits[0] == '0' {
		digits, exponent = digits[1:], exponent-1
	}
	return bytes.TrimRight(digits, "0"), exponent
}
