package explain

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// holds reports whether leaf is one of the values that want, an element of a field's list
// in a pattern, stands for.
func holds(want value, leaf *value) bool {
	switch want.kind {
	case '{':
		return operatorHolds(want.keys[0], want.kids[0], leaf)
	case '"':
		return equal(want, leaf) || leaf.kind == '"' && sameAddress(want.text, leaf.text)
	}
	return equal(want, leaf)
}

// equal compares scalars: numbers by value if both are exact, all else by kind and text.
func equal(want value, leaf *value) bool {
	if want.kind == '0' && leaf.kind == '0' && want.text != leaf.text {
		x, exactX := number(want.text)
		y, exactY := number(leaf.text)
		return exactX && exactY && x == y
	}
	return want.kind == leaf.kind && want.text == leaf.text
}

func operatorHolds(name string, arg value, leaf *value) bool {
	switch name {
	case "exists":
		return arg.kind == 't'
	case "anything-but":
		return !excludes(arg, leaf)
	case "numeric":
		return leaf.kind == '0' && inRange(arg.kids, leaf.text)
	}
	return leaf.kind == '"' && textHolds(name, arg, leaf.text)
}

func textHolds(name string, arg value, text string) bool {
	if arg.kind == '{' { // {"prefix":{"equals-ignore-case":"a"}}, and the same for suffix
		return foldAffix(name, arg.kids[0].text, text)
	}
	switch name {
	case "exactly":
		return text == arg.text
	case "prefix":
		return strings.HasPrefix(text, arg.text)
	case "suffix":
		return strings.HasSuffix(text, arg.text)
	case "equals-ignore-case":
		return utf8.RuneCountInString(text) == utf8.RuneCountInString(arg.text) && foldAffix("prefix", arg.text, text)
	case "wildcard":
		return wildcardHolds(arg.text, text)
	}
	return inNetwork(arg.text, text)
}

// excludes reports whether an anything-but of arg leaves leaf out.
func excludes(arg value, leaf *value) bool {
	list, hit := arg, func(want value) bool { return equal(want, leaf) }
	if arg.kind == '{' {
		list = arg.kids[0]
		hit = func(want value) bool { return operatorHolds(arg.keys[0], want, leaf) }
	}
	if list.kind == '[' {
		return slices.ContainsFunc(list.kids, hit)
	}
	return hit(list)
}

// foldAffix reports whether text begins, or with "suffix" ends, with the characters of
// affix, each of which is equal to its upper and its lower case. A byte that is not UTF-8
// is equal to nothing.
func foldAffix(name, affix, text string) bool {
	decode, cut := utf8.DecodeRuneInString, func(s string, n int) string { return s[n:] }
	if name == "suffix" {
		decode, cut = utf8.DecodeLastRuneInString, func(s string, n int) string { return s[:len(s)-n] }
	}
	for affix != "" {
		want, wantSize := decode(affix)
		got, size := decode(text)
		same := got == want || got == unicode.ToUpper(want) || got == unicode.ToLower(want)
		if size == 0 || !same || got == utf8.RuneError && size == 1 {
			return false
		}
		affix, text = cut(affix, wantSize), cut(text, size)
	}
	return true
}

// wildcardHolds takes each part between two stars at its first place, which is enough.
func wildcardHolds(pattern, text string) bool {
	parts := wildcardParts(pattern)
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return text == first
	}
	rest, ok := strings.CutPrefix(text, first)
	for _, part := range parts[1 : len(parts)-1] {
		_, behind, found := strings.Cut(rest, part)
		rest, ok = behind, ok && found
	}
	return ok && strings.HasSuffix(rest, last)
}

// wildcardParts returns what stands between the stars of a pattern, without its escapes.
func wildcardParts(pattern string) []string {
	parts := []string{""}
	for i := 0; i < len(pattern); i++ {
		last := &parts[len(parts)-1]
		switch pattern[i] {
		case '*':
			parts = append(parts, "")
			continue
		case '\\':
			i++
		}
		*last += pattern[i : i+1]
	}
	return parts
}

// inRange reports whether a number is exact and on the right side of the bounds of a
// numeric: operators, each with a number behind it.
func inRange(bounds []value, text string) bool {
	x, ok := number(text)
	for i := 0; i < len(bounds) && ok; i += 2 {
		bound, _ := number(bounds[i+1].text)
		ok = map[string]bool{"=": x == bound, "<": x < bound, "<=": x <= bound, ">": x > bound, ">=": x >= bound}[bounds[i].text]
	}
	return ok
}

// number returns the float64 nearest to a number, and whether the number is exact: if it
// has the value of the shortest decimal that identifies that float64.
func number(text string) (f float64, exact bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return f, false // out of range
	}
	digits, exponent := decimal(text)
	if f == 0 {
		return 0, digits == "" // 0 also for -0
	}
	shortest, shortestExponent := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return f, digits == shortest && exponent == shortestExponent
}

// decimal splits a number into its digits, without zeros at either end, and the exponent
// of ten behind 0.digits.
func decimal(text string) (digits string, exponent int) {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	exponent, _ = strconv.Atoi(power) // it overflows only if the digits are all zeros
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent += len(whole) - (len(whole) + len(fraction) - len(digits))
	return strings.TrimRight(digits, "0"), exponent
}

// address returns what is an IP address in any of its spellings. One with a zone, and one
// with leading zeros, which systems read in different ways, is none.
func address(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

func sameAddress(a, b string) bool {
	x, okX := address(a)
	y, okY := address(b)
	return okX && okY && x == y
}

func inNetwork(network, text string) bool {
	base, bits, _ := strings.Cut(network, "/")
	b, _ := address(base)
	n, _ := strconv.Atoi(bits)
	a, ok := address(text)
	return ok && netip.PrefixFrom(b, n).Contains(a)
}
