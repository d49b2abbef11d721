package footbridge

import (
	"fmt"

	"github.com/footbridge-go/footbridge/internal/match"
)

// A Pattern is a compiled event pattern: literal values, and the operators prefix,
// suffix, equals-ignore-case, wildcard, numeric, cidr, exists, anything-but, exactly
// and $or. The language is described in
// https://github.com/footbridge-go/footbridge/blob/main/docs/patterns.md.
//
// A Pattern is immutable and may be used by any number of goroutines. [Compile] makes
// one; nil and the zero value match nothing.
type Pattern struct{ compiled *match.Pattern }

// inner returns the compiled pattern of p, or nil.
func (p *Pattern) inner() *match.Pattern {
	if p == nil {
		return nil
	}
	return p.compiled
}

// Compile compiles an event pattern, such as {"detail":{"state":["running"]}}. The
// error is a *PatternError.
func Compile(pattern string) (*Pattern, error) {
	p, err := match.Compile(pattern)
	if err != nil {
		return nil, &PatternError{Pattern: pattern, Pointer: err.Pointer, Offset: err.Offset, Reason: err.Reason}
	}
	return &Pattern{p}, nil
}

// MustCompile is [Compile] for patterns that are part of the program: it panics if
// the pattern is refused.
func MustCompile(pattern string) *Pattern {
	p, err := Compile(pattern)
	if err != nil {
		panic(err)
	}
	return p
}

// Match reports whether event, which may be any JSON object, matches the pattern. It
// may stop as soon as it has seen all that the pattern asks for: for a text that is not
// a JSON object it returns an error, or the verdict on what it has seen.
func (p *Pattern) Match(event []byte) (bool, error) {
	matched, err := p.inner().Match(event)
	return matched, matchError(err)
}

// String returns the text the pattern was compiled from.
func (p *Pattern) String() string { return p.inner().String() }

// A PatternError says why a pattern was refused and where.
type PatternError struct {
	Pattern string // the text
	Pointer string // JSON pointer (RFC 6901) of the value that was refused; "" is the pattern itself
	Offset  int    // of that value in Pattern, in bytes
	Reason  string // in the service's own words where it has them
}

func (e *PatternError) Error() string {
	at := ""
	if e.Pointer != "" {
		at = "at " + e.Pointer + ", "
	}
	return fmt.Sprintf("footbridge: Event pattern is not valid. Reason: %s (%soffset %d)", e.Reason, at, e.Offset)
}

// A Matcher finds which of many patterns an event matches. K is what the caller
// knows a pattern by. The zero value is ready to use. All methods may be called
// from any number of goroutines; matching takes no lock, and sees each change whole.
type Matcher[K comparable] struct{ set match.Set[K] }

// Add adds a pattern under key, which may have several.
func (m *Matcher[K]) Add(key K, p *Pattern) { m.set.Add(key, p.inner()) }

// Remove removes all patterns of key, if it has any.
func (m *Matcher[K]) Remove(key K) { m.set.Remove(key) }

// AppendMatches appends to dst each key that has a pattern which event matches,
// once and in no particular order. Like [Pattern.Match] it may stop early: for a text
// that is not a JSON object it returns an error, with which nothing is appended, or the
// matches of what it has seen. It allocates nothing if dst has room.
func (m *Matcher[K]) AppendMatches(dst []K, event []byte) ([]K, error) {
	dst, err := m.set.AppendMatches(dst, event)
	return dst, matchError(err)
}

func matchError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("footbridge: event: %w", err)
}
