package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A bubble begins at midnight of 2000-01-01.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// always is a range that has every time an event can have.
var always = [2]time.Time{time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}

// eventAt returns an event with what a bus fills in.
func eventAt(id string, at time.Time) footbridge.Event {
	return footbridge.Event{
		ID: id, Source: "test", DetailType: "Test", Time: at.UTC().Round(0), Account: "123456789012", Region: "eu-west-1",
		Detail: json.RawMessage(`{"id":"` + id + `"}`),
	}
}

// readAll returns what a cursor has.
func readAll(t testing.TB, s Store, from, until time.Time) (events []footbridge.Event) {
	t.Helper()
	c, err := s.Read(t.Context(), from, until)
	require.NoError(t, err)
	total := c.Total()
	for {
		e, err := c.Next(t.Context())
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		events = append(events, e)
	}
	assert.Len(t, events, total)
	_, err = c.Next(t.Context())
	assert.Equal(t, io.EOF, err, "it stays there")
	require.NoError(t, c.Close())
	return events
}

func ids(events []footbridge.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func appendAll(t testing.TB, s Store, events ...footbridge.Event) {
	t.Helper()
	for _, e := range events {
		require.NoError(t, s.Append(t.Context(), e))
	}
}

// stores are those that the contract of Store is tested on.
var stores = map[string]func(t testing.TB) Store{
	"memory": func(testing.TB) Store { return &MemoryStore{} },
	"file": func(t testing.TB) Store {
		return openFiles(t, t.TempDir(), &FileOptions{Window: time.Hour, NoSync: true})
	},
}

// openFiles opens a store that is closed when the test ends.
func openFiles(t testing.TB, dir string, opts *FileOptions) *FileStore {
	t.Helper()
	s, err := OpenFiles(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// eachStore runs a test in a bubble on each store.
func eachStore(t *testing.T, test func(t *testing.T, s Store)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

func TestStoresKeepEvents(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		assert.Empty(t, readAll(t, s, always[0], always[1]))
		full := footbridge.Event{
			ID: "ü\u2028\n\"\\", Source: "<s>", DetailType: "T & T", Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
			Account: "a", Region: "r", Resources: []string{"arn:1", "", "\x00"}, Detail: json.RawMessage(`{"n":1e400,"s":"\u00e9é</s>","n":2}`), ReplayName: "p",
		}
		bare := eventAt("bare", time.Date(0, 1, 1, 0, 0, 0, 1, time.UTC))
		large := eventAt("large", midnight)
		large.Detail = json.RawMessage(fmt.Sprintf(`{"x":"%0200000d"}`, 7))
		appendAll(t, s, full, bare, large)
		assert.Equal(t, []footbridge.Event{bare, large, full}, readAll(t, s, always[0], always[1]))
	})
}

func TestStoresReadRangesInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		at := func(text string) time.Time {
			d, err := time.ParseDuration(text)
			require.NoError(t, err)
			return midnight.Add(d)
		}
		for _, d := range []string{"2m59s", "2m", "0s", "-1ns", "59.999999999s", "1m", "-1m", "-61s", "2m30s", "1m"} {
			appendAll(t, s, eventAt(d, at(d)))
			<-time.After(17 * time.Minute) // files have several of them
		}
		read := func(from, until string) []string { return ids(readAll(t, s, at(from), at(until))) }
		assert.Equal(t, []string{"-61s", "-1ns", "-1m", "0s", "59.999999999s", "1m", "1m", "2m59s", "2m", "2m30s"}, read("-1h", "1h"))
		assert.Equal(t, []string{"0s", "59.999999999s"}, read("0s", "1m"), "the end is not in the range")
		assert.Equal(t, []string{"59.999999999s", "1m", "1m", "2m"}, read("1s", "2m1ns"), "bounds are not rounded")
		assert.Equal(t, []string{"-1ns", "-1m", "0s"}, read("-1m", "1ns"))
		assert.Empty(t, read("3m", "1h"))
		assert.Empty(t, read("1h", "-1h"))
	})
}

