package match

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// memoRules ask for some members of some objects.
var memoRules = []string{
	`{"detail":{"a":["x"]}}`, `{"detail":{"b":[1]}}`, `{"detail":{"long key of an object":{"a":[{"exists":true}]}}}`, `{"detail":{"list":{"x":[{"numeric":[">",1]}],"y":["y"]}}}`,
	`{"detail":{"z":[{"exists":false}],"a":[{"prefix":"x"}]}}`, `{"detail":{"list":{"deep":{"a":[true]}}}}`, `{"detail":{"q":[null],"list":{"x":[{"anything-but":"x"}]}}}`,
}

// checkMemo matches second behind first, whose keys are remembered then, and compares
// with a match that remembers nothing.
func checkMemo(t *testing.T, first, second []byte) {
	var warm, cold Set[int]
	for i, rule := range memoRules {
		warm.Add(i, mustCompile(rule))
		cold.Add(i, mustCompile(rule))
	}
	for range 2 { // it learns with the second
		_, _ = warm.AppendFieldsMatches(nil, &Fields{Detail: first}, 100)
	}
	want, wantErr := cold.AppendFieldsMatches(nil, &Fields{Detail: second}, 100)
	got, err := warm.AppendFieldsMatches(nil, &Fields{Detail: second}, 100)
	require.Equal(t, wantErr, err, "%q behind %q", second, first)
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, "%q behind %q", second, first)
	if err == nil {
		require.True(t, json.Valid(second), "%q behind %q", second, first)
		// A match that need not validate comes to the same.
		event := append(append([]byte(`{"detail":`), second...), '}')
		got, err = warm.AppendMatches(nil, event)
		require.NoError(t, err)
		slices.Sort(got)
		require.Equal(t, want, got, "%q behind %q", second, first)
	}
}

var memoEvents = []string{
	`{"u":"short","a":"x","v":"12345678","b":1,"w":{},"q":null}`, `{"u":"short","v":"1234567","a":"y","b":2,"list":[{"x":1,"y":"y"},{"x":2,"n":0,"y":"y"}]}`,
	`{"long key of an object":{"u":"v","a":1},"list":[{"x":3,"y":"z","deep":{"u":1,"a":true}}],"key of 21 characters.":"u","key of 21 characters":"v","key of 22 characters  ":1}`,
	`{ "u" : "a\"b" , "v": "1234567\n", "a":"x" }`, `{"a.b":1,"list.x":2,"u":"` + strings.Repeat("long ", 20) + `","":"","list":{"x":5,"y":"y"}}`, `{"u":[],"u":"1","a":"x","a":"z"}`, `{}`,
}

// Whatever came before, an event is read as it is, cut and changed ones as well.
func TestMemo(t *testing.T) {
	for _, first := range memoEvents {
		for _, second := range memoEvents {
			checkMemo(t, []byte(first), []byte(second))
			for i := range second {
				checkMemo(t, []byte(first), []byte(second[:i]))
				checkMemo(t, []byte(second), bytes.Replace([]byte(second), []byte{second[i]}, []byte(`"`), 1))
			}
		}
	}
}

// An object with more keys than a memo has room for, in an order that changes.
func TestMemoOfManyKeys(t *testing.T) {
	var members []string
	for i := range 3 * memoKeys {
		members = append(members, fmt.Sprintf(`"key %d":"v"`, i))
	}
	members = append(members, `"a":"x"`)
	first := []byte("{" + strings.Join(members, ",") + "}")
	slices.Reverse(members)
	checkMemo(t, first, []byte("{"+strings.Join(members, ",")+"}"))
	checkMemo(t, first, first)
}

func FuzzMemo(f *testing.F) {
	for i, first := range memoEvents {
		f.Add([]byte(first), []byte(memoEvents[(i+1)%len(memoEvents)]))
		f.Add([]byte(first), []byte(first))
	}
	f.Fuzz(checkMemo)
}
