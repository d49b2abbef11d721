package explain

import "strings"

// All fields that one match uses must be found in the same element of every array that
// they share. In a tree that means: wherever the walk of the fields' paths comes to an
// array, all that is below it is looked for in one element together.
//
// Absence adds an order: a field may be absent in the elements that the fields before it
// were found in. So at an array the first field that is found picks the element; those
// before it must be absent in the whole array, those behind it are judged in that element.

// A step is a node of the trie of the fields' paths.
type step struct {
	path  string // that leads here; the top has none
	top   bool
	key   string
	field int // index of the field that ends here, or -1
	last  int // largest index of a field that ends here or below
	kids  []*step
}

func newSteps(fields []*field) *step {
	top := &step{top: true, field: -1}
	for i, f := range fields {
		s, end := top, -1
		s.last = i // indexes ascend
		for _, key := range f.keys {
			end += 1 + len(key)
			s = s.kid(key, f.path[:end])
			s.last = i
		}
		s.field = i
	}
	return top
}

func (s *step) kid(key, path string) *step {
	for _, k := range s.kids {
		if k.key == key {
			return k
		}
	}
	k := &step{path: path, key: key, field: -1}
	s.kids = append(s.kids, k)
	return k
}

// An evaluation looks for fields, in byte order of their paths, in an event.
type evaluation struct {
	fields []*field
	picks  []*node // by field: where it was found; nil: it is absent
}

// evaluate reports whether all fields hold in an event, and where each was found.
func evaluate(fields []*field, event *node) (picks []*node, ok bool) {
	e := evaluation{fields, make([]*node, len(fields))}
	ok = e.holds(newSteps(fields), event, 0, false)
	return e.picks, ok
}

// holds reports whether the fields of s and below it, but for those with an index smaller
// than from, hold in n. With found, the field from, which is one of them, must be found
// and not absent. n is nil where the path leads nowhere.
func (e *evaluation) holds(s *step, n *node, from int, found bool) bool {
	if s.last < from {
		return true
	}
	if n != nil && n.array {
		return e.holdsInArray(s, n, from, found)
	}
	if s.field >= from {
		f := e.fields[s.field]
		e.picks[s.field] = nil
		if n != nil && n.leaf != nil {
			if !f.holds(n.leaf) {
				return false
			}
			e.picks[s.field] = n
		} else if !f.mayBeAbsent() || found && s.field == from {
			return false
		}
	}
	for _, k := range s.kids {
		var kid *node
		if n != nil {
			kid = n.kids[k.key]
		}
		if !e.holds(k, kid, from, found && k.leadsTo(e.fields[from])) {
			return false
		}
	}
	return true
}

func (e *evaluation) holdsInArray(s *step, n *node, from int, found bool) bool {
	for i := from; i <= s.last; i++ {
		f := e.fields[i]
		if !s.leadsTo(f) {
			continue
		}
		if len(n.leaves(nil, s.rest(f), 1)) == 0 {
			if found || !f.mayBeAbsent() {
				return false
			}
			e.picks[i] = nil
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

// leadsTo reports whether f is the field of s or of a step below it.
func (s *step) leadsTo(f *field) bool {
	return s.top || f.path == s.path || len(f.path) > len(s.path) && f.path[len(s.path)] == '.' && strings.HasPrefix(f.path, s.path)
}

// rest returns the keys that lead from s to f.
func (s *step) rest(f *field) []string {
	if s.top {
		return f.keys
	}
	return f.keys[strings.Count(s.path, ".")+1:]
}
