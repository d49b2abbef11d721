package footbridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/explain"
	"github.com/footbridge-go/footbridge/internal/match"
)

// An Explanation says why an event matches a pattern or does not. String makes of it
// aligned text for a terminal or a test's log; its JSON form is for programs.
//
// A pattern with $or means one combination of fields for each choice of branches. A field
// is judged in the combination that matches or, if none does, in the one that comes
// nearest; a field of a branch that is not in it, in the nearest that has the branch.
type Explanation struct {
	Pattern string `json:"pattern"`
	Matched bool   `json:"matched"`         // what Match returns
	Error   string `json:"error,omitempty"` // the event is no JSON object, or the pattern is nil: then there is no more
	Held    int    `json:"held"`            // fields of that combination that hold
	Missed  int    `json:"missed"`          // and that do not

	Fields []FieldExplanation `json:"fields,omitempty"` // that are in no $or, in the pattern's order
	Or     []OrExplanation    `json:"or,omitempty"`
}

// A FieldExplanation tells of a field of a pattern.
type FieldExplanation struct {
	Path    string       `json:"path"`              // keys joined with dots
	Pointer string       `json:"pointer"`           // JSON pointer (RFC 6901) in the pattern
	Wanted  []string     `json:"wanted"`            // each of its values, in JSON
	Found   []FoundValue `json:"found,omitempty"`   // that the event has there, the first 20
	More    int          `json:"more,omitempty"`    // how many more it has, up to 1,000
	Matched bool         `json:"matched"`           // it holds, together with the fields before it in byte order of their paths
	Reason  string       `json:"reason,omitempty"`  // why it does not hold: one of the Reason constants
	Message string       `json:"message,omitempty"` // the same in words
}

// A FoundValue is a value that an event has at the path of a field.
type FoundValue struct {
	At     string `json:"at"`     // such as detail.items[2].id
	Value  string `json:"value"`  // in JSON
	Wanted bool   `json:"wanted"` // it is one of those wanted
}

// An OrExplanation tells of a $or.
type OrExplanation struct {
	Path     string              `json:"path"`    // such as detail.$or
	Pointer  string              `json:"pointer"` // JSON pointer (RFC 6901) in the pattern
	Matched  bool                `json:"matched"` // one of its branches holds
	Branches []BranchExplanation `json:"branches"`
}

// A BranchExplanation tells of a branch of a $or.
type BranchExplanation struct {
	Matched bool               `json:"matched"` // all of it holds
	Fields  []FieldExplanation `json:"fields,omitempty"`
	Or      []OrExplanation    `json:"or,omitempty"`
}

// Reasons for which a field does not hold.
const (
	ReasonAbsent    = string(explain.Absent)    // the event has nothing there
	ReasonNoValue   = string(explain.NoValue)   // it has an object or an empty array there
	ReasonPresent   = string(explain.Present)   // it has a value, and none is wanted
	ReasonWrongType = string(explain.WrongType) // of another type than is wanted
	ReasonCase      = string(explain.Case)      // upper and lower case differ
	ReasonSpace     = string(explain.Space)     // white space at the ends differs
	ReasonNear      = string(explain.Near)      // the value is nearly one that is wanted
	ReasonExcluded  = string(explain.Excluded)  // anything-but leaves it out
	ReasonDiffers   = string(explain.Differs)   // another value
	ReasonElement   = string(explain.Element)   // it is not in the array element that other fields are in
	ReasonReplaced  = string(explain.Replaced)  // the pattern sets the field again, which counts instead of it
)

// Explain says why event matches the pattern or does not. Its verdict is Match's. It takes
// much longer than Match: it is for tests and tools.
func (p *Pattern) Explain(event []byte) Explanation {
	x := Explanation{Pattern: p.String()}
	if p.inner() == nil {
		x.Error = "no pattern: it matches nothing"
		return x
	}
	r := explain.Explain(p.String(), event)
	if r.Error != nil {
		x.Error = fmt.Sprintf("the event is not a JSON object: %s (offset %d)", r.Error.Msg, r.Error.Offset)
		x.Matched, _ = p.Match(event) // which may not have seen the fault
		return x
	}
	x.Matched, x.Held, x.Missed = r.Matched, r.Held, r.Missed
	b := explainedBranch(r.Branch)
	x.Fields, x.Or = b.Fields, b.Or
	return x
}

func explainedBranch(b explain.Branch) BranchExplanation {
	out := BranchExplanation{Matched: b.Holds}
	for _, f := range b.Fields {
		field := FieldExplanation{
			Path: f.Path, Pointer: f.Pointer, Wanted: f.Wanted, More: f.More, Matched: f.Holds, Reason: string(f.Why), Message: f.Reason,
		}
		for _, v := range f.Found {
			field.Found = append(field.Found, FoundValue{v.At, v.Value, v.Wanted})
		}
		out.Fields = append(out.Fields, field)
	}
	for _, o := range b.Ors {
		or := OrExplanation{Path: o.Path, Pointer: o.Pointer, Matched: o.Holds}
		for _, kid := range o.Branches {
			or.Branches = append(or.Branches, explainedBranch(kid))
		}
		out.Or = append(out.Or, or)
	}
	return out
}

// String returns a line with the verdict and one for each field: what the pattern wants,
// what the event has, and why that does not do.
func (x Explanation) String() string {
	return x.verdict() + "\n" + strings.Join(x.lines("  ", false), "")
}

