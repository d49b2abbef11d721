package match

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file is a second matcher, written from the rules alone and as plainly as
// they can be said, to compare the package with. It is for valid patterns and for
// events in valid UTF-8, and it may take exponential time.

// A refValue is a JSON value. Its kind is the first character of its text, with
// '0' for any number.
type refValue struct {
	kind byte
	text string   // of a string, unescaped, or of a number, as written
	keys []string // of an object, in the order of the text, as often as they come
	kids []refValue
}

func refParse(text string) refValue {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return refParseNext(d)
}

func refParseNext(d *json.Decoder) (v refValue) {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch x := token.(type) {
	case json.Delim:
		v.kind = byte(x)
		for d.More() {
			if x == '{' {
				key, _ := d.Token()
				v.keys = append(v.keys, key.(string))
			}
			v.kids = append(v.kids, refParseNext(d))
		}
		_, _ = d.Token() // the closing delimiter
	case string:
		v = refValue{kind: '"', text: x}
	case json.Number:
		v = refValue{kind: '0', text: x.String()}
	case bool:
		v.kind = strconv.FormatBool(x)[0]
	case nil:
		v.kind = 'n'
	}
	return v
}

// A refChain tells for each array that leads to a leaf which element does.
type refChain map[int]int

// A refLeaf is a value of an event that is neither an object nor an array.
type refLeaf struct {
	value refValue
	chain refChain
}

// A refEvent is the leaves of an event by dotted path.
type refEvent struct {
	leaves map[string][]refLeaf
	arrays int // seen so far; an array is known by its number
}

func refFlatten(event string) refEvent {
	e := refEvent{leaves: make(map[string][]refLeaf)}
	e.object(make(map[string]string), "", refParse(event), nil)
	return e
}

// object adds the leaves of an object. All that is in the same element of the same
// arrays shares taken, which says of a path what kinds of values have been there.
func (e *refEvent) object(taken map[string]string, prefix string, v refValue, chain refChain) {
	for i, key := range v.keys {
		kid := v.kids[i]
		if first, rest, dotted := strings.Cut(key, "."); dotted { // "a.b":v is "a":{"b":v}
			key, kid = first, refValue{kind: '{', keys: []string{rest}, kids: []refValue{kid}}
		}
		e.add(taken, prefix+key, kid, chain)
	}
}

func (e *refEvent) add(taken map[string]string, path string, v refValue, chain refChain) {
	before := taken[path]
	switch {
	case strings.Contains(before, "array"):
		// An array keeps its path for itself.
	case v.kind == '{':
		taken[path] += "object "
		e.object(taken, path+".", v, chain)
	case v.kind == '[' && before == "":
		taken[path] = "array"
		e.arrays++
		number := e.arrays
		for i, element := range v.kids {
			longer := maps.Clone(chain)
			if longer == nil {
				longer = make(refChain)
			}
			longer[number] = i
			e.add(make(map[string]string), path, element, longer)
		}
	case v.kind != '[' && !strings.Contains(before, "leaf"):
		taken[path] += "leaf "
		e.leaves[path] = append(e.leaves[path], refLeaf{v, chain})
	}
}

// A refField is a path of a pattern with the values that it may have.
type refField struct {
	path   string
	values []refValue
}

// refExpand adds an object of a pattern to each of the sets of fields, one set for
// each choice of $or branches so far.
func refExpand(sets []map[string][]refValue, prefix string, v refValue) []map[string][]refValue {
	for i, key := range v.keys {
		kid := v.kids[i]
		switch {
		case key == "$or":
			var out []map[string][]refValue
			for _, branch := range kid.kids {
				var copies []map[string][]refValue
				for _, s := range sets {
					copies = append(copies, maps.Clone(s))
				}
				out = append(out, refExpand(copies, prefix, branch)...)
			}
			sets = out
		case kid.kind == '{':
			sets = refExpand(sets, prefix+key+".", kid)
		default:
			for _, s := range sets {
				s[prefix+key] = kid.kids
			}
		}
	}
	return sets
}

// refPattern returns the alternatives of a pattern: fields in byte order of paths.
func refPattern(pattern string) (alternatives [][]refField) {
	for _, set := range refExpand([]map[string][]refValue{{}}, "", refParse(pattern)) {
		var fields []refField
		for path, values := range set {
			fields = append(fields, refField{path, values})
		}
		slices.SortFunc(fields, func(a, b refField) int { return cmp.Compare(a.path, b.path) })
		alternatives = append(alternatives, fields)
	}
	return alternatives
}

// refMatch reports whether event matches pattern.
func refMatch(pattern, event string) bool {
	return refMatchParsed(refPattern(pattern), refFlatten(event))
}

func refMatchParsed(alternatives [][]refField, e refEvent) bool {
	return slices.ContainsFunc(alternatives, func(fields []refField) bool { return e.assign(fields, nil) })
}

// assign tries every leaf for the first of the fields that is in the same element
// of every array it shares with the leaves chosen so far; then the fields after it.
func (e *refEvent) assign(fields []refField, chosen refChain) bool {
	if len(fields) == 0 {
		return true
	}
	present := false
	for _, leaf := range e.leaves[fields[0].path] {
		longer, ok := refJoin(chosen, leaf.chain)
		if !ok {
			continue
		}
		present = true
		matches := func(want refValue) bool { return refValueMatches(want, leaf.value) }
		if slices.ContainsFunc(fields[0].values, matches) && e.assign(fields[1:], longer) {
			return true
		}
	}
	return !present && slices.ContainsFunc(fields[0].values, refAbsent) && e.assign(fields[1:], chosen)
}

