package match

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// Match reports whether event, which must be a JSON object, matches p.
func (p *Pattern) Match(event []byte) (bool, error) {
	root := &node{}
	if err := parseObject(root, event, jsonwalk.MaxDepth); err != nil {
		return false, err
	}
	return p.matches(root), nil
}

// A Set matches an event against many patterns, each under a key. The zero value is
// ready to use. Matching takes no lock and sees each change whole or not at all.
type Set[K comparable] struct {
	mu      sync.Mutex // serializes writers
	entries atomic.Pointer[[]entry[K]]
}

// An entry is a key with its patterns. It is immutable.
type entry[K comparable] struct {
	key      K
	patterns []*Pattern
}

// Add adds a pattern to those of key.
func (s *Set[K]) Add(key K, p *Pattern) {
	s.update(func(all []entry[K]) []entry[K] {
		i := slices.IndexFunc(all, func(e entry[K]) bool { return e.key == key })
		if i < 0 {
			return append(all, entry[K]{key, []*Pattern{p}})
		}
		all[i].patterns = append(slices.Clip(all[i].patterns), p)
		return all
	})
}

// Remove removes key with all its patterns.
func (s *Set[K]) Remove(key K) {
	s.update(func(all []entry[K]) []entry[K] {
		return slices.DeleteFunc(all, func(e entry[K]) bool { return e.key == key })
	})
}

// Replace removes old with all its patterns and adds p under key, in one step.
func (s *Set[K]) Replace(old, key K, p *Pattern) {
	s.update(func(all []entry[K]) []entry[K] {
		all = slices.DeleteFunc(all, func(e entry[K]) bool { return e.key == old })
		return append(all, entry[K]{key, []*Pattern{p}})
	})
}

// update publishes what change makes of a copy of the entries.
func (s *Set[K]) update(change func([]entry[K]) []entry[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := change(slices.Clone(s.load()))
	s.entries.Store(&all)
}

func (s *Set[K]) load() []entry[K] {
	if all := s.entries.Load(); all != nil {
		return *all
	}
	return nil
}

// AppendMatches appends each key that has a pattern which event matches. The event
// must be a JSON object; with an error nothing is appended.
func (s *Set[K]) AppendMatches(dst []K, event []byte) ([]K, error) {
	root := &node{}
	if err := parseObject(root, event, jsonwalk.MaxDepth); err != nil {
		return dst, err
	}
	return s.appendMatches(dst, root), nil
}

// AppendFieldsMatches is AppendMatches for an event given by its parts. It
// validates Detail: a JSON object with at most limit levels of nesting.
func (s *Set[K]) AppendFieldsMatches(dst []K, f *Fields, limit int) ([]K, error) {
	root := &node{}
	if err := f.parse(root, limit); err != nil {
		return dst, err
	}
	return s.appendMatches(dst, root), nil
}

// ValidDetail returns an error unless data is a JSON object with at most limit levels
// of nesting.
func ValidDetail(data []byte, limit int) error {
	if err := parseObject(&node{}, data, limit); err != nil {
		return err
	}
	return nil
}

func (s *Set[K]) appendMatches(dst []K, root *node) []K {
	for _, e := range s.load() {
		if slices.ContainsFunc(e.patterns, func(p *Pattern) bool { return p.matches(root) }) {
			dst = append(dst, e.key)
		}
	}
	return dst
}
