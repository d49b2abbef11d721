package match

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/workload"
)

// raceEnabled says that the race detector is on. It makes sync.Pool forget at random.
var raceEnabled bool

// A match allocates nothing in the steady state, whatever the rules ask for.
func TestMatchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	check := func(kind string, s *Set[int], events [][]byte) {
		dst := make([]int, 0, 200)
		i := 0
		allocs := testing.AllocsPerRun(500, func() {
			keys, err := s.AppendMatches(dst, events[i%len(events)])
			if err != nil {
				t.Fatal(err)
			}
			sink += len(keys)
			i++
		})
		assert.Less(t, allocs, 0.1, kind)
	}
	others := map[string][]string{
		"addresses":         {`{"ip":[{"cidr":"10.0.0.0/8"}],"n":[7]}`, `{"ip":["10.1.2.3"]}`, `{"ip":[{"cidr":"2001:db8::/32"}]}`},
		"presence and $or":  {`{"none":[{"exists":false}],"ip":[{"exists":true}]}`, `{"$or":[{"n":[7]},{"list":{"a":["y"]}}]}`},
		"arrays":            {`{"list":{"a":["x"],"b":[{"exists":false}]}}`, `{"list":{"a":[{"anything-but":["x"]}],"b":[true]}}`, `{"tags":["t",{"wildcard":"*g*h*"}]}`},
		"escapes and dots":  {`{"a.b":["\u00e9\n"]}`, `{"q\"":[{"suffix":"x"}]}`},
		"words and numbers": {`{"n":[7,1e400,9007199254740993]}`, `{"list":{"b":[true,null]}}`},
		"folds":             {`{"s":[{"equals-ignore-case":"STRASSE"}]}`, `{"s":[{"prefix":{"equals-ignore-case":"Ä"}}]}`},
	}
	events := [][]byte{
		[]byte(`{"ip":"10.1.2.3","n":7,"list":[{"a":"x"},{"a":"y","b":true}],"tags":["tgh"],"a.b":"\u00e9\n","q\"":"x","s":"strasse"}`),
		[]byte(`{"ip":"2001:db8::1","n":1e400,"list":[[{"a":"z","b":null}]],"tags":"t","a":{"b":"e"},"s":"\u00e4"}`),
	}
	for kind, rules := range others {
		var s Set[int]
		for i, rule := range rules {
			s.Add(i, mustCompile(rule))
		}
		check(kind, &s, events)
	}
	for kind, rules := range workload.ParcelRules {
		var s Set[int]
		for i, rule := range rules {
			s.Add(i, mustCompile(rule))
		}
		check(kind, &s, workload.ParcelEvents(50))
	}
	m := newMixed(1000)
	check("mixed", &m.set, m.events)
}

// An event given by its parts matches what its envelope's JSON matches.
func TestFieldsMatchLikeTheirEnvelope(t *testing.T) {
	f := &Fields{
		ID: "i", DetailType: "D", Source: "s", Account: "1", Region: "r", ReplayName: "again", Resources: []string{"x", "y"},
		Time: time.Date(2026, 5, 4, 3, 2, 1, 9, time.UTC), Detail: []byte(`{"a":{"b":[1,{"c":2}]}}`),
	}
	envelope := `{"version":"0","id":"i","detail-type":"D","source":"s","account":"1","time":"2026-05-04T03:02:01Z","region":"r",` +
		`"replay-name":"again","resources":["x","y"],"detail":{"a":{"b":[1,{"c":2}]}}}`
	var s Set[string]
	for _, pattern := range []string{
		`{"version":["0"]}`, `{"id":["i"]}`, `{"detail-type":["D"],"source":["s"]}`, `{"account":["1"],"region":["r"]}`, `{"time":[{"prefix":"2026-05-04T03:02:01Z"}]}`,
		`{"replay-name":["again"]}`, `{"resources":["y"]}`, `{"resources":["z"]}`, `{"resources":{"x":[1]}}`, `{"resources":[{"exists":false}]}`,
		`{"detail":{"a":{"b":[1]}}}`, `{"detail":{"a":{"b":{"c":[2]}}}}`, `{"detail":[{"exists":false}]}`, `{"detail.a.b.c":[3]}`, `{"none":[{"exists":false}]}`,
	} {
		s.Add(pattern, mustCompile(pattern))
	}
	want, err := s.AppendMatches(nil, []byte(envelope))
	require.NoError(t, err)
	got, err := s.AppendFieldsMatches(nil, f, 1000)
	require.NoError(t, err)
	assert.ElementsMatch(t, want, got)
	assert.Len(t, got, 11)
	for _, detail := range []string{"", "[]", `{"a":1`, `{} {}`, `{"a":{"b":[1]}} x`} {
		f.Detail = []byte(detail)
		_, err := s.AppendFieldsMatches(nil, f, 1000)
		assert.Error(t, err, "%q", detail)
	}
}

// A rule for what is below an array of strings matches none of them.
func TestRuleBelowResources(t *testing.T) {
	var s Set[int]
	s.Add(1, mustCompile(`{"resources":{"x":["y"]}}`))
	keys, err := s.AppendFieldsMatches(nil, &Fields{Source: "s", Resources: []string{"x", "y"}, Detail: []byte(`{}`)}, 10)
	require.NoError(t, err)
	assert.Empty(t, keys)
}

// What is remembered between matches does not keep a large event alive.
func TestLargeEventsAreForgotten(t *testing.T) {
	var s Set[int]
	s.Add(1, mustCompile(`{"a":["x"],"b":{"c":["y"]}}`))
	match := func(fill int) weak.Pointer[byte] {
		event := []byte(`{"a":"x","b":[{"c":"z"},{"c":"y"},{"c":"y"}],"d":"` + strings.Repeat("d", fill) + `"}`)
		keys, err := s.AppendMatches(nil, event)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		return weak.Make(&event[0])
	}
	large := match(100_000)
	runtime.GC()
	assert.Nil(t, large.Value())
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Rules take bounded memory, and give it back when they are removed.
func TestMemoryOfRules(t *testing.T) {
	const n = 20000
	for name, c := range map[string]struct {
		rule func(int) string
		most uint64
	}{"mixed": {workload.MixedRule, 1200}, "exact": {workload.ExactRule, 600}} {
		before := heap()
		var s Set[int]
		for i := range n {
			s.Add(i, mustCompile(c.rule(i)))
		}
		each := (heap() - before) / n
		t.Logf("%s: %d bytes a rule", name, each)
		assert.LessOrEqual(t, each, c.most, name)
		for i := range n {
			s.Remove(i)
		}
		after := heap()
		assert.Less(t, after-min(after, before), uint64(n*20), name)
		runtime.KeepAlive(&s)
	}
}

// Rules come and go, and what is left is found.
func TestRemoving(t *testing.T) {
	var s Set[int]
	const n = 1000
	for i := range n {
		s.Add(i, mustCompile(fmt.Sprintf(`{"a":["x",%d]}`, i)))
	}
	for left := n; left > 0; left -= 10 {
		keys, err := s.AppendMatches(nil, []byte(`{"a":"x"}`))
		require.NoError(t, err)
		require.Len(t, keys, left)
		keys, err = s.AppendMatches(nil, fmt.Appendf(nil, `{"a":%d}`, n-left))
		require.NoError(t, err)
		require.Equal(t, []int{n - left}, slices.Collect(slices.Values(keys)))
		for i := range 10 {
			s.Remove(n - left + i)
		}
	}
}
