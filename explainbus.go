package footbridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A BusExplanation says what the rules of a bus make of an event: first those that match,
// by name, then the others, those that come nearest first.
type BusExplanation struct {
	Event json.RawMessage   `json:"event,omitempty"` // the envelope
	Error string            `json:"error,omitempty"` // why Publish would refuse it; if the event is malformed there is nothing else
	Rules []RuleExplanation `json:"rules,omitempty"`
}

// A RuleExplanation says what a rule makes of an event.
type RuleExplanation struct {
	Rule        string      `json:"rule"`
	Disabled    bool        `json:"disabled,omitempty"` // it matches nothing, whatever its pattern does
	Targets     []string    `json:"targets,omitempty"`  // IDs, in the rule's order
	Explanation Explanation `json:"explanation"`
}

// Matched reports whether the rule takes the event: its pattern matches, and it is enabled.
func (r *RuleExplanation) Matched() bool { return r.Explanation.Matched && !r.Disabled }

// Explain says which rules would take an event and why the others would not, without
// publishing it. What Publish would fill in is filled in, and what it would refuse, for a
// fault of the event or because of [Options].Strict, is said to be refused. Like
// [Pattern.Explain] it is for tests and tools.
func (b *Bus) Explain(e Event) (x BusExplanation) {
	event, err := b.explained(&e)
	if err != nil {
		x.Error = err.Error()
	}
	if event == nil {
		return x
	}
	x.Event = bytes.ToValidUTF8(event, []byte("\uFFFD"))
	for _, r := range b.Rules() {
		told := RuleExplanation{Rule: r.Name, Disabled: r.Disabled, Explanation: r.Pattern.Explain(event)}
		for _, t := range r.Targets {
			told.Targets = append(told.Targets, t.ID)
		}
		x.Rules = append(x.Rules, told)
	}
	slices.SortStableFunc(x.Rules, func(a, b RuleExplanation) int {
		return cmp.Or(
			cmp.Compare(a.distance(), b.distance()),
			cmp.Compare(b.Explanation.Near, a.Explanation.Near),
			cmp.Compare(b.Explanation.Held, a.Explanation.Held),
		)
	})
	return x
}

// explained completes e and returns its envelope, as rules see it, and the error with which
// Publish would refuse it. It is nil if e is malformed.
func (b *Bus) explained(e *Event) ([]byte, error) {
	err := e.check()
	if err == nil && b.options.Strict {
		err = e.checkStrict()
	}
	if err != nil {
		return nil, err
	}
	now := time.Now()
	b.complete(e, now)
	err = new(press).prepare(&accepted{bus: b, event: *e, time: now}, &publication{})
	if malformed := (*EventError)(nil); errors.As(err, &malformed) {
		return nil, err
	}
	// MarshalJSON compacts a detail, which rules see as it is.
	detail := e.Detail
	e.Detail = []byte("{}")
	envelope, invalid := e.MarshalJSON()
	if invalid != nil {
		return nil, invalid
	}
	envelope = append(envelope[:len(envelope)-len("{}}")], detail...)
	return append(envelope, '}'), err
}

// distance ranks rules: -1 for one that takes the event, else how many fields are missed.
func (r *RuleExplanation) distance() int {
	if r.Matched() {
		return -1
	}
	return r.Explanation.Missed
}

// nearestRules is how many rules that do not match are told in full.
const nearestRules = 5

// String returns a line for each rule that takes the event, and the five that come
// nearest to it with the fields that do not hold.
func (x BusExplanation) String() string {
	var s strings.Builder
	if x.Error != "" {
		fmt.Fprintf(&s, "the event is refused: %s\n", x.Error)
	}
	if x.Event == nil {
		return s.String()
	}
	matched := 0
	for i := range x.Rules {
		if x.Rules[i].Matched() {
			matched++
		}
	}
	fmt.Fprintf(&s, "%d of %d rules match\n", matched, len(x.Rules))
	for i := range x.Rules {
		r := &x.Rules[i]
		switch {
		case r.Matched():
			fmt.Fprintf(&s, "  match     %s -> %s\n", r.Rule, cmp.Or(strings.Join(r.Targets, ", "), "no target"))
			continue
		case i == matched+nearestRules:
			fmt.Fprintf(&s, "  and %d more that do not match\n", len(x.Rules)-i)
			return s.String()
		case r.Disabled:
			fmt.Fprintf(&s, "  disabled  %s, its pattern: %s\n", r.Rule, r.Explanation.verdict())
		default:
			fmt.Fprintf(&s, "  no match  %s: %d of %d fields hold\n", r.Rule, r.Explanation.Held, r.Explanation.Held+r.Explanation.Missed)
		}
		s.WriteString(r.Explanation.lines("              ", true))
	}
	return s.String()
}
