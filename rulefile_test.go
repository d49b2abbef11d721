package footbridge

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fileTargets are the targets that rules files of tests name.
func fileTargets() map[string]Target {
	return map[string]Target{
		"email": {ID: "another", Handler: failing(0, nil), Concurrency: 3, Retry: ownPolicy{}, Input: Input{Path: "$.detail"}},
		"audit": {Handler: failing(0, nil)},
		"bus":   Forward("bus", New(nil)),
		"none":  {},

		"badinput": {Handler: failing(0, nil), Input: Input{Path: "$x"}},
	}
}

const rulesText = ` [
  {"name": "orders", "description": "of <some> size & é", "pattern": {"detail": {"n": [1.50, {"exists": false}]}}, "state": "ENABLED",
   "targets": ["audit", {"id": "email", "input": {"a": [1.50, "<"]}, "retry": {"maxRetries": 0}}]},
  {"name": "paths", "pattern": {"source": ["s"]}, "state": "DISABLED", "targets": [{"id": "email", "inputPath": "$.detail.x"}, {"id": "audit"}]},
  {"name": "templates", "pattern": {"source": ["s"]}, "targets": [
    {"id": "email", "inputTransformer": {"inputPathsMap": {"x": "$.detail.x", "y": "$.detail.y"}, "inputTemplate": "{\"x\": <x>}"},
     "retry": {"maxRetries": 7, "maxAge": "1h30m", "base": "100ms", "maxDelay": "1m", "noJitter": true}},
    {"id": "audit", "input": null, "retry": {}}]},
  {"name": "nothing", "pattern": {"source": ["s"]}}
] `

func TestLoadRules(t *testing.T) {
	rules, err := LoadRules(strings.NewReader(rulesText), fileTargets())
	require.NoError(t, err)
	require.Len(t, rules, 4)
	assert.Equal(t, []string{"orders", "of <some> size & é", `{"detail": {"n": [1.50, {"exists": false}]}}`},
		[]string{rules[0].Name, rules[0].Description, rules[0].Pattern.String()})
	audit, email := rules[0].Targets[0], rules[0].Targets[1]
	assert.Equal(t, []any{"audit", Input{}, nil}, []any{audit.ID, audit.Input, audit.Retry})
	assert.Equal(t, []any{"email", 3, NoRetry, `{"a":[1.50,"<"]}`}, []any{email.ID, email.Concurrency, email.Retry, string(email.Input.Constant)})
	assert.Empty(t, email.Input.Path, "the file's input replaces all of the target's")

	assert.Equal(t, []bool{false, true, false, false}, []bool{rules[0].Disabled, rules[1].Disabled, rules[2].Disabled, rules[3].Disabled})
	assert.Equal(t, []any{"$.detail.x", ownPolicy{}}, []any{rules[1].Targets[0].Input.Path, rules[1].Targets[0].Retry})
	assert.Equal(t, Backoff{MaxRetries: 7, MaxAge: 90 * time.Minute, Base: 100 * time.Millisecond, MaxDelay: time.Minute, NoJitter: true}, rules[2].Targets[0].Retry)
	assert.Equal(t, template(`{"x": <x>}`, "x", "$.detail.x", "y", "$.detail.y"), rules[2].Targets[0].Input)
	assert.Equal(t, []any{"null", Backoff{}}, []any{string(rules[2].Targets[1].Input.Constant), rules[2].Targets[1].Retry})
	b := New(nil)
	for _, r := range rules {
		assert.NoError(t, b.PutRule(r))
	}
	rules, err = LoadRules(strings.NewReader("[]"), nil)
	require.NoError(t, err)
	assert.Empty(t, rules)
}

