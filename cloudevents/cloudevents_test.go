package cloudevents

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A stanza is two lines of testdata/mapping.txt.
type stanza struct {
	line        int // of the first, from 1
	verb, given string
	becomes     string // "cloud", "event" or "refuse"
	want        string
}

func stanzas(t testing.TB) (all []stanza) {
	t.Helper()
	text, err := os.ReadFile("testdata/mapping.txt")
	require.NoError(t, err)
	open := false
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			require.False(t, open, "mapping.txt:%d: want what it becomes", i+1)
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if open = !open; open {
			all = append(all, stanza{line: i + 1, verb: verb, given: rest})
		} else {
			all[len(all)-1].becomes, all[len(all)-1].want = verb, rest
		}
	}
	require.NotEmpty(t, all)
	return all
}

func envelope(t testing.TB, s string) (e footbridge.Event) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(s), &e), "%s", s)
	return e
}

func TestMapping(t *testing.T) {
	for _, s := range stanzas(t) {
		var text []byte
		var event footbridge.Event
		var err error
		if s.verb == "event" {
			text, err = Marshal(envelope(t, s.given))
		} else {
			event, err = Unmarshal([]byte(s.given))
		}
		switch s.becomes {
		case "refuse":
			attribute, reason, _ := strings.Cut(s.want, ": ")
			var refused *AttributeError
			if assert.ErrorAs(t, err, &refused, "mapping.txt:%d", s.line) {
				assert.Equal(t, strings.TrimSpace(attribute), refused.Attribute, "mapping.txt:%d", s.line)
				assert.True(t, strings.HasSuffix(err.Error(), reason), "mapping.txt:%d: want %q, got %q", s.line, reason, err)
			}
		case "cloud":
			require.NoError(t, err, "mapping.txt:%d", s.line)
			assert.Equal(t, s.want, string(text), "mapping.txt:%d", s.line)
		case "event":
			require.NoError(t, err, "mapping.txt:%d", s.line)
			assertSame(t, envelope(t, s.want), event)
		default:
			assert.Fail(t, "bad stanza", "mapping.txt:%d: %q", s.line, s.becomes)
		}
	}
}

// assertSame compares events: times by instant, details by their JSON.
func assertSame(t testing.TB, want, got footbridge.Event) {
	t.Helper()
	assert.True(t, want.Time.Equal(got.Time), "want %v, got %v", want.Time, got.Time)
	compact := func(e *footbridge.Event) {
		var b bytes.Buffer
		require.NoError(t, json.Compact(&b, e.Detail))
		e.Detail, e.Time = b.Bytes(), time.Time{}
		if len(e.Resources) == 0 {
			e.Resources = nil
		}
	}
	compact(&want)
	compact(&got)
	assert.Equal(t, want, got)
}

func TestBytesThatAreNoText(t *testing.T) {
	good := footbridge.Event{ID: "1", Source: "s", DetailType: "T", Detail: []byte(`{}`)}
	for attribute, change := range map[string]func(*footbridge.Event){
		"id":        func(e *footbridge.Event) { e.ID = "\xff" },
		"source":    func(e *footbridge.Event) { e.Source = "\xff" },
		"type":      func(e *footbridge.Event) { e.DetailType = "\xff" },
		"subject":   func(e *footbridge.Event) { e.Resources = []string{"\xff"} },
		"awsregion": func(e *footbridge.Event) { e.Region = "\xff" },
		"data":      func(e *footbridge.Event) { e.Detail = []byte("{\"a\":\"\xff\"}") },
		"time":      func(e *footbridge.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		e := good
		change(&e)
		_, err := Marshal(e)
		var refused *AttributeError
		if assert.ErrorAs(t, err, &refused, "%s", attribute) {
			assert.Equal(t, attribute, refused.Attribute)
		}
	}
	_, err := Unmarshal([]byte("{\"id\":\"\xff\"}"))
	assert.EqualError(t, err, "cloudevents: want UTF-8")
}

func TestErrorsTellWhere(t *testing.T) {
	_, err := Unmarshal([]byte(`{"specversion":"1.0",}`))
	assert.EqualError(t, err, "cloudevents: want JSON: invalid JSON: want a string, got '}' (offset 21)")
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range stanzas(f) {
		f.Add([]byte(s.given))
		if s.becomes == "cloud" {
			f.Add([]byte(s.want))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Unmarshal(data)
		if err != nil {
			var refused *AttributeError
			require.ErrorAs(t, err, &refused)
			return
		}
		text, err := Marshal(e)
		require.NoError(t, err, "%s", data)
		again, err := Unmarshal(text)
		require.NoError(t, err, "%s", text)
		assertSame(t, e, again)
	})
}

func FuzzMarshal(f *testing.F) {
	f.Add("e-1", "s", "T", "123456789012", "eu-west-1", "arn:aws:s3:::b", []byte(`{"a":1}`), int64(1795471200))
	f.Add("", "a b", "\x00", "\xff", "\ufffe", "", []byte(`[`), int64(-1))
	f.Fuzz(func(t *testing.T, id, source, detailType, account, region, resource string, detail []byte, unix int64) {
		e := footbridge.Event{ID: id, Source: source, DetailType: detailType, Account: account, Region: region, Detail: detail, Time: time.Unix(unix, 0)}
		if resource != "" {
			e.Resources = []string{resource}
		}
		text, err := Marshal(e)
		if err != nil {
			var refused *AttributeError
			require.ErrorAs(t, err, &refused)
			return
		}
		again, err := Unmarshal(text)
		require.NoError(t, err, "%s", text)
		assertSame(t, e, again)
	})
}
