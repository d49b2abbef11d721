package archive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A journal notes when which event is published; refuse may refuse one.
type journal struct {
	lines  []string
	refuse func(e footbridge.Event) error
}

func (j *journal) Publish(_ context.Context, e footbridge.Event) (string, error) {
	if j.refuse != nil {
		if err := j.refuse(e); err != nil {
			return "", err
		}
	}
	j.lines = append(j.lines, fmt.Sprintf("%v %s %s", time.Since(midnight), e.ID, e.ReplayName))
	return e.ID, nil
}

// A ruleJournal can publish to rules.
type ruleJournal struct {
	journal
	rules []string
}

func (j *ruleJournal) PublishTo(ctx context.Context, e footbridge.Event, rules ...string) (string, error) {
	j.rules = append(j.rules, rules...)
	return j.Publish(ctx, e)
}

// allDay are options of a replay of a bubble's first day.
func allDay(name string) ReplayOptions {
	return ReplayOptions{Name: name, Start: midnight, End: midnight.Add(24 * time.Hour)}
}

// filled returns an archive of events at these times of the day.
func filled(t testing.TB, s Store, times ...string) *Archive {
	t.Helper()
	for i, text := range times {
		d, err := time.ParseDuration(text)
		require.NoError(t, err)
		appendAll(t, s, eventAt(fmt.Sprint(i), midnight.Add(d)))
	}
	return newArchive(t, Options{Store: s})
}

func newReplay(t testing.TB, a *Archive, to Publisher, o ReplayOptions) *Replay {
	t.Helper()
	r, err := a.NewReplay(to, o)
	require.NoError(t, err)
	return r
}

func TestReplayAtEverySpeed(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := filled(t, s, "9h", "9h0m30s", "9h0m10s", "17h", "8h30m0.000000001s", "24h", "-1ns")
		for _, c := range []struct {
			speed float64
			want  []string
		}{
			{0, []string{"0s 4", "0s 0", "0s 1", "0s 2", "0s 3"}},
			{1, []string{"0s 4", "29m59.999999999s 0", "30m29.999999999s 1", "30m29.999999999s 2", "8h29m59.999999999s 3"}},
			{3600, []string{"0s 4", "499.999999ms 0", "508.333333ms 1", "508.333333ms 2", "8.499999999s 3"}},
			{0.5, []string{"0s 4", "59m59.999999998s 0", "1h0m59.999999998s 1", "1h0m59.999999998s 2", "16h59m59.999999998s 3"}},
		} {
			begin := time.Now()
			var got []string
			j := &journal{refuse: func(e footbridge.Event) error {
				got = append(got, fmt.Sprint(time.Since(begin), " ", e.ID))
				return nil
			}}
			o := allDay(fmt.Sprint("speed-", c.speed))
			o.Speed = c.speed
			require.NoError(t, newReplay(t, a, j, o).Run(t.Context()))
			assert.Equal(t, c.want, got, "speed %v", c.speed)
		}
	})
}

// A replay that is delayed catches up, and does not shift what comes.
func TestReplayCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := filled(t, &MemoryStore{}, "0s", "1s", "2s", "10s")
		j := &journal{}
		j.refuse = func(e footbridge.Event) error {
			if e.ID == "0" {
				<-time.After(5 * time.Second)
			}
			return nil
		}
		o := allDay("r")
		o.Speed = 1
		require.NoError(t, newReplay(t, a, j, o).Run(t.Context()))
		assert.Equal(t, []string{"5s 0 r", "5s 1 r", "5s 2 r", "10s 3 r"}, j.lines)
	})
}

// Speeds beyond what a Duration can hold are for ever, not at once.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{speed: 1e-300, began: time.Now(), first: midnight}
		assert.Equal(t, time.Duration(math.MaxInt64), p.delay(midnight.Add(1)))
		assert.Zero(t, p.delay(midnight))
		assert.Zero(t, p.delay(midnight.Add(-time.Hour)))
		p.speed = 1
		assert.Equal(t, time.Duration(math.MaxInt64), p.delay(midnight.AddDate(5000, 0, 0)))
		assert.Equal(t, time.Duration(1<<53+1), p.delay(midnight.Add(1<<53+1)), "as exact as a Duration")
		p.speed = 1e300
		assert.Zero(t, p.delay(midnight.AddDate(5000, 0, 0)))
	})
}

