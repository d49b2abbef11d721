package match

import (
	"bytes"
	"strconv"
)

// parseNumber parses a JSON number. It is exact if the shortest decimal that
// identifies its float64 has the number's own value: 0.1, 1e2 and 100 are exact,
// 9007199254740993, 1e400 and 1e-400 are not. Minus zero is zero.
func parseNumber(text []byte) (f float64, exact bool) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return f, false // out of range
	}
	digits, exponent := decimal(text)
	if f == 0 {
		return 0, len(digits) == 0
	}
	if len(digits) > 17 {
		return f, false
	}
	var buf [32]byte
	shortest, shortestExponent := decimal(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
	return f, exponent == shortestExponent && bytes.Equal(digits, shortest)
}

// decimal splits a number that is not out of range into its digits, without zeros
// at either end, and the exponent of ten behind 0.digits.
func decimal(text []byte) (digits []byte, exponent int) {
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
	digits = append(append(make([]byte, 0, len(text)), whole...), fraction...)
	for len(digits) > 0 && digits[0] == '0' {
		digits, exponent = digits[1:], exponent-1
	}
	return bytes.TrimRight(digits, "0"), exponent
}
