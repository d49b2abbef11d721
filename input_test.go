package footbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/facts"
	"github.com/footbridge-go/footbridge/internal/uuid"
)

// received returns a target that keeps the payloads it receives.
func received(id string, in Input) (t Target, payloads *[]string) {
	payloads = new([]string)
	var mu sync.Mutex // guards payloads, since several rules may have the target
	return Target{ID: id, Input: in, Concurrency: 1, Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
		payload, err := d.Payload()
		mu.Lock()
		defer mu.Unlock()
		*payloads = append(*payloads, string(payload))
		return err
	})}, payloads
}

func template(template string, paths ...string) Input {
	in := Input{Transformer: InputTransformer{InputTemplate: template, InputPathsMap: make(map[string]string)}}
	for i := 0; i < len(paths); i += 2 {
		in.Transformer.InputPathsMap[paths[i]] = paths[i+1]
	}
	return in
}

// Each target of a rule receives what its Input says.
func TestInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(&Options{Name: "shop", Account: "123456789012", Region: "eu-west-1"})
		var targets []Target
		var got []*[]string
		inputs := []struct {
			in   Input
			want string
		}{
			{Input{}, `{"version":"0","id":"e1","detail-type":"Test","source":"test","account":"123456789012","time":"1999-12-31T23:00:00Z",` +
				`"region":"eu-west-1","resources":[],"detail":{"s":"v","list":[{"n":1},{"n":2}]}}`},
			{Input{Constant: json.RawMessage(`{"a": 1}`)}, `{"a": 1}`},
			{Input{Path: "$.detail.s"}, `"v"`},
			{Input{Path: "$.detail.list[1]"}, `{"n":2}`},
			{Input{Path: "$.detail.list[*].n"}, `[1,2]`},
			{template(`{"s": <s>, "t": "of <type>"}`, "s", "$.detail.s", "type", "$.detail-type"), `{"s":"v","t":"of Test"}`},
			{template(`"<s> is \"<s>\""`, "s", "$.detail.s"), `"v is \"v\""`},
			{template(`{"rule": <aws.events.rule-name>, "arn": <aws.events.rule-arn>, "at": <aws.events.event.ingestion-time>}`),
				`{"rule":"r","arn":"arn:aws:events:eu-west-1:123456789012:rule/shop/r","at":"2000-01-01T00:01:00Z"}`},
		}
		for i, c := range inputs {
			target, payloads := received(fmt.Sprint("t", i), c.in)
			targets, got = append(targets, target), append(got, payloads)
		}
		put(t, b, "r", targets...)
		<-time.After(time.Minute) // the ingestion time is the acceptance, not the event's
		e := event(1)
		e.Time, e.Detail = time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC), []byte(`{"s":"v", "list":[{"n":1},{"n":2}]}`)
		_, err := b.Publish(t.Context(), e)
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		for i, c := range inputs {
			assert.Equal(t, []string{c.want}, *got[i], "%+v", c.in)
		}
	})
}

func TestPutRuleRefusesInputs(t *testing.T) {
	handler := HandlerFunc(func(context.Context, Delivery) error { return nil })
	for _, c := range []struct {
		target       Target
		reason, more string
	}{
		{Target{Handler: handler, Input: Input{Constant: json.RawMessage(`1`), Path: "$"}}, "Only one of Input, InputPath, or InputTransformer must be provided for target id.", ""},
		{Target{Handler: handler, Input: Input{Path: "$", Transformer: InputTransformer{InputTemplate: `"x"`}}}, "Only one of Input, InputPath, or InputTransformer must be provided for target id.", ""},
		{Target{Handler: handler, Input: template(`{"a": <b>}`, "a", "$.detail.a")}, "InputTemplate for target id contains invalid placeholder b.", "offset 6"},
		{Target{Handler: handler, Input: template(`{"a": <a>}`, "a", "detail.a")}, `InputPathsMap for target id is not valid: want "$", got "detail.a".`, `path of "a", offset 0`},
		{Target{Handler: handler, Input: template(``, "a", "$.detail.a")}, "InputTemplate for target id is required.", ""},
		{Target{Handler: handler, Input: template(`{"a": `)}, "InputTemplate for target id is not a valid JSON text: want a value, got the end of the text.", "offset 6"},
		{Target{Handler: handler, Input: Input{Path: "$.detail['a']"}}, `InputPath for target id is not a valid path: want "[n]" or "[*]", got "['a']".`, "offset 8"},
		{Target{Handler: handler, Input: Input{Constant: json.RawMessage(`{"a"}`)}}, "Input for target id is not a valid JSON text.", "want a colon, got '}', offset 4"},
		{Target{Handler: handler, Input: Input{Constant: json.RawMessage("\"\xff\"")}}, `want UTF-8 for target id, got "\"\xff\""`, ""},
		{Target{Handler: handler, Input: template("\"\xff\"")}, `want UTF-8 for target id, got "\"\xff\""`, ""},
		{Target{Handler: handler, Input: Input{Constant: json.RawMessage{}}}, "Input for target id is not a valid JSON text.", "want a value, got the end of the text, offset 0"},
		{Target{Handler: Forward("", New(nil)).Handler, Input: Input{Path: "$"}}, "want none, since a target that is a bus takes no transformation", ""},
		{Target{Handler: Chan("", make(chan Event)).Handler, Input: Input{Path: "$"}}, "want none, since the channel takes events as they are", ""},
	} {
		b := New(nil)
		c.target.ID = "id"
		var refused *RuleError
		require.ErrorAs(t, b.PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{c.target}}), &refused, "%s", c.reason)
		refused.input = nil
		assert.Equal(t, RuleError{Rule: "r", Target: "id", Field: "Input", Reason: c.reason, More: c.more, Code: CodeValidation}, *refused)
		assert.Empty(t, b.Rules())
	}
}