// What targets get: the event as it was published, with the replay's name.
func TestReplayOnABus(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := newArchive(t, Options{Store: s})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		var got []string
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"source":["shop"]}`), Targets: []footbridge.Target{
			footbridge.Func("t", func(_ context.Context, e footbridge.Event) error {
				data, err := e.MarshalJSON()
				got = append(got, string(data))
				return err
			}),
		}}))
		e, err := footbridge.NewEvent("shop", "Order Placed", map[string]int{"total": 7})
		require.NoError(t, err)
		publish(t, bus, e)
		require.NoError(t, bus.Wait(t.Context()))
		<-time.After(time.Hour)
		r := newReplay(t, a, bus, allDay("again"))
		require.NoError(t, r.Run(t.Context()))
		require.NoError(t, bus.Close(t.Context()))
		require.Len(t, got, 2)
		assert.Contains(t, got[1], `"time":"2000-01-01T00:00:00Z","region":"us-east-1","replay-name":"again","resources"`)
		assert.Equal(t, got[0], strings.Replace(got[1], `"replay-name":"again",`, "", 1))
		assert.Equal(t, Progress{State: Completed, Total: 1, Sent: 1, EventTime: midnight, Began: r.Progress().Began, Ended: r.Progress().Ended}, r.Progress())
		assert.Len(t, readAll(t, s, always[0], always[1]), 1, "it is not archived again")
	})
}

func TestReplayToNamedRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := filled(t, &MemoryStore{}, "1s", "2s")
		o := allDay("r")
		o.Rules = []string{"a", "b"}
		_, err := a.NewReplay(&journal{}, o)
		assert.ErrorIs(t, err, ErrNoRulePublisher)
		assert.ErrorContains(t, err, "replay r: *archive.journal: publisher cannot")
		j := &ruleJournal{}
		r := newReplay(t, a, j, o) // the refusal has not taken the name
		o.Rules[0] = "changed"
		require.NoError(t, r.Run(t.Context()))
		assert.Equal(t, []string{"a", "b", "a", "b"}, j.rules)
		require.NoError(t, newReplay(t, a, j, allDay("all")).Run(t.Context()))
		assert.Len(t, j.rules, 4, "no rules are all rules")
		assert.Len(t, j.lines, 4)
	})
}

// What ends a replay, and the state and error it leaves.
func TestReplayFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := errors.New("disk is gone")
		for name, c := range map[string]struct {
			errs   map[int]error
			refuse error
			want   error
			sent   int
		}{
			"read":   {map[int]error{-1: disk}, nil, disk, 0},
			"next":   {map[int]error{1: disk}, nil, disk, 1},
			"close":  {map[int]error{-2: disk}, nil, disk, 2},
			"both":   {map[int]error{1: disk, -2: errors.New("other")}, nil, disk, 1},
			"closed": {nil, fmt.Errorf("publish: %w", footbridge.ErrClosed), footbridge.ErrClosed, 0},
		} {
			s := &MemoryStore{}
			a := filled(t, s, "1s", "2s")
			a.options.Store = &damagedStore{s, c.errs}
			r := newReplay(t, a, &journal{refuse: func(footbridge.Event) error { return c.refuse }}, allDay("r"))
			err := r.Run(t.Context())
			assert.ErrorIs(t, err, c.want, name)
			assert.ErrorContains(t, err, "archive: replay r: ", name)
			p := r.Progress()
			assert.Equal(t, Failed, p.State, name)
			assert.Equal(t, err, p.Err, name)
			assert.Equal(t, c.sent, p.Sent, name)
			assert.Zero(t, p.Failed, name)
		}
	})
}

// A replay to a rule that there is not fails at its begin, or at the event at which it is gone.
func TestReplayToAMissingRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := footbridge.New(nil)
		o := allDay("r")
		o.Rules = []string{"gone"}
		r := newReplay(t, filled(t, &MemoryStore{}, "1s", "2s"), bus, o)
		assert.ErrorIs(t, r.Run(t.Context()), footbridge.ErrRuleNotFound)
		p := r.Progress()
		assert.Equal(t, []any{Failed, 0, 0}, []any{p.State, p.Sent, p.Failed})
		assert.EqualError(t, p.Err, `archive: replay r: rule "gone": no such rule`)

		r = newReplay(t, filled(t, &MemoryStore{}), bus, o) // without an event
		assert.ErrorIs(t, r.Run(t.Context()), footbridge.ErrRuleNotFound)

		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "gone", Pattern: footbridge.MustCompile(`{"source":[{"exists":true}]}`)}))
		o.Report = func(Report) { assert.NoError(t, bus.RemoveRule("gone")) }
		r = newReplay(t, filled(t, &MemoryStore{}, "1s", "2s"), bus, o)
		assert.EqualError(t, r.Run(t.Context()), `archive: replay r: footbridge: publish to rule "gone": no such rule`)
		assert.Equal(t, 1, r.Progress().Sent)
	})
}

// A Report that does not return leaves no replay that runs for ever.
func TestReplayIsLeft(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("of Report") }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			o := allDay("r")
			o.Report = func(Report) { leave() }
			r := newReplay(t, filled(t, &MemoryStore{}, "1s", "2s"), &journal{}, o)
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				_ = r.Run(t.Context())
			}()
			assert.Equal(t, map[string]any{"panic": "of Report", "Goexit": nil}[name], <-done)
			p := r.Progress()
			assert.Equal(t, []any{Failed, 1, time.Now()}, []any{p.State, p.Sent, p.Ended}, name)
			assert.EqualError(t, p.Err, "archive: replay r: left by a panic or runtime.Goexit", name)
			r.Cancel()
			assert.Equal(t, Failed, r.Progress().State, name)
		})
	}
}

// The reasons in quotes are the service's.
func TestNewReplayRefuses(t *testing.T) {
	a := newArchive(t, Options{Bus: "shop"})
	shop, other := footbridge.New(&footbridge.Options{Name: "shop"}), footbridge.New(nil)
	r := newReplay(t, a, shop, allDay("taken"))
	for _, c := range []struct {
		to     Publisher
		change func(o *ReplayOptions)
		want   string
	}{
		{shop, func(o *ReplayOptions) { o.Name = "" }, "Parameter ReplayName is not valid. Reason: want 1 to 64"},
		{shop, func(o *ReplayOptions) { o.Name = strings.Repeat("a", 65) }, "Parameter ReplayName"},
		{shop, func(o *ReplayOptions) { o.Name = "a/b" }, `got "a/b"`},
		{shop, func(o *ReplayOptions) { o.End = o.Start }, "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."},
		{shop, func(o *ReplayOptions) { o.End = time.Time{} }, "Parameter EventEndTime is not valid. Reason: want one, got the zero time"},
		{shop, func(o *ReplayOptions) { o.Rules = []string{} }, "Parameter Destination.FilterArns is not valid. Reason: want names of rules, or nil for all rules, got an empty list"},
		{other, func(o *ReplayOptions) {}, "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."},
		{nil, func(o *ReplayOptions) {}, "Parameter Destination is not valid. Reason: want a publisher, got nil"},
		{(*footbridge.Bus)(nil), func(o *ReplayOptions) {}, "Parameter Destination is not valid. Reason: want a publisher, got a nil *footbridge.Bus"},
		{(*journal)(nil), func(o *ReplayOptions) {}, "got a nil *archive.journal"},
		{shop, func(o *ReplayOptions) { o.Rules = []string{"a", ""} }, "Parameter Destination.FilterArns[1] is not valid"},
		{shop, func(o *ReplayOptions) { o.Speed = -1 }, "Parameter Speed"},
		{shop, func(o *ReplayOptions) { o.Speed = math.NaN() }, "got NaN"},
		{shop, func(o *ReplayOptions) { o.Speed = math.Inf(1) }, "got +Inf"},
	} {
		o := allDay(strings.Repeat("a", 64))
		c.change(&o)
		_, err := a.NewReplay(c.to, o)
		var refused *ParameterError
		require.ErrorAs(t, err, &refused, c.want)
		assert.ErrorContains(t, err, c.want)
	}
	_, err := a.NewReplay(shop, allDay("taken"))
	var exists *ExistsError
	require.ErrorAs(t, err, &exists)
	assert.EqualError(t, err, "archive: Replay taken already exists.")
	assert.Equal(t, []*Replay{r}, a.Replays())
	newReplay(t, a, shop, allDay(strings.Repeat("a", 64)))
}

// A day at its original speed, through a bus, at the time of each event to the nanosecond.
func TestADayAtOriginalSpeed(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		const n = 1000
		a := newArchive(t, Options{Store: s})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		for i := range n {
			publish(t, bus, eventAt(fmt.Sprint(i), midnight.Add(time.Duration(i)*86399999999999/(n-1))))
		}
		require.NoError(t, bus.Wait(t.Context()))
		begin := time.Now()
		received := 0
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"replay-name":["day"]}`), Targets: []footbridge.Target{
			footbridge.Func("t", func(_ context.Context, e footbridge.Event) error {
				received++
				assert.Equal(t, e.Time.Sub(midnight), time.Since(begin))
				return nil
			}),
		}}))
		o := allDay("day")
		o.Speed = 1
		require.NoError(t, newReplay(t, a, bus, o).Run(t.Context()))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, n, received)
		assert.Equal(t, 86399999999999*time.Nanosecond, time.Since(begin))
		assert.EqualValues(t, n, a.Stats().Archived)
	})
}

// What is older than the retention is not replayed.
func TestReplayExpiresFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := filled(t, s, "1s")
		a.options.Retention = 24 * time.Hour
		<-time.After(48 * time.Hour)
		r := newReplay(t, a, &journal{}, allDay("r"))
		require.NoError(t, r.Run(t.Context()))
		assert.Zero(t, r.Progress().Total)
		assert.Equal(t, Completed, r.Progress().State)
	})
}
