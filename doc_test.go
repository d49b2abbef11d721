package footbridge

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every promise of the package documentation names tests, and these exist.
func TestPromisesNameTheirTests(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	inner, err := filepath.Glob("internal/*/*_test.go")
	require.NoError(t, err)
	tests := make(map[string]bool)
	for _, name := range append(files, inner...) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)`).FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
	}
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	promises := regexp.MustCompile(`(?s)// # Promises\n(.*)// # Not promised`).FindSubmatch(doc)
	require.NotNil(t, promises)
	for _, p := range strings.Split(strings.Trim(string(promises[1]), "/\n"), "\n//\n") {
		if !strings.Contains(p, "Each names, in parentheses") {
			assert.Regexp(t, `\bTest[A-Z]`, p)
		}
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(doc), -1)
	assert.Greater(t, len(named), 30)
	for _, name := range named {
		if name != "TestTrace" {
			assert.True(t, tests[name], "doc.go names %s", name)
		}
	}
}
