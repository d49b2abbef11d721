package jsonwalk

import "math/bits"

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
	Fraction uint8 // at most MaxDigits
	Negative bool
	Known    bool // false: it has an exponent or too many digits
}

// MaxDigits is how many digits a number has at most that is a Decimal.
const MaxDigits = 19

// ParseNumber returns the position behind the number at i, and sets d to what it is.
//
// Optimization: a number is read once, eight digits at a time. BenchmarkParcels prices
// it with its numeric kinds.
func ParseNumber(data []byte, i int, d *Decimal) (end int, err *SyntaxError) {
	start, digits, fraction := i, uint64(0), 0
	if i < len(data) && data[i] == '-' {
		i++
	}
	first := i
	for i < len(data) && data[i]-'0' <= 9 && i < first+MaxDigits {
		digits = digits*10 + uint64(data[i]-'0')
		i++
	}
	count := i - first
	if count == 0 || data[first] == '0' && count > 1 {
		return numberAlone(data, start, d)
	}
	if i < len(data) && data[i] == '.' {
		i++
		point := i
		for i+8 <= len(data) && count+i-point <= MaxDigits {
			x := load(data, i)
			n := uint(bits.TrailingZeros64(noDigits(x))) / 8
			if n == 0 {
				break
			}
			digits = digits*powers[n] + eightDigits((x^'0'*ones)<<(64-8*n))
			if i += int(n); n < 8 {
				break
			}
		}
		for i+8 > len(data) && i < len(data) && data[i]-'0' <= 9 && count+i-point < MaxDigits {
			digits = digits*10 + uint64(data[i]-'0')
			i++
		}
		fraction = i - point
		count += fraction
		if fraction == 0 || count > MaxDigits {
			return numberAlone(data, start, d)
		}
	}
	if i < len(data) && (data[i]-'0' <= 9 || data[i]|0x20 == 'e') {
		return numberAlone(data, start, d)
	}
	d.Digits, d.Fraction, d.Negative, d.Known = digits, uint8(fraction), first > start, true
	return i, nil
}

// numberAlone is ParseNumber for numbers that are no decimals.
func numberAlone(data []byte, i int, d *Decimal) (end int, err *SyntaxError) {
	*d = Decimal{}
	return Number(data, i)
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
