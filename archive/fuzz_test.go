package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// FuzzFile opens a file with any text behind its header. Whatever it is, every line that is
// an event is found, in its place, before and behind an append and another open.
func FuzzFile(f *testing.F) {
	line, err := appendLine(nil, eventAt("1", midnight))
	require.NoError(f, err)
	f.Add("")
	f.Add(string(line) + string(line))
	f.Add(string(line) + string(line[:50]))
	f.Add(strings.TrimSpace(string(line)))
	f.Add("\n\x00\n" + string(line) + "{}")
	f.Add(`{"time":"2000-01-01T00:00:00Z","event":{"detail":{}},"time":"2001-01-01T00:00:00Z","event":{"detail":{}}}` + "\n")
	f.Add(`{"time":"2000-01-01T00:00:00Z","event":{"id":"\ud800","detail":{},"resources":null}}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		w := newWindow(t.TempDir(), midnight, midnight.Add(DefaultWindow))
		dir := strings.TrimSuffix(w.path, "/20000101T000000Z-20000102T000000Z.jsonl")
		writeFile(t, dir, "20000101T000000Z-20000102T000000Z.jsonl", w.header()+text)
		want := naiveEvents(text)
		s, err := OpenFiles(dir, &FileOptions{NoSync: true})
		require.NoError(t, err)
		assert.Equal(t, want, validEvents(t, quick(s)))
		last := eventAt("last", midnight.AddDate(8000, 0, 0).Add(-time.Second))
		appendAll(t, s, last)
		require.NoError(t, s.Close())
		s, err = OpenFiles(dir, nil)
		require.NoError(t, err)
		got := validEvents(t, s)
		assert.Equal(t, append(want, last), got)
		assert.Zero(t, s.Stats().Torn)
		require.NoError(t, s.Close())
	})
}

// FuzzLine reads any line. Who reads it otherwise finds the same event, and what is found
// can be written and read again.
func FuzzLine(f *testing.F) {
	e := eventAt("1", midnight.Add(1))
	e.Resources, e.ReplayName = []string{"a", ""}, "r"
	line, err := appendLine(nil, e)
	require.NoError(f, err)
	f.Add(string(line))
	f.Add(`{"time":"2000-01-01T00:00:00Z","event":{"detail":{}},"time":"2001-01-01T00:00:00Z","event":{"detail":{}}}`)
	f.Add(`{"time":"0000-01-01T00:00:00+01:00","event":{"id":"\ud800","detail":{},"resources":[]}}`)
	f.Add("{\"time\":\"2000-01-01T00:00:00Z\",\"event\":{\"detail\":{ \"\xff\": 1e999 }}}")
	f.Add(`{"time":"2000-01-01T00:00:00Z","event":{}}`)
	f.Add(`{"time":"2000-01-01T00:00:00,5Z","event":{"detail":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		text, _, _ = strings.Cut(text, "\n")
		want := naiveEvents(text)
		e, err := parseLine([]byte(text))
		if err != nil || !inRange(e.Time, always[0], always[1]) {
			assert.Empty(t, want)
			return
		}
		require.Equal(t, want, []footbridge.Event{e})
		line, err := appendLine(nil, e)
		require.NoError(t, err)
		require.Equal(t, 1, bytes.Count(line, []byte("\n")))
		again, err := parseLine(line)
		require.NoError(t, err)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, bytes.ToValidUTF8(e.Detail, []byte("\uFFFD"))))
		e.Detail = compact.Bytes()
		assert.Equal(t, e, again)
	})
}

// validEvents returns the events of a store in the order they were appended, but for damaged ones.
func validEvents(t *testing.T, s *FileStore) (events []footbridge.Event) {
	c, err := s.Read(t.Context(), always[0], always[1])
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	for {
		e, err := c.Next(t.Context())
		var damaged *DamagedError
		switch {
		case err == io.EOF:
			return events
		case errors.As(err, &damaged):
		default:
			require.NoError(t, err)
			events = append(events, e)
		}
	}
}

// naiveEvents is the twin of a FileStore's reading: all at once, by a regular expression.
func naiveEvents(text string) (events []footbridge.Event) {
	for line := range strings.SplitSeq(text, "\n") {
		parts := lineForm.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		var e footbridge.Event
		at, err := time.Parse(time.RFC3339Nano, parts[1])
		if err != nil || json.Unmarshal([]byte(parts[2]), &e) != nil || len(e.Detail) == 0 {
			continue
		}
		if e.Time = at.UTC(); e.Time.Year() < 0 || e.Time.Year() > 9999 {
			continue // its zone moves it out of every range
		}
		if len(e.Resources) == 0 {
			e.Resources = nil
		}
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b footbridge.Event) int {
		return a.Time.Truncate(time.Minute).Compare(b.Time.Truncate(time.Minute))
	})
	return events
}

var lineForm = regexp.MustCompile(`(?s)^{"time":"(.*?)","event":(.*)}$`)
