package transform

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/footbridge-go/footbridge/internal/jsonwalk"
)

var vars = Vars{RuleARN: "arn:aws:events:r:1:rule/my-rule", RuleName: "my-rule", IngestionTime: time.Date(2026, 11, 24, 22, 5, 1, 5, time.UTC)}

// A stanza is a template of testdata/transform.txt.
type stanza struct {
	line     int
	event    string
	paths    map[string]string
	template string
	verb     string // "want", "fails" or "refuse"
	want     string
}

func stanzas(t testing.TB) (all []*stanza) {
	t.Helper()
	text, err := os.ReadFile("testdata/transform.txt")
	require.NoError(t, err)
	var s stanza          // event and paths
	var continued *string // by lines that begin with |
	for i, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case word == "event":
			s = stanza{event: rest, paths: make(map[string]string)}
		case word == "path":
			name, path, _ := strings.Cut(rest, " ")
			s.paths[name] = path
		case word == "template":
			n := s
			n.line, n.template = i+1, rest
			all = append(all, &n)
			continued = &n.template
		case word == "|":
			*continued += "\n" + rest
		default:
			last := all[len(all)-1]
			require.Empty(t, last.verb, "transform.txt:%d", i+1)
			last.verb, last.want = word, rest
			continued = &last.want
		}
	}
	require.NotEmpty(t, all)
	return all
}

func TestTemplates(t *testing.T) {
	for _, s := range stanzas(t) {
		tr, err := Compile(s.paths, s.template)
		if s.verb == "refuse" {
			var refused *Error
			if assert.ErrorAs(t, err, &refused, "transform.txt:%d", s.line) {
				assert.Equal(t, s.want, fmt.Sprintf("%d %s", refused.Offset, refused.Reason), "transform.txt:%d", s.line)
				assert.Equal(t, "InputTemplate for target ID "+refused.Reason, refused.For("ID"))
				assert.EqualError(t, err, fmt.Sprintf("InputTemplate %s (offset %d)", refused.Reason, refused.Offset))
			}
			continue
		}
		if !assert.NoError(t, err, "transform.txt:%d", s.line) {
			continue
		}
		got, err := tr.Append([]byte("before "), []byte(s.event), vars)
		switch s.verb {
		case "want":
			assert.NoError(t, err, "transform.txt:%d", s.line)
			assert.Equal(t, "before "+s.want, string(got), "transform.txt:%d", s.line)
		case "fails":
			var failed *RenderError
			if assert.ErrorAs(t, err, &failed, "transform.txt:%d", s.line) {
				assert.Equal(t, s.want, err.Error(), "transform.txt:%d", s.line)
			}
			assert.Equal(t, "before ", string(got), "transform.txt:%d", s.line)
		default:
			assert.Fail(t, "bad stanza", "transform.txt:%d: %q", s.line, s.verb)
		}
	}
}

// Wherever a template is cut or a character put into it, and however long its variables are,
// a fault is where it would be with a value in the place of each.
func TestOffsetsAreThoseOfTheTemplate(t *testing.T) {
	const template = `{"a": <v>, "b": [<v>, "x <s>", 1], "c": {"d": <v>}}`
	for i := range template {
		for _, broken := range []string{template[:i], template[:i] + "!" + template[i:]} {
			if strings.Count(broken, "<") != strings.Count(broken, "<v>")+strings.Count(broken, "<s>") {
				continue // a variable is broken
			}
			long := strings.ReplaceAll(broken, "<v>", "<variable>")
			_, err := Compile(map[string]string{"variable": "$", "s": "$"}, long)
			values := strings.ReplaceAll(broken, "<v>", `"variable"`) // as long as the variable
			want := jsonwalk.Valid([]byte(values), jsonwalk.MaxDepth)
			if want == nil {
				assert.NoError(t, err, long)
				continue
			}
			var refused *Error
			require.ErrorAs(t, err, &refused, long)
			if !strings.Contains(refused.Reason, "has no end") { // that says where the string begins
				assert.Equal(t, want.Offset, refused.Offset, "%s: %v", long, err)
			}
		}
	}
}

func TestBadPaths(t *testing.T) {
	for path, want := range map[string]string{
		"":                 `0 want "$", got the end`,
		"detail":           `0 want "$", got "detail"`,
		"$detail":          `1 want "." or "[", got "detail"`,
		"$.":               `2 want a key of A-Z a-z 0-9 _ -, got the end`,
		"$..a":             `2 want a key of A-Z a-z 0-9 _ -, got ".a"`,
		"$.a.*":            `4 want a key of A-Z a-z 0-9 _ -, got "*"`,
		"$.a b":            `3 want "." or "[", got " b"`,
		"$['detail']":      `1 want "[n]" or "[*]", got "['detail']"`,
		"$.a[":             `3 want "[n]" or "[*]", got "["`,
		"$.a[-1]":          `3 want "[n]" or "[*]", got "[-1]"`,
		"$.a[99999999999]": `3 want "[n]" or "[*]", got "[99999999999]"`,
	} {
		var refused *Error
		_, err := CompilePath(path)
		if assert.ErrorAs(t, err, &refused, "%q", path) {
			offset, reason, _ := strings.Cut(want, " ")
			assert.Equal(t, offset, fmt.Sprint(refused.Offset), "%q", path)
			assert.Equal(t, "InputPath for target ID is not a valid path: "+reason+".", refused.For("ID"))
			assert.Equal(t, "offset "+offset, refused.Place())
		}
		_, err = Compile(map[string]string{"x": path}, `"<x>"`)
		if assert.ErrorAs(t, err, &refused, "%q", path) {
			offset, _, _ := strings.Cut(want, " ")
			assert.Equal(t, []string{"InputPathsMap", "x", `path of "x", offset ` + offset}, []string{refused.Field, refused.Name, refused.Place()})
		}
	}
	_, err := Compile(map[string]string{"a.b": "$"}, `"x"`)
	assert.EqualError(t, err, `InputPathsMap has a bad name: want A-Z a-z 0-9 _ -, got "a.b".`)
}

