package match

import (
	"strings"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// Events hold fields inside of arrays, too. Those that one match uses must be found
// in the same element of every array they share. In a tree that means: wherever the
// walk of a rule's paths comes to an array, all fields below it are looked for in one
// element together. That is why one walk of the tree decides, and no choice of
// elements has to be tried against another.
//
// Absence adds an order: a field may be absent in the elements that the fields
// before it were found in. So at an array the first field that is found, not
// absent, picks the element; those before it must be absent in the whole array, and
// those behind it are judged inside that element.
//
// Only what is inside of arrays becomes a tree; events without arrays at the paths
// that rules name never come here.

// newTree appends a node to the tree, the last one below parent if that is not 0.
//
// Optimization: of a node that is used again only what has to be is set, its leaf's kind
// alone, and the links between nodes when they are asked for.
// BenchmarkParcels/numeric-in-array prices it.
func (w *walker) newTree(n *pathNode, parent int32) int32 {
	tree := w.sc.tree
	i := len(tree)
	if i == cap(tree) {
		tree = append(tree, treeNode{})
	}
	tree = tree[:i+1]
	t := &tree[i]
	t.node, t.parent, t.claimed, t.array, t.leaf.kind = n, parent, false, false, none
	w.sc.tree = tree
	return int32(i)
}

// link links the nodes of the tree, if that has not been done.
func (sc *scratch) link() {
	if sc.linked {
		return
	}
	sc.linked = true
	for i := range sc.tree {
		t := &sc.tree[i]
		t.first, t.next, t.last = 0, 0, 0
		if t.parent == 0 {
			continue
		}
		p := &sc.tree[t.parent] // which comes before
		if p.last == 0 {
			p.first = int32(i)
		} else {
			sc.tree[p.last].next = int32(i)
		}
		p.last = int32(i)
	}
}

// array reads the array at i, which takes the slot s of n. What rules ask for at n and
// below is found then, or will not be.
func (w *walker) array(n *pathNode, s *slot, i, depth int) (int, *jsonwalk.SyntaxError) {
	s.array = w.newTree(n, 0)
	w.sc.tree[s.array].array = true
	end, err := w.elements(s.array, i, depth)
	for _, leaf := range n.leaves.load() {
		if leaf < w.leaves {
			w.remaining--
		}
	}
	return end, err
}

// elements reads the elements of the array at i, which is tree node t.
func (w *walker) elements(t int32, i, depth int) (int, *jsonwalk.SyntaxError) {
	if depth >= w.limit {
		return i, jsonwalk.ErrorDepth(i, w.limit)
	}
	n := w.sc.tree[t].node
	i, more := jsonwalk.Open(w.data, i, ']')
	for more {
		var err *jsonwalk.SyntaxError
		if i < len(w.data) && w.data[i] == '[' {
			// Its elements become t's: what shares one of them shares this one.
			i, err = w.elements(t, i, depth+1)
		} else {
			i, err = w.treeValue(w.newTree(n, t), n, i, depth+1)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = jsonwalk.Next(w.data, i, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// treeValue reads the value at i, which is tree node t, at n.
func (w *walker) treeValue(t int32, n *pathNode, i, depth int) (int, *jsonwalk.SyntaxError) {
	v := &w.sc.tree[t]
	if i >= len(w.data) || v.array {
		return w.pass(i, depth)
	}
	switch w.data[i] {
	case '{':
		v.claimed = true
		if n.kids.used() {
			return w.object(n, t, i, depth)
		}
	case '[':
		if !v.claimed {
			v.array = true
			return w.elements(t, i, depth)
		}
	default:
		v.claimed = true
		if v.leaf.kind == none && n.leaf.Load() != nil {
			end, err := w.scalar(&v.leaf, i)
			w.sc.strings = w.sc.strings || v.leaf.kind == str
			return end, err
		}
	}
	return w.pass(i, depth)
}

// treeFind is find for a tree node: it returns the one that a key with dots or escapes
// leads to, made if need be, or 0.
func (w *walker) treeFind(t int32, text []byte) int32 {
	for key := w.unquoted(text); ; {
		step, rest, dotted := strings.Cut(key, ".")
		n := w.sc.tree[t].node.kid(step)
		if n == nil {
			return 0
		}
		if t = w.treeMember(t, n); !dotted {
			return t
		}
		if w.sc.tree[t].array {
			return 0
		}
		w.sc.tree[t].claimed = true
		key = rest
	}
}

// treeMember returns the member of t at n, made if need be. An object's members are read
// before those of another object at its path: so if t has one at n, it is the last.
func (w *walker) treeMember(t int32, n *pathNode) int32 {
	s := w.sc.claim(n)
	if s == nil { // newer than the match, and so nothing that it needs
		return w.newTree(n, t)
	}
	if s.parent == t {
		w.sc.merged = true
	} else {
		s.parent, s.member = t, w.newTree(n, t)
	}
	return s.member
}

func (sc *scratch) treeKid(t int32, n *pathNode) int32 {
	for k := sc.tree[t].first; k != 0; k = sc.tree[k].next {
		if sc.tree[k].node == n {
			return k
		}
	}
	return 0
}

// A nodeStep is a node of the trie of a rule's own paths.
type nodeStep struct {
	node  *pathNode
	field int // index of the field that ends here, or -1
	last  int // largest index of a field that ends here or below
	kids  []*nodeStep
}

// stepsOf returns that trie. It is made when an event first needs it: most rules
// never do.
func (x *index) stepsOf(r *rule) *nodeStep {
	if s := r.steps.Load(); s != nil {
		return s
	}
	root := &nodeStep{node: &x.top, field: -1}
	for i, f := range r.conj.fields {
		s := root
		s.last = i // indexes ascend
		for key := range strings.SplitSeq(f.path.Value(), ".") {
			s = s.kid(s.node.kid(key))
			s.last = i
		}
		s.field = i
	}
	r.steps.Store(root)
	return root
}

// kid returns the step for n, made if need be. Fields come in byte order, so that it
// is one of the last made: those whose keys begin with n's may come between.
func (s *nodeStep) kid(n *pathNode) *nodeStep {
	for i := len(s.kids) - 1; i >= 0 && strings.HasPrefix(s.kids[i].node.path, n.path); i-- {
		if s.kids[i].node == n {
			return s.kids[i]
		}
	}
	k := &nodeStep{node: n, field: -1}
	s.kids = append(s.kids, k)
	return k
}

// Where the walk of a rule's paths stands in an event: outside of arrays (the slot of
// the step's node), nowhere, or at a tree node.
const (
	outside = 0
	nowhere = -1
)

// holds reports whether the fields of s and below it, but for those with an index
// smaller than from, hold at t. With found, the field from, which is one of them,
// must be found and not absent.
func (sc *scratch) holds(r *rule, s *nodeStep, t int32, from int, found bool) bool {
	if s.last < from {
		return true
	}
	var leaf *value
	switch t {
	case nowhere:
	case outside:
		if slot := sc.claim(s.node); slot != nil {
			if slot.array != 0 {
				return sc.holdsInArray(r, s, slot.array, from, found)
			}
			leaf = &slot.leaf
		}
	default:
		if sc.tree[t].array {
			return sc.holdsInArray(r, s, t, from, found)
		}
		leaf = &sc.tree[t].leaf
	}
	if s.field >= from {
		v := r.conj.fields[s.field].values
		if leaf != nil && leaf.kind != none {
			if !v.holds(leaf) {
				return false
			}
		} else if !v.absent() || found && s.field == from {
			return false
		}
	}
	for _, k := range s.kids {
		kid := t
		if t > 0 {
			if kid = sc.treeKid(t, k.node); kid == 0 {
				kid = nowhere
			}
		}
		if !sc.holds(r, k, kid, from, found && r.isBelow(from, k)) {
			return false
		}
	}
	return true
}

// holdsInArray is holds at an array. Only for the first field that has a leaf in the
// array are its elements tried: those before it are absent, and it must be found.
func (sc *scratch) holdsInArray(r *rule, s *nodeStep, t int32, from int, found bool) bool {
	for i := from; i <= s.last; i++ {
		if !r.isBelow(i, s) {
			continue
		}
		if !sc.hasLeaf(t, r.nodes[i]) {
			if found || !r.conj.fields[i].values.absent() {
				return false
			}
			continue
		}
		for e := sc.tree[t].first; e != 0; e = sc.tree[e].next {
			if sc.holds(r, s, e, i, true) {
				return true
			}
		}
		return false
	}
	return true // all are absent
}

// isBelow reports whether field i is that of s or of a step below it.
func (r *rule) isBelow(i int, s *nodeStep) bool {
	path, above := r.nodes[i].path, s.node.path
	return r.nodes[i] == s.node || s.node.slot == 0 || len(path) > len(above) && path[len(above)] == '.' && strings.HasPrefix(path, above)
}

// hasLeaf reports whether a leaf stands at n, in t or below it.
func (sc *scratch) hasLeaf(t int32, n *pathNode) bool {
	if sc.tree[t].node == n && sc.tree[t].leaf.kind != none {
		return true
	}
	for k := sc.tree[t].first; k != 0; k = sc.tree[k].next {
		if sc.hasLeaf(k, n) {
			return true
		}
	}
	return false
}
