package footbridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

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

// A pattern of one field is said to match no event of a bus exactly if it matches none of
// many that a bus has accepted; one of two fields, only if it matches none.
func TestLintKnowsEnvelopes(t *testing.T) {
	var events [][]byte
	bus := New(&Options{Observer: &Observer{Published: func(p PublishInfo) {
		data, err := p.Event.MarshalJSON()
		require.NoError(t, err)
		events = append(events, data)
	}}})
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for i, text := range []string{"x", "0", "123456789012", "10.0.0.1", "2026-11-24", "2026-11-24T10:00:00Z"} {
		for _, resources := range [][]string{nil, {""}, {"x", text}} {
			for _, detail := range []string{`{}`, `{"x":"` + text + `"}`, `{"x":5}`, `{"x":["",null]}`} {
				for _, e := range []Event{{}, {ID: text, Account: text, Region: text, Time: at.AddDate(-1000*i/5, 0, 0), ReplayName: text}} {
					e.Source, e.DetailType, e.Resources, e.Detail = text, text, resources, []byte(detail)
					_, err := bus.Publish(t.Context(), e)
					require.NoError(t, err)
				}
			}
		}
	}
	var fields []string
	for _, key := range []string{"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name", "Source", "x", "detail.x", "source.x", "resources.x"} {
		for _, list := range []string{
			`"x"`, `"0"`, `""`, `5`, `null`, `{"exists":true}`, `{"exists":false}`, `{"exactly":""}`, `{"exactly":"x"}`, `{"equals-ignore-case":"X"}`,
			`{"anything-but":"x"}`, `{"anything-but":["x",""]}`, `{"prefix":"1"}`, `{"numeric":[">",0]}`, `{"wildcard":"*1*"}`, `{"cidr":"10.0.0.0/8"}`,
			`"2026-11-24T10:00:00Z"`, `{"equals-ignore-case":"2026-11-24t10:00:00z"}`, `"2026-11-24"`, `5,"x"`, `"",{"exists":false}`,
		} {
			fields = append(fields, fmt.Sprintf("%q:[%s]", key, list))
		}
	}
	check := func(pattern string, exactly bool) {
		p := MustCompile(pattern)
		matched := slices.ContainsFunc(events, func(e []byte) bool {
			ok, err := p.Match(e)
			return err == nil && ok
		})
		findings := p.Lint()
		never := slices.ContainsFunc(findings, func(f Finding) bool { return f.Code == LintNeverRouted })
		if never && matched || exactly && !never && !matched {
			t.Errorf("pattern %s: matched: %v, findings %v", pattern, matched, findings)
		}
	}
	for i, one := range fields {
		check("{"+one+"}", true)
		for j := i % 40; j < i; j += 40 { // some of them, each time others
			check("{"+one+","+fields[j]+"}", false)
		}
	}
}

// Lint says what a bus with Strict does, in the same words.
func TestLintIsStrict(t *testing.T) {
	long := func(length int) string {
		frame := `{"source":["` + `"]}`
		return `{"source":["` + strings.Repeat("ü", length-len(frame)) + `"]}`
	}
	ors := func(n int) string { // of 10 branches each
		branches := make([]string, n)
		for i := range n {
			var list []string
			for j := range 10 {
				list = append(list, fmt.Sprintf(`{"detail":{"f%d":[%d]}}`, i, j))
			}
			branches[i] = `"$or":[` + strings.Join(list, ",") + `]`
		}
		return "{" + strings.Join(branches, ",") + "}"
	}
	bus := New(&Options{Strict: true})
	for _, c := range []struct{ pattern, want string }{
		{long(2048), ""}, // characters count, not bytes
		{long(2049), "want at most 2048 characters, got 2049"},
		{ors(3), ""},
		{ors(4), "want at most 1000 combinations of $or branches, got 10000"},
		{`{"source":[{"wildcard":"*/dir/*"}]}`, ""},
		{`{"source":[{"wildcard":":*:*:*:*:*:*:*"}]}`, tooComplex},
		{`{"source":[{"anything-but":{"wildcard":":*:*:*:*:*:*:*"}}]}`, tooComplex},
	} {
		p := MustCompile(c.pattern)
		got := ""
		for _, f := range p.Lint() {
			if f.Code == LintRefused {
				assert.Empty(t, f.Pointer)
				got = f.Message
			}
		}
		assert.Equal(t, c.want, got, "%.60s", c.pattern)
		err := bus.PutRule(Rule{Name: "r", Pattern: p, Targets: []Target{Func("f", func(context.Context, Event) error { return nil })}})
		if refused := (*RuleError)(nil); errors.As(err, &refused) {
			assert.Equal(t, got, refused.Reason)
		} else {
			require.NoError(t, err)
			assert.Empty(t, got)
		}
	}
	assert.Nil(t, (*Pattern)(nil).Lint())
}
