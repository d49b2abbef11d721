package footbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/facts"
)

// strictCases do to a bus what has n of what they are named for.
var strictCases = map[string]func(t *testing.T, b *Bus, n int) error{
	"entries-of-a-request": func(t *testing.T, b *Bus, n int) error {
		return putAll(t, b, make([]Entry, n))
	},
	"bytes-of-a-request": func(t *testing.T, b *Bus, n int) error {
		detail := func(n int) string { return `{"a":"` + strings.Repeat("x", n-len(`sd{"a":""}`)) + `"}` }
		return putAll(t, b, []Entry{{Source: "s", DetailType: "d", Detail: detail(1000)}, {Source: "s", DetailType: "d", Detail: detail(n - 1000)}})
	},
	"bytes-of-an-event": func(t *testing.T, b *Bus, n int) error {
		_, err := b.Publish(t.Context(), Event{Source: "s", DetailType: "d", Detail: fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", n-len(`sd{"a":""}`)))})
		return err
	},
	"characters-of-a-detail-type": func(t *testing.T, b *Bus, n int) error {
		return putAll(t, b, []Entry{{Source: "s", DetailType: strings.Repeat("é", n), Detail: "{}"}})
	},
	"characters-of-an-entrys-bus": func(t *testing.T, b *Bus, n int) error { // which there is not
		err := putAll(t, b, []Entry{{Source: "s", DetailType: "d", Detail: "{}", EventBusName: strings.Repeat("a", n)}})
		if refusal(err) == CodeResourceNotFound {
			return nil
		}
		return err
	},
	"characters-of-a-trace-header": func(t *testing.T, b *Bus, n int) error {
		return putAll(t, b, []Entry{{Source: "s", DetailType: "d", Detail: "{}", TraceHeader: strings.Repeat("é", n)}})
	},
	"characters-of-a-resource": func(t *testing.T, b *Bus, n int) error {
		return putAll(t, b, []Entry{{Source: "s", DetailType: "d", Detail: "{}", Resources: []string{"r", strings.Repeat("é", n)}}})
	},
	"digits-of-an-account": func(t *testing.T, b *Bus, n int) error {
		return madeLike(b, Options{Account: strings.Repeat("7", n)})
	},
	"description": func(t *testing.T, b *Bus, n int) error {
		return b.PutRule(Rule{Name: "r", Pattern: everything, Description: strings.Repeat("é", n)})
	},
	"description-of-a-bus": func(t *testing.T, b *Bus, n int) error {
		return madeLike(b, Options{Description: strings.Repeat("é", n)})
	},
	"characters-of-a-pattern": func(t *testing.T, b *Bus, n int) error {
		return b.PutRule(Rule{Name: "r", Pattern: MustCompile(`{"a":["` + strings.Repeat("é", n-10) + `"]}`)})
	},
	"combinations-of-or": func(t *testing.T, b *Bus, n int) error {
		ten := `"$or":[` + strings.TrimSuffix(strings.Repeat(`{"y":[0]},`, 10), ",") + `]`
		p := fmt.Sprintf(`{"$or":[{"a":{%s},"b":{%s},%s}%s]}`, ten, ten, ten, strings.Repeat(`,{"z":[1]}`, max(1, n-1000)))
		if n == 1000 { // without any other branch
			p = fmt.Sprintf(`{"a":{%s},"b":{%s},%s}`, ten, ten, ten)
		}
		return b.PutRule(Rule{Name: "r", Pattern: compilePattern(t, p)})
	},
	"wildcard-complexity": func(t *testing.T, b *Bus, n int) error { // that of *a*b*... is its stars and one
		p := "*"
		for i := range n - 2 {
			p += string(rune('a'+i)) + "*"
		}
		return b.PutRule(Rule{Name: "r", Pattern: MustCompile(`{"a":[{"wildcard":"` + p + `"}]}`)})
	},
	"constant-input": func(t *testing.T, b *Bus, n int) error {
		return putInput(b, Input{Constant: json.RawMessage(`"` + strings.Repeat("é", n-2) + `"`)})
	},
	"input-path": func(t *testing.T, b *Bus, n int) error {
		return putInput(b, Input{Path: "$." + strings.Repeat("a", n-2)})
	},
	"input-template": func(t *testing.T, b *Bus, n int) error {
		return putInput(b, template(`"`+strings.Repeat("é", n-2)+`"`))
	},
	"paths-of-a-transformer": func(t *testing.T, b *Bus, n int) error {
		in := template(`"x"`)
		for i := range n {
			in.Transformer.InputPathsMap[fmt.Sprint("p", i)] = "$.a"
		}
		return putInput(b, in)
	},
	"path-of-a-transformer": func(t *testing.T, b *Bus, n int) error {
		return putInput(b, template(`"x"`, "x", "$."+strings.Repeat("a", n-2)))
	},
	"name-of-a-transformer": func(t *testing.T, b *Bus, n int) error {
		return putInput(b, template(`"x"`, strings.Repeat("a", n), "$.a"))
	},
	"retries":            func(t *testing.T, b *Bus, n int) error { return putRetry(b, Backoff{MaxRetries: n}) },
	"retries-by-pointer": func(t *testing.T, b *Bus, n int) error { return putRetry(b, &Backoff{MaxRetries: n}) },
	"seconds-of-age": func(t *testing.T, b *Bus, n int) error {
		return putRetry(b, Backoff{MaxAge: time.Duration(n) * time.Second})
	},
	"rules-of-a-bus": func(t *testing.T, b *Bus, n int) error {
		require.NoError(t, b.RemoveRule("r"))
		for i := range n - 1 {
			require.NoError(t, b.PutRule(Rule{Name: fmt.Sprint("r", i), Pattern: everything}))
		}
		return errors.Join(b.PutRule(Rule{Name: "r0", Pattern: everything, Description: "replaced"}), b.PutRule(Rule{Name: "last", Pattern: everything}))
	},
	"targets-of-a-rule": func(t *testing.T, b *Bus, n int) error {
		r := Rule{Name: "r", Pattern: everything}
		for i := range n {
			r.Targets = append(r.Targets, Target{ID: fmt.Sprint("t", i), Handler: failing(0, nil)})
		}
		return b.PutRule(r)
	},
	"buses": func(t *testing.T, b *Bus, n int) error {
		h := NewHub(&Options{Strict: b.options.Strict})
		for i := range n - 2 { // and the default one
			_, err := h.Create(fmt.Sprint("b", i), nil)
			require.NoError(t, err)
		}
		_, err := h.Create("last", nil)
		return err
	},
}

// putAll puts entries, fills in what they lack, and returns why one failed.
func putAll(t *testing.T, b *Bus, entries []Entry) error {
	put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
	for i := range entries {
		if entries[i].Source == "" {
			entries[i] = Entry{Source: "s", DetailType: "d", Detail: "{}"}
		}
	}
	r, err := b.PutEvents(t.Context(), entries)
	if err == nil && r.FailedEntryCount > 0 {
		err = &RequestError{Code: r.Entries[0].ErrorCode, Message: r.Entries[0].ErrorMessage}
	}
	return err
}

func compilePattern(t *testing.T, pattern string) *Pattern {
	p, err := Compile(pattern)
	require.NoError(t, err)
	return p
}

func putInput(b *Bus, in Input) error {
	return b.PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{{ID: "t", Handler: failing(0, nil), Input: in}}})
}

