// Package stanza reads the text files that say what patterns mean.
//
// A file is a sequence of stanzas:
//
//	# A comment: usually where the fact is from.
//	pattern {"state":["running"]}
//	match   {"state":"running"}
//	reject  {"state":"stopped"}
//
//	pattern {"state":[]}
//	error   /state@9: Empty arrays are not allowed
//
// A pattern line opens a stanza; match and reject lines give events that it
// matches and does not match; an error line, in place of these, gives the JSON
// pointer, byte offset and reason with which the pattern is refused. Spaces or tabs
// follow the word. A line that begins with white space continues the line before it. Blank lines and lines that
// begin with # are skipped.
package stanza

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Stanza is a pattern with the events it is tried on, or its error.
type Stanza struct {
	Line    int // of the pattern, from 1
	Pattern string
	Events  []Event
	Error   string // "POINTER@OFFSET: REASON", "" if the pattern is good
}

// An Event is one match or reject line.
type Event struct {
	Line  int
	JSON  string
	Match bool
}

// Parse parses a file's text. It returns all stanzas that are in order, and joins the
// errors of all lines that are not, each with "name:line: " before it. A file without a
// stanza is an error.
func Parse(name, text string) ([]Stanza, error) {
	var all []Stanza
	var errs []error
	fail := func(line int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: "+format, append([]any{name, line}, args...)...))
	}
	bad := make(map[int]bool) // stanzas, by the line of their pattern, with a line that is not in order
	for i, line := range join(strings.Split(text, "\n")) {
		if line == "" || line[0] == '#' {
			continue
		}
		number := i + 1
		word, rest := line, ""
		if end := strings.IndexAny(line, " \t"); end >= 0 {
			word, rest = line[:end], strings.TrimSpace(line[end:])
		}
		if word == "pattern" {
			all = append(all, Stanza{Line: number, Pattern: rest})
			continue
		}
		if len(all) == 0 {
			fail(number, "want a pattern line first, got %q", word)
			continue
		}
		s := &all[len(all)-1]
		switch {
		case word == "match" || word == "reject":
			s.Events = append(s.Events, Event{Line: number, JSON: rest, Match: word == "match"})
		case word == "error" && s.Error == "" && rest != "":
			s.Error = rest
		default:
			bad[s.Line] = true
			fail(number, "want pattern, match, reject, or one error, got %q", word)
		}
	}
	all = slices.DeleteFunc(all, func(s Stanza) bool {
		whole := (s.Error != "") != (len(s.Events) > 0)
		if !whole && !bad[s.Line] {
			fail(s.Line, "want either events or an error below a pattern")
		}
		return !whole
	})
	if len(all)+len(errs) == 0 {
		errs = []error{fmt.Errorf("%s: want a pattern, got none", name)}
	}
	return all, errors.Join(errs...)
}

// join appends continuation lines to the line they continue, and leaves blank
// lines in their places, so that indexes stay line numbers.
func join(lines []string) []string {
	last := -1
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if trimmed != "" && line[0] != '#' && (line[0] == ' ' || line[0] == '\t') && last >= 0 {
			lines[last] += " " + trimmed
			lines[i] = ""
			continue
		}
		lines[i] = trimmed
		if trimmed != "" && trimmed[0] != '#' {
			last = i
		}
	}
	return lines
}
