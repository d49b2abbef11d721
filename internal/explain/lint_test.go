package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/match"
)

// isEnvelope reports whether an event is one that a bus could have.
func isEnvelope(event string) bool {
	var e map[string]any
	if json.Unmarshal([]byte(event), &e) != nil {
		return false
	}
	for key, v := range e {
		ok := false
		switch envelopeKinds[key] {
		case '"':
			_, ok = v.(string)
		case '{':
			_, ok = v.(map[string]any)
		case '[':
			list, isList := v.([]any)
			ok = isList && !slices.ContainsFunc(list, func(v any) bool { _, isString := v.(string); return !isString })
		}
		if !ok {
			return false
		}
	}
	return true
}

// No pattern that an event matches is said to match none.
func TestLintHasNoFalsePositives(t *testing.T) {
	matched, envelopes := 0, 0
	check := func(pattern, event string) {
		matched++
		whole := isEnvelope(event)
		if whole {
			envelopes++
		}
		for _, f := range Lint(pattern) {
			assert.NotEqual(t, NeverMatches, f.Code, "pattern %s, event %s: %+v", pattern, event, f)
			if whole && !strings.Contains(pattern, `"exists":false`) { // the event may lack what each envelope has
				assert.NotEqual(t, NeverRouted, f.Code, "pattern %s, event %s: %+v", pattern, event, f)
			}
		}
	}
	for _, c := range conformanceCases(t) {
		if c.Want == "match" {
			check(c.Pattern, c.Event)
		}
	}
	for _, s := range stanzas(t) {
		for _, e := range s.Events {
			if e.Match {
				check(s.Pattern, e.JSON)
			}
		}
	}
	require.Greater(t, matched, 3000)
	require.Greater(t, envelopes, 30)
}

// A value that is said to be covered takes nothing that the rest of the list does not.
func TestCoveredValuesDecideNothing(t *testing.T) {
	covered := 0
	var leaves []value
	for _, raw := range []string{`"x"`, `"xy"`, `""`, `"10.0.0.1"`, `"::ffff:10.0.0.1"`, `"X"`, `5`, `5.0`, `1e400`, `-1`, `0`, `true`, `null`, `"yx"`, `"*"`} {
		v, _ := parseScalar([]byte(raw), 0)
		leaves = append(leaves, v)
	}
	operators := []string{`"x"`, `"xy"`, `"10.0.0.1"`, `5`, `5.0`, `0`, `1e400`, `true`, `null`, `{"prefix":"x"}`, `{"prefix":"xy"}`, `{"suffix":"y"}`, `{"suffix":"xy"}`,
		`{"wildcard":"*"}`, `{"wildcard":"x*"}`, `{"equals-ignore-case":"x"}`, `{"numeric":[">",0]}`, `{"numeric":[">=",0,"<",10]}`, `{"numeric":["=",5]}`,
		`{"cidr":"10.0.0.0/8"}`, `{"anything-but":"x"}`, `{"anything-but":[5,0]}`, `{"anything-but":{"prefix":"x"}}`, `{"exactly":"xy"}`, `{"exactly":"10.0.0.1"}`,
		`{"prefix":{"equals-ignore-case":"x"}}`, `{"exists":true}`, `{"exists":false}`}
	for _, a := range operators {
		for _, b := range operators {
			pattern := `{"detail":{"f":[` + a + `,` + b + `]}}`
			top, _ := parsePattern(pattern)
			f := top.fields[0]
			for _, finding := range Lint(pattern) {
				if finding.Code != Covered {
					continue
				}
				covered++
				i := int(finding.Pointer[len(finding.Pointer)-1] - '0')
				for _, leaf := range leaves {
					if holds(f.values[i], &leaf) {
						assert.True(t, holds(f.values[1-i], &leaf), "%s: %+v: %s", pattern, finding, leaf.raw)
					}
				}
			}
		}
	}
	require.Greater(t, covered, 100)
}

