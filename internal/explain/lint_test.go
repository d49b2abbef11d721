package explain

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// Comparing the values of a long list with each other is bounded.
func TestLintLarge(t *testing.T) {
	list := strings.Repeat(`"a",{"prefix":"b"},`, 20_000) + `"a"`
	findings := Lint(`{"detail":{"f":[` + list + `]}}`)
	assert.Equal(t, TooLong, findings[0].Code)
}