// What is saved is loaded as it was.
func TestSaveRules(t *testing.T) {
	rules, err := LoadRules(strings.NewReader(rulesText), fileTargets())
	require.NoError(t, err)
	var saved bytes.Buffer
	require.NoError(t, SaveRules(&saved, rules))
	assert.Contains(t, saved.String(), `"of <some> size & é"`)
	assert.Contains(t, saved.String(), `1.50`)
	again, err := LoadRules(bytes.NewReader(saved.Bytes()), fileTargets())
	require.NoError(t, err)
	require.Len(t, again, len(rules))
	for i := range rules {
		for j := range rules[i].Targets {
			rules[i].Targets[j].Handler, again[i].Targets[j].Handler = nil, nil // functions, which no one can compare
		}
		assert.JSONEq(t, rules[i].Pattern.String(), again[i].Pattern.String())
		rules[i].Pattern, again[i].Pattern = nil, nil
	}
	assert.Equal(t, rules, again)

	assert.Contains(t, saved.String(), `"maxRetries": 0`, "of NoRetry")
	saved.Reset()
	negative := Target{ID: "email", Handler: failing(0, nil), Retry: &Backoff{MaxRetries: -7}}
	require.NoError(t, SaveRules(&saved, []Rule{{Name: "r", Pattern: everything, Targets: []Target{negative}}}))
	again, err = LoadRules(&saved, fileTargets())
	require.NoError(t, err)
	assert.Equal(t, NoRetry, again[0].Targets[0].Retry, "it is the same policy")

	var refused *RuleError
	require.ErrorAs(t, SaveRules(io.Discard, []Rule{{Name: "r"}}), &refused)
	assert.Equal(t, "Pattern", refused.Field)
	require.ErrorAs(t, SaveRules(io.Discard, []Rule{{Name: "r", Pattern: everything}, {Name: "r", Pattern: everything}}), &refused)
	assert.Equal(t, "Name", refused.Field)
	assert.ErrorIs(t, SaveRules(brokenWriter{}, nil), errDown)
	saved.Reset()
	require.NoError(t, SaveRules(&saved, nil))
	assert.Equal(t, "[]\n", saved.String())
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDown }

func ruleWith(members string) string {
	return `[{"name":"r","pattern":{"a":[1]},` + members + `}]`
}

func targetWith(members string) string {
	return ruleWith(`"targets":["audit",{"id":"email",` + members + `}]`)
}

