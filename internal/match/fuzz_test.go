package match

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seeds returns the pairs of pattern and event to start fuzzing from.
func seeds(f *testing.F) (pairs [][2]string) {
	for _, stanzas := range stanzaFiles(f) {
		for _, s := range stanzas {
			pairs = append(pairs, [2]string{s.Pattern, "{}"})
			for _, e := range s.Events {
				pairs = append(pairs, [2]string{s.Pattern, e.JSON})
			}
		}
	}
	cases := conformanceCases(f)
	for i := 0; i < len(cases); i += 40 {
		pairs = append(pairs, [2]string{cases[i].Pattern, cases[i].Event})
	}
	g := generator{rand.New(rand.NewPCG(1, 1))}
	for range 200 {
		pattern := g.pattern(0)
		pairs = append(pairs, [2]string{pattern, g.eventFor(refPattern(pattern))})
	}
	return pairs
}

func FuzzMatch(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s[0], []byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, pattern string, event []byte) {
		p, cerr := Compile(pattern)
		if cerr != nil {
			return
		}
		got, err := p.Match(event)
		isObject := json.Valid(event) && bytes.HasPrefix(bytes.TrimSpace(event), []byte("{"))
		if isObject {
			require.NoError(t, err, "%s", event)
		} else if json.Valid(event) { // of other texts it may have seen enough before they went wrong
			require.Error(t, err, "%s", event)
		}
		if !isObject {
			return
		}
		twin := &node{}
		require.Nil(t, parseObject(twin, event, jsonwalk.MaxDepth))
		require.Equal(t, p.matches(twin), got, "the twin: pattern %s, event %s", pattern, event)
		if !utf8.Valid(event) || len(p.any) > 100 || !refCanParse(pattern) || !refCanParse(string(event)) {
			return
		}
		alternatives, leaves := refPattern(pattern), refFlatten(string(event))
		if refWork(alternatives, leaves) > 10_000 {
			return
		}
		require.Equal(t, refMatchParsed(alternatives, leaves), got, "pattern %s, event %s", pattern, event)
		var set Set[int]
		set.Add(1, p)
		keys, err := set.AppendMatches(nil, event)
		require.NoError(t, err)
		require.Equal(t, got, len(keys) == 1)
	})
}

var jsonPointer = regexp.MustCompile(`^(/([^~/]|~[01])*)*$`)

func FuzzCompile(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s[0])
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile(source)
		if err != nil {
			require.Nil(t, p)
			checkError(t, source, err)
			return
		}
		require.True(t, json.Valid([]byte(source)), "compiled, though it is not JSON: %q", source)
		require.Equal(t, source, p.String())
		again, err := Compile(source)
		require.Nil(t, err)
		for _, event := range []string{`{}`, `{"a":[{"b":1,"c":["x"]},{"b":"x"}],"detail":{"state":"running"}}`} {
			first, err := p.Match([]byte(event))
			require.NoError(t, err)
			second, err := again.Match([]byte(event))
			require.NoError(t, err)
			require.Equal(t, first, second)
		}
	})
}

// checkError checks that an error is about something that is in the source.
func checkError(t *testing.T, source string, err *Error) {
	require.NotEmpty(t, err.Reason)
	require.GreaterOrEqual(t, err.Offset, 0)
	require.LessOrEqual(t, err.Offset, len(source))
	require.Regexp(t, jsonPointer, err.Pointer)
	if strings.HasPrefix(err.Reason, "invalid JSON") {
		require.Empty(t, err.Pointer)
		return
	}
	require.True(t, json.Valid([]byte(source)), "%q: %+v", source, err)
	if len(source) < 4000 {
		d := json.NewDecoder(strings.NewReader(source[err.Offset:]))
		d.UseNumber()
		require.True(t, resolves(refParse(source), err.Pointer, refParseNext(d)), "pointer and offset differ: %q: %+v", source, err)
	}
}

// resolves reports whether a JSON pointer leads from v to want, among the values of
// keys that come more than once.
func resolves(v refValue, pointer string, want refValue) bool {
	if pointer == "" {
		return reflect.DeepEqual(v, want)
	}
	name, rest, more := strings.Cut(pointer[1:], "/")
	if more {
		rest = "/" + rest
	}
	name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	for i, kid := range v.kids {
		if (v.kind == '{' && v.keys[i] == name || v.kind == '[' && strconv.Itoa(i) == name) && resolves(kid, rest, want) {
			return true
		}
	}
	return false
}

