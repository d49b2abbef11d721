package footbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnvelope(t *testing.T) {
	e := Event{
		ID: "7bf73129-1428-4cd3-a780-95db273d1602", Source: "aws.s3", DetailType: "Object Created", Account: "123456789012", Region: "eu-west-1",
		Time:      time.Date(2022, 1, 1, 1, 2, 3, 999e6, time.FixedZone("CET", 3600)),
		Resources: []string{"arn:aws:s3:::b1", "arn:aws:s3:::b2"}, Detail: []byte(`{ "key" : "a<b>&\u00e9" }`), ReplayName: "again",
	}
	full, err := e.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, `{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"Object Created","source":"aws.s3",`+
		`"account":"123456789012","time":"2022-01-01T00:02:03Z","region":"eu-west-1","replay-name":"again",`+
		`"resources":["arn:aws:s3:::b1","arn:aws:s3:::b2"],"detail":{"key":"a<b>&\u00e9"}}`, string(full))

	var back Event
	require.NoError(t, json.Unmarshal(full, &back))
	again, err := back.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, string(full), string(again))

	least, err := Event{Source: "s\"\\\n\x00é\u2028", Detail: []byte("{}")}.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, `{"version":"0","id":"","detail-type":"","source":"s\"\\\u000a\u0000é`+"\u2028"+`","account":"",`+
		`"time":"0001-01-01T00:00:00Z","region":"","resources":[],"detail":{}}`, string(least))
	assert.True(t, json.Valid(least))

	_, err = Event{Detail: []byte("{")}.MarshalJSON()
	var invalid *EventError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "Detail", invalid.Field)
	assert.Error(t, json.Unmarshal([]byte(`{"time":5}`), &back))
	assert.EqualError(t, json.Unmarshal([]byte(`{"source":5}`), &back), "footbridge: event envelope: json: cannot unmarshal number into Go struct field Event.source of type string")
}

