package archive

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/facts"
)

// Each fact of testdata/service/archive.txt has a test of its name, which passes.
func TestModel(t *testing.T) {
	facts.Run(t, "../testdata/service/archive.txt", modelTests)
}

// kept returns the IDs of the events that an archive with o keeps of those that are published.
func kept(t *testing.T, o Options, events ...footbridge.Event) []string {
	a, bus := newArchive(t, o), footbridge.New(nil)
	attach(t, bus, a)
	publish(t, bus, events...)
	require.NoError(t, bus.Close(t.Context()))
	return ids(readAll(t, a.options.Store, always[0], always[1]))
}

// left returns how many events are left of one that was kept for a time.
func left(t *testing.T, retention, after time.Duration) int {
	a, bus := newArchive(t, Options{Retention: retention}), footbridge.New(nil)
	attach(t, bus, a)
	publish(t, bus, eventAt("1", midnight))
	require.NoError(t, bus.Close(t.Context()))
	<-time.After(after)
	require.NoError(t, a.Expire(t.Context()))
	return len(readAll(t, a.options.Store, always[0], always[1]))
}

// replayed returns what a replay sends of events that are archived at these times of the
// day, by their numbers.
func replayed(t *testing.T, o ReplayOptions, times ...string) (sent []string) {
	r := newReplay(t, filled(t, &MemoryStore{}, times...), &journal{refuse: func(e footbridge.Event) error {
		sent = append(sent, e.ID)
		return nil
	}}, o)
	require.NoError(t, r.Run(t.Context()))
	return sent
}

// busWith returns a bus with rules of these names, whose events are noted with their rule.
func busWith(t *testing.T, names ...string) (bus *footbridge.Bus, got *[]string) {
	bus, got = footbridge.New(nil), new([]string)
	for _, name := range names {
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: name, Pattern: footbridge.MustCompile(`{"source":["test"]}`), Targets: []footbridge.Target{
			footbridge.Func("t", func(_ context.Context, e footbridge.Event) error {
				*got = append(*got, strings.TrimSpace(name+" "+e.ID+" "+e.ReplayName))
				return nil
			}),
		}}))
	}
	return bus, got
}

// refusal returns why a replay is refused, to a bus of that name.
func refusal(t *testing.T, bus string, change func(*ReplayOptions)) string {
	o := allDay("taken")
	a := newArchive(t, Options{})
	newReplay(t, a, footbridge.New(nil), o)
	change(&o)
	_, err := a.NewReplay(footbridge.New(&footbridge.Options{Name: bus}), o)
	require.Error(t, err)
	return strings.TrimPrefix(err.Error(), "archive: ")
}

