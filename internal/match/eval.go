package match

// Fields that an event holds inside arrays must be found in the same element of
// every array they share. In a tree that means: wherever the walk of a
// conjunction's trie comes to an array, all fields below it are looked for in one
// element together. That is why one walk of the tree decides, and no choice of
// elements has to be tried against another.
//
// Absence adds an order: a field may be absent in the elements that the fields
// before it were found in. So at an array the first field that is found, not
// absent, picks the element; those before it must be absent in the whole array, and
// those behind it are judged inside that element.

// matches reports whether the event with the given root matches p; nothing matches nil.
func (p *Pattern) matches(event *node) bool {
	if p == nil {
		return false
	}
	for _, c := range p.any {
		if c.holds(c.root, event, 0, false) {
			return true
		}
	}
	return false
}

// holds reports whether the fields of s and below it, but for those with an index
// smaller than from, hold in n. With found, the field from, which is one of them,
// must be found and not absent. n is nil where the path leads nowhere.
func (c *conjunction) holds(s *step, n *node, from int, found bool) bool {
	if s.last < from {
		return true
	}
	if n != nil && n.array {
		return c.holdsInArray(s, n, from, found)
	}
	if s.field >= from {
		v := c.fields[s.field].values
		if n != nil && n.leaf.kind != none {
			if !v.holds(n.leaf) {
				return false
			}
		} else if !v.absent || found && s.field == from {
			return false
		}
	}
	for _, k := range s.kids {
		var kid *node
		if n != nil {
			kid = n.find(k.key)
		}
		if !c.holds(k, kid, from, found && c.isBelow(from, k)) {
			return false
		}
	}
	return true
}

// holdsInArray is holds for a node that is an array.
func (c *conjunction) holdsInArray(s *step, n *node, from int, found bool) bool {
	for i := from; i <= s.last; i++ {
		if !c.isBelow(i, s) {
			continue
		}
		for _, elem := range n.elems {
			if c.holds(s, elem, i, true) {
				return true
			}
		}
		f := c.fields[i]
		if found || !f.values.absent || n.leads(f.path.keys(s.depth)) {
			return false
		}
	}
	return true // all are absent
}

// isBelow reports whether field i is that of s or of a step below it.
func (c *conjunction) isBelow(i int, s *step) bool {
	p := c.fields[i].path
	for p.depth > s.depth {
		p = p.parent
	}
	return p == s.path
}

// leads reports whether there is a leaf where keys lead to from n, in any element
// of the arrays on the way.
func (n *node) leads(keys []string) bool {
	if n == nil {
		return false
	}
	for _, elem := range n.elems {
		if elem.leads(keys) {
			return true
		}
	}
	if len(keys) == 0 {
		return n.leaf.kind != none
	}
	return n.find(keys[0]).leads(keys[1:])
}
