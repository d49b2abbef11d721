package transform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lookup is what a path points at, by encoding/json: all values, and whether it is a list.
// ok is false if there is nothing, or if an object has equal keys, of which encoding/json
// takes another than this package.
func lookup(event []byte, path string) (found string, ok bool) {
	values, list := []json.RawMessage{event}, false
	for _, s := range regexp.MustCompile(`\.[^.\[]+|\[[^\]]*\]`).FindAllString(path, -1) {
		var next []json.RawMessage
		for _, v := range values {
			var members map[string]json.RawMessage
			var elements []json.RawMessage
			switch {
			case s[0] == '.' && json.Unmarshal(v, &members) == nil:
				if m, found := members[s[1:]]; found {
					next = append(next, m)
				}
			case s == "[*]" && v[0] == '[' && json.Unmarshal(v, &elements) == nil:
				next = append(next, elements...)
			case s == "[*]" && !list:
				return "", false
			case s[0] == '[' && s != "[*]" && json.Unmarshal(v, &elements) == nil:
				if n, _ := strconv.Atoi(s[1 : len(s)-1]); n < len(elements) {
					next = append(next, elements[n])
				}
			}
		}
		if !list && len(next) == 0 && s != "[*]" {
			return "", false
		}
		list = list || s == "[*]"
		values = next
	}
	if !list {
		return string(values[0]), true
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = string(v)
	}
	return "[" + strings.Join(parts, ",") + "]", true
}

// equalKeys reports whether an object in data, valid JSON, has equal keys.
func equalKeys(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		keys map[string]bool // nil: an array
		key  bool            // the next string is a key
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if delim, isDelim := token.(json.Delim); isDelim && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open) - 1; n >= 0 && open[n].keys != nil {
			if open[n].key {
				key := token.(string)
				if open[n].keys[key] {
					return true
				}
				open[n].keys[key] = true
			}
			open[n].key = !open[n].key
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{map[string]bool{}, true})
		case json.Delim('['):
			open = append(open, level{})
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range stanzas(f) {
		for _, path := range s.paths {
			f.Add(path, []byte(s.event))
		}
	}
	f.Fuzz(func(t *testing.T, path string, event []byte) {
		p, err := CompilePath(path)
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.True(t, 0 <= refused.Offset && refused.Offset <= len(path))
			return
		}
		got, err := p.Append(nil, event) // must not panic on what is not JSON
		if !json.Valid(event) || equalKeys(event) {
			return
		}
		want, ok := lookup(bytes.TrimSpace(event), path)
		if !ok {
			require.Error(t, err, "%s of %s: got %s", path, event, got)
			return
		}
		require.NoError(t, err, "%s of %s", path, event)
		require.Equal(t, want, string(got), "%s of %s", path, event)
	})
}

func FuzzTemplate(f *testing.F) {
	for _, s := range stanzas(f) {
		f.Add(s.template, "$.detail.s", "$.detail.list[*]", []byte(s.event))
	}
	f.Fuzz(func(t *testing.T, template, s, obj string, event []byte) {
		tr, err := Compile(map[string]string{"s": s, "obj": obj}, template)
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			if refused.Field == "InputTemplate" {
				require.True(t, 0 <= refused.Offset && refused.Offset <= len(template), "%q: %v", template, err)
			}
			return
		}
		dst := []byte("before")
		got, err := tr.Append(dst, event, vars)
		require.True(t, bytes.HasPrefix(got, dst))
		if err != nil {
			var failed *RenderError
			require.ErrorAs(t, err, &failed)
			require.Len(t, got, len(dst))
			return
		}
		if !tr.text && json.Valid(event) {
			require.True(t, json.Valid(got[len(dst):]), "%s of %s: %s", template, event, got)
		}
	})
}

// The walk of many paths at once finds what each finds alone.
func TestPathsTogether(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range stanzas(t) {
		if seen[s.event] || !json.Valid([]byte(s.event)) {
			continue
		}
		seen[s.event] = true
		template := ""
		var names []string
		for name := range s.paths {
			names = append(names, name)
			template += fmt.Sprintf(`,<%s>`, name)
		}
		tr, err := Compile(s.paths, "["+template[1:]+"]")
		require.NoError(t, err)
		got, err := tr.Append(nil, []byte(s.event), vars)
		require.NoError(t, err)
		var values []json.RawMessage
		require.NoError(t, json.Unmarshal(got, &values))
		for i, name := range names {
			p, err := CompilePath(s.paths[name])
			require.NoError(t, err)
			want, err := p.Append(nil, []byte(s.event))
			if err != nil {
				want = []byte(`""`)
			}
			assert.Equal(t, string(want), string(values[i]), "%s", name)
		}
	}
	assert.Len(t, seen, 2)
}
