package explain

import (
	"bytes"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A value is a JSON value. Its kind is the first character of its text, with '0' for any
// number.
type value struct {
	kind byte
	text string // of a string, without quotes and escapes, or of a number, as written
	raw  string // as written, white space included
	keys []string
	kids []value // members of an object, by key; elements of an array
}

func kindAt(c byte) byte {
	if c == '-' || '0' <= c && c <= '9' {
		return '0'
	}
	return c
}

// kindName returns a kind with its article.
func kindName(kind byte) string {
	return map[byte]string{'{': "an object", '[': "an array", '"': "a string", '0': "a number", 't': "true", 'f': "false", 'n': "null"}[kind]
}

// parse reads the value at i of a valid text, given as a string and as bytes, and returns
// the position behind it.
func parse(text string, data []byte, i int) (v value, end int) {
	start := i
	switch data[i] {
	case '{', '[':
		v.kind = data[i]
		closer := v.kind + 2 // in ASCII each bracket closes two behind where it opens
		i, more := jsonwalk.Open(data, i, closer)
		for more {
			if v.kind == '{' {
				keyEnd, _, _ := jsonwalk.String(data, i)
				v.keys = append(v.keys, unquote(data[i+1:keyEnd-1]))
				i, _ = jsonwalk.Colon(data, keyEnd)
			}
			var kid value
			kid, i = parse(text, data, i)
			v.kids = append(v.kids, kid)
			i, more, _ = jsonwalk.Next(data, i, closer)
		}
		v.raw = text[start:i]
		return v, i
	}
	return parseScalar(data, i)
}

func parseScalar(data []byte, i int) (v value, end int) {
	end, _ = jsonwalk.Scalar(data, i)
	v = value{kind: kindAt(data[i]), raw: string(data[i:end])}
	switch v.kind {
	case '"':
		v.text = unquote(data[i+1 : end-1])
	case '0':
		v.text = v.raw
	}
	return v, end
}

// unquote returns the characters of a string, given without its quotes.
func unquote(s []byte) string {
	if bytes.IndexByte(s, '\\') < 0 {
		return string(s)
	}
	return string(jsonwalk.AppendUnquoted(nil, s))
}