// A small grammar: all patterns of a few fields and values, and events of the same.
var (
	smallPaths = []string{`a`, `a.b`, `b`}
	smallLists = []string{
		`"x"`, `1`, `{"exists":true}`, `{"exists":false}`, `{"anything-but":"x"}`, `"x",{"exists":false}`,
		`{"numeric":[">",1.7976931348623157e308]}`, `{"numeric":[">",1.7976931348623157e308]},1`,
	}
	smallEvents = func() (events []string) {
		for _, a := range []string{
			``, `"a":"x"`, `"a":1`, `"a":"y"`, `"a":{"b":"x"}`, `"a":{"b":1}`, `"a":{"b":"y"}`, `"a":["x"]`, `"a":["x",{"b":"x"}]`, `"a":[{"b":"x"},{"b":1}]`,
			`"a":[1,{"b":["x",1]}]`, `"a":[]`, `"a":{}`, `"a":[[{"b":"x"}],"x"]`,
		} {
			for _, b := range []string{``, `"b":"x"`, `"b":1`, `"b":["y"]`, `"b":{"c":"x"}`} {
				events = append(events, "{"+strings.Trim(a+","+b, ",")+"}")
			}
		}
		return events
	}()
	// Events in which a value stands beside fields.
	oddEvents = func() (events []string) {
		for _, a := range []string{`"x"`, `1`, `"y"`} {
			for _, b := range []string{`"x"`, `1`, `"y"`} {
				for _, rest := range []string{``, `,"b":"x"`, `,"b":1`} {
					events = append(events, `{"a":`+a+`,"a.b":`+b+rest+`}`, `{"a":`+a+`,"a":{"b":`+b+`}`+rest+`}`)
				}
			}
		}
		return events
	}()
)

// smallFields returns all sets of at least one and at most n fields, as members of an object.
func smallFields(lists []string, n int) (all []string) {
	var add func(i, left int, members string)
	add = func(i, left int, members string) {
		if i == len(smallPaths) || left == 0 {
			if members != "" {
				all = append(all, members[1:])
			}
			return
		}
		add(i+1, left, members)
		for _, list := range lists {
			add(i+1, left-1, members+fmt.Sprintf(",%q:[%s]", smallPaths[i], list))
		}
	}
	add(0, n, "")
	return all
}

func mustCompile(t *testing.T, pattern string) *match.Pattern {
	p, err := match.Compile(pattern)
	require.Nil(t, err, "%s", pattern)
	return p
}

func matchesAny(t *testing.T, pattern string, events []string) bool {
	p := mustCompile(t, pattern)
	return slices.ContainsFunc(events, func(e string) bool {
		ok, err := p.Match([]byte(e))
		require.NoError(t, err)
		return ok
	})
}

func hasCode(findings []Finding, code string) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Code == code })
}

// Of the small grammar exactly those patterns that no event matches are said to match none,
// and exactly those that only events with a value beside fields match are said to want that.
func TestLintFindsWhatNeverMatches(t *testing.T) {
	counts := make(map[string]int)
	for _, fields := range smallFields(smallLists, 3) {
		pattern := "{" + fields + "}"
		findings := Lint(pattern)
		never, odd := hasCode(findings, NeverMatches), hasCode(findings, ValueAndFields)
		plain := matchesAny(t, pattern, smallEvents)
		assert.Equal(t, never, !plain && !matchesAny(t, pattern, oddEvents), "%s: %+v", pattern, findings)
		assert.Equal(t, never || odd, !plain, "%s: %+v", pattern, findings)
		counts[fmt.Sprintf("never=%v odd=%v", never, odd)]++
	}
	t.Log(counts)
	require.Len(t, counts, 4)
}

// A $or matches the same without a branch that is said to be covered, whatever is beside it.
func TestCoveredBranchesDecideNothing(t *testing.T) {
	branches := smallFields([]string{`"x"`, `"x",1`, `{"exists":false}`}, 2)
	covered := 0
	for _, outer := range append([]string{``}, smallFields([]string{`"x"`, `{"exists":false}`}, 1)...) {
		for i, one := range branches {
			for _, two := range branches[i:] {
				or := `"$or":[{` + one + `},{` + two + `}]`
				for _, pattern := range []string{strings.Trim(outer+","+or, ","), strings.Trim(or+","+outer, ",")} {
					for _, f := range Lint("{" + pattern + "}") {
						if f.Code != Covered || f.Pointer != "/$or/0" && f.Pointer != "/$or/1" {
							continue
						}
						covered++
						without := strings.Replace(pattern, or, map[string]string{"/$or/0": two, "/$or/1": one}[f.Pointer], 1)
						requireSame(t, "{"+pattern+"}", "{"+without+"}")
					}
				}
			}
		}
	}
	t.Log(covered)
	require.Greater(t, covered, 500)
}

func requireSame(t *testing.T, a, b string) {
	p, q := mustCompile(t, a), mustCompile(t, b)
	for _, e := range slices.Concat(smallEvents, oddEvents) {
		want, err := p.Match([]byte(e))
		got, err2 := q.Match([]byte(e))
		if err != nil || err2 != nil || want != got {
			t.Fatalf("%s: %v (%v), %s: %v (%v): event %s", a, want, err, b, got, err2, e)
		}
	}
}

// Comparing the values of a long list with each other is bounded.
func TestLintLarge(t *testing.T) {
	list := strings.Repeat(`"a",{"prefix":"b"},`, 20_000) + `"a"`
	findings := Lint(`{"detail":{"f":[` + list + `]}}`)
	assert.NotEmpty(t, findings)
}