// TestMatchAgreesWithReference compares single patterns, sets and the reference on
// random cases. FOOTBRIDGE_SEED repeats a run.
func TestMatchAgreesWithReference(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("FOOTBRIDGE_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("FOOTBRIDGE_SEED=%d", seed)
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	const batches, size = 80, 250
	matched := 0
	for range batches {
		matched += compareBatch(t, g, size)
	}
	t.Logf("%d cases, %d%% match", batches*size, 100*matched/(batches*size))
	require.Greater(t, 3*matched, batches*size, "too few cases match")
}

// compareBatch makes size patterns with an event for each, compares, and returns how
// many of the events match their patterns.
func compareBatch(t *testing.T, g generator, size int) (matched int) {
	var patterns []*Pattern
	var alternatives [][][]refField
	var set Set[int]
	key := func(i int) int { return i % (size - 50) } // some keys have two patterns
	for i := range size {
		source := g.pattern(0)
		p, err := Compile(source)
		require.Nil(t, err, "%s", source)
		patterns, alternatives = append(patterns, p), append(alternatives, refPattern(source))
		set.Add(key(i), p)
	}
	for i := range patterns {
		event := g.eventFor(alternatives[i])
		leaves := refFlatten(event)
		for _, j := range []int{i, g.IntN(size)} {
			got, err := patterns[j].Match([]byte(event))
			require.NoError(t, err, "%s", event)
			require.Equal(t, refMatchParsed(alternatives[j], leaves), got, "pattern %s, event %s", patterns[j], event)
			if got && j == i {
				matched++
			}
		}
		if i%20 == 0 {
			requireSetAgrees(t, &set, patterns, key, event)
		}
	}
	return matched
}

// requireSetAgrees checks that set returns once each key of a pattern that matches.
func requireSetAgrees(t *testing.T, set *Set[int], patterns []*Pattern, key func(int) int, event string) {
	want := make(map[int]bool)
	for i, p := range patterns {
		if matched, err := p.Match([]byte(event)); matched {
			require.NoError(t, err)
			want[key(i)] = true
		}
	}
	got, err := set.AppendMatches([]int{-1}, []byte(event))
	require.NoError(t, err)
	require.Equal(t, -1, got[0])
	require.Equal(t, slices.Sorted(maps.Keys(want)), append([]int(nil), slices.Sorted(slices.Values(got[1:]))...), "%s", event)
}

func TestSetConformance(t *testing.T) {
	var all []conformanceCase
	for _, c := range conformanceCases(t) {
		if c.Want != "invalid" {
			all = append(all, c)
		}
	}
	for cases := range slices.Chunk(all, 500) {
		var set Set[int]
		for i, c := range cases {
			p, err := Compile(c.Pattern)
			require.Nil(t, err, "%s", c.Pattern)
			set.Add(i, p)
		}
		for i, c := range cases {
			keys, err := set.AppendMatches(nil, []byte(c.Event))
			require.NoError(t, err)
			assert.Equal(t, c.Want == "match", slices.Contains(keys, i), "pattern %s, event %s", c.Pattern, c.Event)
			slices.Sort(keys)
			assert.Len(t, slices.Compact(slices.Clone(keys)), len(keys), "a key comes twice: %v", keys)
		}
	}
}

// TestSetConcurrent changes a set while others match: keys that stay are always
// seen, and of two keys that replace each other always exactly one.
func TestSetConcurrent(t *testing.T) {
	const stays, left, right, comesAndGoes = 0, 1, 2, 100
	p, cerr := Compile(`{"a":["x"]}`)
	require.Nil(t, cerr)
	var set Set[int]
	set.Add(stays, p)
	set.Add(left, p)
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for range 2000 {
			set.Replace(left, right, p)
			set.Replace(right, left, p)
		}
	})
	for i := range 3 {
		writers.Go(func() {
			for n := range 1000 {
				set.Add(comesAndGoes+i, p)
				set.Add(comesAndGoes+i, p)
				if n%10 != 0 { // leave some for the next Add
					set.Remove(comesAndGoes + i)
				}
			}
			set.Remove(comesAndGoes + i)
		})
	}
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for seen := []int(nil); ; {
				select {
				case <-done:
					return
				default:
				}
				seen, _ = set.AppendMatches(seen[:0], []byte(`{"a":"x"}`))
				slices.Sort(seen)
				once := len(slices.Compact(slices.Clone(seen))) == len(seen)
				ok := once && slices.Contains(seen, stays) && slices.Contains(seen, left) != slices.Contains(seen, right)
				if !assert.True(t, ok, "saw %v", seen) {
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	keys, err := set.AppendMatches(nil, []byte(`{"a":"x"}`))
	require.NoError(t, err)
	assert.ElementsMatch(t, []int{stays, left}, keys)
}
