package match

import (
	"slices"
	"strings"
	"sync/atomic"
)

// An index finds the rules that an event matches. One goroutine at a time may change
// it while any number read it.
//
//	paths   a trie of the paths that rules name; the walk over an event's bytes
//	        follows it and skips what no rule asks for (walk.go)
//	access  each rule waits at one of its fields, its access field, for a value that
//	        this field may have: at the one that the fewest others wait at. So ten
//	        thousand rules on one source cost nothing until another of their fields
//	        is found (access.go)
//	guard   beside what waits stands a test of one or two other fields that costs
//	        next to nothing (guard.go)
//	verify  what passes is checked field by field (wake.go, arrays.go)
//
// A reader works on a [view]: as many rules as there were when it began, but for
// those that had been removed. That is what makes changes atomic. Removed rules stay
// until the index is made anew.
type index struct {
	top      pathNode
	view     atomic.Pointer[view]
	all      list[*rule]
	always   list[posting] // of rules all of whose fields may be absent
	nodes    uint32        // of the trie; the writer's, as are the fields below
	leaves   uint32
	objects  uint32 // nodes of the trie that have others below
	shared   bool   // some key has several patterns
	envelope *envelope
}

// A view is what a reader sees of an index. It is immutable.
type view struct {
	nodes, leaves, rules, keys uint32   // what is numbered beyond these is newer
	dead                       []uint64 // bit n: rule n was removed
	shared                     bool     // some key has several patterns
	envelope                   *envelope
}

func (v *view) sees(rule uint32) bool {
	return rule < v.rules && (int(rule/64) >= len(v.dead) || v.dead[rule/64]&(1<<(rule%64)) == 0)
}

// A pathNode is a node of the trie of paths.
type pathNode struct {
	path   string // keys from the top, joined with dots
	parent *pathNode
	slot   uint32 // number of the node, in the order of their making
	object uint32 // number of those with nodes below, likewise; written before the first is
	leaf   atomic.Pointer[leaf]
	leaves list[uint32] // numbers of the leaves here and below
	kids   table[textKey, *pathNode]
}

// kid returns the node for a key below n, or nil.
func (n *pathNode) kid(key string) *pathNode {
	if e := n.kids.find(textKey(key)); e != nil {
		return e.value
	}
	return nil
}

// A rule is a conjunction of a pattern in an index.
type rule struct {
	conj   *conjunction
	nodes  []*pathNode // of its fields
	steps  atomic.Pointer[nodeStep]
	number uint32 // in the order of their making
	key    uint32 // what its pattern is known by
	tied   bool   // it waits at several values, or its pattern has several rules: it may be waked twice
}

func newIndex() *index {
	x := &index{nodes: 1, envelope: &envelope{}}
	x.view.Store(&view{nodes: 1, envelope: x.envelope})
	return x
}

// add puts in the rules of a pattern and returns the number of the first. No reader
// sees them before the next publish.
func (x *index) add(key uint32, p *Pattern) uint32 {
	first := uint32(len(x.all.load()))
	for i := range p.any {
		c := &p.any[i]
		r := &rule{conj: c, nodes: make([]*pathNode, len(c.fields)), number: first + uint32(i), key: key, tied: len(p.any) > 1}
		for k, f := range c.fields {
			r.nodes[k] = x.leafNode(f.path.Value())
		}
		x.all.add(r)
		x.wait(r)
	}
	return first
}

// publish lets readers see what was added, and the rules whose numbers are in dead no
// more. There are that many keys.
func (x *index) publish(keys int, dead []uint32) {
	v := &view{x.nodes, x.leaves, uint32(len(x.all.load())), uint32(keys), x.view.Load().dead, x.shared, x.envelope}
	if len(dead) > 0 {
		v.dead = append(slices.Clone(v.dead), make([]uint64, max(0, int(v.rules+63)/64-len(v.dead)))...)
		for _, n := range dead {
			v.dead[n/64] |= 1 << (n % 64)
		}
	}
	x.view.Store(v)
}

// leafNode returns the node of a field's path, with a leaf.
func (x *index) leafNode(path string) *pathNode {
	n := x.node(path)
	if n.leaf.Load() == nil {
		n.leaf.Store(&leaf{number: x.leaves})
		n.leaves.add(x.leaves)
		for i := range len(path) {
			if path[i] == '.' {
				x.node(path[:i]).leaves.add(x.leaves)
			}
		}
		x.leaves++
	}
	return n
}

// node returns the node of a path.
func (x *index) node(path string) *pathNode {
	n := &x.top
	for end := 0; end <= len(path); end++ {
		k := strings.IndexByte(path[end:], '.')
		if k < 0 {
			k = len(path) - end
		}
		n = x.kidNode(n, path[end:end+k], path[:end+k])
		end += k
	}
	return n
}

func (x *index) kidNode(n *pathNode, key, path string) *pathNode {
	if e := n.kids.find(textKey(key)); e != nil {
		return e.value
	}
	if !n.kids.used() {
		n.object = x.objects
		x.objects++
	}
	kid := &pathNode{path: path, parent: n, slot: x.nodes}
	x.nodes++
	n.kids.insert(&entry[textKey, *pathNode]{textKey(key), kid})
	if n == &x.top {
		x.envelope = x.envelope.with(key, kid)
	}
	return kid
}

// wait makes r wait at the field that is the cheapest to wait at.
func (x *index) wait(r *rule) {
	best, bestCost := -1, 0
	guards := r.guards()
	for i := range r.conj.fields {
		v := r.conj.fields[i].values
		if v.absent() {
			continue
		}
		p := r.posting(i, guards, false)
		cost := r.nodes[i].leaf.Load().cost(v, p)
		if p.op == noGuard && len(r.nodes) > 1 {
			cost *= costNoGuard
		}
		if best < 0 || cost < bestCost {
			best, bestCost = i, cost
		}
	}
	if best < 0 {
		x.always.add(posting{rule: r.number, key: r.key, tied: r.tied})
		return
	}
	v := r.conj.fields[best].values
	r.tied = r.tied || len(v.literals())+len(v.tests()) > 1
	r.nodes[best].leaf.Load().wait(v, r.posting(best, guards, true))
}
