package match

import (
	"bytes"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A walker reads an event's bytes into a scratch. It follows the trie of the paths
// that rules name, and passes over all else.
//
// Objects are transparent: one that comes again under the same key adds its fields
// to the first, and a key with dots is the same as nested objects. At each path the
// first value counts that is not an object. An array takes its path for itself: what
// comes there after it is ignored, as it is ignored after anything else.
type walker struct {
	sc        *scratch
	data      []byte
	leaves    uint32 // paths with a number below it count
	remaining uint32 // of those, how many may still be found: at 0 the walk may stop
	validate  bool   // the whole text is to be JSON
	limit     int    // levels of nesting
}

// done reports whether the walk may stop.
func (w *walker) done() bool { return w.remaining == 0 && !w.validate }

// pass returns the position behind a value that no rule asks for.
func (w *walker) pass(i, depth int) (int, *jsonwalk.SyntaxError) {
	if w.validate {
		return jsonwalk.Skip(w.data, i, depth, w.limit)
	}
	return jsonwalk.Pass(w.data, i)
}

// document reads the whole text, which must be an object, below n.
func (w *walker) document(n *pathNode) *jsonwalk.SyntaxError {
	i := jsonwalk.Space(w.data, 0)
	if i >= len(w.data) || w.data[i] != '{' {
		if err := jsonwalk.Valid(w.data, w.limit); err != nil {
			return err
		}
		return &jsonwalk.SyntaxError{Offset: i, Msg: "want an object, got " + kindAt(w.data[i]).String()}
	}
	var err *jsonwalk.SyntaxError
	if n == nil {
		i, err = w.pass(i, 0)
	} else if i, err = w.object(n, outside, i, 0); err == nil && w.done() {
		return nil
	}
	if err != nil {
		return err
	}
	return jsonwalk.End(w.data, i)
}

// object reads the members of the object at i below n, and below the tree node t unless
// that is outside. If the walk is done the position it returns means nothing.
func (w *walker) object(n *pathNode, t int32, i, depth int) (int, *jsonwalk.SyntaxError) {
	if depth >= w.limit {
		return i, jsonwalk.ErrorDepth(i, w.limit)
	}
	data, memo := w.data, w.sc.memoOf(n)
	last := &memo.entries[0]
	i, more := jsonwalk.Open(data, i, '}')
	for more {
		var kid *pathNode // nil: no rule asks for the member
		var err *jsonwalk.SyntaxError
		at, next := t, last.next // at: the tree node that kid is below, or the kid itself
		if next.node == nil {
			i, last = pass(data, i, last, &w.sc.tail)
			next = last.next
		}
		if i < len(data) && next.size != 0 && next.differs(w.sc.tail.window(data, i)) == 0 {
			last, kid = next, next.node
			i += int(next.size)
		} else if kid, at, last, i, err = w.key(memo, last, t, i); err != nil {
			return i, err
		}
		if i < len(data) && data[i] <= ' ' {
			i = jsonwalk.Space(data, i)
		}
		switch {
		case kid == nil:
			if i < len(data) && data[i] == '"' {
				i, _, err = jsonwalk.String(data, i)
			} else {
				i, err = w.pass(i, depth+1)
			}
		case t == outside:
			i, err = w.value(kid, i, depth+1)
		case at == t:
			i, err = w.treeValue(w.treeMember(t, kid), kid, i, depth+1)
		default:
			i, err = w.treeValue(at, kid, i, depth+1)
		}
		if err != nil || w.done() {
			return i, err
		}
		if memo.owner != n { // an object below has taken it
			memo = w.sc.memoOf(n)
			last = &memo.entries[0]
		}
		// Optimization: text without white space, which is most, is not looked at for
		// it. BenchmarkParcels prices it.
		if i+1 < len(data) && data[i] == ',' && data[i+1] == '"' {
			i++
		} else if i, more, err = jsonwalk.Next(data, i, '}'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// key reads the key at i, which comes behind last. It returns the node that it leads to,
// or nil if no rule asks for it, the tree node that this is below (t, or, for a key with
// dots or escapes, the very one that it leads to), the key's own memory, and the position
// behind its colon.
func (w *walker) key(memo *memo, last *memoKey, t int32, i int) (*pathNode, int32, *memoKey, int, *jsonwalk.SyntaxError) {
	data := w.data
	end, plain, err := jsonwalk.Key(data, i)
	if err != nil {
		return nil, t, last, end, err
	}
	var kid *pathNode
	key := data[i+1 : end-1]
	switch {
	case !plain && t == outside:
		kid = w.find(memo.owner, key)
	case !plain:
		if k := w.treeFind(t, key); k != 0 {
			kid, t = w.sc.tree[k].node, k
		}
	case memo.since != w.sc.stamp && len(key) <= memoBytes && end < len(data) && data[end] == ':':
		last = memo.learn(last, w.sc.tail.window(data, i), len(key)+3)
		kid = last.node
	default:
		kid = memo.owner.kid(bytesString(key))
	}
	i, err = jsonwalk.Colon(data, end)
	return kid, t, last, i, err
}

// find returns the node that a key with dots or escapes leads to from n, or nil if no
// rule asks for it or the way is taken by an array.
func (w *walker) find(n *pathNode, text []byte) *pathNode {
	for key := w.unquoted(text); ; {
		step, rest, dotted := strings.Cut(key, ".")
		if n = n.kid(step); n == nil || !dotted {
			return n
		}
		s := w.sc.claim(n)
		if s == nil || s.array != 0 {
			return nil
		}
		s.claimed = true
		key = rest
	}
}

// unquoted returns the characters of a string. They are good until the match ends.
func (w *walker) unquoted(s []byte) string {
	if bytes.IndexByte(s, '\\') < 0 {
		return bytesString(s)
	}
	start := len(w.sc.text)
	w.sc.text = jsonwalk.AppendUnquoted(w.sc.text, s)
	return bytesString(w.sc.text[start:len(w.sc.text)])
}

// value reads the value at i, which stands at n, outside of arrays.
func (w *walker) value(n *pathNode, i, depth int) (int, *jsonwalk.SyntaxError) {
	s := w.sc.claim(n)
	if i >= len(w.data) || s == nil || s.array != 0 {
		return w.pass(i, depth)
	}
	switch w.data[i] {
	case '{':
		s.claimed = true
		if n.kids.used() {
			return w.object(n, outside, i, depth)
		}
	case '[':
		if !s.claimed {
			return w.array(n, s, i, depth)
		}
	default:
		s.claimed = true
		if l := n.leaf.Load(); l != nil && s.leaf.kind == none {
			w.sc.found = append(w.sc.found, n)
			if l.number < w.leaves {
				w.remaining--
			}
			return w.scalar(&s.leaf, i)
		}
	}
	return w.pass(i, depth)
}

// scalar reads the string, number, true, false or null at i.
func (w *walker) scalar(v *value, i int) (int, *jsonwalk.SyntaxError) {
	data := w.data
	switch c := data[i]; {
	case c == '"':
		if i+9 <= len(data) {
			if end := jsonwalk.PlainEnd(data, i); end > 0 {
				v.setString(bytesString(data[i+1 : end-1]))
				return end, nil
			}
		}
		end, escaped, err := jsonwalk.String(data, i)
		if err != nil {
			return end, err
		}
		text := data[i+1 : end-1]
		if escaped {
			v.setString(w.unquoted(text))
		} else {
			v.setString(bytesString(text))
		}
		return end, nil
	case c == '-' || c-'0' <= 9:
		if i+len(window{}) > len(data) {
			// Optimization: near the end of the text the window is elsewhere.
			// BenchmarkParcels/numeric prices it.
			if size, err := jsonwalk.ParseNumber(w.sc.tail.window(data, i)[:], 0, &v.decimal); err == nil {
				v.setNumber(bytesString(data[i : i+size]))
				return i + size, nil
			}
		}
		end, err := jsonwalk.ParseNumber(data, i, &v.decimal)
		if err != nil {
			return end, err
		}
		v.setNumber(bytesString(data[i:end]))
		return end, nil
	}
	end, err := jsonwalk.Scalar(data, i)
	if err != nil {
		return end, err
	}
	v.kind = kindAt(data[i])
	return end, nil
}
