package match

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// parseFloat returns the float64 nearest to a JSON number: an infinity for one that
// is out of range, zero for minus zero. For one far out of range there is no error, which
// would be an allocation.
func parseFloat(text string) float64 {
	var buf [maxDecimal]byte
	switch digits, exponent := decimal(buf[:0], text); {
	case len(digits) == 0 || exponent < -330:
		return 0
	case exponent > 310 && text[0] == '-':
		return math.Inf(-1)
	case exponent > 310:
		return math.Inf(1)
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f + 0 // -0 + 0 is 0
}

// approximate returns a float64 that is d's nearest if sure is true, else one that is
// off by two units of its last place at most.
func approximate(d *jsonwalk.Decimal) (f float64, sure bool) {
	if sure = d.Digits < 1<<53; sure {
		// Both operands are exact, and so the quotient is the nearest.
		f = float64(int64(d.Digits)) / pow10[d.Fraction]
	} else {
		f = float64(d.Digits) * reciprocals[d.Fraction] // three roundings of half a unit each
	}
	if d.Negative {
		f = 0 - f
	}
	return f, sure
}

// around returns the bounds of what an approximation stands for.
func around(f float64) (low, high float64) {
	slack := math.Abs(f) * 0x1p-51
	return f - slack, f + slack
}

// nearest returns the float64 nearest to d, to which f is near, and whether d is exact,
// as isExact says. It reports false for the few numbers that are too large, too small,
// or too close to a border.
//
// With d = digits/10^k and f = mantissa/2^s, digits*2^s and mantissa*10^k differ by what
// f is off, in units of 1/(10^k*2^s). Where that is more than half a mantissa step, the
// neighbour is nearer. And d is exact, the shortest decimal that f is nearest to, if it
// is the closest of its length and both its neighbours of one digit less lie beyond half
// a step of f.
//
// Optimization: a few multiplications in place of parsing and formatting.
// BenchmarkParcels/two-numeric-in-element prices it.
func nearest(d *jsonwalk.Decimal, f float64) (_ float64, exact, ok bool) {
	digits, k := d.Digits, d.Fraction
	for k > 0 && digits%10 == 0 && digits != 0 {
		digits, k = digits/10, k-1
	}
	fbits := math.Float64bits(math.Abs(f))
	exponent := int(fbits>>52) - 1075
	mantissa := fbits&(1<<52-1) | 1<<52
	s := -exponent
	if k == 0 || s <= 0 || s > maxShift || mantissa < 1<<52+2 || mantissa > 1<<53-2 {
		return 0, false, false
	}
	step := int64(tens[k]) // of the mantissa
	high, low := bits.Mul64(mantissa, tens[k])
	_, borrow := bits.Sub64(digits<<s, low, 0)
	above, _ := bits.Sub64(digits>>(64-s), high, borrow)
	off := int64(digits<<s - low) // digits are so many units more than the mantissa
	if above != uint64(off>>63) {
		return 0, false, false
	}
	switch half := step / 2; {
	case off > half:
		mantissa, off = mantissa+1, off-step
	case off < -half:
		mantissa, off = mantissa-1, off+step
	}
	unit, half := int64(1)<<s, step/2 // a unit of d's last digit; half of a mantissa step
	if off == half || off == -half || off > half || off < -half {
		return 0, false, false
	}
	f = math.Copysign(math.Float64frombits(fbits&^(1<<52-1)|mantissa&(1<<52-1)), f)
	last := int64(digits % 10)
	lower, upper := off-last*unit, off+(10-last)*unit // the neighbours
	switch {
	case lower == -half || upper == half || off == unit/2 || off == -unit/2:
		return 0, false, false
	case off > unit/2 || off < -unit/2, lower > -half, upper < half:
		return f, false, true
	}
	return f, true, true
}

// maxShift keeps what nearest adds up within an int64: ten units and half a step.
const maxShift = 58

var (
	pow10       [jsonwalk.MaxDigits + 1]float64
	reciprocals [jsonwalk.MaxDigits + 1]float64
	tens        [jsonwalk.MaxDigits + 1]uint64
)

func init() {
	for i, ten := 0, uint64(1); i < len(tens); i, ten = i+1, ten*10 {
		tens[i], pow10[i], reciprocals[i] = ten, float64(ten), 1/float64(ten)
	}
}

// isExact reports whether f, the float64 nearest to a number, has its own value: if
// the shortest decimal that identifies f does. 0.1, 1e2 and 100 are exact,
// 9007199254740993, 1e400 and 1e-400 are not.
func isExact(f float64, text string) bool {
	if math.IsInf(f, 0) {
		return false
	}
	var buf, short [maxDecimal]byte
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
	var formatted [40]byte
	text = bytesString(strconv.AppendFloat(formatted[:0], f, 'e', -1, 64))
	shortest, shortestExponent := decimal(short[:0], text)
	return exponent == shortestExponent && bytes.Equal(digits, shortest)
}

// maxDecimal is how many digits decimal returns at most: more than a float64 can tell.
const maxDecimal = 24

// decimal splits a number into its digits, without zeros at either end, and the exponent
// of ten behind 0.digits. It appends to digits, which is empty and has room for
// maxDecimal; of longer numbers it returns so many, zeros at the end included.
func decimal(digits []byte, text string) (_ []byte, exponent int) {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent = decimalExponent(text[i+1:])
		text = text[:i]
	}
	fraction, longer := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '-':
			continue
		case c == '.':
			fraction = true
			continue
		case len(digits) == 0 && c == '0':
			if fraction {
				exponent--
			}
			continue
		case len(digits) < maxDecimal:
			digits = append(digits, c)
		default:
			longer = longer || c != '0'
		}
		if !fraction {
			exponent++
		}
	}
	if !longer {
		digits = bytes.TrimRight(digits, "0")
	}
	return digits, exponent
}

// decimalExponent returns what stands behind an e, or a number that is as far out of range.
func decimalExponent(text string) (n int) {
	for i := range len(text) {
		if c := text[i] - '0'; c <= 9 {
			n = min(n*10+int(c), 1e9)
		}
	}
	if text[0] == '-' {
		return -n
	}
	return n
}
