package match

import (
	"sync"
	"sync/atomic"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A Set matches an event against many patterns, each under a key. The zero value is
// ready to use. Matching takes no lock and sees each change whole or not at all.
type Set[K comparable] struct {
	state     atomic.Pointer[setState[K]]
	scratches sync.Pool  // of *scratch
	shared    *sync.Pool // used in its place if it is not nil

	mu     sync.Mutex // guards the fields below, and serializes changes of state's index
	owners map[K]*owner
	live   int // patterns in the index
	dead   int // patterns in the index that were removed
}

// A setState is an index with the keys that it knows by their numbers.
type setState[K comparable] struct {
	index *index
	keys  list[K]
}

// An owner is a pattern of a key.
type owner struct {
	pattern *Pattern
	first   uint32 // number of its first rule
	key     uint32 // number of the key
	next    *owner // the key's next pattern
}

// Add adds a pattern to those of key. A nil pattern matches nothing.
func (s *Set[K]) Add(key K, p *Pattern) { s.change(nil, key, p) }

// Remove removes key with all its patterns.
func (s *Set[K]) Remove(key K) { s.change(&key, key, nil) }

// Replace removes old with all its patterns and adds p under key, in one step.
func (s *Set[K]) Replace(old, key K, p *Pattern) { s.change(&old, key, p) }

// change removes old, if it is not nil, and adds p under key, if that is not nil.
func (s *Set[K]) change(old *K, key K, p *Pattern) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if st == nil {
		st = &setState[K]{index: newIndex()}
		s.owners = make(map[K]*owner)
		s.state.Store(st)
	}
	var dead []uint32
	if old != nil {
		for o := s.owners[*old]; o != nil; o = o.next {
			for i := range o.pattern.any {
				dead = append(dead, o.first+uint32(i))
			}
			s.live--
			s.dead++
		}
		delete(s.owners, *old)
	}
	if p != nil {
		s.owners[key] = st.add(key, p, s.owners[key])
		s.live++
	}
	st.index.publish(len(st.keys.load()), dead)
	if s.dead > s.live { // which makes it cost as much as the removals, and keeps few keys that are gone
		s.compactLocked()
	}
}

// add adds a pattern to those of key, of which first is one, or nil.
func (st *setState[K]) add(key K, p *Pattern, first *owner) *owner {
	o := &owner{pattern: p, key: uint32(len(st.keys.load())), next: first}
	if first != nil {
		o.key = first.key
		st.index.shared = true
	} else {
		st.keys.add(key)
	}
	o.first = st.index.add(o.key, p)
	return o
}

// compactLocked makes the index anew without what is dead. Readers that have begun go
// on with the old one.
func (s *Set[K]) compactLocked() {
	st := &setState[K]{index: newIndex()}
	owners := make(map[K]*owner, len(s.owners))
	for key, first := range s.owners {
		for o := first; o != nil; o = o.next {
			owners[key] = st.add(key, o.pattern, owners[key])
		}
	}
	st.index.publish(len(st.keys.load()), nil)
	s.owners, s.dead = owners, 0
	s.state.Store(st)
}

// AppendMatches appends each key that has a pattern which event matches, once. The
// event must be a JSON object. It may stop as soon as it has seen all that patterns
// ask for: of an event that is not JSON it returns an error, with which nothing is
// appended, or the matches of what it has seen.
func (s *Set[K]) AppendMatches(dst []K, event []byte) ([]K, error) {
	w := walker{data: event, limit: jsonwalk.MaxDepth}
	return s.match(dst, &w, nil)
}

// AppendFieldsMatches is AppendMatches for an event given by its parts. It validates
// Detail: a JSON object with at most limit levels of nesting.
func (s *Set[K]) AppendFieldsMatches(dst []K, f *Fields, limit int) ([]K, error) {
	w := walker{data: f.Detail, limit: limit, validate: true}
	return s.match(dst, &w, f)
}

var noIndex = newIndex()

func (s *Set[K]) match(dst []K, w *walker, f *Fields) ([]K, error) {
	x, st := noIndex, s.state.Load()
	if st != nil {
		x = st.index
	}
	v := x.view.Load() // first: what it covers is there when the rest is loaded
	pool := &s.scratches
	if s.shared != nil {
		pool = s.shared
	}
	sc, _ := pool.Get().(*scratch)
	if sc == nil || s.shared == nil && sc.index != x { // it would keep the old index alive
		sc = &scratch{index: x}
	}
	sc.reset(v)
	w.sc, w.leaves, w.remaining = sc, v.leaves, v.leaves
	var err *jsonwalk.SyntaxError
	if f != nil {
		err = w.fields(f)
	} else {
		err = w.document(&x.top)
	}
	if err == nil {
		sc.run(x)
	}
	if len(sc.hits) > 0 {
		keys := st.keys.load()
		for _, k := range sc.hits {
			dst = append(dst, keys[k])
		}
	}
	if !sc.isLarge() {
		if len(w.data) > smallEvent {
			sc.forget()
		}
		pool.Put(sc)
	}
	if err != nil { // not err itself, which would be no nil
		return dst, err
	}
	return dst, nil
}

// ValidDetail returns an error unless data is a JSON object with at most limit levels
// of nesting.
func ValidDetail(data []byte, limit int) error {
	_, err := new(Set[int]).AppendFieldsMatches(nil, &Fields{Detail: data}, limit)
	return err
}
