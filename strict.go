package footbridge

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/strict"
)

// This file has what Options.Strict enforces beside what always holds: the service's limits,
// by its API model and its documentation.

const (
	maxRules       = 300  // of a bus
	maxTargets     = 5    // of a rule
	maxPattern     = 2048 // characters
	maxDescription = 512  // likewise
	maxConstant    = 8192 // likewise
	maxPath        = 256  // likewise; of a name in a transformer, too
	maxTemplate    = 8192 // likewise
	maxPaths       = 100  // of a transformer
	maxDetailType  = 128  // characters
	maxBusARN      = 1600 // likewise; of a name, too
	maxTraceHeader = 500  // likewise
	maxResource    = 2048 // likewise
	minAge         = time.Minute
)

// Regular expressions of the service's API model, as it has them, and what of them is a region
// and an account.
const (
	regionPattern   = `[a-z]+-[a-z]+-[\w-]+`
	accountPattern  = `[0-9]{12}`
	busOrARNPattern = `(arn:aws[\w-]*:events:` + regionPattern + `:` + accountPattern + `:event-bus\/)?[\.\-_A-Za-z0-9]+`
)

var regions, accounts, busesOrARNs = whole(regionPattern), whole(accountPattern), whole(busOrARNPattern)

// whole returns the expression of the texts that are pattern from begin to end.
func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

// tooComplex is the service's reason for a pattern whose wildcards are.
const tooComplex = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"

// ErrUnmatched is wrapped by what Publish returns, with Strict, for an event that matches
// no rule.
var ErrUnmatched = errors.New("the event matches no rule")

// A limit is a bound that Strict enforces.
type limit struct {
	field   string // of Rule or Target
	n, most int
	what    string // of which there are n
	code    string
}

// excess says by what the limit is exceeded.
func (l limit) excess() string { return fmt.Sprintf("want at most %d %s, got %d", l.most, l.what, l.n) }

// more is excess behind the service's words for it, which name neither bound nor option.
func (l limit) more() string { return "with Strict: " + l.excess() }

// firstOver returns the first of the limits that is exceeded, and by what.
func firstOver(limits ...limit) (l limit, reason string) {
	for _, l := range limits {
		if l.n > l.most {
			return l, l.excess()
		}
	}
	return limit{}, ""
}

// checkStrict returns a *RuleError if the service would not take r.
func (r *Rule) checkStrict() error {
	l, reason := firstOver(
		limit{"Description", utf8.RuneCountInString(r.Description), maxDescription, "characters", CodeValidation},
		limit{"Pattern", utf8.RuneCountInString(r.Pattern.String()), maxPattern, "characters", CodeValidation},
		limit{"Targets", len(r.Targets), maxTargets, "targets", CodeLimitExceeded},
	)
	if reason == "" { // only now, since measuring a long pattern takes long
		l = limit{field: "Pattern", code: CodeInvalidEventPattern}
		reason = patternReason(r.Pattern.String())
	}
	switch {
	case l.code == CodeLimitExceeded:
		return &RuleError{Rule: r.Name, Field: l.field, Reason: limitExceeded, More: l.more(), Code: l.code}
	case reason != "":
		return &RuleError{Rule: r.Name, Field: l.field, Reason: reason, Code: l.code}
	}
	for i := range r.Targets {
		t := &r.Targets[i]
		if field, reason := t.checkStrict(); reason != "" {
			return &RuleError{Rule: r.Name, Target: t.ID, Field: field, Reason: reason, Code: CodeValidation}
		}
	}
	return nil
}

// patternReason says why the service would not take a pattern; "" is that it would.
func patternReason(pattern string) string {
	combinations, complexity, err := strict.Measure(pattern)
	switch {
	case err != nil: // which Compile has excluded
		return err.Error()
	case combinations > strict.MaxCombinations:
		return fmt.Sprintf("want at most %d combinations of $or branches, got %d", strict.MaxCombinations, combinations)
	case complexity > strict.MaxComplexity:
		return tooComplex
	}
	return ""
}

// checkStrict returns the field that the service would not take and why, or "" and "".
func (t *Target) checkStrict() (field, reason string) {
	in := &t.Input
	l, reason := firstOver(
		limit{"Input", utf8.RuneCount(in.Constant), maxConstant, "characters of a constant", ""},
		limit{"Input", utf8.RuneCountInString(in.Path), maxPath, "characters of a path", ""},
		limit{"Input", utf8.RuneCountInString(in.Transformer.InputTemplate), maxTemplate, "characters of a template", ""},
		limit{"Input", len(in.Transformer.InputPathsMap), maxPaths, "paths", ""},
	)
	if reason != "" {
		return l.field, reason
	}
	if reason := in.Transformer.pathsReason(); reason != "" {
		return "Input", reason
	}
	return "Retry", retryReason(t.Retry)
}

