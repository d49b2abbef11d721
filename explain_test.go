package footbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/stanza"
)

// golden compares a text with testdata/NAME, which -update writes anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s", file)
}

// The explanations of testdata/explain/cases.txt, as text and, of the first stanza, as JSON.
func TestExplain(t *testing.T) {
	name := filepath.Join("testdata", "explain", "cases.txt")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	stanzas, err := stanza.Parse(name, string(text))
	require.NoError(t, err)
	var s strings.Builder
	reasons := make(map[string]bool)
	for i, c := range stanzas {
		p := MustCompile(c.Pattern)
		fmt.Fprintf(&s, "pattern %s\n\n", c.Pattern)
		for _, e := range c.Events {
			x := p.Explain([]byte(e.JSON))
			assert.Equal(t, e.Match, x.Matched, "%s:%d", name, e.Line)
			matched, err := p.Match([]byte(e.JSON))
			require.NoError(t, err)
			assert.Equal(t, matched, x.Matched, "%s:%d", name, e.Line)
			assert.Equal(t, c.Pattern, x.Pattern)
			addReasons(reasons, &BranchExplanation{Fields: x.Fields, Or: x.Or})
			fmt.Fprintf(&s, "%s\n%s\n", e.JSON, x)
			data, err := json.MarshalIndent(x, "", "  ")
			require.NoError(t, err)
			var back Explanation
			require.NoError(t, json.Unmarshal(data, &back))
			assert.Equal(t, x, back)
			if i == 0 && e.Line == c.Events[1].Line {
				golden(t, "explain/second.json", string(data)+"\n")
			}
		}
	}
	golden(t, "explain/cases.golden", s.String())
	delete(reasons, "")
	assert.ElementsMatch(t, []string{
		ReasonAbsent, ReasonNoValue, ReasonPresent, ReasonWrongType, ReasonCase, ReasonSpace, ReasonNear, ReasonExcluded, ReasonDiffers,
		ReasonElement, ReasonReplaced,
	}, slices.Collect(maps.Keys(reasons)), "each reason has a case")
}

func addReasons(reasons map[string]bool, b *BranchExplanation) {
	for _, f := range b.Fields {
		reasons[f.Reason] = true
	}
	for _, o := range b.Or {
		for i := range o.Branches {
			addReasons(reasons, &o.Branches[i])
		}
	}
}

// What is no JSON object is said to be none. The verdict is still Match's, which may have
// seen enough before the fault.
func TestExplainNoObject(t *testing.T) {
	p := MustCompile(`{"a":[1]}`)
	for event, want := range map[string]string{
		``:         "no match: the event is not a JSON object: want a value, got the end of the text (offset 0)\n",
		`[1]`:      "no match: the event is not a JSON object: want an object, got an array (offset 0)\n",
		` "x"`:     "no match: the event is not a JSON object: want an object, got a string (offset 1)\n",
		`{"a":2,}`: "no match: the event is not a JSON object: want a string, got '}' (offset 7)\n",
		`{"a":1,}`: "match: the event is not a JSON object: want a string, got '}' (offset 7)\n",
	} {
		x := p.Explain([]byte(event))
		assert.Equal(t, want, x.String(), "%s", event)
		matched, _ := p.Match([]byte(event))
		assert.Equal(t, matched, x.Matched)
		assert.Empty(t, x.Fields)
	}
	var none *Pattern
	assert.Equal(t, "no match: no pattern: it matches nothing\n", none.Explain([]byte("{}")).String())
	assert.Equal(t, "no match: no pattern: it matches nothing\n", new(Pattern).Explain([]byte("{}")).String())
}