// putRetry puts a target with that policy, and makes a bus with it.
func putRetry(b *Bus, p RetryPolicy) error {
	err := b.PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{{ID: "t", Handler: failing(0, nil), Retry: p}}})
	if made := madeLike(b, Options{Retry: p}); (made == nil) != (err == nil) {
		return fmt.Errorf("as an option %v, but %v", made, err)
	}
	return err
}

// madeLike returns what is wrong with a bus that is made with o, as strict as b.
func madeLike(b *Bus, o Options) error {
	o.Strict = b.options.Strict
	return New(&o).PutRule(Rule{Name: "r", Pattern: everything})
}

// refusal is the code or the type of an error.
func refusal(err error) string {
	var request *RequestError
	var rule *RuleError
	var option *OptionError
	var event *EventError
	switch {
	case errors.As(err, &request):
		return request.Code
	case errors.As(err, &rule):
		return rule.Code
	case errors.As(err, &option):
		return "OptionError"
	case errors.As(err, &event):
		return "EventError"
	}
	return fmt.Sprint(err)
}

// Strict takes as much as testdata/service/limits.txt says, and no more.
func TestStrictLimits(t *testing.T) {
	strictBus := func() *Bus { b := New(&Options{Strict: true}); put(t, b, "r"); return b }
	seen := make(map[string]bool)
	for _, f := range facts.Read(t, "testdata/service/limits.txt") {
		at := f.At + ": " + f.Text
		var name, code string
		var n int
		_, err := fmt.Sscan(f.Text, &name, &n, &code)
		require.NoError(t, err, at)
		do, beyond := strictCases[name], n+1
		require.NotNil(t, do, at)
		seen[name] = true
		if f.Word == "min" {
			beyond = n - 1
		}
		assert.NoError(t, do(t, strictBus(), n), at)
		if err := do(t, strictBus(), beyond); assert.Error(t, err, at) {
			assert.Equal(t, code, refusal(err), at)
		}
		lax := New(nil)
		put(t, lax, "r")
		assert.NoError(t, do(t, lax, beyond), "%s, without Strict", at)
	}
	assert.Len(t, seen, len(strictCases))
}