// refusedFiles are texts, what begins at the place of the fault in them ("": see want), and
// what the error says.
var refusedFiles = []struct{ text, at, want string }{
	{``, ``, "invalid JSON: want a value, got the end of the text (line 1, column 1, offset 0)"},
	{`[} `, `}`, "invalid JSON: want a value, got '}' ("},
	{`[] 1`, `1`, "invalid JSON: want the end of the text, got '1' ("},
	{`[{"name" "r"}]`, `"r"`, "invalid JSON: want a colon, got '\"' ("},
	{strings.Repeat("[", 2001), ``, "invalid JSON: want at most 2000 levels of nesting, got more (line 1, column 2001, offset 2000)"},
	{"[\"\xff\"]", "\xff", `want UTF-8, got "\xff" (`},
	{` {"a":1}`, `{"a"`, `want a JSON array of rules, got {"a":1} (`},
	{`[ 7]`, `7`, `want a JSON object, got 7 (at /0, `},
	{`[{"name":"r"}]`, `{"name"`, "want a pattern (at /0, "},
	{`[{"pattern":{"a":[1]}}]`, `{"pattern"`, `Name: want 1 to 64 characters of [\.\-_A-Za-z0-9]+, got "" (at /0, `},
	{`[{"name":"a b","pattern":{"a":[1]}}]`, `"a b"`, `rule "a b": Name: want 1 to 64 characters of [\.\-_A-Za-z0-9]+, got "a b" (at /0/name, line 1, column 10, offset 9)`},
	{`[{"name":7,"pattern":{"a":[1]}}]`, `7,`, `want a string, got 7 (at /0/name, `},
	{`[{"name":null,"pattern":{"a":[1]}}]`, `null`, `want a string, got null (at /0/name, `},
	{`[{"name":"r","pattern":{"a":[1]}}, {"name":"r","pattern":{"a":[1]}}]`, ``, `want a name that no other rule has, got "r" (at /1/name, line 1, column 44, offset 43)`},
	{`[{"name":"r", "pattern" : {"a":[{"numeric":[">",2,"<",1]}]}}]`, `[">"`, `Event pattern is not valid. Reason: Bottom must be less than top (at /0/pattern/a/0/numeric, `},
	{`[{"name":"r","pattern":["a"]}]`, `["a"]`, `Event pattern is not valid. Reason: Filter is not an object (at /0/pattern, `},
	{ruleWith(`"patern":1`), `"patern"`, `rule "r": want one of the keys [name description pattern state targets], got "patern" (at /0/patern, `},
	{ruleWith(`"a/b~\n" :1`), `"a/b~`, `got "a/b~\n" (at /0/a~1b~0` + "\n" + `, `},
	{ruleWith(`"name":"r"`), `"name":"r"}`, `want each key once, got "name" again (at /0/name, `},
	{ruleWith(`"state":"enabled"`), `"enabled"`, `want ENABLED or DISABLED, got "enabled" (at /0/state, `},
	{ruleWith(`"state":true`), `true`, `want a string, got true (at /0/state, `},
	{ruleWith(`"targets":"audit"`), `"audit"`, `want a JSON array of targets, got "audit" (at /0/targets, `},
	{ruleWith(`"targets":["audit","emial"]`), `"emial"`, `want one of the targets [audit badinput bus email none], got "emial" (at /0/targets/1, `},
	{ruleWith(`"targets":["none"]`), `"none"`, `Handler: want one, got nil (at /0/targets/0, `},
	{ruleWith(`"targets":["audit","email","audit"]`), `"audit"]`, `ID: want one that no other target of the rule has (at /0/targets/2, `},
	{ruleWith(`"targets":[7]`), `7]`, `want a string, got 7 (at /0/targets/0, `},
	{ruleWith(`"targets":[{"input":1}]`), `{"input"`, `want an id (at /0/targets/0, `},
	{ruleWith(`"targets":[{"id":"emial"}]`), `"emial"`, `got "emial" (at /0/targets/0/id, `},
	{ruleWith(`"targets":[{"id":"bus","input":1}]`), `{"id"`, `Input: want none, since a target that is a bus takes no transformation (at /0/targets/0, `},
	{targetWith(`"inputs":1`), `"inputs"`, `want one of the keys [id input inputPath inputTransformer retry], got "inputs" (at /0/targets/1/inputs, `},
	{targetWith(`"input":1,"inputPath":"$"`), `{"id"`, `Input: Only one of Input, InputPath, or InputTransformer must be provided for target email. (at /0/targets/1, `},
	{targetWith(`"inputPath":"x"`), `x"`, `rule "r": Input: InputPath for target email is not a valid path: want "$", got "x". (at /0/targets/1/inputPath, line 1, column `},
	{targetWith(`"inputPath":"$.\u00e9"`), `\u00e9"`, `want a key of A-Z a-z 0-9 _ -, got "é". (at /0/targets/1/inputPath, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"{\"\u00e9\ud83d\ude00é\/\": \ud83d,<x>}","inputPathsMap":{"x":"$"}}`), `\ud83d,<`, `is not a valid JSON text: want a value, got 'ï'. (at /0/targets/1/inputTransformer/inputTemplate, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"{\"\u00e9\ud83d\ude00é\/\": 1<x>}","inputPathsMap":{"x":"$"}}`), `<x>}`, `want a comma or '}', got <x>. (at /0/targets/1/inputTransformer/inputTemplate, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"{\"a\":"}`), `"}}]}]`, `want a value, got the end of the text. (at /0/targets/1/inputTransformer/inputTemplate, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"<x>","inputPathsMap":{"x":"$","y":"$.a.["}}`), `["`, `Input: InputPathsMap for target email is not valid: want a key of A-Z a-z 0-9 _ -, got "[". (at /0/targets/1/inputTransformer/inputPathsMap/y, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"<x>","inputPathsMap":{"é":"$"}}`), `{"é"`, `Input: InputPathsMap for target email has a bad name: want A-Z a-z 0-9 _ -, got "é". (at /0/targets/1/inputTransformer/inputPathsMap, `},
	{ruleWith(`"targets":["badinput"]`), `"badinput"`, `Input: InputPath for target badinput is not a valid path: want "." or "[", got "x". (offset 1) (at /0/targets/0, `},
	{targetWith(`"retry":{"base":"2m","maxDelay":"1m"}`), `{"base"`, `Retry: want a Base of at most MaxDelay, 1m0s, got 2m0s (at /0/targets/1/retry, `},
	{targetWith(`"id":"email"`), `"id":"email"}`, `want each key once, got "id" again (at /0/targets/1/id, `},
	{"\uFEFF[]", "\uFEFF", `want no byte order mark (line 1, column 1, offset 0)`},
	{"[\n {\"name\":\n\t\"é\", \"pattern\": 5}]", `5`, `rule "é": Event pattern is not valid. Reason: Filter is not an object (at /0/pattern, line 3, column 18, offset `},
	{ruleWith(`"targets":{"a long key of a long object": [1, 2, 3], "b": 4}`), `{"a long`, `want a JSON array of targets, got {"a long key of a long object":[1,2,3],"... (at /0/targets, `},
	{targetWith(`"inputPath":""`), `""`, `want a path (at /0/targets/1/inputPath, `},
	{targetWith(`"inputTransformer":{}`), `{}`, `want a template (at /0/targets/1/inputTransformer, `},
	{targetWith(`"inputTransformer":[]`), `[]`, `want a JSON object, got [] (at /0/targets/1/inputTransformer, `},
	{targetWith(`"inputTransformer":{"template":""}`), `"template"`, `want one of the keys [inputPathsMap inputTemplate], got "template" (at /0/targets/1/inputTransformer/template, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"<x>","inputPathsMap":{"y":"$"}}`), `<x>"`, `Input: InputTemplate for target email contains invalid placeholder x. (at /0/targets/1/inputTransformer/inputTemplate, `},
	{targetWith(`"inputTransformer":{"inputTemplate":"<x>","inputPathsMap":{"x":1}}`), `1}`, `want a string, got 1 (at /0/targets/1/inputTransformer/inputPathsMap/x, `},
	{targetWith(`"retry":3`), `3}`, `want a JSON object, got 3 (at /0/targets/1/retry, `},
	{targetWith(`"retry":{"max":3}`), `"max"`, `want one of the keys [maxRetries maxAge base maxDelay noJitter], got "max" (at /0/targets/1/retry/max, `},
	{targetWith(`"retry":{"maxRetries":1.5}`), `1.5`, `want a whole number, got 1.5 (at /0/targets/1/retry/maxRetries, `},
	{targetWith(`"retry":{"maxRetries":-1}`), `-1}`, `want 0 or more, got -1 (at /0/targets/1/retry/maxRetries, `},
	{targetWith(`"retry":{"maxAge":"-1h"}`), `"-1h"`, `want a duration above 0 such as "1m30s", got "-1h" (at /0/targets/1/retry/maxAge, `},
	{targetWith(`"retry":{"maxAge":"0s"}`), `"0s"`, `want a duration above 0 such as "1m30s", got "0s" (at /0/targets/1/retry/maxAge, `},
	{targetWith(`"retry":{"maxAge":60}`), `60`, `want a string, got 60 (at /0/targets/1/retry/maxAge, `},
	{targetWith(`"retry":{"base":"1 minute"}`), `"1 minute"`, `want a duration above 0 such as "1m30s", got "1 minute" (at /0/targets/1/retry/base, `},
	{targetWith(`"retry":{"noJitter":"yes"}`), `"yes"`, `want true or false, got "yes" (at /0/targets/1/retry/noJitter, `},
}

