package match

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Numbers of all lengths: a value's bounds, its float64 and whether it is exact agree
// with strconv and with a comparison of decimals.
func TestNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := []string{"0", "-0", "-0.0", "0e99999999999", "1e400", "-1e400", "1e-400", "5e-324", "3e-324", "9007199254740993", "0.1", "123456789012345678.9", "18446744073709551616",
		"9223372036854775808", "9999999999999999999", "0.9999999999999999999", "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072011e-308"}
	for range 50000 {
		text := strconv.FormatUint(r.Uint64()>>r.IntN(64), 10)
		if at := r.IntN(len(text) + 1); at < len(text) {
			text = text[:at+1] + "." + text[at+1:] + "0"
		}
		switch r.IntN(8) {
		case 6, 7: // the shortest of a float64, and its neighbours
			text = strconv.FormatFloat(math.Exp(40*r.Float64()-15), 'f', -1, 64)
			if last := len(text) - 1; r.IntN(2) == 0 {
				text = text[:last] + string('0'+byte(r.IntN(10)))
			}
		case 0:
			text = strconv.FormatFloat(math.Float64frombits(r.Uint64()), 'e', -1, 64)
		case 1:
			text += fmt.Sprintf("e%d", r.IntN(40)-20)
		case 2:
			text = "-" + text
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		want, err := strconv.ParseFloat(text, 64)
		if math.IsNaN(want) || text[0] == '+' || text == "-Inf" || text == "NaN" {
			continue
		}
		got := parseFloat(text)
		require.Equal(t, want+0, got, text)
		exact := isExact(got, text)
		var v value
		end, jsonErr := jsonwalk.ParseNumber([]byte(text), 0, &v.decimal)
		require.Nil(t, jsonErr, text)
		require.Equal(t, len(text), end)
		v.setNumber(text)
		low, high := v.around()
		require.True(t, low <= want && want <= high, "%s: %v in [%v, %v]", text, want, low, high)
		require.Equal(t, got, v.parse(), text)
		require.Equal(t, exact, v.isExact(), text)
		if math.Abs(want) > 1e-300 && err == nil { // the reference's exponents stay small
			_, refExact := refNumber(text)
			assert.Equal(t, refExact, exact, text)
		}
	}
}
