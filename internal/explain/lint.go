package explain

import (
	"fmt"
	"strings"
	"time"
)

// A Finding is something in a pattern that compiles and is surely, or very likely, not
// what was meant.
type Finding struct {
	Pointer string // JSON pointer of what is meant; "" is the pattern
	Code    string
	Message string
}

// Codes of findings.
const (
	NeverMatches   = "never-matches"    // no event can match
	NeverRouted    = "never-routed"     // no event of a bus can
	EmptyRange     = "empty-range"      // no number lies in a numeric
	EnvelopeType   = "envelope-type"    // an envelope never has such a value there
	UnknownField   = "unknown-field"    // an envelope has no such field
	SetAgain       = "replaced"         // the field is set again, which counts instead
	Covered        = "covered"          // another value of the list, or branch of the $or, takes all that this one does
	AlwaysHolds    = "always-holds"     // the list takes every value
	NumericString  = "numeric-string"   // a string of digits is no number
	LiteralStar    = "literal-star"     // a * stands for itself
	ValueAndFields = "value-and-fields" // a field is to have a value and fields
)

// maxCombinations is how many combinations are looked at for fields that do not go together.
const maxCombinations = 1000

// Lint looks for mistakes in a pattern that Compile has accepted.
func Lint(pattern string) []Finding {
	top, all := parsePattern(pattern)
	l := &linter{top: top, dead: make(map[*field]bool), unrouted: make(map[*field]bool)}
	l.branch(top)
	fields := l.findings
	l.findings = nil
	l.never(all)
	l.findings = append(l.findings, fields...)
	for _, c := range all[:min(len(all), maxCombinations)] {
		l.replaced(top, c)
		l.valueAndFields(c)
	}
	return l.findings
}

// A linter gathers findings.
type linter struct {
	top      *branch
	findings []Finding
	dead     map[*field]bool // fields that hold in no event
	unrouted map[*field]bool // fields that hold in no event of a bus
	told     map[[2]*field]bool
}

func (l *linter) add(pointer, code, format string, args ...any) {
	l.findings = append(l.findings, Finding{pointer, code, fmt.Sprintf(format, args...)})
}

// branch looks at each field by itself.
func (l *linter) branch(b *branch) {
	for _, f := range b.fields {
		l.envelope(f)
		l.values(f)
	}
	for _, o := range b.ors {
		for _, kid := range o.branches {
			l.branch(kid)
		}
		l.coveredBranches(o)
	}
}

// never looks whether each combination has a field that cannot hold.
func (l *linter) never(all []combination) {
	has := func(c combination, fields map[*field]bool) bool {
		for _, f := range c.fields {
			if fields[f] {
				return true
			}
		}
		return false
	}
	dead, unrouted := true, true
	for _, c := range all {
		isDead := has(c, l.dead)
		dead = dead && isDead
		unrouted = unrouted && (isDead || has(c, l.unrouted))
	}
	switch {
	case dead:
		l.add("", NeverMatches, "no event can match")
	case unrouted:
		l.add("", NeverRouted, "no event of a bus can match")
	}
}

// replaced looks for fields that a combination has another in the place of.
func (l *linter) replaced(top *branch, c combination) {
	for _, b := range append([]*branch{top}, c.branches...) {
		for _, f := range b.fields {
			by := c.fields[f.path]
			switch {
			case by == f || !l.once(f, by):
			case by.pointer == f.pointer:
				l.add(f.pointer, SetAgain, "the key %s comes twice here: the last one counts, and the two are not joined", f.keys[len(f.keys)-1])
			default:
				l.add(f.pointer, SetAgain, "%s is set again at %s, which counts instead of it: the two are not joined", f.path, by.pointer)
			}
		}
	}
}

// once reports whether it is asked for a and b for the first time.
func (l *linter) once(a, b *field) bool {
	if l.told == nil {
		l.told = make(map[[2]*field]bool)
	}
	pair := [2]*field{a, b}
	was := l.told[pair]
	l.told[pair] = true
	return !was
}

