package facts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.txt")
	require.NoError(t, os.WriteFile(path, []byte("# A comment.\n\norigin ours\nfact a An A.\nwant first\n    second\n\norigin from its documentation\nlist\n"), 0o600))
	assert.Equal(t, []Fact{
		{At: "some.txt:4", Word: "fact", Text: "a An A."},
		{At: "some.txt:5", Word: "want", Text: "first\n  second"},
		{At: "some.txt:9", Word: "list"},
	}, Read(t, path))
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.txt")
	require.NoError(t, os.WriteFile(path, []byte("origin ours\nfact a An A.\nfact b A B.\n"), 0o600))
	ran := ""
	test := func(t *testing.T) { ran += t.Name() + " " }
	Run(t, path, map[string]func(*testing.T){"a": test, "b": test})
	assert.Equal(t, "TestRun/a TestRun/b ", ran)
}
