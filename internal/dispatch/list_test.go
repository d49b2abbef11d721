package dispatch

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered is a Work that is told from others by its number.
type numbered struct {
	Link
	n int
}

func (*numbered) Attempt(*Verdict)         {}
func (*numbered) Abandon(Reason, *Verdict) {}

// contents returns what is in l, first to last.
func (l *list) contents() []Work {
	all := []Work{}
	for w := l.first; w != nil; w = w.link().next {
		all = append(all, w)
	}
	return all
}

// A list behaves as a plain slice does, whatever is put in, taken out and cut.
func TestListIsASlice(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var l list
		model := []Work{}
		pushes := 0
		for step := range 1000 {
			if step%100 == 0 {
				pushes = r.IntN(11) // of ten operations
			}
			switch {
			case r.IntN(10) < pushes:
				w := &numbered{n: step}
				l.pushBack(w)
				model = append(model, w)
			case r.IntN(20) == 0:
				n := r.IntN(len(model) + 1)
				cut := slices.Clone(model[n:])
				slices.Reverse(cut)
				model = model[:n]
				require.Equal(t, cut, l.cut(n), "seed %d, step %d", seed, step)
			case len(model) > 0:
				require.Same(t, model[0], l.popFront(), "seed %d, step %d", seed, step)
				model = model[1:]
			}
			require.Equal(t, model, l.contents(), "seed %d, step %d", seed, step)
			require.Equal(t, len(model), l.len())
			require.Equal(t, len(model) == 0, l.last == nil)
		}
	}
}

// What was taken out keeps nothing of the list alive, nor the list it.
func TestListForgetsWhatIsTakenOut(t *testing.T) {
	var l list
	all := []*numbered{{}, {}, {}, {}}
	for _, w := range all {
		l.pushBack(w)
	}
	l.cut(2)
	l.popFront()
	l.popFront()
	assert.Zero(t, l)
	for _, w := range all {
		assert.Zero(t, w.Link)
	}
}