// What prints an event, or logs it, shows the envelope, and not the bytes of its detail.
func TestEventString(t *testing.T) {
	const envelope = `{"version":"0","id":"1","detail-type":"","source":"s","account":"","time":"0001-01-01T00:00:00Z","region":"","resources":[],"detail":`
	for detail, want := range map[string]string{`{ "a": 1 }`: `{"a":1}}`, ``: `null}`, `{"a"`: `"{\"a\""}`, "\xff": `"\ufffd"}`} {
		assert.Equal(t, envelope+want, Event{ID: "1", Source: "s", Detail: []byte(detail)}.String())
	}
	e := Event{ID: "1", Source: "s", Detail: []byte(`{}`)}
	for _, text := range []string{fmt.Sprint(e), fmt.Sprintf("%+v", &e), fmt.Sprintf("%v", Delivery{Event: e})} {
		assert.Contains(t, text, envelope+"{}}")
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", slog.Any("event", e))
	assert.Contains(t, log.String(), `"event":`+envelope+"{}}")
	slog.New(slog.NewTextHandler(&log, nil)).Info("", slog.Any("event", e))
	assert.Contains(t, log.String(), "event="+strconv.Quote(envelope+"{}}"))
}

func TestNewEventAndDecode(t *testing.T) {
	type order struct{ ID int }
	e, err := NewEvent("shop", "Order Placed", order{7})
	require.NoError(t, err)
	var o order
	require.NoError(t, e.Decode(&o))
	assert.Equal(t, order{7}, o)
	var wrong struct{ ID string }
	assert.ErrorContains(t, e.Decode(&wrong), "cannot unmarshal number")

	for _, detail := range []any{nil, 5, "x", []int{1}, func() {}} {
		_, err := NewEvent("shop", "Order Placed", detail)
		var invalid *EventError
		require.ErrorAs(t, err, &invalid, "%v", detail)
		assert.Equal(t, "Detail", invalid.Field)
	}
}

func TestPublishRefusesBadEvents(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	good := Event{Source: "s", DetailType: "d", Detail: []byte(`{}`)}
	for _, c := range []struct {
		name   string
		change func(e *Event)
		field  string // "": accepted
		reason string
	}{
		{"good", func(e *Event) {}, "", ""},
		{"no source", func(e *Event) { e.Source = "" }, "Source", "Source is a required argument."},
		{"no detail type", func(e *Event) { e.DetailType = "" }, "DetailType", "DetailType is a required argument."},
		{"no detail", func(e *Event) { e.Detail = nil }, "Detail", "Detail is a required argument."},
		{"not JSON", func(e *Event) { e.Detail = []byte(`{"a":1,}`) }, "Detail", "Detail is malformed: invalid JSON: want a string, got '}' (offset 7)"},
		{"two values", func(e *Event) { e.Detail = []byte(`{} {}`) }, "Detail", "want the end of the text, got '{' (offset 3)"},
		{"an array", func(e *Event) { e.Detail = []byte(` [1]`) }, "Detail", "want an object, got an array (offset 1)"},
		{"a string", func(e *Event) { e.Detail = []byte(`"{}"`) }, "Detail", "want an object, got a string (offset 0)"},
		{"1,000 levels", func(e *Event) { e.Detail = []byte(nested(1000)) }, "", ""},
		{"1,001 levels", func(e *Event) { e.Detail = []byte(nested(1001)) }, "Detail", "want at most 1000 levels of nesting"},
		{"100,000 levels", func(e *Event) { e.Detail = []byte(nested(100000)) }, "Detail", "want at most 1000 levels of nesting"},
		{"1,001 levels of arrays", func(e *Event) {
			e.Detail = []byte(`{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`)
		},
			"Detail", "want at most 1000 levels of nesting"},
		{"source not UTF-8", func(e *Event) { e.Source = "a\xff" }, "Source", `want UTF-8, got "a\xff"`},
		{"detail type not UTF-8", func(e *Event) { e.DetailType = "\x80" }, "DetailType", "want UTF-8"},
		{"id not UTF-8", func(e *Event) { e.ID = "\x80" }, "ID", "want UTF-8"},
		{"account not UTF-8", func(e *Event) { e.Account = "\x80" }, "Account", "want UTF-8"},
		{"region not UTF-8", func(e *Event) { e.Region = "\x80" }, "Region", "want UTF-8"},
		{"replay name not UTF-8", func(e *Event) { e.ReplayName = "\x80" }, "ReplayName", "want UTF-8"},
		{"last year", func(e *Event) { e.Time = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, "", ""},
		{"a year too late", func(e *Event) { e.Time = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -1)) }, "Time", "want a year from 0 to 9999, got 10000"},
		{"first year", func(e *Event) { e.Time = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) }, "", ""},
		{"a year too early", func(e *Event) { e.Time = time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC) }, "Time", "got -1"},
		{"resource not UTF-8", func(e *Event) { e.Resources = []string{"ok", "\x80"} }, "Resources[1]", "want UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New(nil)
			handled := 0
			put(t, b, "all", Func("f", func(context.Context, Event) error { handled++; return nil }))
			e := good
			c.change(&e)
			id, err := b.Publish(t.Context(), e)
			require.NoError(t, b.Close(t.Context()))
			if c.field == "" {
				require.NoError(t, err)
				assert.NotEmpty(t, id)
				assert.Equal(t, 1, handled)
				return
			}
			var invalid *EventError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, c.field, invalid.Field)
			assert.ErrorContains(t, err, "Parameter "+c.field+" is not valid. Reason: ")
			assert.ErrorContains(t, err, c.reason)
			assert.Zero(t, handled)
			assert.Zero(t, b.Stats().Published)
		})
	}
}

