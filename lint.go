package footbridge

import (
	"errors"

	"github.com/footbridge-go/footbridge/internal/explain"
)

// A Finding is something in a pattern that Compile accepts, and that is surely wrong, very
// likely not what was meant, or refused by the service.
type Finding struct {
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) of what is meant; "" is the pattern itself
	Code    string `json:"code"`    // one of the Lint constants
	Message string `json:"message"` // what is wrong, in words
}

// String returns the finding in one line.
func (f Finding) String() string {
	text := f.Code + ": " + f.Message
	if f.Pointer != "" {
		text = f.Pointer + ": " + text
	}
	return printable(text)
}

// Codes of findings.
const (
	LintNeverMatches   = explain.NeverMatches   // no event can match
	LintNeverRouted    = explain.NeverRouted    // no event of a bus can: each way to match has a field that an envelope never satisfies
	LintEmptyRange     = explain.EmptyRange     // no number lies in a numeric
	LintEnvelopeType   = explain.EnvelopeType   // an envelope never has such a value there, such as a number as its source
	LintUnknownField   = explain.UnknownField   // an envelope has no such field
	LintReplaced       = explain.SetAgain       // the field is set again, by an equal key or in a $or, which counts instead
	LintCovered        = explain.Covered        // another value of the list, or branch of the $or, takes all that this one does
	LintAlwaysHolds    = explain.AlwaysHolds    // the list takes every value
	LintNumericString  = explain.NumericString  // a hint: a string of digits, where events often have a number
	LintLiteralStar    = explain.LiteralStar    // a hint: a * in a string or at the end of a prefix, where it stands for itself
	LintValueAndFields = explain.ValueAndFields // the pattern wants a value of a field, and fields below it
	LintRefused        = "refused"              // a bus with Options.Strict, and the service, refuse it, for the reason given
)

// Lint looks for mistakes in the pattern. It takes the pattern for one of a bus's rules,
// whose events are envelopes: for other events disregard [LintNeverRouted],
// [LintEnvelopeType] and [LintUnknownField]. What it does not find may still be wrong. What
// is about the whole pattern comes first, then, in the pattern's order, what is about one
// field, then what is about two. It is for tests and tools: like [Pattern.Explain] it is slow.
func (p *Pattern) Lint() []Finding {
	if p.inner() == nil {
		return nil
	}
	var findings []Finding
	if refused := (*RuleError)(nil); errors.As((&Rule{Pattern: p}).checkStrict(), &refused) {
		findings = append(findings, Finding{Code: LintRefused, Message: refused.Reason})
	}
	for _, f := range explain.Lint(p.String()) {
		findings = append(findings, Finding(f))
	}
	return findings
}
