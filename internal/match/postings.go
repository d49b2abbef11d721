package match

import "sync/atomic"

// postings are those that wait for one value. Most often it is one.
type postings struct {
	first posting // there from the beginning; rule noRule: none
	id    uint32  // of a string: its number at the leaf, from 1 on
	more  atomic.Pointer[morePostings]
}

type morePostings struct {
	rest   list[posting]
	pairs  atomic.Pointer[pairs]
	ranges atomic.Pointer[guardRanges]
	total  int // the writer's
}

// pairs are postings whose guards want a string at one path, by its id: a value that
// wakes a thousand rules of a hundred sources looks at those of its source.
//
// Optimization: BenchmarkMixed prices it.
type pairs struct {
	slot uint32
	byID table[numberKey, list[posting]]
}

// guardRanges are postings whose guards want a number at one path, by their intervals.
type guardRanges struct {
	slot uint32
	ranges
}

// add lets one more wait.
func (p *postings) add(n posting) {
	m := p.more.Load()
	if m == nil {
		m = &morePostings{}
		defer p.more.Store(m)
	}
	m.total++
	if n.op == between {
		r := m.ranges.Load()
		if r == nil {
			r = &guardRanges{slot: n.slot}
			defer m.ranges.Store(r)
		}
		if r.slot == n.slot {
			r.add(n.interval(), n)
			return
		}
	}
	all := m.pairs.Load()
	if n.op != sameText || all != nil && all.slot != n.slot {
		m.rest.add(n)
		return
	}
	if all == nil {
		all = &pairs{slot: n.slot}
		defer m.pairs.Store(all)
	}
	id := numberKey(uint32(n.a))
	e := all.byID.find(id)
	if e == nil {
		e = &entry[numberKey, list[posting]]{key: id}
		e.value.add(n)
		all.byID.insert(e)
		return
	}
	e.value.add(n)
}

// count is how many a value wakes that wakes n, which is not there yet; total is how
// many wait.
func (p *postings) count(n posting) (count, total int) {
	if p.first.rule != noRule {
		count = 1
	}
	total = count
	m := p.more.Load()
	if m == nil {
		return count, total
	}
	count += len(m.rest.load())
	if r := m.ranges.Load(); n.op == between && r != nil && r.slot == n.slot {
		count += r.count() / intervalsPerHit
	}
	if all := m.pairs.Load(); n.op == sameText && all != nil && all.slot == n.slot {
		if e := all.byID.find(numberKey(uint32(n.a))); e != nil {
			count += len(e.value.load())
		}
	}
	return count, total + m.total
}

func addPosting[K tableKey](t *table[K, postings], key K, p posting) {
	if e := t.find(key); e != nil {
		e.value.add(p)
		return
	}
	e := &entry[K, postings]{key: key}
	e.value.first = p
	t.insert(e)
}

// countPostings is how many a value wakes that wakes p, if p waits in t for key.
func countPostings[K tableKey](t *table[K, postings], key K, p posting) int {
	if e := t.find(key); e != nil {
		count, _ := e.value.count(p)
		return count
	}
	return 0
}

func postingsOf[K tableKey](t *table[K, postings], key K) *postings {
	if e := t.find(key); e != nil {
		return &e.value
	}
	return nil
}
