package strict

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Complexities are those of the service's engine, and what the service refuses is too large.
func TestComplexity(t *testing.T) {
	text, err := os.ReadFile("testdata/complexity.txt")
	require.NoError(t, err)
	n := 0
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		var want int
		var verdict, list string
		_, err := fmt.Sscan(line, &want, &verdict, &list)
		require.NoError(t, err, "complexity.txt:%d", i+1)
		var values []string
		require.NoError(t, json.Unmarshal([]byte(list), &values), "complexity.txt:%d", i+1)
		assert.Equal(t, want, Complexity(values), "complexity.txt:%d", i+1)
		assert.Equal(t, want, reference(values), "complexity.txt:%d: the reference", i+1)
		if verdict != "?" {
			assert.Equal(t, verdict == "refused", want > MaxComplexity, "complexity.txt:%d", i+1)
		}
		n++
	}
	assert.Equal(t, 13, n)
}

// A backslash makes a character of a star, or of a backslash; characters are their bytes.
func TestComplexityOfEscapes(t *testing.T) {
	assert.Equal(t, 1, Complexity([]string{`a\*b`}))
	assert.Equal(t, 1, Complexity([]string{`a\\`}))
	assert.Equal(t, Complexity([]string{"*a*b"}), Complexity([]string{`*\**\\`}))
	assert.Equal(t, Complexity([]string{"*ab*cd"})+1, Complexity([]string{"*é*ü"}), "é and ü begin alike")
	assert.Equal(t, 1, Complexity(nil))
}

// reference tries all texts: it goes through all sets of nodes that can be reached.
func reference(values []string) (most int) {
	root := &node{}
	alphabet := map[rune]bool{'~': true, end: true}
	for _, v := range values {
		root.add(v)
		for i := range len(v) {
			alphabet[rune(v[i])] = true
		}
	}
	names := make(map[*node]int)
	key := func(at []*node) string {
		var ids []int
		for _, n := range at {
			if names[n] == 0 {
				names[n] = len(names) + 1
			}
			ids = append(ids, names[n])
		}
		slices.Sort(ids)
		return fmt.Sprint(ids)
	}
	seen := map[string]bool{}
	queue := [][]*node{{root}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if most = max(most, len(at)); seen[key(at)] {
			continue
		}
		seen[key(at)] = true
		for char := range maps.Keys(alphabet) {
			if to := step(at, char); len(to) > 0 {
				queue = append(queue, to)
			}
		}
	}
	return most
}

// definition says what a node is without an automaton: a beginning of a value, which a text is
// at if it has its form. "$" is the end, and a star that comes last stands for at least one
// character, since before that the text is at what comes before the star. It tries the texts
// of up to length characters.
func definition(values []string, length int) int {
	beginnings := make(map[string]bool)
	for _, v := range values {
		v += "$"
		for i := range v {
			beginnings[v[:i+1]] = true
		}
	}
	most := 1
	var try func(text string)
	try = func(text string) {
		n := 0
		for b := range beginnings {
			if hasForm(text, b) {
				n++
			}
		}
		if most = max(most, n); len(text) == length || strings.HasSuffix(text, "$") {
			return
		}
		for _, c := range "ab~$" {
			try(text + string(c))
		}
	}
	try("")
	return most
}

func hasForm(text, form string) bool {
	switch {
	case form == "":
		return text == ""
	case form == "*":
		return text != ""
	case form[0] == '*':
		return hasForm(text, form[1:]) || text != "" && hasForm(text[1:], form)
	}
	return text != "" && text[0] == form[0] && hasForm(text[1:], form[1:])
}

// randomValues returns up to most values of up to n characters.
func randomValues(random *rand.Rand, most, n int) []string {
	values := make([]string, 1+random.IntN(most))
	for i := range values {
		for range random.IntN(n + 1) {
			if c := "ab*"[random.IntN(3)]; c != '*' || !strings.HasSuffix(values[i], "*") {
				values[i] += string(c)
			}
		}
	}
	return values
}

