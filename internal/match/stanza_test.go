package match

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/footbridge-go/footbridge/internal/stanza"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stanzaFiles returns the stanzas of testdata/match by file name.
func stanzaFiles(t testing.TB) map[string][]stanza.Stanza {
	names, err := filepath.Glob("../../testdata/match/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	files := make(map[string][]stanza.Stanza)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		base := filepath.Base(name)
		files[base], err = stanza.Parse(base, string(text))
		require.NoError(t, err)
	}
	return files
}

func TestStanzas(t *testing.T) {
	for name, stanzas := range stanzaFiles(t) {
		for _, s := range stanzas {
			p, cerr := Compile(s.Pattern)
			got := ""
			if cerr != nil {
				got = fmt.Sprintf("%s@%d: %s", cerr.Pointer, cerr.Offset, cerr.Reason)
			}
			assert.Equal(t, s.Error, got, "%s:%d: error of %s", name, s.Line, s.Pattern)
			for _, e := range s.Events {
				if cerr != nil {
					break
				}
				matched, err := p.Match([]byte(e.JSON))
				assert.NoError(t, err, "%s:%d", name, e.Line)
				assert.Equal(t, e.Match, matched, "%s:%d: %s matches %s", name, e.Line, s.Pattern, e.JSON)
			}
		}
	}
}
