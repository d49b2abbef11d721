package footbridge

import (
	"context"
	"encoding/json"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What users of local stand-ins for the service complain of, a test for each.

// "Disabled rules still fire."
func TestStandInsFireDisabledRules(t *testing.T) {
	b := New(nil)
	target, got := received("t", Input{})
	put(t, b, "r", target)
	require.NoError(t, b.DisableRule("r"))
	publish(t, b, 1)
	require.NoError(t, b.Wait(t.Context()))
	assert.Empty(t, *got)
	require.NoError(t, b.EnableRule("r"))
	publish(t, b, 2)
	require.NoError(t, b.Close(t.Context()))
	assert.Len(t, *got, 1)
}

// "Input and InputPath are ignored."
func TestStandInsIgnoreInputs(t *testing.T) {
	b := New(nil)
	constant, gotConstant := received("constant", Input{Constant: json.RawMessage(`{"fixed":true}`)})
	path, gotPath := received("path", Input{Path: "$.detail.n"})
	put(t, b, "r", constant, path)
	publish(t, b, 1)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []string{`{"fixed":true}`}, *gotConstant)
	assert.Equal(t, []string{`1`}, *gotPath)
}

// "There are no retries and no dead letters", and where there are, they take their time: a
// day of them is over here in no time.
func TestStandInsHaveNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{DLQ: dlq})
		recovers, attempts := 0, 0
		put(t, b, "recovers", Func("t", func(context.Context, Event) error {
			if recovers++; recovers <= 3 {
				return errDown
			}
			return nil
		}))
		put(t, b, "never", Func("t", func(context.Context, Event) error { attempts++; return errDown }))
		start := time.Now()
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		assert.Greater(t, time.Since(start), 12*time.Hour)
		assert.Equal(t, []int{4, 186}, []int{recovers, attempts})
		require.Equal(t, 1, dlq.Len())
		assert.Equal(t, "never", dlq.Letters()[0].Rule)
		require.NoError(t, b.Close(t.Context()))
	})
}

// "The detail does not matter in matching."
func TestStandInsIgnoreTheDetail(t *testing.T) {
	b := New(nil)
	target, got := received("t", Input{Path: "$.detail.n"})
	require.NoError(t, b.PutRule(Rule{Name: "r", Pattern: MustCompile(`{"source":["test"],"detail":{"n":[{"numeric":[">",1]}]}}`), Targets: []Target{target}}))
	publish(t, b, 1, 2)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []string{"2"}, *got)
}

// "Replays fail." Package archive has them; what they need of a bus is here.
func TestStandInsFailToReplay(t *testing.T) {
	b := New(nil)
	target, got := received("t", Input{Path: "$.replay-name"})
	other, gotOther := received("t", Input{})
	put(t, b, "r", target)
	put(t, b, "other", other)
	e := event(1)
	e.ReplayName = "yesterday"
	_, err := b.PublishTo(t.Context(), e, "r")
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []string{`"yesterday"`}, *got)
	assert.Empty(t, *gotOther)
}

// "A second bus hop, which the service forbids, is delivered."
func TestStandInsDeliverSecondHops(t *testing.T) {
	h, dlq := NewHub(nil), &MemoryDLQ{}
	a, err := h.Create("a", &Options{DLQ: dlq})
	require.NoError(t, err)
	b, err := h.Create("b", nil)
	require.NoError(t, err)
	target, got := received("t", Input{})
	put(t, h.Default(), "r", Forward("to-a", a))
	put(t, a, "r", Forward("to-b", b))
	put(t, b, "r", target)
	publish(t, h.Default(), 1)
	require.NoError(t, h.Close(t.Context()))
	assert.Empty(t, *got)
	require.Equal(t, 1, dlq.Len())
	assert.Equal(t, CodeThirdAccountHop, dlq.Letters()[0].ErrorCode)
}

// "Transformers quote wrongly, and make "" of 0, false and []."
func TestStandInsTransformWrongly(t *testing.T) {
	const detail = `{"s":"v","zero":0,"no":false,"none":[],"obj":{"k":"x"}}`
	paths := []string{"s", "$.detail.s", "zero", "$.detail.zero", "no", "$.detail.no", "none", "$.detail.none", "obj", "$.detail.obj", "missing", "$.detail.missing"}
	for text, want := range map[string]string{
		`{"a": <s>, "b": "<s>"}`:                `{"a":"v","b":"v"}`,
		`{"a": <zero>, "b": <no>, "c": <none>}`: `{"a":0,"b":false,"c":[]}`,
		`"<zero>, <no>, <none>, <missing>"`:     `"0, false, [], "`,
		`{"a": <obj>, "b": <missing>}`:          `{"a":{"k":"x"},"b":""}`,
		`"of <obj>"`:                            `"of {k:x}"`,
	} {
		verb, got := receive(t, template(text, paths...), detail)
		assert.Equal(t, "want "+want, verb+" "+got, "%s", text)
	}
}

// "TestEventPattern is missing."
func TestStandInsLackTestEventPattern(t *testing.T) {
	data, err := Event{ID: "1", Source: "s", DetailType: "d", Account: "a", Region: "r", Detail: []byte(`{"n":1}`)}.MarshalJSON()
	require.NoError(t, err)
	got, err := TestEventPattern(`{"detail":{"n":[{"numeric":["=",1]}]}}`, string(data))
	require.NoError(t, err)
	assert.True(t, got)
}

// "They need containers, tokens or a network." Nothing here speaks to anyone.
func TestStandInsNeedANetwork(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	inner, err := filepath.Glob("internal/*/*.go")
	require.NoError(t, err)
	n := 0
	for _, name := range append(files, inner...) {
		if strings.HasSuffix(name, "_test.go") || filepath.Dir(name) == filepath.Join("internal", "facts") { // which is for tests
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.NotContains(t, []string{"net", "net/http", "os", "os/exec", "syscall"}, path, name)
			n++
		}
	}
	assert.Greater(t, n, 100)
}

// "Drops are silent." Each is counted, told, and with Strict an error.
func TestStandInsDropInSilence(t *testing.T) {
	for _, strict := range []bool{false, true} {
		told := 0
		tell := func() { told++ }
		h := NewHub(&Options{Strict: strict, Retry: NoRetry, Observer: &Observer{
			Unmatched:  func(PublishInfo) { tell() },
			UnknownBus: func(RefusedInfo) { tell() },
			Refused:    func(RefusedInfo) { tell() },
			Lost:       func(LostInfo) { tell() },
		}})
		require.NoError(t, h.Default().PutRule(Rule{Name: "r", Pattern: MustCompile(`{"source":["s"]}`),
			Targets: []Target{{ID: "t", Handler: failing(0, nil), Input: template(`{"a":"<a>"}`, "a", "$.detail")}}}))
		r, err := h.PutEvents(t.Context(), []Entry{
			{Source: "other", DetailType: "d", Detail: `{}`},                      // matches no rule
			{Source: "s", DetailType: "d", Detail: `{}`, EventBusName: "nowhere"}, // goes to no bus
			{Source: "s", DetailType: "d", Detail: `{"a":"b"}`},                   // makes no input
		})
		require.NoError(t, err)
		require.NoError(t, h.Close(t.Context()))
		assert.Equal(t, 3, told)
		s := h.Default().Stats()
		assert.EqualValues(t, 3, s.Unmatched+s.UnknownBus+s.Lost+s.Refused)
		assert.Equal(t, map[bool]int{false: 0, true: 3}[strict], r.FailedEntryCount)
	}
}
