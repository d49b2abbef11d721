package match

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/index.txt anew")

// A small set of rules, and what it becomes.
func TestIndexText(t *testing.T) {
	var s Set[int]
	var text strings.Builder
	for i, rule := range []string{
		`{"source":["shop"],"detail":{"customer":["ada"]}}`,
		`{"source":["shop"],"detail":{"customer":["bob"],"gift":[true]}}`,
		`{"source":["shop"],"detail":{"amount":[{"numeric":[">=",5,"<",10]}]}}`,
		`{"source":["shop"],"detail":{"key":[{"wildcard":"*/images/*.jpg"}]}}`,
		`{"source":["shop"],"detail":{"state":[{"anything-but":["closed","lost"]}]}}`,
		`{"detail":{"ip":[{"cidr":"10.0.0.0/8"},"192.168.0.1"],"key":[{"prefix":"a/"}]}}`,
		`{"detail":{"name":[{"equals-ignore-case":"Ada"},{"suffix":{"equals-ignore-case":"ce"}},null,7,{"exists":false}]}}`,
		`{"$or":[{"detail":{"name":[{"exists":true}]}},{"source":["post"]}]}`,
		`{"detail":{"amount":[{"numeric":["=",0.1]},1,9007199254740993]}}`,
	} {
		s.Add(i, mustCompile(rule))
		text.WriteString(rule + "\n")
	}
	text.WriteString("\n" + s.state.Load().index.String())
	if *update {
		require.NoError(t, os.WriteFile("testdata/index.txt", []byte(text.String()), 0o666))
	}
	want, err := os.ReadFile("testdata/index.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), text.String())
}
