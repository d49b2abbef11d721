package match

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// parseFloat returns the float64 nearest to a JSON number: an infinity for one that
// is out of range, zero for minus zero.
func parseFloat(text []byte) float64 {
	f, ok := parseShort(text)
	if !ok {
		f, _ = strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	}
	return f + 0 // -0 + 0 is 0
}

// parseShort parses a number of at most 15 digits and no exponent.
//
// Optimization: both the digits and the power of ten are exact float64s, so that one
// division gives the nearest one. BenchmarkParcels/numeric prices it.
func parseShort(text []byte) (f float64, ok bool) {
	digits, point := uint64(0), -1
	i := 0
	if text[0] == '-' {
		i = 1
	}
	if len(text)-i > 16 {
		return 0, false
	}
	for k, c := range text[i:] {
		switch {
		case '0' <= c && c <= '9':
			digits = digits*10 + uint64(c-'0')
		case c == '.':
			point = len(text) - i - k - 1
		default:
			return 0, false
		}
	}
	if digits >= 1e15 {
		return 0, false
	}
	f = float64(digits)
	if point > 0 {
		f /= pow10[point]
	}
	if i == 1 {
		f = -f
	}
	return f, true
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

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
