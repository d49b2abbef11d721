package match

import "github.com/footbridge-go/footbridge/internal/jsonwalk"

// A memo is what a scratch remembers of the keys of the objects at one path: which
// comes behind which. Events repeat each other, so that the next key is most often the
// one that came last time; then it is compared and not read, and its node in the trie is
// known.
//
// Optimization: that the place of a value follows from the memo, not from the bytes of
// its key, lets the processor run ahead. BenchmarkParcels prices it.
type memo struct {
	owner   *pathNode // whose keys they are
	nodes   uint32    // of the view by which they were looked up
	entries [memoKeys]memoKey
}

const (
	memoCount = 32 // of memos in a scratch; paths share them by their numbers
	memoKeys  = 64 // of a memo; keys share them by their bytes. Entry 0 stands before the first key.
	memoBytes = 22 // of a key at most, so that with its quote and colon it fits three words
)

// A memoKey is a key that was seen, with what stands behind it.
type memoKey struct {
	words, masks [3]uint64 // its bytes with the quote and the colon behind it, little-endian
	node         *pathNode // that it leads to; nil: no rule asks for it
	size         uint8     // of words, in bytes; 0: none
	next         uint8     // the entry of the key that came behind it
}

// memoOf returns the memo of the objects at n.
func (sc *scratch) memoOf(n *pathNode) *memo {
	m := sc.memos[n.slot%memoCount]
	if m == nil || m.owner != n || m.nodes != sc.view.nodes {
		if m == nil {
			m = &memo{}
			sc.memos[n.slot%memoCount] = m
		}
		*m = memo{owner: n, nodes: sc.view.nodes}
		for i := range m.entries {
			m.entries[i].words[0] = 1 // what no bytes are under a mask of 0
		}
	}
	return m
}

// is reports whether the text at i, behind a quote, is k's key. There are 24 bytes.
func (k *memoKey) is(data []byte, i int) bool {
	return jsonwalk.Load(data, i)&k.masks[0] == k.words[0] && jsonwalk.Load(data, i+8)&k.masks[1] == k.words[1] &&
		jsonwalk.Load(data, i+16)&k.masks[2] == k.words[2]
}

// learn returns the entry for the key at i, behind a quote, which is size bytes long with
// its quote and colon, and remembers that it came behind k. There are 24 bytes.
func (m *memo) learn(k *memoKey, data []byte, i, size int) *memoKey {
	var words, masks [3]uint64
	h := uint64(size)
	for w := range words {
		switch left := size - 8*w; {
		case left >= 8:
			masks[w] = ^uint64(0)
		case left > 0:
			masks[w] = 1<<(8*left) - 1
		}
		words[w] = jsonwalk.Load(data, i+8*w) & masks[w]
		h = (h ^ words[w]) * 0x9e3779b97f4a7c15
	}
	e := m.place(h, &words, size)
	k.next = uint8(e)
	k = &m.entries[e]
	if k.words != words || int(k.size) != size {
		*k = memoKey{words: words, masks: masks, node: m.owner.kid(bytesString(data[i : i+size-2])), size: uint8(size), next: k.next}
	}
	return k
}

// place returns the number of the entry for a key whose hash is h: its own or an empty
// one among a few, or the first of those.
func (m *memo) place(h uint64, words *[3]uint64, size int) int {
	const few = 4
	first := int(h>>32%(memoKeys-few)) + 1
	for i := first; i < first+few; i++ {
		if e := &m.entries[i]; e.size == 0 || e.words == *words && int(e.size) == size {
			return i
		}
	}
	return first
}
