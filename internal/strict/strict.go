// Package strict measures of event patterns what the service bounds beside their length:
// the combinations of $or branches, and the complexity of wildcards. It reads the text of a
// pattern, which must be one that internal/match takes, and knows nothing else.
package strict

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The service's limits.
const (
	MaxCombinations = 1000 // of $or branches (its documentation)
	// MaxComplexity is the greatest complexity that is not refused. The service is recorded
	// to accept 7 and to refuse 11; of those between them nothing is known.
	MaxComplexity = 10
)

// Measure returns how many combinations of $or branches the pattern stands for, and the
// complexity of its wildcards: the largest of all fields. What is more than MaxComplexity
// may be given as any number that is.
func Measure(pattern string) (combinations, complexity int, err error) {
	d := json.NewDecoder(strings.NewReader(pattern))
	d.UseNumber()
	w := walker{decoder: d, wildcards: make(map[string][]string)}
	w.next() // {
	combinations = w.object("")
	if w.err != nil {
		return 0, 0, fmt.Errorf("strict: %w", w.err)
	}
	for _, values := range w.wildcards {
		complexity = max(complexity, Complexity(values))
	}
	return combinations, complexity, nil
}

// A walker goes through a pattern, token by token.
type walker struct {
	decoder   *json.Decoder
	wildcards map[string][]string // by field
	err       error               // the first
}

func (w *walker) next() json.Token {
	t, err := w.decoder.Token()
	if err != nil && w.err == nil {
		w.err = err
	}
	return t
}

func (w *walker) more() bool { return w.err == nil && w.decoder.More() }

// object walks the rest of an object of fields and returns its combinations.
func (w *walker) object(path string) int {
	n := 1
	for w.more() {
		key, _ := w.next().(string)
		switch t := w.next(); {
		case t == json.Delim('{'):
			n *= w.object(path + "." + key)
		case key == "$or":
			n *= w.or(path)
		default:
			w.value(t, path+"."+key, false)
		}
	}
	w.next() // }
	return n
}

// or walks the rest of a list of branches: any of them, each with its combinations.
func (w *walker) or(path string) (n int) {
	for w.more() {
		w.next() // {
		n += w.object(path)
	}
	w.next() // ]
	return n
}

// value walks a value of a field, and keeps the strings in it that are wildcards, those of
// anything-but included.
func (w *walker) value(t json.Token, path string, wildcard bool) {
	switch t := t.(type) {
	case string:
		if wildcard {
			w.wildcards[path] = append(w.wildcards[path], t)
		}
	case json.Delim:
		for w.more() {
			inner := wildcard
			if t == '{' {
				inner = w.next() == "wildcard"
			}
			w.value(w.next(), path, inner)
		}
		w.next() // } or ]
	}
}
