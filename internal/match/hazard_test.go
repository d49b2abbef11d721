package match

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkWildcards matches 1,000 patterns like *a*b*c* against a kilobyte of their
// letters.
func BenchmarkWildcards(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	letters := func(n int, sep string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = string(rune('a' + r.IntN(26)))
		}
		return strings.Join(all, sep)
	}
	var s Set[int]
	before := heap()
	for i := range 1000 {
		s.Add(i, mustCompile(fmt.Sprintf(`{"a":[{"wildcard":"*%s*"}]}`, letters(3, "*"))))
	}
	memory := heap() - before
	event := fmt.Appendf(nil, `{"a":%q}`, letters(1024, ""))
	dst := make([]int, 0, 1000)
	for b.Loop() {
		keys, err := s.AppendMatches(dst, event)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(keys)
	}
	b.ReportMetric(float64(memory)/(1<<20), "MiB")
}

// BenchmarkArrays matches a rule of 20 fields in as many arrays of 10 and of 50 objects:
// the time follows the size of the event.
func BenchmarkArrays(b *testing.B) {
	const arrays = 20
	fields := make([]string, arrays)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"a%02d":{"x":["v"],"y":[{"exists":false}]}`, i)
	}
	p := mustCompile("{" + strings.Join(fields, ",") + "}")
	for _, objects := range []int{10, 50} {
		members := make([]string, arrays)
		for i := range members {
			members[i] = fmt.Sprintf(`"a%02d":[%s{"x":"v"}]`, i, strings.Repeat(`{"x":"w","y":1},`, objects-1))
		}
		event := []byte("{" + strings.Join(members, ",") + "}")
		b.Run(fmt.Sprint("objects=", objects), func(b *testing.B) {
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				if matched, err := p.Match(event); err != nil || !matched {
					b.Fatal(matched, err)
				}
			}
		})
	}
}

// BenchmarkHazards reports how the time of a match grows with what is four times as much
// of something: 1 is as much as that, 4 would be quadratic.
func BenchmarkHazards(b *testing.B) {
	repeat := func(n int, format string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = strings.ReplaceAll(format, "#", fmt.Sprint(1000+i))
		}
		return strings.Join(all, ",")
	}
	for name, c := range map[string]struct {
		rules []string // for each of 100, with # for its number
		event func(n int) string
	}{
		"array beside a sibling": {
			[]string{`{"list":{"a":["x"],"b":["y"]}}`, `{"list":{"a":["x"],"b":["#"],"c":[{"prefix":"p"}]}}`},
			func(n int) string { return `{"list":[{"a":[` + repeat(n, `"x"`) + `]}]}` },
		},
		"arrays in arrays": {
			[]string{`{"k":["v"],"a":[{"prefix":"p#"},{"prefix":"q"}],"c":["z",{"exists":false}]}`},
			func(n int) string {
				return `{"k":"v","a":` + strings.Repeat("[", n) + `"p"` + strings.Repeat("]", n) + `}`
			},
		},
		"parts": {
			[]string{`{"a":[{"wildcard":"*#*!"}]}`},
			func(n int) string { return `{"a":"` + repeat(n, `#`) + `"}` },
		},
		"members": {
			[]string{`{"o":{"k#":["v"],"z":["w"]}}`},
			func(n int) string { return `{"o":{` + repeat(n, `"k#":"v"`) + `}}` },
		},
	} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			var s Set[int]
			for i := range 100 {
				for k, rule := range c.rules {
					s.Add(2*i+k, mustCompile(strings.ReplaceAll(rule, "#", fmt.Sprint(1000+i))))
				}
			}
			small, large := []byte(c.event(1000)), []byte(c.event(4000))
			match := func(event []byte) func(int) {
				return func(int) {
					if _, err := s.AppendMatches(nil, event); err != nil {
						b.Fatal(err)
					}
				}
			}
			best := alternateBy(b, 10, match(large), match(small))
			b.ReportMetric(best[0]/best[1]/4, "growth")
			b.ReportMetric(best[0], "ns/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkManyFields reports how the time of adding a rule grows with four times as many
// fields.
func BenchmarkManyFields(b *testing.B) {
	pattern := func(n int) *Pattern {
		fields := make([]string, n)
		for i := range fields {
			fields[i] = fmt.Sprintf(`"f%d":["x"]`, i)
		}
		return mustCompile("{" + strings.Join(fields, ",") + "}")
	}
	add := func(p *Pattern) func(int) {
		return func(int) {
			var s Set[int]
			s.Add(1, p)
		}
	}
	best := alternateBy(b, 1, add(pattern(4000)), add(pattern(1000)))
	b.ReportMetric(best[0]/best[1]/4, "growth")
	b.ReportMetric(0, "ns/op")
}

// What is large is only large: lists, keys, values and nesting.
func TestLargeInput(t *testing.T) {
	numbers := make([]int, 100000)
	for i := range numbers {
		numbers[i] = 2 * i
	}
	list, err := json.Marshal(numbers)
	require.NoError(t, err)
	long := strings.Repeat("k", 1<<20)
	deep := func(open, inner, close string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(close, n)
	}
	for _, c := range []struct {
		name, pattern, event string
		want                 bool
	}{
		{"a long list", `{"a":` + string(list) + `}`, `{"a":199998}`, true},
		{"a long list", `{"a":` + string(list) + `}`, `{"a":199999}`, false},
		{"a long exclusion", `{"a":[{"anything-but":` + string(list[:68895]) + `]}]}`, `{"a":1}`, true},
		{"a long exclusion", `{"a":[{"anything-but":` + string(list[:68895]) + `]}]}`, `{"a":2}`, false},
		{"a long array", `{"a":[2]}`, `{"a":` + string(list) + `}`, true},
		{"a long key", `{"` + long + `":[1]}`, `{"` + long + `":1}`, true},
		{"a long value", `{"a":["` + long + `"]}`, `{"a":"` + long + `"}`, true},
		{"a long value", `{"a":[{"wildcard":"*k*k*x"}]}`, `{"a":"` + long + `"}`, false},
		{"deep nesting", deep(`{"a":`, `{"b":[1]}`, `}`, 998), deep(`{"a":`, `{"b":1}`, `}`, 998), true},
		{"deep arrays", `{"a":[1]}`, `{"a":` + deep(`[`, `1`, `]`, 9998) + `}`, true},
	} {
		p, cerr := Compile(c.pattern)
		require.Nil(t, cerr, c.name)
		matched, err := p.Match([]byte(c.event))
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, matched, c.name)
	}
	for name, pattern := range map[string]string{
		"objects": deep(`{"a":`, `[1]`, `}`, 100000), "arrays": `{"a":` + deep(`[`, `1`, `]`, 100000) + `}`, "dots": `{"` + strings.Repeat(".", 100000) + `":[1]}`,
		"a million branches": `{` + strings.Repeat(`"$or":[{"a":[1]},{"b":[1]}],`, 20) + `"c":[1]}`,
	} {
		_, cerr := Compile(pattern)
		assert.NotNil(t, cerr, name)
	}
	p := mustCompile(`{"a":{"b":[1]}}`)
	for name, event := range map[string]string{"objects": deep(`{"a":`, `1`, `}`, 100000), "arrays": `{"a":` + deep(`[`, `1`, `]`, 100000) + `}`} {
		_, err := p.Match([]byte(event))
		if name == "arrays" {
			assert.Error(t, err)
		}
		_, err = new(Set[int]).AppendFieldsMatches(nil, &Fields{Time: time.Unix(0, 0), Detail: []byte(event)}, 1000)
		assert.Error(t, err, name)
	}
}
