package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge"
)

// This file has the format of a FileStore's files: one for each window of time, named
//
//	20261123T000000Z-20261124T000000Z.jsonl
//
// for when it begins and ends. Every byte of its first line follows from its name; each
// other line is an event: its Time in full, since envelopes have whole seconds, and its
// envelope.
//
//	{"footbridge-archive":1,"from":"2026-11-23T00:00:00Z","until":"2026-11-24T00:00:00Z"}
//	{"time":"2026-11-23T14:00:00.25Z","event":{"version":"0","id":...}}
//
// A line is exactly that, without blanks: where its parts are is found without parsing
// the envelope, and two readers cannot find two times in one line.

const (
	nameTime  = "20060102T150405Z"
	extension = ".jsonl"

	lineBegin  = `{"time":"`
	lineMiddle = `","event":`
)

// A FormatError says why a file or directory is no archive. Nothing was changed.
type FormatError struct {
	Path   string
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("archive: %s: no archive: %s", e.Path, e.Reason)
}

// A window is a file and what is known of its events. It is guarded by its store's mutex,
// but for the first three fields, which do not change.
type window struct {
	path        string
	from, until time.Time // of the clock, when events were appended

	size        int64 // bytes of whole lines; what may be behind them was never appended
	events      int64
	damaged     int64
	first, last time.Time // the least and the greatest Time of an event; of none: zero

	readers int  // cursors
	expired bool // the store has it no more; the last reader removes the file
}

func newWindow(dir string, from, until time.Time) *window {
	name := from.Format(nameTime) + "-" + until.Format(nameTime) + extension
	return &window{path: filepath.Join(dir, name), from: from, until: until}
}

// windowOf returns the window of a file's name.
func windowOf(dir, name string) (*window, error) {
	begin, end, _ := strings.Cut(strings.TrimSuffix(name, extension), "-")
	from, err1 := time.Parse(nameTime, begin)
	until, err2 := time.Parse(nameTime, end)
	if w := newWindow(dir, from, until); err1 == nil && err2 == nil && from.Before(until) && filepath.Base(w.path) == name {
		return w, nil
	}
	return nil, &FormatError{filepath.Join(dir, name), "want only files with names such as 20261123T000000Z-20261124T000000Z" + extension}
}

func (w *window) header() string {
	return fmt.Sprintf(`{"footbridge-archive":1,"from":%q,"until":%q}`+"\n", w.from.Format(time.RFC3339), w.until.Format(time.RFC3339))
}

// remove removes the file, if it is still there.
func (w *window) remove() error {
	if err := os.Remove(w.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("archive: expire: %w", err)
	}
	return nil
}

// add counts a line of n bytes with an event of that Time.
func (w *window) add(t time.Time, n int64) {
	if w.events == 0 || t.Before(w.first) {
		w.first = t
	}
	if w.events == 0 || t.After(w.last) {
		w.last = t
	}
	w.events++
	w.size += n
}

// mayHave reports whether there may be an event in the range. No one knows the Time of a
// damaged one.
func (w *window) mayHave(from, until time.Time) bool {
	return w.damaged > 0 || w.events > 0 && !w.last.Before(from) && w.first.Before(until)
}

// addTail counts a last line without a line break, if there is one.
func (w *window) addTail(tail []byte) {
	if len(tail) == 0 {
		return
	}
	if e, err := parseLine(tail); err == nil {
		w.add(e.Time, int64(len(tail)))
	} else {
		w.size += int64(len(tail))
		w.damaged++
	}
}

// load counts the lines of the file. It returns what is behind the last line break.
func (w *window) load() (tail []byte, err error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	defer f.Close()
	lines := newLineReader(f)
	header, whole, err := lines.next()
	switch {
	case err != nil && err != io.EOF:
		return nil, fmt.Errorf("archive: %w", err)
	case !whole && strings.HasPrefix(w.header(), string(header)):
		return header, nil // the file was being made
	case !whole || string(header) != w.header():
		return nil, &FormatError{w.path, fmt.Sprintf("want the first line %.200q, got %.200q", w.header(), header)}
	}
	w.size = int64(len(header))
	for {
		line, whole, err := lines.next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		if !whole {
			return bytes.Clone(line), nil
		}
		if t, _, err := splitLine(line); err == nil {
			w.add(t, int64(len(line)))
		} else {
			w.size += int64(len(line))
			w.damaged++
		}
	}
}

// appendLine appends the line of an event.
func appendLine(b []byte, e footbridge.Event) ([]byte, error) {
	if year := e.Time.UTC().Year(); year < 0 || year > 9999 {
		return b, &footbridge.EventError{Field: "Time", Reason: fmt.Sprintf("want a year from 0 to 9999, got %d", year)}
	}
	envelope, err := e.MarshalJSON()
	if err != nil {
		return b, fmt.Errorf("archive: event %s: %w", e.ID, err)
	}
	b = append(b, lineBegin...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, lineMiddle...)
	b = append(b, envelope...)
	return append(b, "}\n"...), nil
}

// splitLine returns the parts of a line, without looking into the envelope.
func splitLine(line []byte) (t time.Time, envelope []byte, err error) {
	rest, ok := bytes.CutPrefix(line, []byte(lineBegin))
	text, envelope, found := bytes.Cut(rest, []byte(lineMiddle))
	envelope, closed := bytes.CutSuffix(bytes.TrimRight(envelope, "\n"), []byte("}"))
	if !ok || !found || !closed {
		return t, nil, fmt.Errorf(`want {"time":"T","event":E}, got %.100q`, line)
	}
	if t, err = time.Parse(time.RFC3339Nano, string(text)); err != nil {
		return t, nil, err
	}
	return t.UTC(), envelope, nil
}

// parseLine returns the event of a line.
func parseLine(line []byte) (e footbridge.Event, err error) {
	t, envelope, err := splitLine(line)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		return footbridge.Event{}, err
	}
	if len(e.Detail) == 0 {
		return footbridge.Event{}, errors.New("the envelope has no detail")
	}
	if len(e.Resources) == 0 {
		e.Resources = nil
	}
	e.Time = t
	return e, nil
}

// A lineReader reads lines of any length.
type lineReader struct {
	r    *bufio.Reader
	long []byte // of a line that is longer than r's buffer
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns a line with its line break, valid until the next call, or, not whole, what
// is behind the last one; io.EOF if nothing is.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			l.long = append(l.long, part...)
			continue
		}
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			part = l.long
		}
		if err == io.EOF && len(part) > 0 {
			return part, false, nil
		}
		return part, err == nil, err
	}
}
