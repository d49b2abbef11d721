// Package facts reads the files of testdata/service, which say what the service does and
// where that is known from. It is for tests.
//
// Each line of a file is a fact: a word, which says of what kind it is, and a text. A line
// that begins with white space continues the one above it. An "origin" line says where the
// facts below it are known from, up to the next one:
//
//	origin from its documentation
//	fact disabled A disabled rule matches nothing.
package facts

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// A Fact is a line of a file.
type Fact struct {
	At   string // file and line, such as "model.txt:7"
	Word string
	Text string // lines that continue it included, each behind a line break
}

// Origins are what an "origin" line may say.
var Origins = []string{
	"recorded against the service",
	"from the service's API model",
	"from its documentation",
	"ours", // what the service does is not known, does not apply, or is not wanted
}

// Read returns the facts of a file.
func Read(t testing.TB, path string) (all []Fact) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	origin := ""
	for i, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		at := filepath.Base(path) + ":" + strconv.Itoa(i+1)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ' && len(all) > 0:
			all[len(all)-1].Text += "\n" + strings.TrimPrefix(line, "  ")
		case word == "origin":
			if origin = rest; !slices.Contains(Origins, origin) {
				t.Fatalf("%s: want one of the Origins %q, got %q", at, Origins, origin)
			}
		case origin == "":
			t.Fatalf("%s: want an origin first", at)
		default:
			all = append(all, Fact{At: at, Word: word, Text: rest})
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s: want facts, got none", path)
	}
	return all
}

// Run runs a test for each fact of a file of which every line is "fact NAME TEXT": that of
// its name, in a bubble of its own. A fact without a test is an error, and so is a test
// without a fact.
func Run(t *testing.T, path string, tests map[string]func(t *testing.T)) {
	t.Helper()
	named := make(map[string]bool)
	for _, f := range Read(t, path) {
		name, text, _ := strings.Cut(f.Text, " ")
		if test := tests[name]; f.Word != "fact" || text == "" || test == nil || named[name] {
			t.Errorf("%s: want \"fact NAME TEXT\" with a test of that name, and each once, got %q", f.At, f.Word+" "+f.Text)
		} else {
			t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
		}
		named[name] = true
	}
	for name := range tests {
		if !named[name] {
			t.Errorf("%s: want a fact %s, which has a test", path, name)
		}
	}
}
