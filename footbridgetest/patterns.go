package footbridgetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/stanza"
)

// RunPatternFiles tests patterns against events. The files of fsys whose names match glob,
// as [fs.Glob] says, hold stanzas:
//
//	# A comment.
//	pattern {"detail":{"total":[{"numeric":[">=",1000]}]}}
//	match   {"detail":{"total":2450}}
//	reject  {"detail":{"total":"2450"}}
//
//	pattern {"detail":{"total":[]}}
//	error   /detail/total@19: Empty arrays are not allowed
//
// A pattern is followed by events that it matches and that it rejects, or by the error with
// which it is refused: JSON pointer, byte offset and reason. A line that begins with white
// space goes on with the line before it. A failure names file and line and explains the
// verdict. That no file matches, that a file has no stanza or lines that are none of these, and
// that an event is not JSON, is a failure, too.
func RunPatternFiles(t TB, fsys fs.FS, glob string) {
	t.Helper()
	names, err := fs.Glob(fsys, glob)
	if err == nil && len(names) == 0 {
		err = errors.New("want a file that matches, got none")
	}
	if err != nil {
		t.Fatalf("footbridgetest: pattern files %q: %v", glob, err)
		return
	}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			t.Errorf("footbridgetest: %v", err)
			continue
		}
		stanzas, err := stanza.Parse(name, string(text))
		if err != nil { // of each line that is not in order
			for _, line := range strings.Split(err.Error(), "\n") {
				t.Errorf("%s", line)
			}
		}
		for _, s := range stanzas {
			runStanza(t, name, s)
		}
	}
}

func runStanza(t TB, name string, s stanza.Stanza) {
	t.Helper()
	p, err := footbridge.Compile(s.Pattern)
	refused := ""
	if err, ok := err.(*footbridge.PatternError); ok {
		refused = fmt.Sprintf("%s@%d: %s", err.Pointer, err.Offset, err.Reason)
	}
	if refused != s.Error {
		t.Errorf("%s:%d: pattern %s: want %s, got %s", name, s.Line, s.Pattern, orNoError(s.Error), orNoError(refused))
	}
	if err != nil {
		return
	}
	for _, e := range s.Events {
		if !json.Valid([]byte(e.JSON)) { // which Match may not notice, since it looks no further than it must
			t.Errorf("%s:%d: want JSON, got %s: %v", name, e.Line, e.JSON, json.Unmarshal([]byte(e.JSON), new(any)))
			continue
		}
		matched, err := p.Match([]byte(e.JSON))
		if err != nil || matched != e.Match {
			want := map[bool]string{true: "match", false: "reject"}[e.Match]
			t.Errorf("%s:%d: want %s: %s\n    %s", name, e.Line, want, e.JSON, indented(p.Explain([]byte(e.JSON)).String(), "    "))
		}
	}
}

func orNoError(text string) string {
	if text == "" {
		return "no error"
	}
	return "error " + text
}