// A refused file says what is wrong with it and where.
func TestLoadRulesRefuses(t *testing.T) {
	for _, c := range refusedFiles {
		rules, err := LoadRules(strings.NewReader(c.text), fileTargets())
		assert.Nil(t, rules)
		var refused *RulesError
		require.ErrorAs(t, err, &refused, "%s", c.text)
		assert.Contains(t, err.Error(), "footbridge: rules: ", "%s", c.text)
		assert.Contains(t, err.Error(), c.want, "%s", c.text)
		if c.at != "" {
			assert.True(t, strings.HasPrefix(c.text[refused.Offset:], c.at), "%s\nat %s", c.text, c.text[refused.Offset:])
		}
	}
	_, err := LoadRules(strings.NewReader(ruleWith(`"targets":["t"]`)), nil)
	assert.ErrorContains(t, err, `want one of the targets [], got "t"`)
	_, err = LoadRules(nil, nil)
	assert.EqualError(t, err, "footbridge: rules: want a reader, got nil")
	_, err = LoadRules((*bytes.Buffer)(nil), nil)
	var refused *RulesError
	require.ErrorAs(t, err, &refused)
	assert.EqualError(t, err, "footbridge: rules: want a reader, got a nil *bytes.Buffer")
	_, err = LoadRules(iotest.ErrReader(errDown), nil)
	assert.ErrorIs(t, err, errDown)
	_, err = LoadRules(strings.NewReader(`[{"name":"r","pattern":{"a":[]}}]`), nil)
	var pattern *PatternError
	assert.ErrorAs(t, err, &pattern)
	_, err = LoadRules(strings.NewReader(`[{"name":"","pattern":{"a":[1]}}]`), nil)
	var rule2 *RuleError
	assert.ErrorAs(t, err, &rule2)
}

// What a rule takes to load goes with the number of its targets, not with its square.
func TestLoadRulesOfManyTargets(t *testing.T) {
	allocs := func(n int) float64 {
		targets := make(map[string]Target)
		var text strings.Builder
		for i := range n {
			id := fmt.Sprint("t", i)
			targets[id] = Target{Handler: failing(0, nil)}
			fmt.Fprintf(&text, `,{"id":%q,"inputPath":"$.detail.a"}`, id)
		}
		file := ruleWith(`"targets":[` + text.String()[1:] + `]`)
		return testing.AllocsPerRun(1, func() {
			_, err := LoadRules(strings.NewReader(file), targets)
			assert.NoError(t, err)
		})
	}
	assert.Less(t, allocs(400)/allocs(100), 5.0)
}

