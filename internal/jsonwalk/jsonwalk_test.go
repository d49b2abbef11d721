package jsonwalk

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"
)

var texts = []string{
	`{"abcdefghijklmno":`, `{"abcdefghijklmno":1`, `{"abcdefghijklmnop":`, `{"abcdefghijklmnop":1`, `{"abcdefghijklmnop":1}`, `{"abcdefghijklmnopq":`, `{"abcdefghijklmnopq":1}`,
	`"."`, `"1234567"`, `"12345678"`, `"123456789"`, `"1234567.9"`, `"12345678."`, `"a.b.c.d.e"`, `"\""`, `"123456\n"`, `"1234567\n"`, `"12345678901234567\n"`, `  "key"  `,

	`{}`, `[]`, ` {"a" : [1 , -2.5e+3, true, false, null, "x\u00e9\n"] } `, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx\ude00"`,
	`"\ud83d\ud83d\ude00"`, `""`, `0`, `-0`, `01`, `1.`, `.5`, `1e`, `1e+`, `-`, `tru`, `nul`, `truex`, `{"a":1,}`, `[1,]`, `{"a"}`,
	`12345678`, `-1234567.5`, `1.12345678`, `1.123456789`, `1.1234567890123456`, `12.12345678901234567`, `0.5e3`, `-0.0`, `00.5`, `{"a":}`, `{a:1}`, `[1 2]`, `{"a":1 "b":2}`, "\"\x01\"", "\"\xff\"", `"\x"`, `"\u12g4"`, `"abc`, `{"a":1}}`, `]`, ``, ` `, `[[[]]]`, `[[]`, `{"a":{"b":[{}]}}`,
	strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000), strings.Repeat("[", 1<<20),
}

// checkValid holds Valid to encoding/json's verdict and AppendUnquoted to its decoding.
func checkValid(t *testing.T, data []byte) {
	t.Helper()
	err := Valid(data, MaxDepth)
	if want := json.Valid(data); (err == nil) != want {
		t.Fatalf("Valid(%.100q) = %v, encoding/json says %v", data, err, want)
	}
	if err != nil {
		if err.Offset < 0 || err.Offset > len(data) {
			t.Fatalf("Valid(%.100q): offset %d is outside the text", data, err.Offset)
		}
		return
	}
	end, passErr := Pass(data, Space(data, 0))
	assert.Nil(t, passErr)
	assert.Nil(t, End(data, end), "Pass")
	if i := Space(data, 0); data[i] == '-' || data[i]-'0' <= 9 {
		var fast, plain Decimal
		end, err := ParseNumber(append(data[i:len(data):len(data)], make([]byte, 32)...), 0, &fast)
		assert.Nil(t, err)
		plainEnd, err := parseNumber(data, i, &plain)
		assert.Nil(t, err)
		assert.Equal(t, plainEnd, i+end)
		assert.Equal(t, plain.Known, fast.Known)
		if plain.Known {
			assert.Equal(t, plain, fast)
		}
	}
	var s string
	if i := Space(data, 0); data[i] == '"' && utf8.Valid(data) && json.Unmarshal(data, &s) == nil {
		end, escaped, _ := String(data, i)
		keyEnd, plain, err := Key(data, i)
		assert.Nil(t, err)
		assert.Equal(t, end, keyEnd)
		assert.Equal(t, !escaped && !strings.Contains(string(data[i+1:end-1]), "."), plain)
		got := string(AppendUnquoted(nil, data[i+1:end-1]))
		assert.Equal(t, s, got)
		if !escaped {
			assert.Equal(t, string(data[i+1:end-1]), got)
		}
	}
}

func TestValidAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range texts {
		checkValid(t, []byte(s))
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range texts {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(checkValid)
}

func TestSyntaxErrorsSayWhatAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,}`:   `invalid JSON: want a string, got '}' (offset 7)`,
		`{"a" 1}`:    `invalid JSON: want a colon, got '1' (offset 5)`,
		`[1 2]`:      `invalid JSON: want a comma or ']', got '2' (offset 3)`,
		`"\x"`:       `invalid JSON: want one of "\/bfnrtu behind a backslash, got 'x' (offset 2)`,
		`[1`:         `invalid JSON: want a comma or ']', got the end of the text (offset 2)`,
		`{} x`:       `invalid JSON: want the end of the text, got 'x' (offset 3)`,
		`nulL`:       `invalid JSON: want null, got 'L' (offset 3)`,
		"\"a\nb\"":   `invalid JSON: want a string without control characters, got '\n' (offset 2)`,
		`[[[[[]]]]]`: `invalid JSON: want at most 4 levels of nesting, got more (offset 4)`,
	} {
		err := Valid([]byte(text), 4)
		if assert.NotNil(t, err, text) {
			assert.Equal(t, want, err.Error())
		}
	}
}

// BenchmarkSkip reports the speed of validating and of passing over an object beside
// that of gjson's validation.
func BenchmarkSkip(b *testing.B) {
	data := []byte(`{"type":"Polygon","coordinates":[` + strings.Repeat(`{"x":-122.42157427717012,"y":37.80848009696725,"z":0},`, 20) +
		`{}],"name":"a string of some length","key":"another one","list":["a","b"],"flag":true}`)
	for name, f := range map[string]func() bool{
		"Skip":  func() bool { _, err := Skip(data, 0, 0, MaxDepth); return err == nil },
		"Pass":  func() bool { _, err := Pass(data, 0); return err == nil },
		"gjson": func() bool { return gjson.ValidBytes(data) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if !f() {
					b.Fatal("refused")
				}
			}
		})
	}
}
