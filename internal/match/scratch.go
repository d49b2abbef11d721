package match

// A scratch is the working memory of one match. It is pooled: in the steady state a
// match allocates nothing.
//
// What an event holds at a path outside of arrays is in slots, by the path's number;
// what it holds inside of arrays is in tree. Entries of earlier matches are told by
// their stamp: no clearing.
type scratch struct {
	index *index // of the last match, unless it is one for many patterns
	stamp uint32
	view  *view
	slots []slot
	found []*pathNode // nodes with a leaf outside of arrays
	tree  []treeNode  // tree[0] is unused
	keys  []uint32    // stamp of the last match that returned a key
	rules []uint32    // stamp of the last match that tried a rule; of rules that may be waked twice
	hits  []uint32    // keys that match
	text  []byte      // unescaped strings
	lower []byte
	waked map[*postings]struct{} // by a part of a text
	memos [memoCount]*memo
	tail  tail // of the text

	strings bool // some node of tree is a string
	merged  bool // some object in tree has the same member twice
	linked  bool // the nodes of tree know what is below them
	waking  *value
	current int32    // the tree node whose value wakes now; outside: another value does
	address [17]byte // keys of tables
}

// A slot is what an event holds at a path outside of arrays.
type slot struct {
	stamp   uint32
	array   int32 // its node in tree; 0: none
	claimed bool  // by an object or a leaf
	parent  int32 // inside of arrays: the tree node whose member at this path was made last,
	member  int32 // and that member
	leaf    value // kind none: none
}

// A treeNode is a value inside of an array, or the array. What is below a node comes
// behind it in the tree, and before what is not, unless members were merged.
type treeNode struct {
	node        *pathNode
	leaf        value
	claimed     bool // by an object or a leaf
	array       bool
	parent      int32 // 0: none
	first, last int32 // of its elements or members; only once they are linked,
	next        int32 // as is this, the next of its siblings
}

// reset makes sc ready for a match on a view.
func (sc *scratch) reset(v *view) {
	sc.view = v
	if sc.stamp++; sc.stamp == 0 { // it has come round: old stamps mean nothing any more
		clear(sc.slots)
		clear(sc.keys)
		clear(sc.rules)
		sc.stamp = 1
	}
	sc.slots = atLeast(sc.slots, v.nodes)
	if sc.tree == nil {
		sc.tree = make([]treeNode, 1, 8)
	}
	sc.found, sc.hits, sc.text, sc.tree = sc.found[:0], sc.hits[:0], sc.text[:0], sc.tree[:1]
	sc.tail.start, sc.strings, sc.merged, sc.linked = -1, false, false, false
}

// isLarge reports whether an event of unusual size has made sc larger than what is worth
// keeping for the next.
func (sc *scratch) isLarge() bool {
	return cap(sc.tree) > 1<<14 || cap(sc.text) > 1<<20 || cap(sc.lower) > 1<<20
}

// smallEvent is the size of an event of which a pooled scratch may keep strings alive.
const smallEvent = 4096

// forget drops what is left of an event.
func (sc *scratch) forget() {
	for _, n := range sc.found {
		sc.slots[n.slot].leaf = value{}
	}
	clear(sc.tree)
}

// marked reports whether n is marked in marks, of the match with that stamp.
func marked(marks []uint32, n, stamp uint32) bool { return int(n) < len(marks) && marks[n] == stamp }

// mark marks n. Marks are made as long as size when the first is set: most matches need none.
func mark(marks *[]uint32, n, stamp, size uint32) {
	*marks = atLeast(*marks, size)
	(*marks)[n] = stamp
}

func atLeast[T any](s []T, n uint32) []T {
	if len(s) >= int(n) {
		return s
	}
	return append(s, make([]T, int(n)-len(s))...)
}

// claim returns the slot of n, made this match's if it is not, or nil for a node that is
// newer than the match.
func (sc *scratch) claim(n *pathNode) *slot {
	if n.slot >= sc.view.nodes {
		return nil
	}
	s := &sc.slots[n.slot]
	if s.stamp != sc.stamp {
		s.stamp, s.array, s.claimed, s.parent, s.leaf.kind = sc.stamp, 0, false, 0, none
	}
	return s
}
