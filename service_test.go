package footbridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fact is a line of a file of testdata/service: a word, the rest of the line, and where
// what it says of the service is known from.
type fact struct {
	file         string
	line         int
	origin       string
	word, text   string
	continuation []string // lines below it that begin with white space
}

// origins are what an "origin" line may say.
var origins = []string{
	"recorded against the service",
	"from the service's API model",
	"from its documentation",
	"ours", // what the service does is not known, or does not apply
}

// facts reads a file of testdata/service.
func facts(t testing.TB, name string) (all []fact) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "service", name))
	require.NoError(t, err)
	origin := ""
	for i, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ':
			last := &all[len(all)-1]
			last.continuation = append(last.continuation, strings.TrimPrefix(line, "  "))
		case word == "origin":
			require.Contains(t, origins, rest, "%s:%d", name, i+1)
			origin = rest
		default:
			require.NotEmpty(t, origin, "%s:%d: want an origin first", name, i+1)
			all = append(all, fact{file: name, line: i + 1, origin: origin, word: word, text: rest})
		}
	}
	require.NotEmpty(t, all)
	return all
}
