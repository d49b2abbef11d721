package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// few is how many variables a template may have whose rendering allocates nothing but
// the result.
const few = 16

// Append appends what the template becomes for event, the compact JSON of an envelope,
// which it does not validate. The error is a *RenderError: the result would not be JSON.
// It appends nothing then. It allocates at most once, and not at all if dst has room.
//
// As in the service, a value in a string is inserted without escaping, so that one with a
// quote or a line break usually makes the result unfit; and an object or array in a
// string keeps its quotes if the template is JSON, and loses them if it is text.
func (t *Transformer) Append(dst, event []byte, vars Vars) ([]byte, error) {
	var array [few]span
	found := array[:min(len(t.paths), few)]
	if len(t.paths) > few {
		found = make([]span, len(t.paths))
	}
	if len(found) > 0 {
		if err := find(t.root, event, found); err != nil {
			return dst, err
		}
	}
	r := renderer{t: t, event: event, vars: vars}
	out := slices.Grow(dst, r.size(found))
	for i := range t.pieces {
		var err *jsonwalk.SyntaxError
		if out, err = r.piece(out, &t.pieces[i], found); err != nil {
			return dst, notJSON(err)
		}
	}
	if r.unsafe && !t.text {
		if err := jsonwalk.Valid(out[len(dst):], jsonwalk.MaxDepth); err != nil {
			return dst, &RenderError{Reason: "the rendered input is not JSON", Err: fmt.Errorf("%w, near %#q", err, around(out[len(dst):], err.Offset))}
		}
	}
	return out, nil
}

// around returns some of text on both sides of offset.
func around(text []byte, offset int) string {
	const some = 20 // bytes, on each side
	return strings.ToValidUTF8(string(text[max(0, offset-some):min(len(text), offset+some)]), "")
}

// A renderer does not hold what was found: that would take it off the stack.
type renderer struct {
	t      *Transformer
	event  []byte
	vars   Vars
	unsafe bool // something in a string may have ended it
}

// size returns an upper bound of what is appended.
func (r *renderer) size(found []span) int {
	n := r.t.fixed
	for i := range r.t.pieces {
		switch p := &r.t.pieces[i]; p.variable {
		case noVariable:
		case ruleARN:
			n += 2 + 6*len(r.vars.RuleARN)
		case ruleName:
			n += 2 + 6*len(r.vars.RuleName)
		case ingestionTime:
			n += 2 + len(timeFormat)
		case eventWithoutDetail, wholeEvent:
			n += len(r.event)
		default:
			n += max(2, found[p.variable].end-found[p.variable].start)
		}
	}
	return n
}

// timeFormat is that of the envelope's time.
const timeFormat = "2006-01-02T15:04:05Z"

func (r *renderer) piece(dst []byte, p *piece, found []span) (out []byte, err *jsonwalk.SyntaxError) {
	begin, ok := len(dst), true
	switch p.variable {
	case noVariable:
		return append(dst, p.text...), nil
	case ruleARN:
		return r.name(dst, r.vars.RuleARN, p.quoted), nil
	case ruleName:
		return r.name(dst, r.vars.RuleName, p.quoted), nil
	case ingestionTime:
		if p.quoted {
			return r.vars.IngestionTime.UTC().AppendFormat(dst, timeFormat), nil
		}
		dst = r.vars.IngestionTime.UTC().AppendFormat(append(dst, '"'), timeFormat)
		return append(dst, '"'), nil
	case eventWithoutDetail:
		dst, err = appendWithoutDetail(dst, r.event)
	case wholeEvent:
		dst, err = appendObject(dst, r.event)
	default:
		dst, ok, err = r.t.paths[p.variable].append(dst, r.event, found[p.variable])
	}
	switch {
	case err != nil:
		return dst, err
	case !ok && p.quoted:
		return dst, nil
	case !ok:
		return append(dst, `""`...), nil
	case p.quoted:
		return r.inString(dst, begin)
	}
	return dst, nil
}

// inString makes of the JSON value that dst has from begin on what stands for it in a string.
func (r *renderer) inString(dst []byte, begin int) ([]byte, *jsonwalk.SyntaxError) {
	switch value := dst[begin:]; value[0] {
	case '"':
		_, escaped, err := jsonwalk.String(value, 0)
		if err != nil {
			return dst, err
		}
		inside := value[1 : len(value)-1]
		if escaped {
			r.unsafe = true
			// What is unquoted is never longer than what it was, so it may be written over it.
			return jsonwalk.AppendUnquoted(dst[:begin], inside), nil
		}
		return dst[:begin+copy(value, inside)], nil
	case '{', '[':
		if r.t.text {
			return withoutQuotes(dst, begin), nil
		}
		r.unsafe = true
	}
	return dst, nil
}

// withoutQuotes removes from dst, from begin on, the quotes around strings. Those in
// strings stay with their backslashes.
func withoutQuotes(dst []byte, begin int) []byte {
	kept, escaped := dst[:begin], false
	for _, c := range dst[begin:] { // kept is never ahead of what is read
		if c != '"' || escaped {
			kept = append(kept, c)
		}
		escaped = c == '\\' && !escaped
	}
	return kept
}

// name appends a text that is not the event's.
func (r *renderer) name(dst []byte, s string, quoted bool) []byte {
	if quoted {
		for i := range len(s) {
			r.unsafe = r.unsafe || s[i] == '"' || s[i] == '\\' || s[i] < ' '
		}
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendObject appends the envelope.
func appendObject(dst, event []byte) ([]byte, *jsonwalk.SyntaxError) {
	i := jsonwalk.Space(event, 0)
	if i >= len(event) || event[i] != '{' {
		return dst, jsonwalk.Unexpected(event, i, "an object")
	}
	end, err := jsonwalk.Pass(event, i)
	return append(dst, event[i:end]...), err
}

// appendWithoutDetail appends the envelope without its detail, and with its key
// detail-type spelt detailType.
func appendWithoutDetail(dst, event []byte) ([]byte, *jsonwalk.SyntaxError) {
	i := jsonwalk.Space(event, 0)
	if i >= len(event) || event[i] != '{' {
		return dst, jsonwalk.Unexpected(event, i, "an object")
	}
	dst = append(dst, '{')
	begin := len(dst)
	i, more := jsonwalk.Open(event, i, '}')
	for more {
		keyEnd, escaped, err := jsonwalk.String(event, i)
		if err != nil {
			return dst, err
		}
		value, err := jsonwalk.Colon(event, keyEnd)
		if err != nil {
			return dst, err
		}
		end, err := jsonwalk.Pass(event, value)
		if err != nil {
			return dst, err
		}
		if key := event[i+1 : keyEnd-1]; !isKey(key, escaped, "detail") {
			if len(dst) > begin {
				dst = append(dst, ',')
			}
			if isKey(key, escaped, "detail-type") {
				dst = append(dst, `"detailType"`...)
			} else {
				dst = append(dst, event[i:keyEnd]...)
			}
			dst = append(append(dst, ':'), event[value:end]...)
		}
		if i, more, err = jsonwalk.Next(event, end, '}'); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
