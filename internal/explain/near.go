package explain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDistanceLength is the length, in characters, of the longest strings whose distance is
// computed, their common beginnings and ends not counted: it takes the product of both lengths.
const maxDistanceLength = 200

// distance returns how many characters must be inserted, deleted or replaced, or
// exchanged with their neighbour, to make b of a. For long strings it is a large number.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) > maxDistanceLength || len(y) > maxDistanceLength {
		return 1 << 20
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}

// isNear reports whether a value, at a distance from want, is taken for a misspelt want.
// Less is enough than with names: short values, and those that differ in digits alone, such
// as O-1001 and O-1002, are often near to each other and meant to differ.
func isNear(want, got string, distance int) bool {
	const short, share = 6, 6
	n := utf8.RuneCountInString(want)
	return n >= short && distance <= min(2, n/share) && withoutDigits(want) != withoutDigits(got)
}

func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}

// nearEnough returns the distance up to which a name is taken for a misspelt want.
func nearEnough(want string) int { return min(3, utf8.RuneCountInString(want)/3) }

// Nearest returns the name that key is likely to be meant for, or "".
func Nearest(key string, names []string) (nearest string) {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace
	least := nearEnough(key) + 1
	for _, name := range names {
		d := distance(key, name)
		if strings.EqualFold(plain(key), plain(name)) {
			d = 0
		}
		if d < least {
			nearest, least = name, d
		}
	}
	return nearest
}
