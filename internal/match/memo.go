package match

import (
	"encoding/binary"
	"math/bits"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A memo is what a scratch remembers of the keys of the objects at one path: which
// comes behind which. Events repeat each other, so that the next key is most often the
// one that came last time; then it is compared and not read, and its node in the trie is
// known.
//
// Optimization: that the place of a value follows from the memo, not from the bytes of
// its key, lets the processor run ahead. BenchmarkParcels prices it.
//
// Who comes to a memo of another path makes it its own, and begins to learn with the next
// event: so a scratch that goes from pattern to pattern learns nothing in vain.
type memo struct {
	owner   *pathNode // whose keys they are
	nodes   uint32    // of the view by which they were looked up
	since   uint32    // stamp of the match that made it owner's
	count   int       // of entries that are used
	used    [memoKeys]uint8
	entries [memoKeys]memoKey
}

const (
	memoCount = 32 // of memos in a scratch; objects share them by their numbers
	memoKeys  = 64 // of a memo; keys share them by their bytes. Entry 0 stands before the first key.
	memoBytes = 21 // of a key at most, so that with its quotes and its colon it fits three words
)

// A memoKey is a key that was seen, with what stands behind it.
type memoKey struct {
	words, masks [3]uint64 // its bytes with its quotes and the colon behind it, little-endian
	node         *pathNode // that it leads to; nil: no rule asks for it
	size         uint8     // of words, in bytes; 0: none
	length       uint8     // of the string that it had for a value; 8 for one that is longer
	next         *memoKey  // the key that came behind it; never nil
}

// memoOf returns the memo of the objects at n.
func (sc *scratch) memoOf(n *pathNode) *memo {
	m := sc.memos[n.object%memoCount]
	if m == nil {
		m = &memo{}
		for i := range m.entries {
			m.entries[i].forget()
		}
		sc.memos[n.object%memoCount] = m
	}
	if m.owner != n || m.nodes != sc.view.nodes {
		m.owner, m.nodes, m.since = n, sc.view.nodes, sc.stamp
		for _, i := range m.used[:m.count] {
			m.entries[i].forget()
		}
		m.entries[0].forget()
		m.count = 0
	}
	return m
}

func (k *memoKey) forget() {
	*k = memoKey{words: [3]uint64{0xff}, masks: [3]uint64{0xff}, next: k} // no key begins with that byte
}

// A window is a part of a text that is long enough for the shortest ways through it:
// one check of its length does for all.
type window [64]byte

// A tail is the last bytes of a text with zeros behind them, for windows there.
type tail struct {
	bytes [2 * len(window{})]byte
	start int // of it in the text; negative: there is no tail yet
}

// window returns the text at i, which lies within data.
func (t *tail) window(data []byte, i int) *window {
	if i+len(window{}) <= len(data) {
		return (*window)(data[i : i+len(window{})])
	}
	return t.behind(data, i)
}

//go:noinline
func (t *tail) behind(data []byte, i int) *window {
	if t.start < 0 {
		t.start = max(0, len(data)-len(window{}))
		clear(t.bytes[copy(t.bytes[:], data[t.start:]):len(window{})])
	}
	return (*window)(t.bytes[i-t.start:])
}

// differs reports, if it is not 0, that w does not begin with k's key.
func (k *memoKey) differs(w *window) uint64 {
	return (binary.LittleEndian.Uint64(w[:])^k.words[0])&k.masks[0] |
		(binary.LittleEndian.Uint64(w[8:])^k.words[1])&k.masks[1] |
		(binary.LittleEndian.Uint64(w[16:])^k.words[2])&k.masks[2]
}

// pass passes over members that come as they came last time, that no rule asks for, and
// whose values are short strings without escapes. Its way leads from the quote of a key,
// at i, behind that of last, to the quote of another.
func pass(data []byte, i int, last *memoKey, t *tail) (int, *memoKey) {
	for i < len(data) {
		w, k := t.window(data, i), last.next
		at := int(k.size % 32)
		if k.node != nil || k.differs(w) != 0 || w[at] != '"' {
			break
		}
		length := int(k.length % 16)
		if n := bits.TrailingZeros64(jsonwalk.Stops(w[at+1:at+9])) / 8; n != length {
			length, k.length = n, uint8(n)
		}
		if length < 8 {
			end := at + 1 + length
			if binary.LittleEndian.Uint32(w[end:end+4])&0xffffff != nextMember {
				break
			}
			i, last = i+end+2, k
			continue
		}
		end := w.longEnd(at + 9)
		if binary.LittleEndian.Uint32(w[end:])&0xffffff != nextMember {
			break
		}
		i, last = i+end+2, k
	}
	return i, last
}

// nextMember is what stands between the text of a string and that of the next key.
const nextMember = '"' | ','<<8 | '"'<<16

// longEnd returns where a string ends, from at on, if it does within 16 bytes.
func (w *window) longEnd(at int) int {
	for range 2 {
		if stop := jsonwalk.Stops(w[at : at+8]); stop != 0 {
			return at + bits.TrailingZeros64(stop)/8
		}
		at += 8
	}
	return at
}

// learn returns the entry for the key that w begins with, which is size bytes long with
// its quotes and its colon, and remembers that it came behind k.
func (m *memo) learn(k *memoKey, w *window, size int) *memoKey {
	var words, masks [3]uint64
	h := uint64(size)
	for i := range words {
		switch left := size - 8*i; {
		case left >= 8:
			masks[i] = ^uint64(0)
		case left > 0:
			masks[i] = 1<<(8*left) - 1
		}
		words[i] = binary.LittleEndian.Uint64(w[8*i:]) & masks[i]
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15
	}
	at := m.place(h, &words, size)
	k.next = &m.entries[at]
	if k = k.next; k.size == 0 {
		m.used[m.count] = uint8(at)
		m.count++
	}
	if k.words != words || int(k.size) != size {
		*k = memoKey{words: words, masks: masks, node: m.owner.kid(bytesString(w[1 : size-2])), size: uint8(size), next: k.next}
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
