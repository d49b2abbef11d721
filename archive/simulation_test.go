package archive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A model is a store as simple as can be.
type model struct {
	window time.Duration // to whose end an event is kept; 0: exactly as long as it must
	max    int           // events; 0: any number
	events []modelEvent
}

type modelEvent struct {
	footbridge.Event
	appended time.Time
}

func (m *model) append(e footbridge.Event) {
	m.events = append(m.events, modelEvent{e, time.Now()})
	if m.max > 0 && len(m.events) > m.max {
		m.events = m.events[1:]
	}
}

func (m *model) read(from, until time.Time) (ids []string) {
	var found []footbridge.Event
	for _, e := range m.events {
		if !e.Time.Before(from) && e.Time.Before(until) {
			found = append(found, e.Event)
		}
	}
	for len(found) > 0 { // the first of those of the earliest minute, again and again
		first := 0
		for i, e := range found {
			if e.Time.Truncate(time.Minute).Before(found[first].Time.Truncate(time.Minute)) {
				first = i
			}
		}
		ids = append(ids, found[first].ID)
		found = slices.Delete(found, first, first+1)
	}
	return ids
}

func (m *model) expire(before time.Time) {
	m.events = slices.DeleteFunc(m.events, func(e modelEvent) bool {
		if m.window > 0 {
			return !e.appended.Truncate(m.window).Add(m.window).After(before)
		}
		return e.appended.Before(before)
	})
}

// Random histories give what the model gives.
func TestStoresAgreeWithAModel(t *testing.T) {
	const window = 10 * time.Minute
	for name, c := range map[string]struct {
		model model
		open  func(t testing.TB, dir string) Store
	}{
		"memory": {model{max: 30}, func(testing.TB, string) Store { return &MemoryStore{MaxEvents: 30} }},
		"file": {model{window: window}, func(t testing.TB, dir string) Store {
			s, err := OpenFiles(dir, &FileOptions{Window: window, NoSync: true})
			require.NoError(t, err)
			return quick(s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(30) {
				synctest.Test(t, func(t *testing.T) { simulate(t, rand.New(rand.NewPCG(seed, 1)), c.model, c.open) })
			}
		})
	}
}

func simulate(t *testing.T, r *rand.Rand, m model, open func(testing.TB, string) Store) {
	dir := t.TempDir()
	s := open(t, dir)
	anyTime := func() time.Time { return midnight.Add(time.Duration(r.Int64N(int64(3*time.Hour))) - time.Hour) }
	for step := range 200 {
		switch r.IntN(10) {
		default:
			e := eventAt(fmt.Sprint(step), anyTime())
			require.NoError(t, s.Append(t.Context(), e))
			m.append(e)
		case 0, 1:
			<-time.After(time.Duration(r.Int64N(int64(10 * time.Minute))))
		case 2, 3:
			from, until := anyTime(), anyTime()
			require.Equal(t, m.read(from, until), ids(readAll(t, s, from, until)), "step %d", step)
		case 4:
			before := time.Now().Add(-time.Duration(r.Int64N(int64(time.Hour))))
			require.NoError(t, s.Expire(t.Context(), before))
			m.expire(before)
		case 5:
			if f, ok := s.(*FileStore); ok {
				require.NoError(t, f.Close())
				s = open(t, dir)
			}
		}
	}
	require.Equal(t, m.read(always[0], always[1]), ids(readAll(t, s, always[0], always[1])))
	if f, ok := s.(*FileStore); ok {
		require.NoError(t, f.Close())
	}
}
