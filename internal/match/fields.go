package match

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

// Fields are an event given by the parts of its envelope, so that a caller who has
// them need not build its JSON. Detail is JSON text; ReplayName is left out if empty.
//
// Optimization: they are those of a bus's event, in its order, so that a pointer to one
// converts to a pointer to the other, and nothing is copied (BenchmarkPublish).
type Fields struct {
	ID         string
	Source     string
	DetailType string
	Time       time.Time
	Account    string
	Region     string
	Resources  []string
	Detail     json.RawMessage
	ReplayName string
}

// TimeFormat is the form of an envelope's time: UTC, whole seconds.
const TimeFormat = "2006-01-02T15:04:05Z"

// The keys of an envelope.
const (
	keyVersion = iota
	keyID
	keyDetailType
	keySource
	keyAccount
	keyTime
	keyRegion
	keyReplayName
	keyResources
	keyDetail
	envelopeKeys
)

var envelopeNames = [envelopeKeys]string{"version", "id", "detail-type", "source", "account", "time", "region", "replay-name", "resources", "detail"}

// An envelope is the nodes of an envelope's keys, nil where no rule asks for one. It is
// immutable.
type envelope [envelopeKeys]*pathNode

// with returns e with a node for a key, if that is one of an envelope's.
func (e *envelope) with(key string, n *pathNode) *envelope {
	i := slices.Index(envelopeNames[:], key)
	if i < 0 {
		return e
	}
	more := *e
	more[i] = n
	return &more
}

// fields reads an event that is given by its parts. It validates Detail.
func (w *walker) fields(f *Fields) *jsonwalk.SyntaxError {
	e := w.sc.view.envelope
	w.leaf(e[keyVersion], "0")
	w.leaf(e[keyID], f.ID)
	w.leaf(e[keyDetailType], f.DetailType)
	w.leaf(e[keySource], f.Source)
	w.leaf(e[keyAccount], f.Account)
	w.leaf(e[keyRegion], f.Region)
	if f.ReplayName != "" {
		w.leaf(e[keyReplayName], f.ReplayName)
	}
	if n := e[keyTime]; n != nil {
		start := len(w.sc.text)
		w.sc.text = f.Time.UTC().AppendFormat(w.sc.text, TimeFormat)
		w.leaf(n, bytesString(w.sc.text[start:]))
	}
	if n := e[keyResources]; n != nil {
		s := w.sc.claim(n)
		s.array = w.newTree(n, 0)
		w.sc.tree[s.array].array = true
		for i := 0; i < len(f.Resources) && n.leaf.Load() != nil; i++ {
			e := w.newTree(n, s.array)
			w.sc.tree[e].leaf.setString(f.Resources[i])
			w.sc.strings = true
		}
	}
	if n := e[keyDetail]; n != nil {
		w.sc.claim(n).claimed = true
	}
	w.data = f.Detail
	return w.document(e[keyDetail])
}

// leaf makes a string the leaf of n, if rules ask for it.
func (w *walker) leaf(n *pathNode, text string) {
	if n == nil || n.leaf.Load() == nil {
		return
	}
	s := w.sc.claim(n)
	s.claimed = true
	s.leaf.setString(text)
	w.sc.found = append(w.sc.found, n)
}
