package transform

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A Path is a compiled path: $, $.detail.items[0].sku, $.detail.items[*].sku.
type Path struct {
	text  string
	steps []step // up to the first [*]
	list  bool   // there is a [*],
	rest  []step // and this behind it; there may be further ones
}

// A step goes from a value to one in it: to the member key, or, if that is "", to the
// element index, or to all elements.
type step struct {
	key   string
	index int // all: each element
}

const all = -1

// String returns the text the path was compiled from.
func (p *Path) String() string { return p.text }

// CompilePath compiles an input path. The error is an *Error.
func CompilePath(text string) (*Path, error) {
	p, offset, reason := parsePath(text)
	if reason != "" {
		return nil, &Error{Field: "InputPath", Offset: offset, Reason: fmt.Sprintf("is not a valid path: %s.", reason)}
	}
	return p, nil
}

// parsePath returns the path, or a reason and where.
func parsePath(text string) (p *Path, offset int, reason string) {
	unexpected := func(i int, want string) (*Path, int, string) {
		got := "the end"
		if i < len(text) {
			got = fmt.Sprintf("%.40q", text[i:])
		}
		return nil, i, "want " + want + ", got " + got
	}
	if text == "" || text[0] != '$' {
		return unexpected(0, `"$"`)
	}
	var steps []step
	for i := 1; i < len(text); {
		switch text[i] {
		case '.':
			end := i + 1
			for end < len(text) && isName(text[end]) {
				end++
			}
			if end == i+1 {
				return unexpected(end, "a key of A-Z a-z 0-9 _ -")
			}
			steps = append(steps, step{key: text[i+1 : end]})
			i = end
		case '[':
			length := strings.IndexByte(text[i:], ']')
			if length < 0 {
				return unexpected(i, `"[n]" or "[*]"`)
			}
			inside := text[i+1 : i+length]
			n, err := strconv.ParseUint(inside, 10, 31)
			switch {
			case inside == "*":
				steps = append(steps, step{index: all})
			case err == nil:
				steps = append(steps, step{index: int(n)})
			default:
				return unexpected(i, `"[n]" or "[*]"`)
			}
			i += length + 1
		default:
			return unexpected(i, `"." or "["`)
		}
	}
	p = &Path{text: text, steps: steps}
	for i, s := range steps {
		if s.key == "" && s.index == all {
			p.steps, p.list, p.rest = steps[:i], true, steps[i+1:]
			break
		}
	}
	return p, 0, ""
}

// isName reports whether c may stand in a key of a path and in a variable's name.
func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// Append appends the value that p points at in event, a JSON text, as it stands there. A
// path with [*] gives an array of all values that it points at. The error, a
// *RenderError, says that there is none, or that event is not JSON, though not all of it
// is looked at.
func (p *Path) Append(dst, event []byte) ([]byte, error) {
	var found [1]span
	root := &node{}
	root.add(p.steps, 0)
	if err := find(root, event, found[:]); err != nil {
		return dst, err
	}
	value, ok, err := p.append(dst, event, found[0])
	switch {
	case err != nil:
		return dst, notJSON(err)
	case !ok:
		return dst, &RenderError{Reason: "the event has nothing at " + p.text}
	}
	return value, nil
}

// append appends what p points at, given what the steps before [*] point at. ok is false
// if there is nothing.
func (p *Path) append(dst, event []byte, at span) (value []byte, ok bool, err *jsonwalk.SyntaxError) {
	switch {
	case at.end == 0 || p.list && event[at.start] != '[':
		return dst, false, nil
	case !p.list:
		return append(dst, event[at.start:at.end]...), true, nil
	}
	l := lister{event: event, dst: append(dst, '[')}
	l.begin = len(l.dst)
	err = l.all(at.start, p.rest)
	return append(l.dst, ']'), true, err
}

// A lister appends to dst the values that steps point at. The first begins at begin;
// those behind it follow a comma.
type lister struct {
	event, dst []byte
	begin      int
}

// all appends what rest points at in each element of the array at i.
func (l *lister) all(i int, rest []step) (err *jsonwalk.SyntaxError) {
	for i, more := jsonwalk.Open(l.event, i, ']'); more; {
		end, err := jsonwalk.Pass(l.event, i)
		if err == nil {
			err = l.value(i, end, rest)
		}
		if err != nil {
			return err
		}
		if i, more, err = jsonwalk.Next(l.event, end, ']'); err != nil {
			return err
		}
	}
	return nil
}

// value appends what rest points at in the value from i to end.
func (l *lister) value(i, end int, rest []step) *jsonwalk.SyntaxError {
	if len(rest) == 0 {
		if len(l.dst) > l.begin {
			l.dst = append(l.dst, ',')
		}
		l.dst = append(l.dst, l.event[i:end]...)
		return nil
	}
	s, rest := rest[0], rest[1:]
	switch {
	case s.key != "" && l.event[i] == '{':
		return l.member(i, s.key, rest)
	case s.key == "" && l.event[i] == '[' && s.index == all:
		return l.all(i, rest)
	case s.key == "" && l.event[i] == '[':
		return l.element(i, s.index, rest)
	}
	return nil
}

// member goes on with the member key of the object at i, if it has one.
func (l *lister) member(i int, key string, rest []step) (err *jsonwalk.SyntaxError) {
	for i, more := jsonwalk.Open(l.event, i, '}'); more; {
		keyEnd, escaped, err := jsonwalk.String(l.event, i)
		if err != nil {
			return err
		}
		value, err := jsonwalk.Colon(l.event, keyEnd)
		if err != nil {
			return err
		}
		end, err := jsonwalk.Pass(l.event, value)
		if err != nil {
			return err
		}
		if isKey(l.event[i+1:keyEnd-1], escaped, key) {
			return l.value(value, end, rest)
		}
		if i, more, err = jsonwalk.Next(l.event, end, '}'); err != nil {
			return err
		}
	}
	return nil
}

// element goes on with an element of the array at i, if it has it.
func (l *lister) element(i, index int, rest []step) (err *jsonwalk.SyntaxError) {
	n := 0
	for i, more := jsonwalk.Open(l.event, i, ']'); more; n++ {
		end, err := jsonwalk.Pass(l.event, i)
		if err != nil {
			return err
		}
		if n == index {
			return l.value(i, end, rest)
		}
		if i, more, err = jsonwalk.Next(l.event, end, ']'); err != nil {
			return err
		}
	}
	return nil
}
