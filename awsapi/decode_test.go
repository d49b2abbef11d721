package awsapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyKind has a field of each kind that decode knows.
type everyKind struct {
	Text    string `json:"text" aws:"RuleName"`
	Flag    bool
	Count   int
	Pointer *int
	At      epoch
	Bytes   []byte
	List    []string `aws:"TagKeyList"`
	Structs []tag
	Map     map[string]tag
	Any     any
	paging
}

// Each kind of field takes what is of it, to the letter, and nothing else.
func TestDecode(t *testing.T) {
	five := 5
	var in everyKind
	require.NoError(t, decode([]byte(`{"text":"a","Flag":true,"Count":-2147483648,"Pointer":5,"At":1.5,"Bytes":"AQI=","List":["x"],
		"Structs":[{"Key":"k","Value":""}],"Map":{"m":{"Key":"k","Value":"v"},"n":null},"Any":{"a":[1,null]},"Limit":7,"flag":false,"Unknown":{}} `), &in))
	assert.Equal(t, everyKind{Text: "a", Flag: true, Count: -2147483648, Pointer: &five, At: epoch{time.Unix(1, 5e8).UTC()}, Bytes: []byte{1, 2},
		List: []string{"x"}, Structs: []tag{{"k", ""}}, Map: map[string]tag{"m": {"k", "v"}}, Any: map[string]any{"a": []any{json.Number("1"), nil}}, paging: paging{Limit: 7}}, in)

	for body, want := range map[string]string{
		`{"text":1}`:           `want a string at "text", got the number 1`,
		`{"Flag":"true"}`:      `want true or false at "flag", got a string`,
		`{"Count":1.0}`:        `want a whole number at "count", got the number 1.0`,
		`{"Count":2147483648}`: `want a whole number at "count", got the number 2147483648`,
		`{"Pointer":"5"}`:      `want a whole number at "pointer", got a string`,
		`{"At":true}`:          `want a number of seconds at "at", got true`,
		`{"At":1e300}`:         `want a number of seconds at "at", got the number 1e300`,
		`{"Bytes":"*"}`:        `want a string of base64 at "bytes", got a string`,
		`{"Bytes":1}`:          `want a string of base64 at "bytes", got the number 1`,
		`{"List":{}}`:          `want a list at "list", got an object`,
		`{"List":["a",[]]}`:    `want a string at "list.2.member", got a list`,
		`{"Structs":["a"]}`:    `want an object at "structs.1.member", got a string`,
		`{"Map":[]}`:           `want an object at "map", got a list`,
		`{"Map":{"m":false}}`:  `want an object at "map.m.member", got false`,
		`null`:                 `want an object, got null`,
		`{"a":1}x`:             `want nothing behind the JSON object (offset 7)`,
		`{"List":["","` + long + `"]}`: `2 validation errors detected: Value '' at 'list.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1; ` +
			`Value '` + strings.Repeat("é", maxShown/2) + `...' at 'list.2.member' failed to satisfy constraint: Member must have length less than or equal to 128`,
	} {
		err := decode([]byte(body), &everyKind{})
		var f *fault
		require.ErrorAs(t, err, &f, body)
		assert.Equal(t, want, strings.TrimPrefix(f.message, "the request's body: "), body)
	}
}

var long = strings.Repeat("é", 5000)

// Whatever comes, there is an answer: JSON, not a failure of ours, and with the same server
// the next good request is answered well.
func FuzzRequest(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		for _, line := range strings.Split(string(text), "\n") {
			if operation, body, ok := strings.Cut(line, " "); ok && strings.HasPrefix(body, "{") && operation != "ok" {
				f.Add(operation, body)
			}
		}
	}
	w := newWorld(f, false)
	f.Cleanup(w.Server.Close)
	f.Fuzz(func(t *testing.T, operation, body string) {
		if strings.ContainsAny(operation, "\r\n") {
			return // no header
		}
		status, answer := w.ask(operation, body)
		assert.True(t, json.Valid([]byte(answer)), answer)
		assert.Less(t, status, http.StatusInternalServerError, answer)
		status, answer = w.ask("TestEventPattern", `{"EventPattern":"{\"a\":[1]}","Event":"{}"}`)
		assert.Equal(t, http.StatusBadRequest, status, answer)
		w.take()
	})
}

// What decode has taken it takes again, as encoding/json writes it.
func FuzzDecode(f *testing.F) {
	f.Add(`{"text":"a","Flag":true,"Count":-1,"Pointer":5,"At":1.5,"Bytes":"AQI=","List":["x"],"Limit":7}`)
	f.Add(`{"Structs":[{"Key":"k","Value":"\ud83d\u00e9"}],"Map":{"m":{"Key":"k","Value":"v"},"n":null},"Any":{"a":[1,null]},"At":"2020-01-02T03:04:05Z"}`)
	f.Fuzz(func(t *testing.T, body string) {
		var in, again everyKind
		if err := decode([]byte(body), &in); err != nil {
			var refused *fault
			require.ErrorAs(t, err, &refused)
			return
		}
		text, err := json.Marshal(in)
		require.NoError(t, err)
		text = bytes.Replace(text, []byte(`"NextToken":"",`), nil, 1) // which the shapes refuse, as they do 0
		text = bytes.Replace(text, []byte(`,"Limit":0}`), []byte("}"), 1)
		text = bytes.Replace(text, []byte(`"text":"",`), nil, 1)
		require.NoError(t, decode(text, &again), "%s", text)
		assert.Equal(t, in, again)
	})
}

// A list that is longer than may be is not read, and of many failures the first are told:
// what a request costs, and its answer, is bounded by its size.
func TestDecodeIsBounded(t *testing.T) {
	many := func(n int, member string) string { return "[" + strings.Repeat(member+",", n-1) + member + "]" }
	var in everyKind
	err := decode([]byte(`{"Structs":`+many(maxMembers+1, "{}")+`}`), &in)
	assert.ErrorContains(t, err, "1 validation error detected: Value '...' at 'structs' failed to satisfy constraint: Member must have length less than or equal to 1000")
	assert.Empty(t, in.Structs)
	err = decode([]byte(`{"Structs":`+many(maxMembers, "{}")+`}`), &in)
	require.ErrorContains(t, err, "2000 validation errors detected: ")
	assert.Equal(t, maxFailures, strings.Count(err.Error(), "failed to satisfy"))
	var put putTargetsInput
	err = decode([]byte(`{"Rule":"r","Targets":`+many(100_000, "{}")+`}`), &put)
	assert.Less(t, len(err.Error()), 1000)
	assert.Empty(t, put.Targets)
}