func refJoin(a, b refChain) (refChain, bool) {
	both := make(refChain)
	maps.Copy(both, a)
	for array, i := range b {
		if j, shared := a[array]; shared && i != j {
			return nil, false
		}
		both[array] = i
	}
	return both, true
}

// refAbsent reports whether want is {"exists":false}.
func refAbsent(want refValue) bool {
	return want.kind == '{' && want.keys[0] == "exists" && want.kids[0].kind == 'f'
}

func refValueMatches(want, got refValue) bool {
	switch want.kind {
	case '{':
		return refOperator(want.keys[0], want.kids[0], got)
	case '"':
		return refEqual(want, got) || got.kind == '"' && refSameAddress(want.text, got.text)
	}
	return refEqual(want, got)
}

func refEqual(want, got refValue) bool {
	if want.kind == '0' && got.kind == '0' {
		x, exactX := refNumber(want.text)
		y, exactY := refNumber(got.text)
		return want.text == got.text || exactX && exactY && x.Cmp(y) == 0
	}
	return want.kind == got.kind && want.text == got.text
}

func refOperator(name string, arg, got refValue) bool {
	switch name {
	case "exists":
		return arg.kind == 't'
	case "anything-but":
		return !refExcluded(arg, got)
	case "numeric":
		return got.kind == '0' && refNumeric(arg.kids, got)
	}
	if got.kind != '"' {
		return false
	}
	fold := arg.kind == '{' // {"prefix":{"equals-ignore-case":s}}
	if fold {
		arg = arg.kids[0]
	}
	want, have := []rune(arg.text), []rune(got.text)
	switch name {
	case "exactly":
		return arg.text == got.text
	case "prefix":
		return len(want) <= len(have) && refSame(want, have[:len(want)], fold)
	case "suffix":
		return len(want) <= len(have) && refSame(want, have[len(have)-len(want):], fold)
	case "equals-ignore-case":
		return refSame(want, have, true)
	case "wildcard":
		return refWildcard(arg.text).MatchString(got.text)
	case "cidr":
		return refInRange(arg.text, got.text)
	}
	panic("unknown operator " + name)
}

func refExcluded(arg, got refValue) bool {
	list, equal := []refValue{arg}, refEqual
	if arg.kind == '{' {
		list = []refValue{arg.kids[0]}
		equal = func(want, got refValue) bool { return refOperator(arg.keys[0], want, got) }
	}
	if list[0].kind == '[' {
		list = list[0].kids
	}
	return slices.ContainsFunc(list, func(want refValue) bool { return equal(want, got) })
}

func refSame(want, have []rune, fold bool) bool {
	return slices.EqualFunc(want, have, func(p, c rune) bool {
		return c == p || fold && (c == unicode.ToUpper(p) || c == unicode.ToLower(p))
	})
}

func refWildcard(text string) *regexp.Regexp {
	var re strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			re.WriteString(".*")
		case '\\':
			i++
			re.WriteByte('\\')
			re.WriteByte(text[i]) // a star or a backslash
		default:
			re.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return regexp.MustCompile(`(?s)\A` + re.String() + `\z`)
}

// refNumber returns a number and whether it is what a float64 is written as.
func refNumber(text string) (*big.Rat, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, false // out of range
	}
	exact, _ := new(big.Rat).SetString(text)
	written, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	return exact, exact.Cmp(written) == 0
}

func refNumeric(args []refValue, got refValue) bool {
	x, ok := refNumber(got.text)
	for i := 0; i < len(args) && ok; i += 2 {
		bound, _ := refNumber(args[i+1].text)
		order := x.Cmp(bound)
		ok = map[string]bool{"=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[args[i].text]
	}
	return ok
}

func refAddress(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

func refSameAddress(a, b string) bool {
	x, okX := refAddress(a)
	y, okY := refAddress(b)
	return okX && okY && x == y
}

func refInRange(cidr, text string) bool {
	base, bits, _ := strings.Cut(cidr, "/")
	network, _ := refAddress(base)
	n, _ := strconv.Atoi(bits)
	a, ok := refAddress(text)
	return ok && netip.PrefixFrom(network, n).Contains(a)
}

var hugeExponent = regexp.MustCompile(`[eE][+-]?0*[1-9][0-9]{3}`)

// refCanParse reports whether text is small enough for the reference: big.Rat writes
// an exponent out in digits, and each leaf has a copy of the chain that leads to it.
func refCanParse(text string) bool {
	return len(text) < 4000 && strings.Count(text, "[") < 200 && !hugeExponent.MatchString(text)
}

// refWork bounds the number of assignments that the reference may have to try.
func refWork(alternatives [][]refField, e refEvent) (work int) {
	for _, fields := range alternatives {
		tries := 1
		for _, f := range fields {
			tries = min(1_000_000, tries*max(1, len(e.leaves[f.path])))
		}
		work += tries * len(fields)
	}
	return work
}

func TestReferenceConformance(t *testing.T) {
	tried := 0
	for i, c := range conformanceCases(t) {
		if c.Want == "invalid" {
			continue
		}
		tried++
		assert.Equal(t, c.Want == "match", refMatch(c.Pattern, c.Event), "line %d: pattern %s, event %s", i+1, c.Pattern, c.Event)
	}
	require.Equal(t, 7000, tried)
}
