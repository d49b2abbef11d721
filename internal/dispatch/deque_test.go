package dispatch

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered is a Work that is told from others by its number.
type numbered int

func (numbered) Attempt(*Verdict)         {}
func (numbered) Abandon(Reason, *Verdict) {}

// contents returns what is in d, first to last.
func (d *deque) contents() []item {
	all := []item{}
	for i := range d.len() {
		all = append(all, *d.at(i))
	}
	return all
}

// The ring behaves as a plain slice does, whatever is put in and taken out, while it grows and shrinks.
func TestDequeIsASlice(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var d deque
		model := []item{}
		pushes := 0
		for step := range 3000 {
			if step%200 == 0 {
				pushes = r.IntN(11) // of ten operations
			}
			it := item{work: numbered(step)}
			back := r.IntN(2) == 0
			switch push := r.IntN(10) < pushes; {
			case push:
				d.pushBack(it)
				model = append(model, it)
			case len(model) == 0:
			case back:
				require.True(t, model[len(model)-1] == d.popBack(), "seed %d, step %d", seed, step)
				model = model[:len(model)-1]
			default:
				require.True(t, model[0] == d.popFront(), "seed %d, step %d", seed, step)
				model = model[1:]
			}
			if step%50 == 0 {
				require.Equal(t, model, d.contents(), "seed %d, step %d", seed, step)
			}
			checkRing(t, &d)
		}
	}
}

// checkRing holds the bounds of a ring: a power of two, at most four times what is
// in it if it is not small.
func checkRing(t *testing.T, d *deque) {
	size := len(d.ring)
	if size&(size-1) != 0 || d.count > size || size > smallRing && d.count <= size/4 {
		require.Fail(t, "ring out of bounds", "length %d with %d items", size, d.count)
	}
}

// A ring grows as it is filled, and gives its memory back when it is drained, from
// either end.
func TestDequeGrowsAndShrinks(t *testing.T) {
	for name, pop := range map[string]func(*deque) item{"front": (*deque).popFront, "back": (*deque).popBack} {
		var d deque
		assert.Zero(t, len(d.ring), "an empty deque has no ring")
		for i := range 100_000 {
			d.pushBack(item{work: numbered(i)})
		}
		assert.Equal(t, 1<<17, len(d.ring))
		for d.len() > 0 {
			pop(&d)
			checkRing(t, &d)
		}
		assert.LessOrEqual(t, len(d.ring), smallRing, "drained from the %s", name)
	}
}

// What was taken out is not kept alive by the ring.
func TestDequeForgetsWhatIsTakenOut(t *testing.T) {
	var d deque
	for i := range 10 {
		d.pushBack(item{work: numbered(i)})
	}
	for d.len() > 0 {
		d.popFront()
		if d.len() > 0 {
			d.popBack()
		}
	}
	for _, it := range d.ring {
		assert.Zero(t, it)
	}
}

// A full ring goes round: many items pass through one that does not grow.
func TestDequeGoesRound(t *testing.T) {
	var d deque
	for i := range 4 {
		d.pushBack(item{work: numbered(i)})
	}
	for i := range 1000 {
		require.Equal(t, numbered(i), d.popFront().work)
		d.pushBack(item{work: numbered(i + 4)})
	}
	assert.Len(t, d.ring, 4)
}