// Each input of testdata/service/input.txt is received, or refused, as it says.
func TestModelInputs(t *testing.T) {
	const detail = `{"s":"v","q":"a\"b","obj":{"acc_id":"x"},"list":["A","B"],"bool":true,"zero":0,"false":false,"none":[],"a-b_c":{"d":[{"e":1},{"e":2}]}}`
	paths := map[string]string{"missing": "$.detail.missing", "e": "$.detail.a-b_c.d[*].e"}
	for _, key := range []string{"s", "q", "obj", "list", "bool", "zero", "false", "none"} {
		paths[key] = "$.detail." + key
	}
	var in Input
	for _, f := range facts.Read(t, "testdata/service/input.txt") {
		switch f.Word {
		case "constant":
			in = Input{Constant: json.RawMessage(f.Text)}
		case "path":
			in = Input{Path: f.Text}
		case "template":
			in = Input{Transformer: InputTransformer{InputPathsMap: paths, InputTemplate: f.Text}}
		case "want", "letter", "refuse":
			synctest.Test(t, func(t *testing.T) {
				verb, got := receive(t, in, detail)
				assert.Equal(t, f.Word+" "+f.Text, verb+" "+got, f.At)
			})
		default:
			assert.Fail(t, "bad line", f.At)
		}
	}
}

// receive says what a target with that input receives, or why it does not.
func receive(t *testing.T, in Input, detail string) (verb, text string) {
	dlq := &MemoryDLQ{}
	b := New(&Options{DLQ: dlq})
	target, got := received("ID", in)
	var refused *RuleError
	err := b.PutRule(Rule{Name: "r", Pattern: everything, Targets: []Target{target}})
	if err == nil {
		_, err = b.Publish(t.Context(), Event{ID: "e-1", Source: "s", DetailType: "d", Time: time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC), Resources: []string{"arn"}, Detail: []byte(detail)})
		require.NoError(t, err)
		require.NoError(t, b.Close(t.Context()))
		if dlq.Len() == 0 {
			return "want", strings.Join(*got, "\n")
		}
		var cannot *InputError
		require.ErrorAs(t, dlq.Letters()[0].Err, &cannot)
		return "letter", cannot.Err.Error()
	}
	require.ErrorAs(t, err, &refused)
	return "refuse", refused.Reason
}

// An event of which a target's input cannot be made is a dead letter at once, and its
// handler is not called; other targets are served.
func TestTraceInput(t *testing.T) {
	trace(t, "input", func(t *testing.T, l *timeline) {
		dlq := &MemoryDLQ{}
		b := l.bus(Options{Retry: plain, DLQ: dlq})
		handler := HandlerFunc(func(_ context.Context, d Delivery) error {
			l.add(d.Rule+"/"+d.Target, "received %s", d.Input)
			return failing(1, errDown).Handle(t.Context(), d)
		})
		put(t, b, "r", Target{ID: "id", Handler: handler, Input: template(`{"n": <n>, "at": <aws.events.event.ingestion-time>}`, "n", "$.detail.n")},
			Target{ID: "path", Handler: handler, Input: Input{Path: "$.detail.none"}},
			Target{ID: "text", Handler: handler, Input: template(`{"all": "<all>"}`, "all", "$.detail")})
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
		letters := dlq.Letters()
		slices.SortFunc(letters, func(a, b DeadLetter) int { return strings.Compare(a.Target, b.Target) })
		for _, d := range letters {
			l.note("%v", d.Err)
		}
		l.note("the input is mended")
		put(t, b, "r", Target{ID: "path", Handler: handler, Input: Input{Path: "$.detail"}})
		n, err := dlq.Redrive(t.Context(), b, func(d DeadLetter) bool { return d.Target == "path" })
		require.NoError(t, err)
		require.NoError(t, b.Wait(t.Context()))
		l.note("redriven %d", n)
	})
}