// Patterns and events may be as large as Compile and Match take them.
func TestExplainLarge(t *testing.T) {
	ors := make([]string, 13) // 8,192 combinations
	for i := range ors {
		ors[i] = fmt.Sprintf(`{"$or":[{"a%d":[1]},{"b%d":[1]}]}`, i, i)
	}
	p := MustCompile(fmt.Sprintf(`{"x":{"$or":[%s,{"z":[2]}]},"deep%s":["v"]}`, strings.Join(ors, ","), strings.Repeat(".x", 900)))
	event := []byte(`{"x":[` + strings.Repeat(`{"a0":2,"z":0},`, 10000) + `{"b3":3}],"y":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`)
	x := p.Explain(event)
	matched, err := p.Match(event)
	require.NoError(t, err)
	assert.Equal(t, matched, x.Matched)
	assert.Equal(t, 2, x.Missed)
	assert.Len(t, x.Or, 1)
	assert.Len(t, x.Or[0].Branches, 14)
}

func TestBusExplain(t *testing.T) {
	bus := New(nil)
	nothing := func(id string) Target { return Chan(id, make(chan Event)) }
	put := func(name, pattern string, disabled bool, targets ...Target) {
		require.NoError(t, bus.PutRule(Rule{Name: name, Pattern: MustCompile(pattern), Disabled: disabled, Targets: targets}))
	}
	put("all", `{"source":["shop"]}`, false, nothing("journal"), nothing("count"))
	put("audit", `{"account":["000000000000"]}`, false)
	put("cheap", `{"source":["shop"],"detail":{"total":[{"numeric":["<",1000]}]}}`, false, nothing("mail"))
	put("dear", `{"source":["shop"],"detail-type":["Order placed"],"detail":{"total":[{"numeric":[">=",1000]}]}}`, false, nothing("call"))
	put("a-far", `{"source":["bank"],"detail":{"x":[1]}}`, false)
	put("b-near", `{"source":["Shop"],"detail":{"total":["2450"]}}`, false)
	put("far", `{"source":["bank"],"detail":{"x":[1]}}`, false)
	put("off", `{"source":["shop"]}`, true)
	for i := range 2 {
		put(fmt.Sprintf("other-%d", i), `{"source":["bank"],"detail":{"x":[1]},"region":["eu-west-1"]}`, false)
	}
	e := Event{ID: "1", Source: "shop", DetailType: "Order Placed", Detail: []byte(`{"total":2450}`)}
	x := bus.Explain(e)
	golden(t, "explain/bus.golden", x.String())
	assert.Equal(t, []string{"all", "audit", "off", "dear", "cheap", "b-near", "a-far"}, ruleNames(x)[:7])
	assert.True(t, x.Rules[0].Matched())
	assert.False(t, x.Rules[2].Matched())
	_, err := json.Marshal(x)
	require.NoError(t, err)
	assert.Equal(t, int64(0), bus.Stats().Published, "nothing is published")

	e.Detail = []byte(`{"total":}`)
	assert.Contains(t, bus.Explain(e).String(), "the event is refused: footbridge: Parameter Detail is not valid. Reason: Detail is malformed")
	assert.Contains(t, bus.Explain(Event{}).String(), "the event is refused: footbridge: Parameter Source is not valid.")
}

func ruleNames(x BusExplanation) (names []string) {
	for _, r := range x.Rules {
		names = append(names, r.Rule)
	}
	return names
}

// What Explain says of all rules is what Publish does.
func TestBusExplainIsWhatPublishDoes(t *testing.T) {
	bus := New(nil)
	patterns := []string{`{"detail":{"s":["�"]}}`, `{"detail":{"s":[{"prefix":""}]}}`, `{"version":["0"],"resources":["r"]}`, `{"region":["us-east-1"],"replay-name":[{"exists":false}]}`}
	for i, p := range patterns {
		require.NoError(t, bus.PutRule(Rule{Name: fmt.Sprint(i), Pattern: MustCompile(p), Targets: []Target{Func("f", func(_ context.Context, _ Event) error { return nil })}}))
	}
	for _, e := range []Event{
		{Source: "s", DetailType: "t", Detail: []byte("{\"s\":\"\xff\"}")},
		{Source: "s", DetailType: "t", Detail: []byte(`{"s":"\ud800"}`), Resources: []string{"x", "r"}},
		{Source: "s", DetailType: "t", Detail: []byte(`{}`), Region: "r", ReplayName: "n"},
	} {
		var want, got []string
		outcome, err := bus.Deliver(t.Context(), e)
		require.NoError(t, err)
		for _, o := range outcome.Targets {
			want = append(want, o.Rule)
		}
		for _, r := range bus.Explain(e).Rules {
			if r.Matched() {
				got = append(got, r.Rule)
			}
		}
		assert.ElementsMatch(t, want, got)
	}
}

