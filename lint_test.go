package footbridge

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each pattern of testdata/lint/cases.txt has its findings below it.
func TestLint(t *testing.T) {
	text, err := os.ReadFile("testdata/lint/cases.txt")
	require.NoError(t, err)
	var s strings.Builder
	codes := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		pattern, ok := strings.CutPrefix(strings.TrimSpace(line), "pattern ")
		if !ok {
			if !strings.HasPrefix(line, "  ") {
				s.WriteString(line)
			}
			continue
		}
		s.WriteString(line)
		findings := MustCompile(pattern).Lint()
		for _, f := range findings {
			codes[f.Code] = true
			fmt.Fprintf(&s, "  %s\n", f)
		}
		if len(findings) == 0 {
			s.WriteString("  none\n")
		}
	}
	golden(t, "lint/cases.txt", s.String())
	for _, code := range []string{
		LintNeverMatches, LintNeverRouted, LintEmptyRange, LintEnvelopeType, LintUnknownField, LintReplaced, LintCovered,
		LintAlwaysHolds, LintNumericString, LintValueAndFields,
	} {
		assert.True(t, codes[code], "no case finds %s", code)
	}
}

func TestLintLimits(t *testing.T) {
	pattern := func(length int) *Pattern {
		frame := `{"source":["` + `"]}`
		return MustCompile(`{"source":["` + strings.Repeat("ü", length-len(frame)) + `"]}`)
	}
	assert.Empty(t, pattern(2048).Lint(), "characters count, not bytes")
	assert.Equal(t, []Finding{{"", LintTooLong, "the service takes at most 2048 characters, this has 2049"}}, pattern(2049).Lint())

	ors := func(n int) *Pattern { // of 10 branches each
		branches := make([]string, n)
		for i := range n {
			var list []string
			for j := range 10 {
				list = append(list, fmt.Sprintf(`{"detail":{"f%d":[%d]}}`, i, j))
			}
			branches[i] = `"$or":[` + strings.Join(list, ",") + `]`
		}
		return MustCompile("{" + strings.Join(branches, ",") + "}")
	}
	assert.Empty(t, ors(3).Lint())
	assert.Equal(t, LintTooManyCombinations, ors(4).Lint()[0].Code)
	assert.Nil(t, (*Pattern)(nil).Lint())
}