// Typed decodes the input if the target has one, and the detail if it has none.
func TestTypedDecodesTheInput(t *testing.T) {
	type thing struct{ N, Twice int }
	var got []thing
	target := Typed("t", func(_ context.Context, e Event, v thing) error {
		assert.Equal(t, "e1", e.ID)
		got = append(got, v)
		return nil
	})
	dlq := &MemoryDLQ{}
	b := New(&Options{DLQ: dlq})
	for _, in := range []Input{{}, {Constant: json.RawMessage(`{"N":7}`)}, template(`{"N": <n>, "Twice": <n>}`, "n", "$.detail.n"), template(`"text"`)} {
		target.Input = in
		put(t, b, "r", target)
		publish(t, b, 1)
		require.NoError(t, b.Wait(t.Context()))
	}
	assert.Equal(t, []thing{{N: 1}, {N: 7}, {N: 1, Twice: 1}}, got)
	require.Equal(t, 1, dlq.Len())
	assert.Equal(t, CodeInvalidJSON, dlq.Letters()[0].ErrorCode)
	assert.ErrorContains(t, dlq.Letters()[0].Err, "footbridge: input of event e1 (Test): json: cannot unmarshal string")
}

// Functions find the input in their context; observers, and letters, have it, too.
func TestInputIsTold(t *testing.T) {
	var told []string
	tell := func(who string, input []byte) { told = append(told, fmt.Sprintf("%s %s", who, input)) }
	dlq := &MemoryDLQ{}
	b := New(&Options{Retry: NoRetry, DLQ: dlq, Observer: &Observer{
		Attempted: func(i AttemptInfo) { tell("attempted", i.Delivery.Input) },
		Delivered: func(d Delivery) { tell("delivered", d.Input) },
	}})
	target := Func("t", func(ctx context.Context, e Event) error {
		d, ok := DeliveryFromContext(ctx)
		require.True(t, ok)
		tell("handler", d.Input)
		if e.ID == "e2" {
			return errDown
		}
		return nil
	})
	target.Input = template("\"n is <n>\"\n\"é\"", "n", "$.detail.n")
	put(t, b, "r", target)
	for n := 1; n <= 2; n++ {
		publish(t, b, n)
		require.NoError(t, b.Wait(t.Context()))
	}
	assert.Equal(t, []string{"handler \"n is 1\"\n\"é\"", "attempted \"n is 1\"\n\"é\"", "delivered \"n is 1\"\n\"é\"", "handler \"n is 2\"\n\"é\"", "attempted \"n is 2\"\n\"é\""}, told)
	letter := dlq.Letters()[0]
	assert.Equal(t, "\"n is 2\"\n\"é\"", string(letter.Input))
	data, err := json.Marshal(letter)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"input":"\"n is 2\"\n\"é\"","attributes"`)
	var back DeadLetter
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, letter.Input, back.Input)
}

// What is done to a rule's Input once it is put, or to that of Rules, does not matter.
func TestInputIsCopied(t *testing.T) {
	target, got := received("t", template(`<n>`, "n", "$.detail.n"))
	b := New(nil)
	put(t, b, "r", target)
	target.Input.Transformer.InputPathsMap["n"] = "changed"
	rule := b.Rules()[0]
	assert.Equal(t, "$.detail.n", rule.Targets[0].Input.Transformer.InputPathsMap["n"])
	rule.Targets[0].Input.Transformer.InputPathsMap["n"] = "changed"
	assert.Equal(t, "$.detail.n", b.Rules()[0].Targets[0].Input.Transformer.InputPathsMap["n"])
	publish(t, b, 1)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []string{"1"}, *got)
}

// Targets that need the event alone receive it behind a middleware, too.
func TestEventsBehindAMiddleware(t *testing.T) {
	calls := 0
	b := New(&Options{Middleware: []Middleware{func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, d Delivery) error {
			calls++
			return next.Handle(ctx, d)
		})
	}}, Concurrency: 1})
	ch, sum := make(chan Event, 1), 0
	put(t, b, "chan", Chan("t", ch))
	publish(t, b, 1)
	require.NoError(t, b.Wait(t.Context()))
	assert.Equal(t, "e1", (<-ch).ID)
	put(t, b, "chan", Typed("t", func(_ context.Context, _ Event, detail struct{ N int }) error { sum += detail.N; return nil }))
	publish(t, b, 2)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []int{2, 2}, []int{calls, sum})
}

// benchInput is a transformer of five variables, with an event.
func benchInput() (c *compiledInput, e Event) {
	in := template(`{"order": <id>, "text": "<state> at <at>", "items": <items>, "none": <none>, "rule": <aws.events.rule-name>}`,
		"id", "$.detail.id", "state", "$.detail.state", "at", "$.time", "items", "$.detail.items[*].sku", "none", "$.detail.none")
	c, _ = in.compile("t")
	return c, Event{ID: uuid.New(), Source: "shop", DetailType: "Order Placed", Time: time.Now(), Account: "1", Region: "r",
		Detail: []byte(`{"id":"O-1","state":"placed","customer":{"name":"Anna Jones","mail":"anna@example.com"},"items":[{"sku":"a","n":1},{"sku":"b","n":2}]}`)}
}

// An attempt allocates the input, and nothing beside it.
func TestAllocationsOfInputs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, e := benchInput()
	now := time.Now()
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		if _, err := c.render(&e, now); err != nil {
			t.Error(err)
		}
	}), 1.0)
}

// BenchmarkInput makes the input of a target with a transformer.
func BenchmarkInput(b *testing.B) {
	c, e := benchInput()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.render(&e, now); err != nil {
			b.Fatal(err)
		}
	}
}
