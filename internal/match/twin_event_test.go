package match

import (
	"bytes"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A node is a value of an event and all that its path leads to.
//
// Objects are transparent: one that comes again under the same key adds its fields
// to the first, and a key with dots is the same as nested objects. At each path the
// first value counts that is not an object. An array takes its path for itself: what
// claims that path after it is ignored, as it is ignored after anything else.
type node struct {
	claimed bool  // by an object or a leaf, perhaps both
	leaf    value // kind none: no leaf
	array   bool
	elems   []*node // of the array

	names [][]byte // of kids
	kids  []*node
	index map[string]int // of kids by name, once there are many
}

// twinManyKids is the number of kids from which a node keeps an index of them.
const twinManyKids = 16

// kid returns the node for name below n, made if need be.
func (n *node) kid(name []byte) *node {
	if k := n.find(string(name)); k != nil {
		return k
	}
	k := &node{}
	n.names = append(n.names, name)
	n.kids = append(n.kids, k)
	switch {
	case n.index != nil:
		n.index[string(name)] = len(n.kids) - 1
	case len(n.kids) == twinManyKids:
		n.index = make(map[string]int)
		for i, name := range n.names {
			n.index[string(name)] = i
		}
	}
	return k
}

// find returns the node for name below n, or nil.
func (n *node) find(name string) *node {
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return n.kids[i]
		}
		return nil
	}
	for i := range n.names {
		if string(n.names[i]) == name {
			return n.kids[i]
		}
	}
	return nil
}

// claimObject takes the path for an object's fields and reports whether they may have it.
func (n *node) claimObject() bool {
	n.claimed = !n.array
	return n.claimed
}

// claimArray takes the path for an array and reports whether it may have it.
func (n *node) claimArray() bool {
	if n.claimed || n.array {
		return false
	}
	n.array = true
	return true
}

// setLeaf makes v the leaf of n if it may.
func (n *node) setLeaf(v value) {
	if n.claimObject() && n.leaf.kind == none {
		n.leaf = v
	}
}

// descend returns the node that key, with its dots, leads to, or nil if part of the
// way is taken.
func (n *node) descend(key []byte) *node {
	for {
		step, rest, more := bytes.Cut(key, []byte("."))
		if !n.claimObject() {
			return nil
		}
		n = n.kid(step)
		if !more {
			return n
		}
		key = rest
	}
}

// A parser builds nodes from JSON text.
type parser struct {
	data  []byte
	limit int // levels of nesting
}

// parseObject parses data, which must be one JSON object, into n.
func parseObject(n *node, data []byte, limit int) *jsonwalk.SyntaxError {
	p := parser{data, limit}
	i := jsonwalk.Space(data, 0)
	if i >= len(data) || data[i] != '{' {
		if err := jsonwalk.Valid(data, limit); err != nil {
			return err
		}
		return &jsonwalk.SyntaxError{Offset: i, Msg: "want an object, got " + kindAt(data[i]).String()}
	}
	i, err := p.value(n, i, 0)
	if err != nil {
		return err
	}
	return jsonwalk.End(data, i)
}

// value parses the value at i into n; a nil n only validates it.
func (p *parser) value(n *node, i, depth int) (int, *jsonwalk.SyntaxError) {
	if n == nil {
		return jsonwalk.Skip(p.data, i, depth, p.limit)
	}
	if i < len(p.data) && (p.data[i] == '{' || p.data[i] == '[') {
		if depth >= p.limit {
			return i, jsonwalk.ErrorDepth(i, p.limit)
		}
		if p.data[i] == '{' {
			return p.object(n, i, depth)
		}
		return p.array(n, i, depth)
	}
	end, err := jsonwalk.Scalar(p.data, i)
	if err != nil {
		return end, err
	}
	v := value{kind: kindAt(p.data[i])}
	switch v.kind {
	case str:
		v.text = string(unquote(p.data[i+1 : end-1]))
	case number:
		v.text = string(p.data[i:end])
	}
	n.setLeaf(v)
	return end, nil
}

func (p *parser) object(n *node, i, depth int) (int, *jsonwalk.SyntaxError) {
	if !n.claimObject() {
		return p.value(nil, i, depth)
	}
	i, more := jsonwalk.Open(p.data, i, '}')
	for more {
		end, _, err := jsonwalk.String(p.data, i)
		if err != nil {
			return end, err
		}
		kid := n.descend(unquote(p.data[i+1 : end-1]))
		if i, err = jsonwalk.Colon(p.data, end); err != nil {
			return i, err
		}
		if i, err = p.value(kid, i, depth+1); err != nil {
			return i, err
		}
		if i, more, err = jsonwalk.Next(p.data, i, '}'); err != nil {
			return i, err
		}
	}
	return i, nil
}

func (p *parser) array(n *node, i, depth int) (int, *jsonwalk.SyntaxError) {
	if !n.claimArray() {
		return p.value(nil, i, depth)
	}
	i, more := jsonwalk.Open(p.data, i, ']')
	for more {
		elem := &node{}
		n.elems = append(n.elems, elem)
		var err *jsonwalk.SyntaxError
		if i, err = p.value(elem, i, depth+1); err != nil {
			return i, err
		}
		if i, more, err = jsonwalk.Next(p.data, i, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// unquote returns the characters of a string: s itself unless it holds an escape.
func unquote(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	return jsonwalk.AppendUnquoted(nil, s)
}
