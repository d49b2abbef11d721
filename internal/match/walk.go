package match

import (
	"bytes"
	"sync"
	"time"
	"unsafe"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// A scratch is the working memory of one match. It is pooled: in the steady state a
// match allocates nothing.
//
// What an event holds at a path outside of arrays is in slots, by the path's number;
// what it holds inside of arrays is in tree. Entries of earlier matches are told by
// their stamp: no clearing.
type scratch struct {
	stamp uint32
	view  *view
	slots []slot
	found []*pathNode // nodes with a leaf outside of arrays
	tree  []treeNode  // tree[0] is unused
	keys  []uint32    // stamp of the last match that returned a key
	rules []uint32    // stamp of the last match that tried a rule; of rules that may be waked twice
	hits  []uint32    // keys that match
	text  []byte      // unescaped strings
	lower []byte
	grams []*entry[postings]
}

// A slot is what an event holds at a path outside of arrays.
type slot struct {
	stamp   uint32
	array   int32 // its node in tree; 0: none
	claimed bool  // by an object or a leaf
	leaf    value // kind none: none
}

// A treeNode is a value inside of an array, or the array.
type treeNode struct {
	node        *pathNode
	leaf        value
	claimed     bool // by an object or a leaf
	array       bool
	first, next int32 // of its elements or members; the next of its siblings
	last        int32
}

var scratches = sync.Pool{New: func() any { return &scratch{tree: make([]treeNode, 1, 64)} }}

// reset makes sc ready for a match on a view.
func (sc *scratch) reset(v *view) {
	sc.view = v
	if sc.stamp++; sc.stamp == 0 { // it has come round: old stamps mean nothing any more
		clear(sc.slots)
		clear(sc.keys)
		clear(sc.rules)
		sc.stamp = 1
	}
	sc.slots = atLeast(sc.slots, v.nodes)
	sc.keys = atLeast(sc.keys, v.keys)
	sc.rules = atLeast(sc.rules, v.rules)
	sc.found, sc.hits, sc.text, sc.tree = sc.found[:0], sc.hits[:0], sc.text[:0], sc.tree[:1]
}

func atLeast[T any](s []T, n uint32) []T {
	if len(s) >= int(n) {
		return s
	}
	return append(s, make([]T, int(n)-len(s))...)
}

// slotOf returns the slot of a node, or nil for one that is newer than the match.
func (sc *scratch) slotOf(n *pathNode) *slot {
	if n.slot >= sc.view.nodes {
		return nil
	}
	return &sc.slots[n.slot]
}

// claim returns the slot of n, made this match's if it is not.
func (sc *scratch) claim(n *pathNode) *slot {
	s := sc.slotOf(n)
	if s != nil && s.stamp != sc.stamp {
		s.stamp, s.array, s.claimed, s.leaf.kind = sc.stamp, 0, false, none
	}
	return s
}

// A walker reads an event's bytes into a scratch. It follows the trie of the paths
// that rules name, and passes over all else.
//
// Objects are transparent: one that comes again under the same key adds its fields
// to the first, and a key with dots is the same as nested objects. At each path the
// first value counts that is not an object. An array takes its path for itself: what
// comes there after it is ignored, as it is ignored after anything else.
type walker struct {
	sc        *scratch
	data      []byte
	leaves    uint32 // paths with a number below it count
	remaining uint32 // of those, how many have not been found: at 0 the walk may stop
	validate  bool   // the whole text is to be JSON
	arrays    bool   // some array was above a path: remaining is too high from then on
	limit     int    // levels of nesting
}

// done reports whether the walk may stop.
func (w *walker) done() bool { return w.remaining == 0 && !w.validate && !w.arrays }

// pass returns the position behind a value that no rule asks for.
func (w *walker) pass(i, depth int) (int, *jsonwalk.SyntaxError) {
	if w.validate {
		return jsonwalk.Skip(w.data, i, depth, w.limit)
	}
	return jsonwalk.Pass(w.data, i)
}

// document reads the whole text, which must be an object, below n.
func (w *walker) document(n *pathNode) *jsonwalk.SyntaxError {
	i := jsonwalk.Space(w.data, 0)
	if i >= len(w.data) || w.data[i] != '{' {
		if err := jsonwalk.Valid(w.data, w.limit); err != nil {
			return err
		}
		return &jsonwalk.SyntaxError{Offset: i, Msg: "want an object, got " + kindAt(w.data[i]).String()}
	}
	var err *jsonwalk.SyntaxError
	if n == nil {
		i, err = w.pass(i, 0)
	} else if i, err = w.object(n, i, 0); err == nil && w.done() {
		return nil
	}
	if err != nil {
		return err
	}
	return jsonwalk.End(w.data, i)
}

// object reads the members of the object at i below n. If the walk is done the
// position it returns means nothing.
func (w *walker) object(n *pathNode, i, depth int) (int, *jsonwalk.SyntaxError) {
	if depth >= w.limit {
		return i, jsonwalk.ErrorDepth(i, w.limit)
	}
	data := w.data
	i, more := jsonwalk.Open(data, i, '}')
	for more { // its twin is in walker.members
		end, head, plain, err := jsonwalk.Key(data, i)
		if err != nil {
			return end, err
		}
		var kid *pathNode
		if plain {
			kid = n.kid(head, data[i+1:end-1])
		} else {
			kid = w.find(n, data[i+1:end-1])
		}
		// Optimization: text without white space, which is most, is not looked at for
		// it. BenchmarkParcels prices it.
		if end+1 < len(data) && data[end] == ':' && data[end+1] > ' ' {
			i = end + 1
		} else if i, err = jsonwalk.Colon(data, end); err != nil {
			return i, err
		}
		switch {
		case kid != nil:
			if i, err = w.value(kid, i, depth+1); err == nil && w.done() {
				return i, nil
			}
		case i < len(data) && data[i] == '"':
			i, _, err = jsonwalk.String(data, i)
		default:
			i, err = w.pass(i, depth+1)
		}
		if err != nil {
			return i, err
		}
		if i+1 < len(data) && data[i] == ',' && data[i+1] == '"' {
			i++
		} else if i, more, err = jsonwalk.Next(data, i, '}'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// find returns the node that a key with dots or escapes leads to from n, or nil if no
// rule asks for it or the way is taken by an array.
func (w *walker) find(n *pathNode, key []byte) *pathNode {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = w.unquote(key)
	}
	for {
		step, rest, dotted := bytes.Cut(key, []byte("."))
		e := n.kids.get(hash(step), step)
		if e == nil {
			return nil
		}
		if n = e.value; !dotted {
			return n
		}
		s := w.sc.claim(n)
		if s == nil || s.array != 0 {
			return nil
		}
		s.claimed = true
		key = rest
	}
}

// unquote returns the characters of a string that holds an escape.
func (w *walker) unquote(s []byte) []byte {
	start := len(w.sc.text)
	w.sc.text = jsonwalk.AppendUnquoted(w.sc.text, s)
	return w.sc.text[start:len(w.sc.text):len(w.sc.text)]
}

// value reads the value at i, which stands at n.
func (w *walker) value(n *pathNode, i, depth int) (int, *jsonwalk.SyntaxError) {
	s := w.sc.claim(n)
	if i >= len(w.data) || s == nil || s.array != 0 {
		return w.pass(i, depth)
	}
	switch w.data[i] {
	case '{':
		s.claimed = true
		if n.kids.slots.Load() != nil {
			return w.object(n, i, depth)
		}
	case '[':
		if !s.claimed {
			return w.array(n, s, i, depth)
		}
	default:
		s.claimed = true
		if l := n.leaf.Load(); l != nil && s.leaf.kind == none {
			w.sc.found = append(w.sc.found, n)
			w.saw(l)
			return w.scalar(&s.leaf, i)
		}
	}
	return w.pass(i, depth)
}

// saw counts a path as found.
func (w *walker) saw(l *leaf) {
	if l.number < w.leaves {
		w.remaining--
	}
}

// scalar reads the string, number, true, false or null at i.
func (w *walker) scalar(v *value, i int) (int, *jsonwalk.SyntaxError) {
	v.kind, v.number, v.hashed, v.masked = kindAt(w.data[i]), unparsed, false, false
	if v.kind == str {
		end, escaped, err := jsonwalk.String(w.data, i)
		if err != nil {
			v.kind = none
			return end, err
		}
		if v.text = w.data[i+1 : end-1]; escaped {
			v.text = w.unquote(v.text)
		}
		return end, nil
	}
	end, err := jsonwalk.Scalar(w.data, i)
	if err != nil {
		v.kind = none
		return end, err
	}
	v.text = w.data[i:end]
	return end, nil
}

// Fields are an event given by the parts of its envelope, so that a caller who has
// them need not build its JSON. Detail is JSON text; ReplayName is left out if empty.
type Fields struct {
	ID, DetailType, Source, Account, Region, ReplayName string
	Time                                                time.Time
	Resources                                           []string
	Detail                                              []byte
}

// TimeFormat is the form of an envelope's time: UTC, whole seconds.
const TimeFormat = "2006-01-02T15:04:05Z"

// An envelopeKey is a key of the envelope with its hash.
type envelopeKey struct {
	name []byte
	hash uint64
}

func newEnvelopeKey(name string) envelopeKey { return envelopeKey{[]byte(name), hash([]byte(name))} }

var (
	keyVersion, keyID, keyDetailType = newEnvelopeKey("version"), newEnvelopeKey("id"), newEnvelopeKey("detail-type")
	keySource, keyAccount, keyTime   = newEnvelopeKey("source"), newEnvelopeKey("account"), newEnvelopeKey("time")
	keyRegion, keyReplayName         = newEnvelopeKey("region"), newEnvelopeKey("replay-name")
	keyResources, keyDetail          = newEnvelopeKey("resources"), newEnvelopeKey("detail")
)

func (n *pathNode) envelope(k *envelopeKey) *pathNode {
	if e := n.kids.get(k.hash, k.name); e != nil {
		return e.value
	}
	return nil
}

// fields reads an event that is given by its parts, below n. It validates Detail.
func (w *walker) fields(n *pathNode, f *Fields) *jsonwalk.SyntaxError {
	w.text(n, &keyVersion, "0")
	w.text(n, &keyID, f.ID)
	w.text(n, &keyDetailType, f.DetailType)
	w.text(n, &keySource, f.Source)
	w.text(n, &keyAccount, f.Account)
	w.text(n, &keyRegion, f.Region)
	if f.ReplayName != "" {
		w.text(n, &keyReplayName, f.ReplayName)
	}
	if k := n.envelope(&keyTime); k != nil {
		start := len(w.sc.text)
		w.sc.text = f.Time.UTC().AppendFormat(w.sc.text, TimeFormat)
		w.leaf(k, w.sc.text[start:len(w.sc.text):len(w.sc.text)])
	}
	if k := n.envelope(&keyResources); k != nil {
		if s := w.sc.claim(k); s != nil {
			s.array = w.newTree(k, 0)
			w.sc.tree[s.array].array = true
			for _, r := range f.Resources {
				e := w.newTree(k, s.array)
				w.sc.tree[e].leaf = value{kind: str, text: unsafe.Slice(unsafe.StringData(r), len(r))}
			}
		}
	}
	w.data = f.Detail
	detail := n.envelope(&keyDetail)
	if detail != nil {
		if s := w.sc.claim(detail); s == nil {
			detail = nil
		} else {
			s.claimed = true
		}
	}
	return w.document(detail)
}

func (w *walker) text(n *pathNode, k *envelopeKey, s string) {
	if kid := n.envelope(k); kid != nil {
		w.leaf(kid, unsafe.Slice(unsafe.StringData(s), len(s)))
	}
}

// leaf makes a string the leaf of n.
func (w *walker) leaf(n *pathNode, text []byte) {
	s, l := w.sc.claim(n), n.leaf.Load()
	if s == nil || l == nil {
		return
	}
	s.claimed, s.leaf = true, value{kind: str, text: text}
	w.sc.found = append(w.sc.found, n)
	w.saw(l)
}