// Where the service has words for a refusal they are Strict's.
func TestStrictWords(t *testing.T) {
	b := New(&Options{Strict: true})
	err := b.PutRule(Rule{Name: "r", Pattern: MustCompile(`{"detail":{"a":[{"wildcard":"*:*:*:*:*:event-bus/*"}]}}`)})
	assert.EqualError(t, err, `footbridge: rule "r" refused: Pattern: Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character`)
	assert.EqualError(t, strictCases["targets-of-a-rule"](t, b, 6), `footbridge: rule "r" refused: Targets: The requested resource exceeds the maximum number allowed. (with Strict: want at most 5 targets, got 6)`)
	assert.EqualError(t, strictCases["input-path"](t, b, 300), `footbridge: rule "r" refused: target "t": Input: want at most 256 characters of a path, got 300`)
	long := MustCompile(`{"a":[{"wildcard":"*` + strings.Repeat("ab", 200_000) + `"}]}`) // whose complexity no one measures
	assert.EqualError(t, b.PutRule(Rule{Name: "r", Pattern: long}), `footbridge: rule "r" refused: Pattern: want at most 2048 characters, got 400024`)
	assert.EqualError(t, putInput(b, template(`"<AWSx>"`, "AWSx", "$.a")), `footbridge: rule "r" refused: target "t": Input: want names in InputPathsMap that do not begin with AWS, got "AWSx"`)
	assert.NoError(t, putInput(b, template(`"<aws>"`, "aws", "$.a")))
	assert.NoError(t, putInput(New(nil), template(`"<AWSx>"`, "AWSx", "$.a")))
	assert.EqualError(t, strictCases["characters-of-a-resource"](t, b, 3000),
		`footbridge: ValidationException: 1 validation error detected: Value '...' at 'entries.1.member.resources.2.member' failed to satisfy constraint: Member must have length less than or equal to 2048 (got 3000)`)
	assert.EqualError(t, strictCases["entries-of-a-request"](t, b, 12),
		`footbridge: ValidationException: 1 validation error detected: Value '...' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10 (got 12)`)
	for n := range 301 {
		err = b.PutRule(Rule{Name: fmt.Sprint("r", n), Pattern: everything})
	}
	assert.EqualError(t, err, `footbridge: rule "r300" refused: Rules: The requested resource exceeds the maximum number allowed. (with Strict: want at most 300 rules, got 301)`)
	b = New(&Options{Strict: true})
	assert.NoError(t, putRetry(b, NoRetry))
	assert.NoError(t, putRetry(b, Backoff{}))
	assert.NoError(t, b.PutRule(Rule{Name: "own", Pattern: everything, Targets: []Target{{ID: "t", Handler: failing(0, nil), Retry: ownPolicy{}}}}))
}

