// Package jsonwalk walks JSON bytes in place.
//
// It is a set of functions over (data, position): each looks at one token or
// value that begins at i and returns the position behind it. Nothing is copied
// and nothing is decoded until a caller asks for it with [AppendUnquoted].
//
// The grammar is RFC 8259's as encoding/json reads it: [Valid] accepts exactly
// what [encoding/json.Valid] accepts, invalid UTF-8 inside strings and the
// depth limit of 10,000 included. A fuzz target holds that.
package jsonwalk

import (
	"fmt"
	"math/bits"
)

// MaxDepth is how deep objects and arrays may nest: encoding/json's own limit.
const MaxDepth = 10000

// A SyntaxError says what is wrong with JSON text and where.
type SyntaxError struct {
	Offset int    // of the byte that cannot stand where it stands
	Msg    string // "want X, got Y"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON: %s (offset %d)", e.Msg, e.Offset)
}

// Unexpected returns the error for data[i], which is not what the grammar wants there.
func Unexpected(data []byte, i int, want string) *SyntaxError {
	if i >= len(data) {
		return &SyntaxError{Offset: len(data), Msg: "want " + want + ", got the end of the text"}
	}
	return &SyntaxError{Offset: i, Msg: fmt.Sprintf("want %s, got %q", want, data[i])}
}

// ErrorDepth returns the error for an object or array at i that nests deeper than limit.
func ErrorDepth(i, limit int) *SyntaxError {
	return &SyntaxError{Offset: i, Msg: fmt.Sprintf("want at most %d levels of nesting, got more", limit)}
}

// Space returns the position of the first byte at or behind i that is not white space.
func Space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// String returns the position behind the string whose opening quote is data[i],
// and whether it holds an escape.
func String(data []byte, i int) (end int, escaped bool, err *SyntaxError) {
	if i >= len(data) || data[i] != '"' {
		return i, false, Unexpected(data, i, "a string")
	}
	// Optimization: most strings end within eight bytes. BenchmarkParcels prices it.
	if i+9 <= len(data) {
		if m := stops(load(data, i+1)); m != 0 {
			if end := i + 1 + bits.TrailingZeros64(m)/8; data[end] == '"' {
				return end + 1, false, nil
			}
		}
	}
	for i++; ; i++ {
		switch i = stringStop(data, i); {
		case i >= len(data):
			return i, escaped, Unexpected(data, i, "the end of a string")
		case data[i] == '"':
			return i + 1, escaped, nil
		case data[i] != '\\':
			return i, escaped, Unexpected(data, i, "a string without control characters")
		}
		escaped = true
		if i, err = escape(data, i); err != nil {
			return i, true, err
		}
	}
}

// escape returns the position of the last byte of the escape whose backslash is data[i].
func escape(data []byte, i int) (int, *SyntaxError) {
	i++
	if i >= len(data) {
		return i, Unexpected(data, i, "an escape")
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i, nil
	case 'u':
		for range 4 {
			i++
			if i >= len(data) || hexValue(data[i]) < 0 {
				return i, Unexpected(data, i, "a hexadecimal digit")
			}
		}
		return i, nil
	}
	return i, Unexpected(data, i, `one of "\/bfnrtu behind a backslash`)
}

// Literal returns the position behind word (true, false or null), which must stand at i.
func Literal(data []byte, i int, word string) (int, *SyntaxError) {
	for k := range len(word) {
		if i+k >= len(data) || data[i+k] != word[k] {
			return i + k, Unexpected(data, i+k, word)
		}
	}
	return i + len(word), nil
}

// Scalar returns the position behind the string, number, true, false or null at i.
func Scalar(data []byte, i int) (int, *SyntaxError) {
	if i < len(data) {
		switch c := data[i]; {
		case c == '"':
			end, _, err := String(data, i)
			return end, err
		case c == '-' || '0' <= c && c <= '9':
			return Number(data, i)
		case c == 't':
			return Literal(data, i, "true")
		case c == 'f':
			return Literal(data, i, "false")
		case c == 'n':
			return Literal(data, i, "null")
		}
	}
	return i, Unexpected(data, i, "a value")
}

// Colon returns the position of the value behind the colon that follows a key that ends at i.
func Colon(data []byte, i int) (int, *SyntaxError) {
	i = Space(data, i)
	if i >= len(data) || data[i] != ':' {
		return i, Unexpected(data, i, "a colon")
	}
	return Space(data, i+1), nil
}

// Next is called behind an element of an object or array that ends with close.
// It returns the position of the next element, or, with more false, the one
// behind close.
func Next(data []byte, i int, close byte) (pos int, more bool, err *SyntaxError) {
	i = Space(data, i)
	switch {
	case i < len(data) && data[i] == close:
		return i + 1, false, nil
	case i < len(data) && data[i] == ',':
		return Space(data, i+1), true, nil
	}
	return i, false, Unexpected(data, i, fmt.Sprintf("a comma or %q", close))
}

// Open is called on the opening byte of an object or array that ends with close.
// It returns the position of the first element, or, with more false, the one
// behind close.
func Open(data []byte, i int, close byte) (pos int, more bool) {
	i = Space(data, i+1)
	if i < len(data) && data[i] == close {
		return i + 1, false
	}
	return i, true
}

// End reports an error unless only white space follows i.
func End(data []byte, i int) *SyntaxError {
	if i = Space(data, i); i < len(data) {
		return Unexpected(data, i, "the end of the text")
	}
	return nil
}