func (x *Explanation) verdict() string {
	verdict := map[bool]string{true: "match", false: "no match"}[x.Matched]
	switch {
	case x.Error != "":
		return verdict + ": " + x.Error
	case x.Matched:
		return verdict
	}
	return fmt.Sprintf("%s: %d of %d fields hold", verdict, x.Held, x.Held+x.Missed)
}

// lines returns the line of each field, or only of those that do not hold.
func (x *Explanation) lines(indent string, missedOnly bool) []string {
	var t explainTable
	t.addBranch(&BranchExplanation{Fields: x.Fields, Or: x.Or}, "", missedOnly)
	return t.lines(indent)
}

// An explainTable is rows of a mark, a path, what is wanted, and what is found.
type explainTable [][4]string

var explainMarks = map[bool]string{true: "ok", false: "NO"}

func (t *explainTable) addBranch(b *BranchExplanation, indent string, missedOnly bool) {
	for i := range b.Fields {
		f := &b.Fields[i]
		if missedOnly && (f.Matched || f.Reason == ReasonReplaced) {
			continue
		}
		mark := explainMarks[f.Matched]
		if f.Reason == ReasonReplaced {
			mark = "--"
		}
		has := "has " + f.found()
		if f.Message != "" {
			has += " (" + f.Message + ")"
		}
		*t = append(*t, [4]string{mark, indent + f.Path, "wants " + shortened(strings.Join(f.Wanted, " or "), 60), has})
	}
	for i := range b.Or {
		o := &b.Or[i]
		if missedOnly && o.Matched {
			continue
		}
		*t = append(*t, [4]string{explainMarks[o.Matched], indent + o.Path, fmt.Sprintf("wants one of %d branches", len(o.Branches))})
		for i := range o.Branches {
			*t = append(*t, [4]string{explainMarks[o.Branches[i].Matched], fmt.Sprintf("%s  branch %d", indent, i+1)})
			t.addBranch(&o.Branches[i], indent+"    ", missedOnly)
		}
	}
}

// found returns the first few values, with their places if those are more than the path.
func (f *FieldExplanation) found() string {
	const most = 3
	values := slices.Clone(f.Found)
	slices.SortStableFunc(values, func(a, b FoundValue) int { // those that are wanted first
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Wanted], map[bool]int{true: 0, false: 1}[b.Wanted])
	})
	var texts []string
	for _, v := range values[:min(most, len(values))] {
		text := shortened(v.Value, 60)
		if v.At != f.Path {
			text += " at " + v.At
		}
		texts = append(texts, text)
	}
	if more := len(values) - len(texts) + f.More; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	if texts == nil {
		return "nothing"
	}
	return strings.Join(texts, ", ")
}

// shortened returns at most n characters of a text, in one line.
func shortened(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// lines returns the rows, their cells below each other.
func (t explainTable) lines(indent string) (lines []string) {
	var widths [4]int
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t {
		line := indent
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		lines = append(lines, strings.TrimRight(line, " ")+"\n")
	}
	return lines
}

// A BusExplanation says what the rules of a bus make of an event: first those that match,
// by name, then the others, those that come nearest first.
type BusExplanation struct {
	Event json.RawMessage   `json:"event,omitempty"` // the envelope
	Error string            `json:"error,omitempty"` // why the bus would refuse the event: then there are no rules
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
// publishing it. What Publish would fill in is filled in. Like [Pattern.Explain] it is for
// tests and tools.
func (b *Bus) Explain(e Event) BusExplanation {
	if err := e.check(); err != nil {
		return BusExplanation{Error: err.Error()}
	}
	if err := match.ValidDetail(e.Detail, MaxDetailDepth); err != nil {
		return BusExplanation{Error: (&EventError{Field: "Detail", Reason: detailMalformed, Err: err}).Error()}
	}
	b.complete(&e, time.Now())
	event, err := e.rawEnvelope()
	if err != nil {
		return BusExplanation{Error: err.Error()}
	}
	x := BusExplanation{Event: bytes.ToValidUTF8(event, []byte("\uFFFD"))}
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
			cmp.Compare(b.Explanation.Held, a.Explanation.Held),
		)
	})
	return x
}

// distance ranks rules: -1 for one that takes the event, else how many fields are missed.
func (r *RuleExplanation) distance() int {
	if r.Matched() {
		return -1
	}
	return r.Explanation.Missed
}

// rawEnvelope is MarshalJSON with Detail just as it is, which is how rules see it.
func (e Event) rawEnvelope() ([]byte, error) {
	detail := e.Detail
	e.Detail = []byte("{}")
	envelope, err := e.MarshalJSON()
	if err != nil {
		return nil, err
	}
	envelope = append(envelope[:len(envelope)-len("{}}")], detail...)
	return append(envelope, '}'), nil
}

// nearestRules is how many rules that do not match are told in full.
const nearestRules = 5

// String returns a line for each rule that takes the event, and the five that come
// nearest to it with the fields that do not hold.
func (x BusExplanation) String() string {
	if x.Error != "" {
		return "the event is refused: " + x.Error + "\n"
	}
	matched := 0
	for i := range x.Rules {
		if x.Rules[i].Matched() {
			matched++
		}
	}
	var s strings.Builder
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
		s.WriteString(strings.Join(r.Explanation.lines("              ", true), ""))
	}
	return s.String()
}
