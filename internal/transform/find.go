package transform

import "github.com/footbridge-go/footbridge/internal/jsonwalk"

// A span is where a value stands in an event; end is 0 if it was not found.
type span struct{ start, end int }

// A node stands for the values that a path, or the beginning of one, points at. Paths
// that begin alike share nodes, so that one walk finds what all of them point at.
type node struct {
	edges []edge
	ends  []int // indexes of the paths that end here
}

// An edge is a step to another node.
type edge struct {
	step
	to *node
}

// add adds a path.
func (n *node) add(steps []step, index int) {
	for _, s := range steps {
		to := (*node)(nil)
		for _, e := range n.edges {
			if e.step == s {
				to = e.to
			}
		}
		if to == nil {
			to = &node{}
			n.edges = append(n.edges, edge{s, to})
		}
		n = to
	}
	n.ends = append(n.ends, index)
}

// find sets found, which has a span for each path of root, all zero. It stops when all is
// found. The error is a *RenderError.
//
// Of equal keys in an object the first counts that has what a path asks for.
func find(root *node, event []byte, found []span) error {
	f := finder{event: event, found: found, left: len(found)}
	i := jsonwalk.Space(event, 0)
	if _, err := f.value(root, i); err != nil {
		return notJSON(err)
	}
	return nil
}

func notJSON(err *jsonwalk.SyntaxError) *RenderError {
	return &RenderError{Reason: "the event is not JSON", Err: err}
}

type finder struct {
	event []byte
	found []span
	left  int // of found that are not set; at 0 positions no longer count
}

// value returns the position behind the value at i, below n. Its spans are set when that
// is known.
func (f *finder) value(n *node, i int) (end int, err *jsonwalk.SyntaxError) {
	switch {
	case len(n.edges) > 0 && i < len(f.event) && f.event[i] == '{':
		end, err = f.object(n, i)
	case len(n.edges) > 0 && i < len(f.event) && f.event[i] == '[':
		end, err = f.array(n, i)
	default:
		end, err = jsonwalk.Pass(f.event, i)
	}
	if err != nil || f.left == 0 {
		return end, err
	}
	for _, index := range n.ends {
		if f.found[index].end == 0 {
			f.found[index] = span{i, end}
			f.left--
		}
	}
	return end, nil
}

func (f *finder) object(n *node, i int) (end int, err *jsonwalk.SyntaxError) {
	i, more := jsonwalk.Open(f.event, i, '}')
	for more {
		keyEnd, escaped, err := jsonwalk.String(f.event, i)
		if err != nil {
			return i, err
		}
		value, err := jsonwalk.Colon(f.event, keyEnd)
		if err != nil {
			return i, err
		}
		to := n.member(f.event[i+1:keyEnd-1], escaped)
		if to == nil {
			i, err = jsonwalk.Pass(f.event, value)
		} else {
			i, err = f.value(to, value)
		}
		if err != nil || f.left == 0 {
			return i, err
		}
		if i, more, err = jsonwalk.Next(f.event, i, '}'); err != nil {
			return i, err
		}
	}
	return i, nil
}

func (f *finder) array(n *node, i int) (end int, err *jsonwalk.SyntaxError) {
	i, more := jsonwalk.Open(f.event, i, ']')
	for index := 0; more; index++ {
		to := n.element(index)
		if to == nil {
			i, err = jsonwalk.Pass(f.event, i)
		} else {
			i, err = f.value(to, i)
		}
		if err != nil || f.left == 0 {
			return i, err
		}
		if i, more, err = jsonwalk.Next(f.event, i, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// member returns the node of a key, given as it stands between its quotes, or nil.
func (n *node) member(key []byte, escaped bool) *node {
	for i := range n.edges {
		if e := &n.edges[i]; e.key != "" && isKey(key, escaped, e.key) {
			return e.to
		}
	}
	return nil
}

// isKey reports whether key, as it stands between its quotes, is want.
func isKey(key []byte, escaped bool, want string) bool {
	if !escaped {
		return string(key) == want
	}
	return string(jsonwalk.AppendUnquoted(nil, key)) == want
}

// element returns the node of an element, or nil.
func (n *node) element(index int) *node {
	for i := range n.edges {
		if e := &n.edges[i]; e.key == "" && e.index == index {
			return e.to
		}
	}
	return nil
}
