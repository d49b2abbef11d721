package footbridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A document is a JSON text that is read with the places of its values. Of what is refused
// in it the first counts; reading goes on behind it, with zero values.
type document struct{ err *RulesError }

// A node is a value of a document. The methods of a nil one give what stands for a value
// that is not there.
type node struct {
	document *document
	pointer  string
	offset   int    // in the document
	raw      []byte // which is JSON, and begins at offset
}

// maxFileDepth is how many levels a document may nest: those of a pattern or a constant, and
// some around them.
const maxFileDepth = 2000

// parseDocument returns the value that data is, nil if it is none.
func parseDocument(data []byte) (*node, *document) {
	d := &document{}
	n := &node{document: d}
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		n.refuse("want no byte order mark")
		return nil, d
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if n.offset = i; r == utf8.RuneError && size == 1 {
			n.refuse("want UTF-8, got %q", data[i:i+1])
			return nil, d
		}
		i += size
	}
	// The limit is below that of package json, which reads what is valid from here on.
	if err := jsonwalk.Valid(data, maxFileDepth); err != nil {
		n.offset = err.Offset
		n.refuse("invalid JSON: %s", err.Msg)
		return nil, d
	}
	n.raw = bytes.TrimSpace(data)
	n.offset = jsonwalk.Space(data, 0)
	return n, d
}

// refuse returns the error that refuses n, which is the document's if it is the first.
func (n *node) refuse(format string, args ...any) *RulesError {
	e := &RulesError{Reason: fmt.Sprintf(format, args...)}
	if n == nil {
		return e
	}
	e.Pointer, e.Offset = n.pointer, n.offset
	if n.document.err == nil {
		n.document.err = e
	}
	return e
}

// want refuses n, of which what was wanted.
func (n *node) want(what string) {
	var compact bytes.Buffer
	_ = json.Compact(&compact, n.raw) // which is JSON
	got := []rune(compact.String())
	if len(got) > 40 {
		got = append(got[:40], []rune("...")...)
	}
	n.refuse("want %s, got %s", what, string(got))
}

// at returns the value that keys lead to from n, as far as they do.
func (n *node) at(keys ...string) *node {
	for _, key := range keys {
		if n.raw[0] != '{' {
			break
		}
		child := n.members()[key]
		if child == nil {
			break
		}
		n = child
	}
	return n
}

// child returns the value that decoder is in front of.
func (n *node) child(decoder *json.Decoder, token string) *node {
	var raw json.RawMessage
	_ = decoder.Decode(&raw) // which is JSON
	token = strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	return &node{n.document, n.pointer + "/" + token, n.offset + int(decoder.InputOffset()) - len(raw), raw}
}

// elements returns the elements of n, an array of what.
func (n *node) elements(what string) (all []*node) {
	if n == nil {
		return nil
	}
	if n.raw[0] != '[' {
		n.want("a JSON array of " + what)
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(n.raw))
	_, _ = decoder.Token()
	for decoder.More() {
		all = append(all, n.child(decoder, strconv.Itoa(len(all))))
	}
	return all
}

// members returns the members of n, an object with these keys or, if there are none, any. It
// is nil if n is.
func (n *node) members(keys ...string) map[string]*node {
	if n == nil {
		return nil
	}
	all := make(map[string]*node)
	if n.raw[0] != '{' {
		n.want("a JSON object")
		return all
	}
	decoder := json.NewDecoder(bytes.NewReader(n.raw))
	_, _ = decoder.Token()
	for decoder.More() {
		begin := int(decoder.InputOffset())
		begin += bytes.IndexByte(n.raw[begin:], '"')
		token, _ := decoder.Token()
		key, _ := token.(string)
		child := n.child(decoder, key)
		place := *child
		place.offset = n.offset + begin
		if _, twice := all[key]; twice {
			place.refuse("want each key once, got %.40q again", key)
		}
		if len(keys) > 0 && !slices.Contains(keys, key) {
			place.refuse("want one of the keys %s, got %.40q", keys, key)
		}
		all[key] = child
	}
	return all
}

// text returns the string that n is, or absent if n is nil.
func (n *node) text(absent string) (s string) {
	if n == nil {
		return absent
	}
	n.decode(&s, "a string")
	return s
}

// decode decodes n into v, which is for what. A nil n leaves v as it is.
func (n *node) decode(v any, what string) {
	if n != nil && (string(n.raw) == "null" || json.Unmarshal(n.raw, v) != nil) {
		n.want(what)
	}
}

// duration returns the duration that n is, which is above 0, or 0 if n is nil.
func (n *node) duration() time.Duration {
	if n == nil {
		return 0
	}
	d, err := time.ParseDuration(n.text(""))
	if err != nil || d <= 0 { // in a Backoff 0 is the default, which who writes "0s" does not mean
		n.want(`a duration above 0 such as "1m30s"`)
	}
	return d
}

// offsetIn returns where in raw, a string in JSON, byte i of the text that it is stands.
func offsetIn(raw []byte, i int) int {
	at := 1
	for at < len(raw)-1 {
		end := escapeEnd(raw, at)
		text := jsonwalk.AppendUnquoted(nil, raw[at:end])
		if second := escapeEnd(raw, end); string(text) == "\uFFFD" && second == end+6 {
			if pair := jsonwalk.AppendUnquoted(nil, raw[at:second]); len(pair) == utf8.UTFMax {
				text, end = pair, second
			}
		}
		if i -= len(text); i < 0 {
			break
		}
		at = end
	}
	return at
}

// escapeEnd returns the position behind the byte, or the escape, at i in a string in JSON.
func escapeEnd(raw []byte, i int) int {
	switch {
	case raw[i] != '\\':
		return i + 1
	case raw[i+1] != 'u':
		return i + 2
	}
	return i + 6
}

// position returns the line and the column of a byte of data, from 1.
func position(data []byte, offset int) (line, column int) {
	before := data[:offset]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[begin:]) + 1
}

// durationText returns what duration reads, "" for 0.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