// Minutes begin at whole minutes before 1970, too.
func TestMinuteOf(t *testing.T) {
	for _, at := range []time.Time{always[0], time.Unix(-61, 0), time.Unix(-60, 0), time.Unix(-59, 0), time.Unix(-1, 5), time.Unix(0, 0), time.Unix(59, 1), midnight} {
		assert.Equal(t, at.UTC().Truncate(time.Minute), time.Unix(60*minuteOf(at), 0).UTC())
	}
}

// What a cursor has found does not change.
func TestStoresReadWhatIsThere(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		appendAll(t, s, eventAt("1", midnight), eventAt("2", midnight))
		c, err := s.Read(t.Context(), always[0], always[1])
		require.NoError(t, err)
		appendAll(t, s, eventAt("3", midnight))
		<-time.After(24 * time.Hour)
		require.NoError(t, s.Expire(t.Context(), time.Now()))
		assert.Empty(t, readAll(t, s, always[0], always[1]))
		appendAll(t, s, eventAt("4", midnight))
		assert.Equal(t, 2, c.Total())
		for _, want := range []string{"1", "2"} {
			e, err := c.Next(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, e.ID)
		}
		_, err = c.Next(t.Context())
		assert.Equal(t, io.EOF, err)
		require.NoError(t, c.Close())
		require.NoError(t, c.Close(), "a second Close does no harm")
		assert.Equal(t, []string{"4"}, ids(readAll(t, s, always[0], always[1])))
	})
}

func TestStoresExpire(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		appendAll(t, s, eventAt("old", midnight.Add(1000*time.Hour)))
		<-time.After(59 * time.Minute)
		appendAll(t, s, eventAt("late", midnight.Add(-1000*time.Hour)))
		<-time.After(time.Minute)
		appendAll(t, s, eventAt("new", midnight))
		require.NoError(t, s.Expire(t.Context(), midnight))
		assert.Len(t, readAll(t, s, always[0], always[1]), 3, "nothing was appended before midnight")
		require.NoError(t, s.Expire(t.Context(), midnight.Add(time.Hour)))
		assert.Equal(t, []string{"new"}, ids(readAll(t, s, always[0], always[1])), "what counts is when an event was appended")
		require.NoError(t, s.Expire(t.Context(), midnight.Add(time.Hour)))
		<-time.After(time.Hour)
		require.NoError(t, s.Expire(t.Context(), time.Now()))
		stats := s.(interface{ Stats() StoreStats }).Stats()
		assert.Equal(t, StoreStats{Appended: 3, Expired: 3}, stats)
	})
}

func TestStoresHeedContexts(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		ctx, cancel := context.WithCancel(t.Context())
		appendAll(t, s, eventAt("1", midnight))
		c, err := s.Read(ctx, always[0], always[1])
		require.NoError(t, err)
		defer func() { assert.NoError(t, c.Close()) }()
		cancel()
		_, err = c.Next(ctx)
		assert.ErrorIs(t, err, context.Canceled)
		_, err = s.Read(ctx, always[0], always[1])
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, s.Append(ctx, eventAt("2", midnight)), context.Canceled)
		assert.Equal(t, []string{"1"}, ids(readAll(t, s, always[0], always[1])), "nothing is kept of what is refused")
	})
}

// Any number of goroutines append, read and expire; the race detector looks on.
func TestStoresAreConcurrent(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		const writers, each = 4, 100
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					assert.NoError(t, s.Append(t.Context(), eventAt(fmt.Sprintf("%d/%03d", w, i), midnight)))
				}
			})
			wg.Go(func() {
				for range 10 {
					seen := make(map[byte]string) // a writer's last
					for _, e := range readAll(t, s, always[0], always[1]) {
						assert.Less(t, seen[e.ID[0]], e.ID, "a writer's events are in its order, none twice")
						seen[e.ID[0]] = e.ID
					}
					assert.NoError(t, s.Expire(t.Context(), midnight))
				}
			})
		}
		wg.Wait()
		assert.Len(t, readAll(t, s, always[0], always[1]), writers*each)
	})
}
