package match

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
)

// ranges are the intervals of numeric: sorted ones in which a number finds those it
// lies in, and a few more that came since, which it is compared with one by one.
type ranges struct{ state atomic.Pointer[rangeState] }

// A rangeState is immutable, but that more is appended behind recent.
type rangeState struct {
	sorted []interval // by low; a balanced tree, the root in the middle
	recent []interval
}

type interval struct {
	low, high float64 // both belong to it; whether the number is exact is verified
	highest   float64 // in sorted: of the subtree
	posting   posting
}

func (r *ranges) count() int {
	if s := r.state.Load(); s != nil {
		return len(s.sorted) + len(s.recent)
	}
	return 0
}

// add adds an interval at which p waits.
func (r *ranges) add(i interval, p posting) {
	old := r.state.Load()
	if old == nil {
		old = &rangeState{}
	}
	i.posting = p
	s := &rangeState{old.sorted, append(old.recent, i)}
	if len(s.recent) > 16+len(s.sorted)/16 {
		s = &rangeState{sorted: merged(s.sorted, s.recent)}
		setHighest(s.sorted)
	}
	r.state.Store(s)
}

// merged returns the intervals of sorted and of recent by low. It changes neither.
func merged(sorted, recent []interval) []interval {
	byLow := func(a, b interval) int { return cmp.Compare(a.low, b.low) }
	recent = slices.SortedFunc(slices.Values(recent), byLow)
	all := make([]interval, 0, len(sorted)+len(recent))
	for len(sorted) > 0 && len(recent) > 0 {
		if byLow(recent[0], sorted[0]) < 0 {
			all, recent = append(all, recent[0]), recent[1:]
		} else {
			all, sorted = append(all, sorted[0]), sorted[1:]
		}
	}
	return append(append(all, sorted...), recent...)
}

func setHighest(tree []interval) float64 {
	if len(tree) == 0 {
		return math.Inf(-1)
	}
	root := len(tree) / 2
	tree[root].highest = max(tree[root].high, setHighest(tree[:root]), setHighest(tree[root+1:]))
	return tree[root].highest
}