// The automaton is what the definition says.
func TestAutomatonIsWhatTheDefinitionSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	all := [][]string{{"a*b", "ab"}, {"a*b*", "ab"}, {"a*", "aa*", "aaa"}} // of which a star that stands for nothing counts
	for range 150 {
		all = append(all, randomValues(random, 2, 4))
	}
	for _, values := range all {
		require.Equal(t, definition(values, 8), reference(values), "%q", values)
		require.Equal(t, definition(values, 8), Complexity(values), "%q", values)
	}
}

// Random values of few characters have the complexity that trying all texts finds.
func TestComplexityIsThatOfAllTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	large := 0
	for range 20000 {
		values := randomValues(random, 3, 7)
		want, got := reference(values), Complexity(values)
		if want > MaxComplexity {
			large++
			require.Greater(t, got, MaxComplexity, "%q", values)
		} else {
			require.Equal(t, want, got, "%q", values)
		}
	}
	assert.Greater(t, large, 20)
}

// Measuring comes to an end on values as long as a pattern may be, where trying all texts
// would not.
func TestComplexityOfLongValues(t *testing.T) {
	var words []string
	for n := range 200 {
		words = append(words, fmt.Sprintf("%c%c*", 'a'+n%26, 'a'+n/26))
	}
	for _, c := range []struct {
		want   int // more than MaxComplexity: any that is
		values []string
	}{
		{1, []string{strings.Repeat("a", 2000)}},
		{11, []string{"*" + strings.Repeat("a", 2000)}},
		{2, []string{strings.Repeat("ab", 1000) + "*"}},
		{11, []string{"*" + strings.Repeat("b", 1000) + strings.Repeat("a", 1000)}},
		{11, append(words, "*"+strings.Repeat("b", 500)+strings.Repeat("a", 500))},
		{11, []string{strings.Repeat("*ab", 600)}},
	} {
		got := Complexity(c.values)
		assert.Equal(t, c.want, min(got, MaxComplexity+1), "%.40q", c.values)
	}
}

func TestMeasure(t *testing.T) {
	for pattern, want := range map[string][2]int{
		`{"a":["x"]}`: {1, 0},
		`{"a":["x"],"$or":[{"b":[1]},{"c":[1e400],"d":{"e":[null,true]}}]}`:                                                 {2, 0},
		`{"$or":[{"b":[1]},{"c":[1]},{"d":[1]}],"x":{"$or":[{"b":[1]},{"$or":[{"c":[1]},{"d":[1]}]}]}}`:                     {9, 0},
		`{"a":[{"wildcard":"*/init/*"},{"wildcard":"*/dir/*"}]}`:                                                            {1, 5},
		`{"a":[{"wildcard":"*/init/*"}],"b":[{"wildcard":"*/dir/*"}]}`:                                                      {1, 4},
		`{"a":[{"anything-but":{"wildcard":["*/init/*","*/dir/*"]}}]}`:                                                      {1, 5},
		`{"a":[{"wildcard":"*/init/*"},{"anything-but":{"wildcard":"*/dir/*"}},{"anything-but":["*","a"]},{"prefix":"*"}]}`: {1, 5},
		`{"$or":[{"a":[{"wildcard":"*/init/*"}]},{"a":[{"wildcard":"*/dir/*"}]}]}`:                                          {2, 5},
		`{"a":{"b":[{"wildcard":"*/init/*"}]},"a.b":[{"wildcard":"*/dir/*"}]}`:                                              {1, 5},
		`{"wildcard":["*:*:*:*:*:*:*"]}`:                                                                                    {1, 0},
	} {
		combinations, complexity, err := Measure(pattern)
		require.NoError(t, err, pattern)
		assert.Equal(t, want, [2]int{combinations, complexity}, pattern)
	}
	for _, text := range []string{``, `{`, `{"a":`, `{"a":[`, `{"$or":[`, `{"$or":[{`} {
		_, _, err := Measure(text)
		assert.Error(t, err, text)
	}
}
