package footbridge

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A conformanceCase is a pattern, an event, and whether they match: "match",
// "no-match", or "invalid" for a pattern to be refused.
type conformanceCase struct{ Pattern, Event, Want string }

func conformanceCases(t testing.TB) (cases []conformanceCase) {
	f, err := os.Open("testdata/conformance/patterns.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var c conformanceCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		cases = append(cases, c)
	}
	require.Len(t, cases, 8500)
	return cases
}

// All cases agree one by one, and with hundreds of patterns in one Matcher.
func TestConformance(t *testing.T) {
	const group = 500
	for cases := range slices.Chunk(conformanceCases(t), group) {
		var m Matcher[int]
		for i, c := range cases {
			p, err := Compile(c.Pattern)
			if c.Want == "invalid" {
				var refused *PatternError
				assert.ErrorAs(t, err, &refused, c.Pattern)
				continue
			}
			require.NoError(t, err, c.Pattern)
			matched, err := p.Match([]byte(c.Event))
			require.NoError(t, err)
			assert.Equal(t, c.Want == "match", matched, "%s on %s", c.Pattern, c.Event)
			m.Add(i, p)
		}
		for i, c := range cases {
			keys, err := m.AppendMatches(nil, []byte(c.Event))
			require.NoError(t, err)
			assert.Equal(t, c.Want == "match", slices.Contains(keys, i), "%s on %s", c.Pattern, c.Event)
			slices.Sort(keys)
			assert.Len(t, slices.Compact(keys), len(keys))
		}
	}
}

func TestPatternErrors(t *testing.T) {
	_, err := Compile(`{"detail":{"a/b":[{"prefix":"x"},{"numeric":[">",5,"<",1]}]}}`)
	var refused *PatternError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "/detail/a~1b/1/numeric", refused.Pointer)
	assert.Equal(t, 44, refused.Offset)
	assert.Equal(t, "Bottom must be less than top", refused.Reason)
	assert.Equal(t, `[">",5,"<",1]`, refused.Pattern[refused.Offset:refused.Offset+13])
	assert.EqualError(t, err, "footbridge: Event pattern is not valid. Reason: Bottom must be less than top (at /detail/a~1b/1/numeric, offset 44)")
	assert.PanicsWithError(t, "footbridge: Event pattern is not valid. Reason: Empty objects are not allowed (offset 0)",
		func() { MustCompile(`{}`) })
}

func TestMatchWantsAnObject(t *testing.T) {
	for _, event := range []string{``, `[]`, `"x"`, `{"a":1`, `{"a":1} x`, `nul`} {
		_, err := everything.Match([]byte(event))
		assert.Error(t, err, event)
		var m Matcher[string]
		m.Add("k", everything)
		keys, err := m.AppendMatches([]string{"before"}, []byte(event))
		assert.Error(t, err, event)
		assert.Equal(t, []string{"before"}, keys)
	}
}

func TestMatcherKeys(t *testing.T) {
	var m Matcher[string]
	matches := func(event string) []string {
		keys, err := m.AppendMatches(nil, []byte(event))
		require.NoError(t, err)
		slices.Sort(keys)
		return keys
	}
	assert.Empty(t, matches(`{"a":1}`))
	m.Remove("nobody")
	m.Add("x", MustCompile(`{"a":[1]}`))
	m.Add("x", MustCompile(`{"a":[1,2]}`))
	m.Add("y", MustCompile(`{"a":[2]}`))
	assert.Equal(t, []string{"x"}, matches(`{"a":1}`))
	assert.Equal(t, []string{"x", "y"}, matches(`{"a":2}`))
	m.Remove("x")
	assert.Equal(t, []string{"y"}, matches(`{"a":2}`))
}

func TestZeroPatternsMatchNothing(t *testing.T) {
	var m Matcher[string]
	for name, p := range map[string]*Pattern{"nil": nil, "zero": {}} {
		matched, err := p.Match([]byte(`{}`))
		require.NoError(t, err)
		assert.False(t, matched)
		assert.Empty(t, p.String())
		m.Add(name, p)
	}
	keys, err := m.AppendMatches(nil, []byte(`{}`))
	require.NoError(t, err)
	assert.Empty(t, keys)
}
