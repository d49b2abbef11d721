package explain

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/match"
	"github.com/footbridge-go/footbridge/internal/stanza"
)

// A conformanceCase is a pattern, an event and the verdict that two independent matchers
// agree on: match, no-match, or invalid for a pattern to be refused.
type conformanceCase struct{ Pattern, Event, Want string }

func conformanceCases(t testing.TB) (cases []conformanceCase) {
	f, err := os.Open("../../testdata/conformance/patterns.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var c conformanceCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		cases = append(cases, c)
	}
	require.NoError(t, lines.Err())
	require.Len(t, cases, 8500)
	return cases
}

// stanzas returns the good patterns of testdata/match with their events.
func stanzas(t testing.TB) (all []stanza.Stanza) {
	names, err := filepath.Glob("../../testdata/match/*.txt")
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		parsed, err := stanza.Parse(filepath.Base(name), string(text))
		require.NoError(t, err)
		for _, s := range parsed {
			if s.Error == "" {
				all = append(all, s)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// checkResult checks what holds for every result.
func checkResult(t testing.TB, r Result, pattern, event string) {
	if r.Error != nil {
		return
	}
	require.Equal(t, r.Matched, r.Missed == 0, "pattern %s, event %s", pattern, event)
	require.True(t, !r.Matched || r.Holds, "pattern %s, event %s", pattern, event)
	checkBranch(t, &r.Branch, pattern, event)
}

func checkBranch(t testing.TB, b *Branch, pattern, event string) {
	for _, f := range b.Fields {
		require.Equal(t, f.Holds, f.Why == "", "pattern %s, event %s: %+v", pattern, event, f)
		require.Equal(t, f.Holds, f.Reason == "", "pattern %s, event %s: %+v", pattern, event, f)
		require.NotEmpty(t, f.Wanted)
	}
	for _, o := range b.Ors {
		require.GreaterOrEqual(t, len(o.Branches), 2)
		for i := range o.Branches {
			checkBranch(t, &o.Branches[i], pattern, event)
		}
	}
}

// Of 8,500 cases the patterns of 1,500 are refused: there is nothing to explain.
func TestVerdictsConformance(t *testing.T) {
	explained := 0
	for i, c := range conformanceCases(t) {
		p, refused := match.Compile(c.Pattern)
		require.Equal(t, c.Want == "invalid", refused != nil, "line %d: pattern %s", i+1, c.Pattern)
		if refused != nil {
			continue
		}
		explained++
		matched, err := p.Match([]byte(c.Event))
		require.NoError(t, err)
		require.Equal(t, c.Want == "match", matched, "line %d: pattern %s, event %s", i+1, c.Pattern, c.Event)
		r := Explain(c.Pattern, []byte(c.Event))
		assert.Equal(t, c.Want == "match", r.Matched, "line %d: pattern %s, event %s", i+1, c.Pattern, c.Event)
		checkResult(t, r, c.Pattern, c.Event)
	}
	assert.Equal(t, 7000, explained)
}

// Each pattern of the stanzas is tried on its own events and on those of its neighbours.
func TestVerdictsStanzas(t *testing.T) {
	all := stanzas(t)
	for i, s := range all {
		p, perr := match.Compile(s.Pattern)
		require.Nil(t, perr)
		for _, e := range s.Events {
			r := Explain(s.Pattern, []byte(e.JSON))
			require.Equal(t, e.Match, r.Matched, "pattern %s, event %s", s.Pattern, e.JSON)
			checkResult(t, r, s.Pattern, e.JSON)
		}
		for _, other := range all[max(0, i-5):min(len(all), i+6)] {
			for _, e := range other.Events {
				want, err := p.Match([]byte(e.JSON))
				require.NoError(t, err)
				require.Equal(t, want, Explain(s.Pattern, []byte(e.JSON)).Matched, "pattern %s, event %s", s.Pattern, e.JSON)
			}
		}
	}
}

// A pattern with very many fields is explained with less effort, and not wrongly.
func TestExplainManyFields(t *testing.T) {
	var pattern, first []string
	for i := range 1500 {
		pattern = append(pattern, fmt.Sprintf(`"k%04d":[%d]`, i, i))
		first = append(first, fmt.Sprintf(`"k%04d":%d`, i, i))
	}
	source := `{"list":{` + strings.Join(pattern, ",") + `}}`
	event := `{"list":[{` + strings.Join(first[:1400], ",") + `},{` + strings.Join(first[700:], ",") + `}]}`
	r := Explain(source, []byte(event))
	checkResult(t, r, "of many fields", "of many fields")
	assert.False(t, r.Matched)
	assert.Equal(t, 1, r.Missed)
	assert.Equal(t, Element, r.Fields[1400].Why)
	assert.True(t, Explain(source, []byte(`{"list":[{},{`+strings.Join(first, ",")+`}]}`)).Matched)
}

func FuzzVerdicts(f *testing.F) {
	for _, s := range stanzas(f) {
		for _, e := range s.Events {
			f.Add(s.Pattern, []byte(e.JSON))
		}
	}
	cases := conformanceCases(f)
	for i := 0; i < len(cases); i += 20 {
		f.Add(cases[i].Pattern, []byte(cases[i].Event))
	}
	f.Fuzz(func(t *testing.T, pattern string, event []byte) {
		p, perr := match.Compile(pattern)
		if perr != nil {
			return
		}
		r := Explain(pattern, event)
		checkResult(t, r, pattern, string(event))
		want, err := p.Match(event)
		if r.Error != nil {
			require.False(t, json.Valid(event) && err == nil, "%v: %s", r.Error, event)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, r.Matched, "pattern %s, event %s", pattern, event)
		for _, finding := range Lint(pattern) {
			require.False(t, want && finding.Code == NeverMatches, "pattern %s, event %s: %+v", pattern, event, finding)
		}
	})
}
