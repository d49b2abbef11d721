package match

import (
	"strings"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// kind is the JSON type of a value.
type kind uint8

const (
	none kind = iota
	object
	array
	str
	number
	boolTrue
	boolFalse
	null
)

// kindAt is the kind of the value that begins with c.
func kindAt(c byte) kind {
	switch c {
	case '{':
		return object
	case '[':
		return array
	case '"':
		return str
	case 't':
		return boolTrue
	case 'f':
		return boolFalse
	case 'n':
		return null
	}
	return number
}

// A tree is a pattern's JSON with the offsets that errors name.
type tree struct {
	kind   kind
	offset int
	text   string // of a string without quotes and escapes, of a number as written
	keys   []string
	kids   []tree // values of an object, elements of an array
}

// maxPatternDepth bounds how deep a pattern may nest, and so the recursion over it.
// Events are bounded at as many levels.
const maxPatternDepth = 1000

// top is the place of the whole pattern.
var top *place

// parseTree parses a pattern's text.
func parseTree(text string) (tree, *Error) {
	if !utf8.ValidString(text) {
		i := 0
		for r, n := utf8.DecodeRuneInString(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRuneInString(text[i:]) {
			i += n
		}
		return tree{}, top.errorf(i, "invalid JSON: want UTF-8, got the byte %#x", text[i])
	}
	data := []byte(text)
	t, i, err := parseValue(text, data, jsonwalk.Space(data, 0), 0)
	if err == nil {
		err = jsonwalk.End(data, i)
	}
	if err != nil {
		return tree{}, top.errorf(err.Offset, "invalid JSON: %s", err.Msg)
	}
	return t, nil
}

func parseValue(source string, data []byte, i, depth int) (t tree, end int, err *jsonwalk.SyntaxError) {
	t.offset = i
	if i < len(data) && (data[i] == '{' || data[i] == '[') {
		if depth >= maxPatternDepth {
			return t, i, jsonwalk.ErrorDepth(i, maxPatternDepth)
		}
		t.kind = kindAt(data[i])
		return parseComposite(t, source, data, depth)
	}
	if end, err = jsonwalk.Scalar(data, i); err != nil {
		return t, end, err
	}
	t.kind = kindAt(data[i])
	switch t.kind {
	case str:
		if t.text = source[i+1 : end-1]; strings.IndexByte(t.text, '\\') >= 0 {
			t.text = string(jsonwalk.AppendUnquoted(nil, data[i+1:end-1]))
		}
	case number:
		t.text = source[i:end]
	}
	return t, end, nil
}

func parseComposite(t tree, source string, data []byte, depth int) (_ tree, end int, err *jsonwalk.SyntaxError) {
	closer := byte(']')
	if t.kind == object {
		closer = '}'
	}
	i, more := jsonwalk.Open(data, t.offset, closer)
	for more {
		if t.kind == object {
			start := i
			if i, _, err = jsonwalk.String(data, i); err != nil {
				return t, i, err
			}
			t.keys = append(t.keys, string(jsonwalk.AppendUnquoted(nil, data[start+1:i-1])))
			if i, err = jsonwalk.Colon(data, i); err != nil {
				return t, i, err
			}
		}
		var kid tree
		if kid, i, err = parseValue(source, data, i, depth+1); err != nil {
			return t, i, err
		}
		t.kids = append(t.kids, kid)
		if i, more, err = jsonwalk.Next(data, i, closer); err != nil {
			return t, i, err
		}
	}
	return t, i, nil
}
