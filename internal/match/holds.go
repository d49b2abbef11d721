package match

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The tests that operators are.

type exists struct{}

func (exists) holds(*value) bool { return true }

type prefix string

func (p prefix) holds(v *value) bool {
	return v.kind == str && strings.HasPrefix(v.text, string(p))
}

type suffix string

func (s suffix) holds(v *value) bool {
	return v.kind == str && strings.HasSuffix(v.text, string(s))
}

// A fold is a text whose characters equal their upper and their lower case.
type fold string

// foldEqual compares a character of an event, size bytes long, with one of a pattern.
// A byte that is not UTF-8 decodes to U+FFFD of size 1 and equals nothing.
func foldEqual(pattern, r rune, size int) bool {
	return (r == pattern || r == unicode.ToUpper(pattern) || r == unicode.ToLower(pattern)) && (r != utf8.RuneError || size > 1)
}

// prefixLen returns how many bytes at the beginning of text f matches, or -1.
func (f fold) prefixLen(text string) int {
	n := 0
	for _, want := range f {
		if n < len(text) && rune(text[n]) == want && want < utf8.RuneSelf {
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || !foldEqual(want, r, size) {
			return -1
		}
		n += size
	}
	return n
}

type equalsFold fold

func (e equalsFold) holds(v *value) bool {
	return v.kind == str && fold(e).prefixLen(v.text) == len(v.text)
}

type prefixFold fold

func (p prefixFold) holds(v *value) bool { return v.kind == str && fold(p).prefixLen(v.text) >= 0 }

type suffixFold fold

func (s suffixFold) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	text := v.text
	for rest := string(s); rest != ""; {
		want, wantSize := utf8.DecodeLastRuneInString(rest)
		r, size := utf8.DecodeLastRuneInString(text)
		if size == 0 || !foldEqual(want, r, size) {
			return false
		}
		rest, text = rest[:len(rest)-wantSize], text[:len(text)-size]
	}
	return true
}

// A wildcard is the parts of a text between its stars: parts[0] must begin the
// value, the last one must end it, and the others follow in order. Taking each at
// its first place is enough, so that the time is bounded by value length times
// pattern length.
type wildcard struct{ parts []string }

func (w wildcard) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	text, last := v.text, len(w.parts)-1
	if last == 0 {
		return text == w.parts[0]
	}
	if !prefix(w.parts[0]).holds(v) {
		return false
	}
	text = text[len(w.parts[0]):]
	for _, part := range w.parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, w.parts[last])
}

type cidr struct{ netip.Prefix }

func (c cidr) holds(v *value) bool {
	if v.kind != str {
		return false
	}
	ip, ok := parseIP(v.text)
	return ok && c.Contains(ip)
}

// A numeric is an interval of numbers, from the lowest float64 in it to the highest.
type numeric struct{ low, high float64 }

func (n numeric) holds(v *value) bool { return v.between(n.low, n.high) }

type anythingBut struct{ excluded values }

func (a *anythingBut) holds(v *value) bool { return !a.excluded.holds(v) }