// With Strict, what Publish refuses is said to be refused, in its words; what the rules make
// of an event that is well-formed is told all the same.
func TestBusExplainStrict(t *testing.T) {
	bus := New(&Options{Strict: true})
	nothing := Func("f", func(context.Context, Event) error { return nil })
	broken := nothing
	broken.ID, broken.Input = "broken", Input{Transformer: InputTransformer{InputPathsMap: map[string]string{"a": "$.detail.a"}, InputTemplate: `{"a": "x<a>"}`}}
	require.NoError(t, bus.PutRule(Rule{Name: "all", Pattern: MustCompile(`{"source":["shop"]}`), Targets: []Target{nothing}}))
	require.NoError(t, bus.PutRule(Rule{Name: "made", Pattern: MustCompile(`{"source":["bank"]}`), Targets: []Target{broken}}))
	for _, c := range []struct {
		name  string
		event Event
		text  string // how the explanation begins, behind the error
		rules int
	}{
		{"taken", Event{Source: "shop", DetailType: "t", Detail: []byte(`{}`)}, "1 of 2 rules match\n  match     all -> f\n", 2},
		{"unmatched", Event{Source: "Shop", DetailType: "t", Detail: []byte(`{}`)}, "0 of 2 rules match\n  no match  all: 0 of 1 fields hold\n", 2},
		{"replayed", Event{Source: "post", DetailType: "t", Detail: []byte(`{}`), ReplayName: "r"}, "0 of 2 rules match\n", 2},
		{"input", Event{Source: "bank", DetailType: "t", Detail: []byte(`{"a":"\""}`)}, "1 of 2 rules match\n  match     made -> broken\n", 2},
		{"too long", Event{Source: "shop", DetailType: strings.Repeat("t", 129), Detail: []byte(`{}`)}, "", 0},
		{"malformed", Event{Source: "shop", DetailType: "t", Detail: []byte(`{`)}, "", 0},
	} {
		x := bus.Explain(c.event)
		want := ""
		if _, err := bus.Publish(t.Context(), c.event); err != nil {
			want = err.Error()
			c.text = "the event is refused: " + want + "\n" + c.text
		}
		assert.Equal(t, want, x.Error, c.name)
		assert.Len(t, x.Rules, c.rules, c.name)
		assert.Contains(t, x.String(), c.text, c.name)
	}
	assert.Equal(t, int64(2), bus.Stats().Published)
}

// The verdict is Match's, and the text is one of lines that a terminal can show.
func FuzzExplain(f *testing.F) {
	for _, name := range []string{"testdata/explain/cases.txt", "testdata/match/arrays.txt", "testdata/match/or.txt"} {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		stanzas, err := stanza.Parse(name, string(text))
		require.NoError(f, err)
		for _, s := range stanzas {
			for _, e := range s.Events {
				f.Add(s.Pattern, []byte(e.JSON))
			}
		}
	}
	f.Add(`{"a\n\u202eb":["x\u2028"]}`, []byte(`{"a\n\u202eb":["y\u2028","\u007f"],"c":[]}`))
	f.Fuzz(func(t *testing.T, pattern string, event []byte) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		x := p.Explain(event)
		matched, err := p.Match(event)
		require.Equal(t, err == nil && matched, x.Matched, "pattern %s, event %s", pattern, event)
		_, err = json.Marshal(x)
		require.NoError(t, err)
		text := x.String()
		for _, f := range p.Lint() {
			text += f.String() + "\n"
		}
		for line := range strings.Lines(text) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) || strings.HasSuffix(line, " \n") {
				t.Errorf("pattern %s, event %s: %q", pattern, event, line)
			}
		}
	})
}
