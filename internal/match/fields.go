package match

import (
	"time"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

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
	name textKey
	hash uint64
}

func newEnvelopeKey(name textKey) envelopeKey { return envelopeKey{name, name.hash()} }

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
		w.leaf(k, bytesString(w.sc.text[start:]))
	}
	if k := n.envelope(&keyResources); k != nil {
		if s := w.sc.claim(k); s != nil {
			s.array = w.newTree(k, 0)
			w.sc.tree[s.array].array = true
			for _, r := range f.Resources {
				e := w.newTree(k, s.array)
				w.sc.tree[e].leaf.setString(r)
				w.sc.strings = true
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
		w.leaf(kid, s)
	}
}

// leaf makes a string the leaf of n.
func (w *walker) leaf(n *pathNode, text string) {
	s := w.sc.claim(n)
	if s == nil || n.leaf.Load() == nil {
		return
	}
	s.claimed = true
	s.leaf.setString(text)
	w.sc.found = append(w.sc.found, n)
}
