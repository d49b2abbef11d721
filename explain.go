package footbridge

import (
	"fmt"

	"github.com/footbridge-go/footbridge/internal/explain"
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
	Near    int    `json:"near"`            // of these, the ones that nearly do

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
	Near    bool         `json:"near,omitempty"`    // it does not hold, and little would mend that: case, a letter or two, quotes, the array element
	Reason  string       `json:"reason,omitempty"`  // why it does not hold: one of the Reason constants
	Message string       `json:"message,omitempty"` // the same in words
}

// A FoundValue is a value that an event has at the path of a field.
type FoundValue struct {
	At     string `json:"at"`              // such as detail.items[2].id
	Index  string `json:"index,omitempty"` // of the array elements that it is in, such as [2]
	Value  string `json:"value"`           // in JSON
	Wanted bool   `json:"wanted"`          // it is one of those wanted
	Told   bool   `json:"told,omitempty"`  // the field's Message is about this one of several
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
	x.Matched, x.Held, x.Missed, x.Near = r.Matched, r.Held, r.Missed, r.Near
	b := explainedBranch(r.Branch)
	x.Fields, x.Or = b.Fields, b.Or
	return x
}

func explainedBranch(b explain.Branch) BranchExplanation {
	out := BranchExplanation{Matched: b.Holds}
	for _, f := range b.Fields {
		field := FieldExplanation{
			Path: f.Path, Pointer: f.Pointer, Wanted: f.Wanted, More: f.More, Matched: f.Holds,
			Near: f.Near, Reason: string(f.Why), Message: f.Reason,
		}
		for _, v := range f.Found {
			field.Found = append(field.Found, FoundValue{v.At, v.Index, v.Value, v.Wanted, v.Told})
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