var modelTests = map[string]func(t *testing.T){
	"one-bus": func(t *testing.T) {
		assert.Empty(t, kept(t, Options{Bus: "other"}, eventAt("1", midnight)))
		assert.Equal(t, []string{"1"}, kept(t, Options{Bus: "default"}, eventAt("1", midnight)))
	},
	"pattern": func(t *testing.T) {
		odd := footbridge.MustCompile(`{"detail":{"id":["1","3"]}}`)
		events := []footbridge.Event{eventAt("1", midnight), eventAt("2", midnight), eventAt("3", midnight)}
		assert.Equal(t, []string{"1", "3"}, kept(t, Options{Pattern: odd}, events...))
		assert.Equal(t, []string{"1", "2", "3"}, kept(t, Options{}, events...))
	},
	"managed-rule": func(t *testing.T) {
		bus := footbridge.New(nil)
		attach(t, bus, newArchive(t, Options{Pattern: footbridge.MustCompile(`{"source":["test"]}`)}))
		require.Len(t, bus.Rules(), 1)
		assert.JSONEq(t, `{"source":["test"],"replay-name":[{"exists":false}]}`, bus.Rules()[0].Pattern.String())
	},
	"several": func(t *testing.T) {
		bus := footbridge.New(nil)
		all := []*Archive{newArchive(t, Options{Name: "a"}), newArchive(t, Options{Name: "b"})}
		for _, a := range all {
			attach(t, bus, a)
		}
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []Stats{{Archived: 1}, {Archived: 1}}, []Stats{all[0].Stats(), all[1].Stats()})
	},
	"not-again": func(t *testing.T) {
		e := eventAt("1", midnight)
		e.ReplayName = "again"
		assert.Empty(t, kept(t, Options{}, e))
		assert.Empty(t, kept(t, Options{Pattern: footbridge.MustCompile(`{"replay-name":["again"]}`)}, e))
	},
	"for-ever": func(t *testing.T) { assert.Equal(t, 1, left(t, 0, 100*365*24*time.Hour)) },
	"retention": func(t *testing.T) {
		const days = 7 * 24 * time.Hour
		assert.Equal(t, []int{1, 0}, []int{left(t, days, days), left(t, days, days+1)})
	},
	"archive-names": func(t *testing.T) {
		for name, ok := range map[string]bool{"a": true, "A-Z.a_z9": true, strings.Repeat("x", 48): true, "": false, strings.Repeat("x", 49): false, "a/b": false, "é": false} {
			_, err := New(Options{Name: name})
			assert.Equal(t, ok, err == nil, "%q", name)
		}
	},
	"retention-from-0": func(t *testing.T) {
		_, err := New(Options{Name: "a", Retention: -1})
		assert.EqualError(t, err, "archive: Parameter RetentionDays is not valid. Reason: want 0 or more, got -1ns")
	},
	"rule-name": func(t *testing.T) {
		assert.Equal(t, "Events-Archive-orders", newArchive(t, Options{Name: "orders"}).Rule().Name)
	},
	"counts-as-rule": func(t *testing.T) {
		bus := footbridge.New(&footbridge.Options{Strict: true})
		attach(t, bus, newArchive(t, Options{}))
		for n := range 299 {
			require.NoError(t, bus.PutRule(footbridge.Rule{Name: fmt.Sprint("r", n), Pattern: footbridge.MustCompile(`{"a":[1]}`)}))
		}
		assert.Error(t, bus.PutRule(newArchive(t, Options{Name: "more"}).Rule()))
	},
	"counts-as-match": func(t *testing.T) {
		bus := footbridge.New(&footbridge.Options{Strict: true})
		_, err := bus.Publish(t.Context(), eventAt("1", midnight))
		require.ErrorIs(t, err, footbridge.ErrUnmatched)
		attach(t, bus, newArchive(t, Options{}))
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Close(t.Context()))
		assert.Zero(t, bus.Stats().Unmatched)
	},
	"pattern-length": func(t *testing.T) {
		bus := footbridge.New(&footbridge.Options{Strict: true})
		added := len(`"replay-name":[{"exists":false}],`)
		of := func(n int) footbridge.Rule {
			return newArchive(t, Options{Pattern: footbridge.MustCompile(`{"a":["` + strings.Repeat("x", n-10) + `"]}`)}).Rule()
		}
		assert.NoError(t, bus.PutRule(of(2048-added)))
		assert.Error(t, bus.PutRule(of(2048-added+1)))
	},
	"range": func(t *testing.T) {
		o := ReplayOptions{Name: "r", Start: midnight.Add(2 * time.Hour), End: midnight.Add(4 * time.Hour)}
		assert.Equal(t, []string{"1", "2"}, replayed(t, o, "1h", "2h", "3h", "5h"))
	},
	"same-bus": func(t *testing.T) {
		bus, got := busWith(t, "r")
		require.NoError(t, newReplay(t, filled(t, &MemoryStore{}, "1h"), bus, allDay("again")).Run(t.Context()))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{"r 0 again"}, *got)
	},
	"named-rules": func(t *testing.T) {
		bus, got := busWith(t, "one", "two")
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "none", Pattern: footbridge.MustCompile(`{"source":["other"]}`)}))
		o := allDay("again")
		o.Rules = []string{"two", "none"}
		require.NoError(t, newReplay(t, filled(t, &MemoryStore{}, "1h"), bus, o).Run(t.Context()))
		require.NoError(t, bus.Wait(t.Context()))
		assert.Equal(t, []string{"two 0 again"}, *got)
		require.NoError(t, newReplay(t, filled(t, &MemoryStore{}, "1h"), bus, allDay("all")).Run(t.Context()))
		require.NoError(t, bus.Close(t.Context()))
		assert.ElementsMatch(t, []string{"one 0 all", "two 0 all"}, (*got)[1:])
	},
	"minutes": func(t *testing.T) {
		assert.Equal(t, []string{"2", "1", "0"}, replayed(t, allDay("r"), "2m", "1m59s", "59s"))
	},
	"last-time": func(t *testing.T) {
		var told []time.Duration
		o := allDay("r")
		o.Report = func(r Report) { told = append(told, r.Progress.EventTime.Sub(midnight)) }
		replayed(t, o, "1h", "2h")
		assert.Equal(t, []time.Duration{time.Hour, 2 * time.Hour}, told)
	},
	"replay-name": func(t *testing.T) {
		a := filled(t, &MemoryStore{}, "1h")
		want := readAll(t, a.options.Store, always[0], always[1])[0]
		want.ReplayName = "again"
		var got footbridge.Event
		j := &journal{refuse: func(e footbridge.Event) error { got = e; return nil }}
		require.NoError(t, newReplay(t, a, j, allDay("again")).Run(t.Context()))
		assert.Equal(t, want, got)
	},
	"replay-names": func(t *testing.T) {
		a := newArchive(t, Options{})
		for name, ok := range map[string]bool{"a": true, "A-Z.a_z9": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false, "a/b": false, "é": false} {
			_, err := a.NewReplay(&journal{}, allDay(name))
			assert.Equal(t, ok, err == nil, "%q", name)
		}
	},
	"states": func(t *testing.T) {
		var states []State
		a := filled(t, &MemoryStore{}, "1h", "2h")
		run := func(name string, change func(*ReplayOptions, **Replay), to Publisher) {
			var r *Replay
			o := allDay(name)
			change(&o, &r)
			r = newReplay(t, a, to, o)
			states = append(states, r.Progress().State)
			_ = r.Run(t.Context())
			states = append(states, r.Progress().State)
		}
		run("completed", func(o *ReplayOptions, r **Replay) {
			o.Report = func(p Report) { states = append(states, p.Progress.State) }
		}, &journal{})
		run("cancelled", func(o *ReplayOptions, r **Replay) {
			o.Report = func(Report) { (*r).Cancel(); states = append(states, (*r).Progress().State) }
		}, &journal{})
		run("failed", func(*ReplayOptions, **Replay) {}, &journal{refuse: func(footbridge.Event) error { return footbridge.ErrClosed }})
		assert.Equal(t, []State{"STARTING", "RUNNING", "RUNNING", "COMPLETED", "STARTING", "CANCELLING", "CANCELLED", "STARTING", "FAILED"}, states)
	},
	"bad-range": func(t *testing.T) {
		assert.Equal(t, "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
			refusal(t, "default", func(o *ReplayOptions) { o.Name, o.End = "other", o.Start }))
	},
	"taken": func(t *testing.T) {
		assert.Equal(t, "Replay taken already exists.", refusal(t, "default", func(*ReplayOptions) {}))
	},
	"other-bus": func(t *testing.T) {
		assert.Equal(t, "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
			refusal(t, "other", func(o *ReplayOptions) { o.Name = "other" }))
	},
	"bounds": func(t *testing.T) {
		o := ReplayOptions{Name: "r", Start: midnight.Add(time.Hour), End: midnight.Add(2 * time.Hour)}
		assert.Equal(t, []string{"1", "2"}, replayed(t, o, "59m59.999999999s", "1h", "1h59m59.999999999s", "2h"))
	},
	"within-a-minute": func(t *testing.T) {
		assert.Equal(t, []string{"0", "1", "2"}, replayed(t, allDay("r"), "59s", "1s", "30s"))
	},
	"at-once": func(t *testing.T) {
		bus, got := busWith(t, "r")
		a := newArchive(t, Options{})
		attach(t, bus, a)
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Wait(t.Context()))
		require.NoError(t, newReplay(t, a, bus, allDay("again")).Run(t.Context()))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{"r 1", "r 1 again"}, *got)
	},
	"names-of-one-archive": func(t *testing.T) {
		for range 2 {
			newReplay(t, newArchive(t, Options{}), &journal{}, allDay("r"))
		}
	},
	"many-at-once": func(t *testing.T) {
		a := filled(t, &MemoryStore{}, "1h")
		running := 0
		var next func() error
		next = func() error {
			if running++; running == 11 {
				return nil
			}
			j := &journal{refuse: func(footbridge.Event) error { return next() }}
			return newReplay(t, a, j, allDay(fmt.Sprint("r", running))).Run(t.Context())
		}
		require.NoError(t, next())
		assert.Equal(t, 11, running)
	},
}