// pathsReason says why the service would not take the paths of a transformer.
func (tr *InputTransformer) pathsReason() string {
	for _, name := range slices.Sorted(maps.Keys(tr.InputPathsMap)) {
		_, reason := firstOver(
			limit{"Input", utf8.RuneCountInString(name), maxPath, "characters of a name in InputPathsMap", ""},
			limit{"Input", utf8.RuneCountInString(tr.InputPathsMap[name]), maxPath, "characters of a path", ""},
		)
		switch {
		case reason != "":
			return reason
		case strings.HasPrefix(name, "AWS"):
			return fmt.Sprintf("want names in InputPathsMap that do not begin with AWS, got %q", name)
		}
	}
	return ""
}

// retryReason says why the service would not take a policy; of one that is no Backoff it
// cannot be said.
func retryReason(p RetryPolicy) string {
	b, _ := backoffOf(p)
	switch {
	case b.MaxRetries > DefaultMaxRetries:
		return fmt.Sprintf("want at most %d retries, got %d", DefaultMaxRetries, b.MaxRetries)
	case b.MaxAge > DefaultMaxAge || b.MaxAge > 0 && b.MaxAge < minAge:
		return fmt.Sprintf("want a MaxAge from %v to %v, got %v", minAge, DefaultMaxAge, b.MaxAge)
	}
	return ""
}

// checkStrict returns an *OptionError if the service would not take a bus with o.
func (o *Options) checkStrict() error {
	if n := utf8.RuneCountInString(o.Description); n > maxDescription {
		return &OptionError{"Description", fmt.Sprintf("want at most %d characters, got %d", maxDescription, n)}
	}
	if reason := retryReason(o.Retry); reason != "" {
		return &OptionError{"Retry", reason}
	}
	for _, f := range [...]struct {
		field, value string
		is           *regexp.Regexp
		want         string
	}{{"Account", o.Account, accounts, "12 digits"}, {"Region", o.Region, regions, `one such as "eu-west-1"`}} {
		if f.value != "" && !f.is.MatchString(f.value) { // "" is the default
			return &OptionError{f.field, fmt.Sprintf("want %s, got %.64q", f.want, f.value)}
		}
	}
	return nil
}

// checkEntries returns a *RequestError if there are none, too many, or too large ones, or if
// one has what the service's API model excludes.
func checkEntries(entries []Entry) error {
	switch {
	case len(entries) == 0:
		return unfit("[]", "entries", "have length greater than or equal to 1")
	case len(entries) > MaxEntries:
		return tooLong("entries", len(entries), MaxEntries)
	}
	size := 0
	for i := range entries {
		if err := entries[i].checkStrict(fmt.Sprintf("entries.%d.member.", i+1)); err != nil {
			return err
		}
		size += entries[i].Size()
	}
	if size >= MaxRequestSize {
		return invalid("Total size of the entries in the request is over the limit.")
	}
	return nil
}

// checkStrict returns a *RequestError if e, which stands at a place in a request, has what the
// service's API model excludes.
func (e *Entry) checkStrict(at string) error {
	if n := utf8.RuneCountInString(e.EventBusName); n > maxBusARN {
		return tooLong(at+"eventBusName", n, maxBusARN)
	}
	if n := utf8.RuneCountInString(e.TraceHeader); n > maxTraceHeader {
		return tooLong(at+"traceHeader", n, maxTraceHeader)
	}
	for i, r := range e.Resources {
		if n := utf8.RuneCountInString(r); n > maxResource {
			return tooLong(fmt.Sprintf("%sresources.%d.member", at, i+1), n, maxResource)
		}
	}
	if e.EventBusName != "" && !busesOrARNs.MatchString(e.EventBusName) {
		return unfit(e.EventBusName, at+"eventBusName", "satisfy regular expression pattern: "+busOrARNPattern)
	}
	return nil
}

// tooLong refuses what stands at a place in a request and has n of which there are at most most.
func tooLong(at string, n, most int) error {
	e := unfit("...", at, fmt.Sprintf("have length less than or equal to %d", most))
	e.More = fmt.Sprintf("got %d", n)
	return e
}

// checkStrict returns an *EventError if the service would not take e.
func (e *Event) checkStrict() error {
	if n := utf8.RuneCountInString(e.DetailType); n > maxDetailType {
		return &EventError{Field: "DetailType", Reason: fmt.Sprintf("want at most %d characters, got %d", maxDetailType, n)}
	}
	rest := Entry{Time: e.Time, Source: e.Source, DetailType: e.DetailType, Resources: e.Resources}
	if size := rest.Size() + len(e.Detail); size >= MaxRequestSize {
		return &EventError{Field: "Detail", Reason: fmt.Sprintf("want an event of less than %d bytes, got %d", MaxRequestSize, size)}
	}
	return nil
}

// checkStrict returns an error unless the event that s is prepared for matches a rule, as
// far as it is not replayed, and all its inputs can be made.
func (s *press) checkStrict(a *accepted, p *publication) error {
	if len(s.rules) == 0 && len(p.rules) == 0 && a.event.ReplayName == "" {
		return fmt.Errorf("footbridge: publish: source %q, detail-type %q: %w", a.event.Source, a.event.DetailType, ErrUnmatched)
	}
	for i := range s.batch {
		if _, err := s.batch[i].Work.(*delivery).input(); err != nil {
			return err
		}
	}
	return nil
}