func TestPublishFillsInTheEnvelope(t *testing.T) {
	b := New(&Options{Account: "123456789012", Region: "eu-west-1"})
	ch := make(chan Event, 2)
	put(t, b, "all", Chan("ch", ch))
	before := time.Now()
	id, err := b.Publish(t.Context(), Event{Source: "s", DetailType: "d", Detail: []byte(`{}`)})
	require.NoError(t, err)
	e := <-ch
	assert.Equal(t, id, e.ID)
	assert.Equal(t, "123456789012", e.Account)
	assert.Equal(t, "eu-west-1", e.Region)
	assert.False(t, e.Time.Before(before) || e.Time.After(time.Now()))

	own := Event{ID: "i", Source: "s", DetailType: "d", Account: "a", Region: "r", Time: before.Add(-time.Hour), Resources: []string{"x"}, Detail: []byte(`{}`)}
	id, err = b.Publish(t.Context(), own)
	require.NoError(t, err)
	assert.Equal(t, "i", id)
	assert.Equal(t, own, <-ch)
	require.NoError(t, b.Close(t.Context()))
}

// Patterns match the envelope that targets see, field by field.
func TestPublishMatchesTheEnvelope(t *testing.T) {
	e := Event{
		ID: "i", Source: "aws.ec2", DetailType: "D", Account: "1", Region: "r", Time: time.Date(2026, 5, 4, 3, 2, 1, 9, time.UTC),
		Resources: []string{"arn:1", "arn:2"}, Detail: []byte(`{"state":"running","list":[1,{"x":2}]}`), ReplayName: "again",
	}
	envelope, err := e.MarshalJSON()
	require.NoError(t, err)
	for pattern, want := range map[string]bool{
		`{"version":["0"]}`:                             true,
		`{"id":["i"],"detail-type":["D"]}`:              true,
		`{"source":[{"prefix":"aws."}]}`:                true,
		`{"account":["1"],"region":["r"]}`:              true,
		`{"time":["2026-05-04T03:02:01Z"]}`:             true,
		`{"resources":["arn:2"]}`:                       true,
		`{"resources":["arn:3"]}`:                       false,
		`{"replay-name":["again"]}`:                     true,
		`{"replay-name":[{"exists":false}]}`:            false,
		`{"detail":{"state":["running"]}}`:              true,
		`{"detail.state":["running"]}`:                  true,
		`{"detail":{"list":{"x":[2]}}}`:                 true,
		`{"detail":{"gone":[{"exists":false}]}}`:        true,
		`{"detail":[{"exists":false}],"nothing":["x"]}`: false,
	} {
		p := MustCompile(pattern)
		b := New(nil)
		require.NoError(t, b.PutRule(Rule{Name: "r", Pattern: p}))
		_, err := b.Publish(t.Context(), e)
		require.NoError(t, err)
		assert.Equal(t, want, b.Stats().TriggeredRules == 1, pattern)
		matched, err := p.Match(envelope)
		require.NoError(t, err)
		assert.Equal(t, want, matched, pattern)
	}
}

// Whatever an event is, it is refused with an error or its target gets it, unchanged
// and with an envelope that is JSON.
func FuzzPublish(f *testing.F) {
	f.Add("aws.s3", "Object Created", []byte(`{"a":1}`), "arn:1", "id")
	f.Add("\xff", "", []byte(`{"a":`), "", "")
	f.Add("s", "t", []byte("{\"a\":\"\xff\\ud800\"}"), "\u2028\x00", "\"")
	f.Fuzz(func(t *testing.T, source, detailType string, detail []byte, resource, id string) {
		b := New(nil)
		var got []Event
		put(t, b, "r", Func("t", func(_ context.Context, e Event) error { got = append(got, e); return nil }))
		e := Event{ID: id, Source: source, DetailType: detailType, Resources: []string{resource}, Detail: detail}
		_, err := b.Publish(t.Context(), e)
		require.NoError(t, b.Close(t.Context()))
		if err != nil {
			var invalid *EventError
			require.ErrorAs(t, err, &invalid)
			require.Empty(t, got)
			return
		}
		require.Len(t, got, 1)
		require.Equal(t, []any{source, detailType, string(detail)}, []any{got[0].Source, got[0].DetailType, string(got[0].Detail)})
		envelope, err := got[0].MarshalJSON()
		require.NoError(t, err)
		require.True(t, json.Valid(envelope), "%s", envelope)
		var back Event
		require.NoError(t, json.Unmarshal(envelope, &back))
		require.Equal(t, []any{source, detailType, resource}, []any{back.Source, back.DetailType, back.Resources[0]})
	})
}