// valueAndFields looks for fields that are to have a value and fields below it.
func (l *linter) valueAndFields(c combination) {
	for _, f := range c.sorted() {
		for i := strings.IndexByte(f.path, '.'); i >= 0 && i < len(f.path); i++ {
			above := c.fields[f.path[:i]]
			if f.path[i] != '.' || above == nil || above.mayBeAbsent() || f.mayBeAbsent() || !l.once(above, f) {
				continue
			}
			l.add(f.pointer, ValueAndFields, "%s wants a value of %s, which an event has beside fields only if it repeats a key or has a dot in one", above.pointer, above.path)
		}
	}
}

// The fields of an envelope: a string, a list of strings, or an object.
var envelopeKinds = map[string]byte{
	"version": '"', "id": '"', "detail-type": '"', "source": '"', "account": '"', "time": '"', "region": '"',
	"replay-name": '"', "resources": '[', "detail": '{',
}

var envelopeKeys = []string{"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"}

// envelope looks at where a field stands in an event of a bus.
func (l *linter) envelope(f *field) {
	key := f.keys[0]
	kind, known := envelopeKinds[key]
	l.unrouted[f] = (!known || (kind == '{') == (len(f.keys) == 1)) && !f.mayBeAbsent()
	switch {
	case !known:
		hint := ""
		if near := Nearest(key, envelopeKeys); near != "" {
			hint = fmt.Sprintf(": did you mean %s?", near)
		}
		l.add(f.pointer, UnknownField, "%s is no field of an event of a bus%s", key, hint)
	case kind == '{' && len(f.keys) == 1 && !f.mayBeAbsent():
		l.add(f.pointer, EnvelopeType, "%s is an object, which has fields and no value", key)
	case kind == '{' && len(f.keys) == 1:
		l.add(f.pointer, AlwaysHolds, "%s is an object, which has no value: it is no condition", key)
	case kind != '{' && len(f.keys) > 1 && !f.mayBeAbsent():
		l.add(f.pointer, EnvelopeType, "%s has no fields", key)
	case kind != '{' && len(f.keys) == 1:
		l.envelopeValues(f)
	}
}

// envelopeValues looks at the values of a field that holds nothing but strings.
func (l *linter) envelopeValues(f *field) {
	useless := 0
	for i, v := range f.values {
		if what := neverInEnvelope(f.keys[0], v); what != "" {
			useless++
			l.add(fmt.Sprintf("%s/%d", f.pointer, i), EnvelopeType, "%s holds strings: it is %s", f.keys[0], what)
		}
	}
	l.unrouted[f] = useless == len(f.values)
}

// envelopeTime is how an envelope gives its time.
const envelopeTime = "2006-01-02T15:04:05Z"

// neverInEnvelope says so if v, which is wanted of a field that holds strings, is never there.
func neverInEnvelope(key string, v value) string {
	mayLack := key == "replay-name" || key == "resources"
	text, literal := v.text, v.kind == '"'
	if v.kind == '{' && (v.keys[0] == "exactly" || v.keys[0] == "equals-ignore-case") {
		text, literal = v.kids[0].text, true
	}
	version := value{kind: '"', text: "0"}
	switch {
	case isAbsence(v) && !mayLack:
		return "never absent"
	case isAbsence(v):
	case v.kind != '"' && v.kind != '{':
		return "never " + compact(v.raw)
	case v.kind == '{' && v.keys[0] == "numeric":
		return "never a number"
	case key == "version" && !holds(v, &version):
		return `always "0"`
	case literal && text == "" && key != "resources":
		return "never empty"
	case key == "time" && v.kind == '{' && v.keys[0] == "cidr":
		return "never an IP address"
	case literal && key == "time":
		if _, err := time.Parse(envelopeTime, strings.ToUpper(text)); err != nil {
			return "always like " + envelopeTime
		}
	}
	return ""
}
