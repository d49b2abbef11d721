package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A node is a value of an event and all that its path leads to.
//
// Objects are transparent: one that comes again under the same key adds its fields to
// the first, and a key with dots is the same as nested objects. At each path the first
// value counts that is not an object. An array takes its path for itself: what comes
// there after it is ignored, as it is ignored after anything else.
type node struct {
	parent *node  // nil for the event
	key    string // in the parent, if that is no array
	index  int    // in the parent, if that is an array

	object bool   // an object stands here, perhaps beside a leaf
	leaf   *value // nil: none
	array  bool
	elems  []*node // of the array
	names  []string
	kids   map[string]*node
}

// kid returns the node for a key below n, made if need be.
func (n *node) kid(key string) *node {
	if k := n.kids[key]; k != nil {
		return k
	}
	if n.kids == nil {
		n.kids = make(map[string]*node)
	}
	k := &node{parent: n, key: key}
	n.kids[key] = k
	n.names = append(n.names, key)
	return k
}

// descend returns the node that a key, with its dots, leads to, or nil if an array has
// taken part of the way.
func (n *node) descend(key string) *node {
	for step := range strings.SplitSeq(key, ".") {
		if n.array {
			return nil
		}
		n.object = true
		n = n.kid(step)
	}
	return n
}

// line returns the nodes on the way from above, which is the event if nil, to n, but for
// the first.
func (n *node) line(above *node) (nodes []*node) {
	for ; n != above && n.parent != nil; n = n.parent {
		nodes = append(nodes, n)
	}
	slices.Reverse(nodes)
	return nodes
}

// where returns where n stands below a node, or in the event if that is nil: items[2].id.
func (n *node) where(above *node) string {
	var s strings.Builder
	for _, step := range n.line(above) {
		switch {
		case step.parent.array:
			s.WriteString("[" + strconv.Itoa(step.index) + "]")
		case s.Len() > 0:
			s.WriteString("." + step.key)
		default:
			s.WriteString(step.key)
		}
	}
	return s.String()
}

// path returns where n stands in the event without the indexes of elements: items.id.
func (n *node) path() string {
	var keys []string
	for _, step := range n.line(nil) {
		if !step.parent.array {
			keys = append(keys, step.key)
		}
	}
	return strings.Join(keys, ".")
}

// indexes returns the indexes of the elements that n is in: [2].
func (n *node) indexes() (s string) {
	for _, step := range n.line(nil) {
		if step.parent.array {
			s += "[" + strconv.Itoa(step.index) + "]"
		}
	}
	return s
}

// elements appends to dst n or, if it is an array, the nodes in it that are none; of one
// without elements n itself.
func (n *node) elements(dst []*node) []*node {
	if len(n.elems) == 0 {
		return append(dst, n)
	}
	for _, e := range n.elems {
		dst = e.elements(dst)
	}
	return dst
}

// byName adds to all, by their keys, the nodes below n that have a value: of each key the
// first in the event's order.
func (n *node) byName(all map[string]*node) {
	for _, e := range n.elems {
		e.byName(all)
	}
	for _, name := range n.names {
		kid := n.kids[name]
		if all[name] == nil && len(kid.leaves(nil, nil, 1)) > 0 {
			all[name] = kid
		}
		kid.byName(all)
	}
}

// leaves appends to dst the nodes with a leaf to which keys lead from n, through any
// element of the arrays on the way, until dst has most of them.
func (n *node) leaves(dst []*node, keys []string, most int) []*node {
	if n == nil || len(dst) >= most {
		return dst
	}
	for _, e := range n.elems {
		dst = e.leaves(dst, keys, most)
	}
	switch {
	case len(keys) > 0:
		return n.kids[keys[0]].leaves(dst, keys[1:], most)
	case n.leaf != nil && len(dst) < most:
		return append(dst, n)
	}
	return dst
}

// parseEvent reads a text that must be a JSON object.
func parseEvent(data []byte) (*node, *jsonwalk.SyntaxError) {
	if err := jsonwalk.Valid(data, jsonwalk.MaxDepth); err != nil {
		return nil, err
	}
	i := jsonwalk.Space(data, 0)
	if data[i] != '{' {
		return nil, &jsonwalk.SyntaxError{Offset: i, Msg: "want an object, got " + kindName(kindAt(data[i]))}
	}
	root := &node{}
	root.read(data, i)
	return root, nil
}

// read makes n the value at i of a valid text and returns the position behind it. A nil n
// is a value that counts for nothing.
func (n *node) read(data []byte, i int) int {
	switch data[i] {
	case '{':
		if n != nil && n.array {
			n = nil
		}
		if n != nil {
			n.object = true
		}
		i, more := jsonwalk.Open(data, i, '}')
		for more {
			end, _, _ := jsonwalk.String(data, i)
			key := unquote(data[i+1 : end-1])
			i, _ = jsonwalk.Colon(data, end)
			var kid *node
			if n != nil {
				kid = n.descend(key)
			}
			i, more, _ = jsonwalk.Next(data, kid.read(data, i), '}')
		}
		return i
	case '[':
		if n != nil && (n.array || n.object || n.leaf != nil) {
			n = nil
		}
		if n != nil {
			n.array = true
		}
		i, more := jsonwalk.Open(data, i, ']')
		for more {
			var e *node
			if n != nil {
				e = &node{parent: n, index: len(n.elems)}
				n.elems = append(n.elems, e)
			}
			i, more, _ = jsonwalk.Next(data, e.read(data, i), ']')
		}
		return i
	}
	v, end := parseScalar(data, i)
	if n != nil && !n.array && n.leaf == nil {
		n.leaf = &v
	}
	return end
}