// ownPolicy is no Backoff: what the service would make of it is not known.
type ownPolicy struct{}

func (ownPolicy) Next(Attempt) (time.Duration, bool) { return math.MaxInt64, true }

// With Strict an event that matches no rule is an error; replayed ones are not.
func TestStrictUnmatched(t *testing.T) {
	var refused []error
	b := New(&Options{Strict: true, Observer: &Observer{Refused: func(i RefusedInfo) { refused = append(refused, i.Err) }}})
	_, err := b.Publish(t.Context(), event(1))
	assert.ErrorIs(t, err, ErrUnmatched)
	assert.EqualError(t, err, `footbridge: publish: source "test", detail-type "Test": the event matches no rule`)
	put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
	publish(t, b, 1)
	require.NoError(t, b.DisableRule("r"))
	_, err = b.Deliver(t.Context(), event(1))
	assert.ErrorIs(t, err, ErrUnmatched)
	r, err := b.PutEvents(t.Context(), []Entry{{Source: "s", DetailType: "d", Detail: "{}"}})
	require.NoError(t, err)
	assert.Equal(t, []PutEventsResultEntry{{ErrorCode: CodeUnmatched, ErrorMessage: "the event matches no rule"}}, r.Entries)
	_, err = b.PublishTo(t.Context(), event(1), "r")
	assert.NoError(t, err)
	_, err = b.PublishTo(t.Context(), event(1))
	assert.ErrorIs(t, err, ErrUnmatched, "to all rules it is Publish")
	replayed := event(1)
	replayed.ReplayName = "again"
	_, err = b.Publish(t.Context(), replayed)
	assert.NoError(t, err)
	assert.NoError(t, b.Redrive(t.Context(), DeadLetter{Bus: "default", Rule: "r", Target: "t", Event: event(1)}))
	require.NoError(t, b.Close(t.Context()))
	s := b.Stats()
	assert.EqualValues(t, []int64{3, 4, 2}, []int64{s.Published, s.Refused, s.Unmatched})
	assert.Len(t, refused, 4)
}

// With Strict an event of which a target's input cannot be made is refused for all.
func TestStrictInput(t *testing.T) {
	b := New(&Options{Strict: true})
	other, got := received("other", Input{})
	put(t, b, "r", other, Target{ID: "t", Handler: failing(0, nil), Input: template(`{"t":"<t>"}`, "t", "$.detail.t")})
	e := event(1)
	e.Detail = []byte(`{"t":"a\"b"}`)
	_, err := b.Publish(t.Context(), e)
	var cannot *InputError
	require.ErrorAs(t, err, &cannot)
	assert.Equal(t, []string{"r", "t"}, []string{cannot.Rule, cannot.Target})
	r, err := b.PutEvents(t.Context(), []Entry{{Source: "s", DetailType: "d", Detail: string(e.Detail)}, {Source: "s", DetailType: "d", Detail: `{"t":"ok"}`}})
	require.NoError(t, err)
	assert.Equal(t, CodeInvalidInput, r.Entries[0].ErrorCode)
	require.NoError(t, b.Close(t.Context()))
	assert.Len(t, *got, 1)
	checkBooks(t, b)
}

// Sources of the service's own are refused by PutEvents, and taken from Publish, for
// schedules, and for tests that stand in for the service.
func TestStrictTakesTheServicesSourcesFromPublish(t *testing.T) {
	b := New(&Options{Strict: true})
	put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
	_, err := b.Publish(t.Context(), Event{Source: "aws.events", DetailType: "Scheduled Event", Detail: []byte("{}")})
	assert.NoError(t, err)
	r, err := b.PutEvents(t.Context(), []Entry{{Source: "aws.events", DetailType: "Scheduled Event", Detail: "{}"}})
	require.NoError(t, err)
	assert.Equal(t, CodeNotAuthorizedForSource, r.Entries[0].ErrorCode)
	require.NoError(t, b.Close(t.Context()))
}
