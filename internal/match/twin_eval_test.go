package match

import "strings"

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

// matches reports whether the event with the given root matches p.
func (p *Pattern) matches(event *node) bool {
	for i := range p.any {
		e := evaluator{p.any[i].fields, newSteps(p.any[i].fields)}
		if e.holds(e.root, event, 0, false) {
			return true
		}
	}
	return false
}

// An evaluator walks the trie of a conjunction's paths and an event's tree together.
type evaluator struct {
	fields []field
	root   *step
}

// A step is a node of that trie.
type step struct {
	path  string // that leads here
	key   string // its last key
	field int    // index of the field that ends here, or -1
	last  int    // largest index of a field that ends here or below
	kids  []*step
}

func newSteps(fields []field) *step {
	root := &step{field: -1}
	for i, f := range fields {
		s, path := root, f.path.Value()
		s.last = i // indexes ascend
		for end := 0; end <= len(path); end++ {
			n := strings.IndexByte(path[end:], '.')
			if n < 0 {
				n = len(path) - end
			}
			s = s.kid(path[:end+n], path[end:end+n])
			s.last = i
			end += n
		}
		s.field = i
	}
	return root
}

// kid returns the step for key, made if need be. The fields come in byte order, so
// that it is one of the last ones made: "a", "a-b", "a.b" is what may come between.
func (s *step) kid(path, key string) *step {
	for i := len(s.kids) - 1; i >= 0 && strings.HasPrefix(s.kids[i].key, key); i-- {
		if s.kids[i].key == key {
			return s.kids[i]
		}
	}
	k := &step{path: path, key: key, field: -1}
	s.kids = append(s.kids, k)
	return k
}

// holds reports whether the fields of s and below it, but for those with an index
// smaller than from, hold in n. With found, the field from, which is one of them,
// must be found and not absent. n is nil where the path leads nowhere.
func (e *evaluator) holds(s *step, n *node, from int, found bool) bool {
	if s.last < from {
		return true
	}
	if n != nil && n.array {
		return e.holdsInArray(s, n, from, found)
	}
	if s.field >= from {
		v := e.fields[s.field].values
		if n != nil && n.leaf.kind != none {
			if !v.holds(&n.leaf) {
				return false
			}
		} else if !v.absent() || found && s.field == from {
			return false
		}
	}
	for _, k := range s.kids {
		var kid *node
		if n != nil {
			kid = n.find(k.key)
		}
		if !e.holds(k, kid, from, found && e.isBelow(from, k)) {
			return false
		}
	}
	return true
}

// holdsInArray is holds for a node that is an array.
func (e *evaluator) holdsInArray(s *step, n *node, from int, found bool) bool {
	for i := from; i <= s.last; i++ {
		if !e.isBelow(i, s) {
			continue
		}
		f := e.fields[i]
		if !n.leads(below(f.path.Value(), s.path)) {
			if found || !f.values.absent() {
				return false
			}
			continue
		}
		for _, elem := range n.elems {
			if e.holds(s, elem, i, true) {
				return true
			}
		}
		return false
	}
	return true // all are absent
}

// isBelow reports whether field i is that of s or of a step below it.
func (e *evaluator) isBelow(i int, s *step) bool {
	path := e.fields[i].path.Value()
	return s.path == path || s == e.root || strings.HasPrefix(path, s.path) && path[len(s.path)] == '.'
}

// below returns the keys that lead from the path from to the path to, which begins with it.
func below(to, from string) []string {
	if to == from {
		return nil
	}
	return strings.Split(to[len(from)+1:], ".")
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