// What is saved can be loaded, however deep it is.
func TestSaveRulesOfDeepConstants(t *testing.T) {
	deep := func(n int) []Rule {
		in := Input{Constant: []byte(strings.Repeat("[", n) + strings.Repeat("]", n))}
		return []Rule{{Name: "r", Pattern: everything, Targets: []Target{{ID: "email", Handler: failing(0, nil), Input: in}}}}
	}
	var saved bytes.Buffer
	require.NoError(t, SaveRules(&saved, deep(1000)))
	_, err := LoadRules(&saved, fileTargets())
	assert.NoError(t, err)
	const want = `footbridge: rule "r" refused: target "email": Input: want at most 1000 levels of nesting for target email, got more`
	for _, n := range []int{1001, 10_000} {
		assert.EqualError(t, SaveRules(io.Discard, deep(n)), want)
		assert.EqualError(t, New(nil).PutRule(deep(n)[0]), want)
	}
}

// Whatever a file is, it is refused with a place in it, or is the same when it is saved and
// loaded again.
func FuzzLoadRules(f *testing.F) {
	f.Add(rulesText)
	for _, s := range []string{`[]`, `[{"name":"r","pattern":{"a":[]}}]`, `[{"name":"r","pattern":{"a":[1]},"targets":["audit",{"id":"email","retry":{"maxAge":"-1ns"}}]}]`,
		`[{"name":"r","pattern":{"a":["\u2028<"]},"targets":[{"id":"email","inputPath":""}]}]`, "[\n{}", `[{"name":"r","pattern":{"a.b":[1e400]}}]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := LoadRules(strings.NewReader(text), fileTargets())
		if err != nil {
			var refused *RulesError
			require.ErrorAs(t, err, &refused)
			assert.True(t, 0 <= refused.Offset && refused.Offset <= len(text), "%v", err)
			return
		}
		var first, second bytes.Buffer
		require.NoError(t, SaveRules(&first, rules))
		again, err := LoadRules(bytes.NewReader(first.Bytes()), fileTargets())
		require.NoError(t, err, "%s", first.String())
		require.NoError(t, SaveRules(&second, again))
		assert.Equal(t, first.String(), second.String())
		assert.Equal(t, fmt.Sprint(names(rules)), fmt.Sprint(names(again)))
	})
}

func names(rules []Rule) (all []string) {
	for _, r := range rules {
		all = append(all, r.Name)
		for _, t := range r.Targets {
			all = append(all, t.ID, fmt.Sprintf("%+v", t.Input), fmt.Sprintf("%#v", t.Retry))
		}
	}
	return all
}

// What fits on a line of 100 bytes stands on one; a rule never does.
func TestSaveRulesLayout(t *testing.T) {
	as := func(n int) string { return strings.Repeat("a", n) }
	for pattern, want := range map[string]string{
		`{"source":["a, b:c\"d",{"numeric":[">=",1.50]}]}`: `{"source": ["a, b:c\"d", {"numeric": [">=", 1.50]}]}`,
		`{"detail":{"a":["` + as(62) + `"]}}`:              `{"detail": {"a": ["` + as(62) + `"]}}`, // up to byte 100
		`{"detail":{"a":["` + as(63) + `"]}}`:              "{\n      \"detail\": {\"a\": [\"" + as(63) + "\"]}\n    }",
		`{"detail":{"a":["` + as(99) + `",1]}}`:            "{\n      \"detail\": {\n        \"a\": [\n          \"" + as(99) + "\",\n          1\n        ]\n      }\n    }",
	} {
		if strings.HasPrefix(want, `{"detail"`) {
			require.Len(t, `    "pattern": `+want, 100)
		}
		target := Target{ID: "audit", Handler: failing(0, nil)}
		var saved bytes.Buffer
		require.NoError(t, SaveRules(&saved, []Rule{{Name: "r", Pattern: compilePattern(t, pattern), Targets: []Target{target}}}))
		assert.Equal(t, "[\n  {\n    \"name\": \"r\",\n    \"pattern\": "+want+",\n    \"targets\": [\"audit\"]\n  }\n]\n", saved.String())
	}
}
