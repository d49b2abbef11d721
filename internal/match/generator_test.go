package match

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// A generator makes small random patterns and events that are likely to match.
type generator struct{ *rand.Rand }

// Values that are easily taken for one another stand side by side: see near.
var (
	genKeys    = []string{"a", "b", "c", "a-", "a.b", "b.c", "", "\\u0061"}
	genStrings = []string{"", "x", "X", "xy", "xyx", "yx", "x*y", `x\\y`, "x\\ny", "1", "true", "a.b", "\\ud83d\\ude00", "\\ud800", "\\uFFFD",
		"é", "É", "e\\u0301", "ß", "ẞ", "s", "ſ", "S", "k", "\\u212a", "K", "ǆ", "ǅ", "Ǆ", "σ", "ς", "Σ", "İ", "i", "I", "ı",
		"10.0.0.255", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:DB8:0::1", "fe80::1%e", "fe80::0:1%e"}
	genExact = []string{"0", "-0", "0.0", "1", "1.0", "10e-1", "-1", "2", "1.5", "15E-1", "100", "1e2", "9007199254740992", "0.1", "0.10", "5e-324", "1e23",
		"100000000000000000000000"}
	genNumbers   = append([]string{"9007199254740993", "9007199254740993.0", "0.10000000000000001", "1e-400", "1e400", "1E400", "3e-324"}, genExact...)
	genBounds    = []string{"-1", "0", "0.1", "1", "1.5", "2", "100", "9007199254740992", "1e23"} // ascending
	genWildcards = []string{"*", "x*", "*x", "x*x", "*y*", "x", "", `x\\*y`, `*\\\\*`, "*é", "1*.*"}
	genCIDRs     = []string{"10.0.0.0/24", "10.0.0.0/31", "10.0.0.77/8", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1/127", "::/64"}
)

// quote puts quotes around a text that has its escapes.
func quote(text string) string { return `"` + text + `"` }

func pick[T any](g generator, of []T) T { return of[g.IntN(len(of))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) string() string { return quote(pick(g, genStrings)) }

// scalar returns a value that is neither an object nor an array.
func (g generator) scalar() string {
	switch g.IntN(6) {
	case 0:
		return pick(g, []string{"true", "false", "null"})
	case 1, 2:
		return pick(g, genNumbers)
	}
	return g.string()
}

// list returns a JSON array of n values.
func (g generator) list(n int, value func() string) string {
	values := make([]string, n)
	for i := range values {
		values[i] = value()
	}
	return "[" + strings.Join(values, ",") + "]"
}

// pattern returns a valid pattern, which is to stand depth objects deep.
func (g generator) pattern(depth int) string {
	var members []string
	for range 1 + g.IntN(3-min(depth, 1)) {
		key, value := pick(g, genKeys), ""
		switch n := g.IntN(100); {
		case depth < 2 && n < 12:
			key, value = "$or", g.list(2+g.IntN(2), func() string { return g.pattern(depth + 1) })
		case depth < 3 && n < 45:
			value = g.pattern(depth + 1)
		default:
			value = g.list(1+g.IntN(2), g.value)
		}
		members = append(members, quote(key)+":"+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// value returns one of the values of a field.
func (g generator) value() string {
	op := func(name, arg string) string { return `{"` + name + `":` + arg + `}` }
	switch g.IntN(15) {
	case 0, 1, 2, 3:
		return g.scalar()
	case 4, 5:
		return `{"exists":false}`
	case 6:
		return `{"exists":true}`
	case 7:
		return op(pick(g, []string{"exactly", "equals-ignore-case"}), g.string())
	case 8:
		return op(pick(g, []string{"prefix", "suffix"}), g.string())
	case 9:
		return op(pick(g, []string{"prefix", "suffix"}), op("equals-ignore-case", g.string()))
	case 10:
		return op("wildcard", quote(pick(g, genWildcards)))
	case 11:
		return op("cidr", quote(pick(g, genCIDRs)))
	case 12, 13:
		return op("numeric", g.numericRange())
	}
	return op("anything-but", g.excluded())
}

func (g generator) numericRange() string {
	low := g.IntN(len(genBounds) - 1)
	high := low + 1 + g.IntN(len(genBounds)-low-1)
	lower, upper := pick(g, []string{`">"`, `">="`}), pick(g, []string{`"<"`, `"<="`})
	if g.chance(50) {
		return "[" + lower + "," + genBounds[low] + "," + upper + "," + genBounds[high] + "]"
	}
	return "[" + pick(g, []string{`"="`, lower, upper}) + "," + genBounds[low] + "]"
}

// excluded returns an argument of anything-but.
func (g generator) excluded() string {
	one := g.string
	name := pick(g, []string{"", "", "prefix", "suffix", "equals-ignore-case", "wildcard"})
	switch name {
	case "":
		if g.chance(50) {
			one = func() string { return pick(g, genExact) } // others are refused
		}
	case "prefix", "suffix":
		one = func() string { return quote(pick(g, genStrings[1:])) } // not the empty one
	case "wildcard":
		one = func() string { return quote(pick(g, genWildcards)) }
	}
	arg := g.list(1+g.IntN(3), one)
	if g.chance(50) {
		arg = one()
	}
	if name != "" {
		arg = `{"` + name + `":` + arg + `}`
	}
	return arg
}

// A genScalar is a value that is neither an object nor an array.
type genScalar struct {
	text   string
	parsed refValue
}

var genScalars = func() (all []genScalar) {
	for _, text := range append([]string{"true", "false", "null"}, genNumbers...) {
		all = append(all, genScalar{text, refParse(text)})
	}
	for _, s := range genStrings {
		all = append(all, genScalar{quote(s), refParse(quote(s))})
	}
	return all
}()

// A genLeaf is a value that an event is to have at a dotted path.
type genLeaf struct{ path, value string }

// eventFor returns an event with what one alternative of a pattern asks for, more or
// less: some of it may be left out, split over the elements of arrays, or hidden.
func (g generator) eventFor(alternatives [][]refField) string {
	var leaves []genLeaf
	for _, f := range pick(g, alternatives) {
		want := pick(g, f.values)
		if refAbsent(want) && g.chance(90) || g.chance(3) {
			continue
		}
		value := g.near(want)
		if g.chance(85) {
			for tries := 0; tries < 50 && !refValueMatches(want, value.parsed); tries++ {
				value = pick(g, genScalars)
			}
		}
		leaves = append(leaves, genLeaf{f.path, value.text})
	}
	return g.object(leaves)
}

// near returns a value that is listed beside one that a pattern's value names.
func (g generator) near(want refValue) genScalar {
	for len(want.kids) > 0 {
		want = pick(g, want.kids)
	}
	i := slices.IndexFunc(genScalars, func(s genScalar) bool { return s.parsed.kind == want.kind && s.parsed.text == want.text })
	return genScalars[max(0, min(i+g.IntN(3)-1, len(genScalars)-1))]
}

// object returns an object with the leaves and a little else.
func (g generator) object(leaves []genLeaf) string {
	var firsts []string // keys, in order of first use
	below := make(map[string][]genLeaf)
	var members []string
	for _, l := range leaves {
		first, rest, nested := strings.Cut(l.path, ".")
		switch {
		case !nested:
			members = append(members, quote(first)+":"+g.wrap(l.value))
		case g.chance(15): // a dotted key, or a key that comes more than once
			members = append(members, pick(g, []string{quote(l.path) + ":" + l.value, quote(first) + ":" + g.object([]genLeaf{{rest, l.value}})}))
		default:
			if below[first] == nil {
				firsts = append(firsts, first)
			}
			below[first] = append(below[first], genLeaf{rest, l.value})
		}
	}
	for _, first := range firsts {
		members = append(members, quote(first)+":"+g.objects(below[first]))
	}
	for g.chance(20) {
		members = append(members, quote(pick(g, genKeys))+":"+pick(g, []string{g.wrap(g.scalar()), "{}", "[]", `{"b":` + g.scalar() + `}`}))
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// wrap returns a value, or an array with it somewhere inside.
func (g generator) wrap(value string) string {
	if g.chance(70) {
		return value
	}
	elements := []string{g.wrap(value)}
	for g.chance(40) {
		elements = append(elements, pick(g, []string{g.scalar(), "[]", "{}", g.object(nil)}))
	}
	g.Shuffle(len(elements), func(i, j int) { elements[i], elements[j] = elements[j], elements[i] })
	return "[" + strings.Join(elements, ",") + "]"
}

// objects returns an object with the leaves, or an array of objects that have them.
func (g generator) objects(leaves []genLeaf) string {
	if len(leaves) > 1 && g.chance(10) { // no element has them all
		i := 1 + g.IntN(len(leaves)-1)
		return "[" + g.object(leaves[:i]) + "," + g.object(leaves[i:]) + "]"
	}
	return g.wrap(g.object(leaves))
}
