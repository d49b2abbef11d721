package match

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A conformanceCase is a pattern, an event and the verdict that two independent
// matchers agree on: match, no-match, or invalid for a pattern to be refused.
type conformanceCase struct{ Pattern, Event, Want string }

func conformanceCases(t testing.TB) []conformanceCase {
	f, err := os.Open("../../testdata/conformance/patterns.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var cases []conformanceCase
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

func TestConformanceOneByOne(t *testing.T) {
	for i, c := range conformanceCases(t) {
		p, cerr := Compile(c.Pattern)
		got := "invalid"
		if cerr == nil {
			matched, err := p.Match([]byte(c.Event))
			require.NoError(t, err)
			got = map[bool]string{true: "match", false: "no-match"}[matched]
		}
		assert.Equal(t, c.Want, got, "line %d: pattern %s, event %s (%v)", i+1, c.Pattern, c.Event, cerr)
	}
}
