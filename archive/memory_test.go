package archive

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

func TestMemoryStoreIsBoundedByCount(t *testing.T) {
	var dropped []string
	s := &MemoryStore{MaxEvents: 3, Drop: func(e footbridge.Event) { dropped = append(dropped, e.ID) }}
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		appendAll(t, s, eventAt(id, midnight))
	}
	assert.Equal(t, []string{"3", "4", "5"}, ids(readAll(t, s, always[0], always[1])))
	assert.Equal(t, []string{"1", "2"}, dropped)
	stats := s.Stats()
	assert.Equal(t, 3*newRecord(eventAt("1", midnight)).size, stats.Bytes)
	stats.Bytes = 0
	assert.Equal(t, StoreStats{Events: 3, Appended: 5, Dropped: 2}, stats)
}

func TestMemoryStoreIsBoundedByBytes(t *testing.T) {
	small := newRecord(eventAt("1", midnight)).size
	s := &MemoryStore{MaxBytes: 4 * small}
	appendAll(t, s, eventAt("1", midnight), eventAt("2", midnight), eventAt("3", midnight), eventAt("4", midnight))
	assert.Len(t, readAll(t, s, always[0], always[1]), 4)
	large := eventAt("5", midnight)
	large.Detail = json.RawMessage(`{"x":"` + strings.Repeat("x", int(small)) + `"}`)
	appendAll(t, s, large)
	assert.Equal(t, []string{"3", "4", "5"}, ids(readAll(t, s, always[0], always[1])), "two make room")
	assert.EqualValues(t, 2, s.Stats().Dropped)
	assert.LessOrEqual(t, s.Stats().Bytes, s.MaxBytes)

	large.Detail = json.RawMessage(`{"x":"` + strings.Repeat("x", 4*int(small)) + `"}`)
	err := s.Append(t.Context(), large)
	var tooLarge *TooLargeError
	require.ErrorAs(t, err, &tooLarge)
	assert.Equal(t, TooLargeError{EventID: "5", Size: newRecord(large).size, Limit: 4 * small}, *tooLarge)
	assert.ErrorContains(t, err, "event 5: want at most")
	assert.Len(t, readAll(t, s, always[0], always[1]), 3, "nothing makes room for what cannot be kept")
}

// What is dropped and expired is freed, as the array moves along.
func TestMemoryStoreForgets(t *testing.T) {
	s := &MemoryStore{MaxEvents: 10}
	for range 10000 {
		appendAll(t, s, eventAt("x", midnight))
	}
	assert.Less(t, cap(s.records), 100)
	require.NoError(t, s.Expire(t.Context(), time.Now().Add(time.Hour)))
	assert.Zero(t, s.Stats().Bytes)
	assert.Zero(t, s.Stats().Events)
}