func TestInputPath(t *testing.T) {
	event := []byte(` {"source":"s","detail":{"s":"v","list":[{"a":1},{"a":[2]}]}} `)
	for path, want := range map[string]string{
		"$":                     `{"source":"s","detail":{"s":"v","list":[{"a":1},{"a":[2]}]}}`,
		"$.detail.s":            `"v"`,
		"$.detail.list[1]":      `{"a":[2]}`,
		"$.detail.list[*].a":    `[1,[2]]`,
		"$.detail.list[1].a[0]": `2`,
	} {
		p, err := CompilePath(path)
		require.NoError(t, err)
		assert.Equal(t, path, p.String())
		got, err := p.Append(nil, event)
		assert.NoError(t, err, "%s", path)
		assert.Equal(t, want, string(got), "%s", path)
	}
	for path, want := range map[string]string{
		"$.detail.x":       "the event has nothing at $.detail.x",
		"$.detail.s.x":     "the event has nothing at $.detail.s.x",
		"$.detail[0]":      "the event has nothing at $.detail[0]",
		"$.detail.list[2]": "the event has nothing at $.detail.list[2]",
	} {
		p, err := CompilePath(path)
		require.NoError(t, err)
		got, err := p.Append([]byte("x"), event)
		assert.EqualError(t, err, want)
		assert.Equal(t, "x", string(got))
	}
}

// Names that are not the event's are made JSON where they are values.
func TestNamesAreEscaped(t *testing.T) {
	odd := Vars{RuleName: "a\"\\\n\x01é"}
	tr, err := Compile(nil, `{"n": <aws.events.rule-name>}`)
	require.NoError(t, err)
	got, err := tr.Append(nil, nil, odd)
	require.NoError(t, err)
	var v struct{ N string }
	require.NoError(t, json.Unmarshal(got, &v))
	assert.Equal(t, odd.RuleName, v.N)
	tr, err = Compile(nil, `{"n": "<aws.events.rule-name>"}`)
	require.NoError(t, err)
	_, err = tr.Append(nil, nil, odd)
	assert.ErrorContains(t, err, "the rendered input is not JSON")
}

// More variables than the stack has room for.
func TestManyVariables(t *testing.T) {
	paths, template, want := map[string]string{}, "", ""
	for i := range 100 {
		paths[fmt.Sprint("v", i)] = fmt.Sprintf("$.detail[%d]", i)
		template += fmt.Sprintf(`,<v%d>`, i)
		want += fmt.Sprintf(",%d", i)
	}
	tr, err := Compile(paths, "["+template[1:]+"]")
	require.NoError(t, err)
	got, err := tr.Append(nil, []byte(`{"detail":[`+want[1:]+`]}`), Vars{})
	require.NoError(t, err)
	assert.Equal(t, "["+want[1:]+"]", string(got))
}

const benchEvent = `{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Order Placed","source":"com.example.orders","account":"123456789012",` +
	`"time":"2026-11-24T22:05:00Z","region":"eu-west-1","resources":[],"detail":{"order":"O-1001","customer":"ada@example.com","country":"DE","total":89.5,` +
	`"currency":"EUR","items":[{"sku":"MUG-1","quantity":2,"price":19.75},{"sku":"TEE-7","quantity":1,"price":50}],"shipping":{"method":"parcel","street":"Hauptstr. 5","city":"Berlin"}}}`

var benchPaths = map[string]string{"id": "$.id", "customer": "$.detail.customer", "total": "$.detail.total", "items": "$.detail.items", "city": "$.detail.shipping.city"}

const benchTemplate = `{"order": "<id>", "to": "mail <customer> in <city>", "total": <total>, "items": <items>}`

// raceEnabled says that the race detector is on. It makes slices.Grow allocate twice.
var raceEnabled bool

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tr, err := Compile(benchPaths, benchTemplate)
	require.NoError(t, err)
	event := []byte(benchEvent)
	room := make([]byte, 0, 2*len(event))
	render := func(dst []byte) func() {
		return func() {
			if _, err := tr.Append(dst, event, vars); err != nil {
				t.Error(err)
			}
		}
	}
	assert.Zero(t, testing.AllocsPerRun(100, render(room)))
	assert.LessOrEqual(t, testing.AllocsPerRun(100, render(nil)), 1.0)
}

// BenchmarkRender reports the time, that of the one allocation included, as a multiple of
// that of gjson.GetManyBytes of the same five paths.
func BenchmarkRender(b *testing.B) {
	tr, err := Compile(benchPaths, benchTemplate)
	require.NoError(b, err)
	event := []byte(benchEvent)
	var paths []string
	for _, path := range benchPaths {
		paths = append(paths, strings.TrimPrefix(path, "$."))
	}
	work := func() {
		if _, err := tr.Append(nil, event, vars); err != nil {
			b.Fatal(err)
		}
	}
	yardstick := func() {
		if len(gjson.GetManyBytes(event, paths...)) != len(paths) {
			b.Fatal("too few")
		}
	}
	best := [2]time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		for range 20 { // they take turns, so that both see the same machine
			for k, f := range [2]func(){work, yardstick} {
				start := time.Now()
				for range 1000 {
					f()
				}
				best[k] = min(best[k], time.Since(start)/1000)
			}
		}
	}
	b.ReportMetric(float64(best[0].Nanoseconds()), "ns/event")
	b.ReportMetric(float64(best[0])/float64(best[1]), "of-GetManyBytes")
	b.ReportMetric(0, "ns/op")
}
