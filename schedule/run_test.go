package schedule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// A bubble begins at midnight of 2000-01-01, a Saturday.

// publishFunc is a function that is a Publisher.
type publishFunc func(ctx context.Context, e footbridge.Event) (string, error)

func (f publishFunc) Publish(ctx context.Context, e footbridge.Event) (string, error) {
	return f(ctx, e)
}

// A journal notes when which event is published, and what is reported.
type journal struct{ strings.Builder }

func (j *journal) Publish(_ context.Context, e footbridge.Event) (string, error) {
	_, name, _ := strings.Cut(e.Resources[0], "rule/")
	fmt.Fprintf(j, "%s %s of %s\n", time.Now().UTC().Format("02 15:04:05"), name, e.Time.Format("02 15:04"))
	return "id", nil
}

func (j *journal) report(r Report) {
	if r.Skipped > 0 || r.Err != nil {
		fmt.Fprintf(j, "%s %s: skipped %d up to %s, err %v\n", time.Now().UTC().Format("02 15:04:05"), r.Rule, r.Skipped, r.Time.Format("02 15:04"), r.Err)
	}
}

// runFor runs rules for a time.
func runFor(t *testing.T, d time.Duration, to Publisher, rules []Rule, opts *Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	assert.ErrorIs(t, Run(ctx, to, rules, opts), context.DeadlineExceeded)
}

func TestRunFiresOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		<-time.After(90 * time.Second)
		runFor(t, 30*time.Minute, &j, []Rule{
			{Name: "rate", Expression: MustParse("rate(7 minutes)")},
			{Name: "cron", Expression: MustParse("cron(0/15 * ? * SAT *)")},
			{Name: "never", Expression: MustParse("cron(0 0 31 2 ? *)")},
			{Name: "every", Expression: MustParse("cron(8,15 * * * ? *)")},
		}, &Options{Report: j.report})
		assert.Equal(t, `01 00:08:00 rate of 01 00:08
01 00:08:00 every of 01 00:08
01 00:15:00 rate of 01 00:15
01 00:15:00 cron of 01 00:15
01 00:15:00 every of 01 00:15
01 00:22:00 rate of 01 00:22
01 00:29:00 rate of 01 00:29
01 00:30:00 cron of 01 00:30
`, j.String())
	})
}

func TestRunWaitsForYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		err := Run(t.Context(), &j, []Rule{{Name: "once", Expression: MustParse("cron(30 12 24 12 ? 2001)")}}, nil)
		assert.NoError(t, err) // it fires no more
		assert.Equal(t, "24 12:30:00 once of 24 12:30\n", j.String())
		assert.Equal(t, 2001, time.Now().UTC().Year())
	})
}

// Run stops between firings that are due at once when its context ends, and who goes on
// behind the last Report that has no Err loses none and gets none twice.
func TestRunEndsAmidDueFirings(t *testing.T) {
	for name, end := range map[string]func(cancel func()) error{
		"context before": func(cancel func()) error { cancel(); return nil },
		"context within": func(cancel func()) error { cancel(); return context.Canceled },
		"closed":         func(func()) error { return fmt.Errorf("publish: %w", footbridge.ErrClosed) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rule := Rule{Name: "r", Expression: MustParse("cron(0 * * * ? *)"), After: time.Now().Add(-5 * time.Hour)}
				var published, reported []string
				opts := &Options{CatchUp: 4, Report: func(r Report) {
					reported = append(reported, fmt.Sprint(r.Time.Format("15:04 "), r.Skipped, " ", r.Err != nil))
					if r.Err == nil {
						rule.After = r.Time
					}
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				assert.Error(t, Run(ctx, publishFunc(func(_ context.Context, e footbridge.Event) (string, error) {
					if e.Time.Hour() == 22 {
						if err := end(cancel); err != nil {
							return "", err
						}
					}
					published = append(published, e.Time.Format("15:04"))
					return "id", nil
				}), []Rule{rule}, opts))
				assert.Equal(t, []string{"20:00 1 false", "21:00 0 false", fmt.Sprint("22:00 0 ", name != "context before")}, reported)
				runFor(t, time.Minute, publishFunc(func(_ context.Context, e footbridge.Event) (string, error) {
					published = append(published, e.Time.Format("15:04"))
					return "id", nil
				}), []Rule{rule}, opts)
				assert.Equal(t, []string{"21:00", "22:00", "23:00", "00:00"}, published)
			})
		})
	}
}

// Of a rate the firings that are skipped are counted, however many there are.
func TestARateMissesManyFirings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, now := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Now().UTC()
		var reports []Report
		runFor(t, time.Second, &journal{}, []Rule{{Name: "r", Expression: MustParse("rate(1 minute)"), After: after}},
			&Options{CatchUp: 2, Report: func(r Report) { reports = append(reports, r) }})
		assert.Equal(t, []Report{
			{Rule: "r", Skipped: int((now.Unix()-after.Unix())/60) - 2, Time: now.Add(-2 * time.Minute)},
			{Rule: "r", Time: now.Add(-time.Minute), EventID: "id"},
			{Rule: "r", Time: now, EventID: "id"},
		}, reports)
	})
}

// Counted or walked, what is missed of a rate is the same.
func TestMissedOfARate(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for minutes := range 60 {
		now := start.Add(time.Duration(minutes)*time.Minute + time.Second)
		var all []time.Time
		for at := start.Add(7 * time.Minute); !at.After(now); at = at.Add(7 * time.Minute) {
			all = append(all, at)
		}
		for catchUp := 1; catchUp < 10; catchUp++ {
			r, err := newRunner(&journal{}, []Rule{{Name: "r", Expression: MustParse("rate(7 minutes)"), After: start}}, &Options{CatchUp: catchUp})
			require.NoError(t, err)
			latest, skip := r.missed(t.Context(), r.rules[0], now)
			want := Report{Rule: "r", Skipped: max(len(all)-catchUp, 0)}
			if want.Skipped > 0 {
				want.Time = all[want.Skipped-1]
			}
			assert.Equal(t, want, skip, "%d minutes", minutes)
			var got []time.Time
			for _, f := range latest {
				got = append(got, f.time)
			}
			assert.Equal(t, append([]time.Time(nil), all[want.Skipped:]...), got, "%d minutes", minutes)
			assert.Equal(t, start.Add(time.Duration(len(all)+1)*7*time.Minute), r.rules[0].next)
		}
	}
}

// An endingContext ends when it has been asked n times whether it has.
type endingContext struct {
	context.Context
	n int
}

func (c *endingContext) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

// Run ends with its context also while it looks through what is due.
func TestRunEndsWhileItLooks(t *testing.T) {
	ctx := &endingContext{t.Context(), 4}
	rules := []Rule{{Name: "r", Expression: MustParse("cron(* * * * ? *)"), After: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}}
	err := Run(ctx, &journal{}, rules, &Options{Report: func(r Report) { assert.Fail(t, "reported", "%v", r) }})
	assert.ErrorIs(t, err, context.Canceled)
}

// Events and ARNs are those of the bus where the options do not say otherwise.
func TestRunTakesTheBussAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := footbridge.New(&footbridge.Options{Name: "shop", Account: "123456789012", Region: "eu-west-1"})
		var got []string
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "all", Pattern: footbridge.MustCompile(`{"source":["aws.events"]}`),
			Targets: []footbridge.Target{footbridge.Func("t", func(_ context.Context, e footbridge.Event) error {
				got = append(got, e.Account+" "+e.Region+" "+e.Resources[0])
				return nil
			})}}))
		rules := []Rule{{Name: "r", Expression: MustParse("rate(1 minute)")}}
		for _, opts := range []*Options{nil, {Account: "000000000001"}, {Region: "us-west-2"}} {
			runFor(t, 61*time.Second, bus, rules, opts)
			require.NoError(t, bus.Wait(t.Context()))
		}
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{
			"123456789012 eu-west-1 arn:aws:events:eu-west-1:123456789012:rule/shop/r",
			"000000000001 eu-west-1 arn:aws:events:eu-west-1:000000000001:rule/shop/r",
			"123456789012 us-west-2 arn:aws:events:us-west-2:123456789012:rule/shop/r",
		}, got)
	})
}

// What a rule of a bus sees is the service's event, to the byte but for its ID.
func TestRunPublishesTheServicesEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := footbridge.New(nil)
		var got []string
		require.NoError(t, bus.PutRule(footbridge.Rule{
			Name:    "scheduled",
			Pattern: footbridge.MustCompile(`{"source":["aws.events"],"resources":["arn:aws:events:eu-west-1:123456789012:rule/nightly"]}`),
			Targets: []footbridge.Target{footbridge.Func("t", func(_ context.Context, e footbridge.Event) error {
				assert.NotEmpty(t, e.ID)
				e.ID = "ID"
				data, err := e.MarshalJSON()
				got = append(got, string(data))
				return err
			})},
		}))
		rules := []Rule{
			{Name: "nightly", Expression: MustParse("cron(0 2 * * ? *)")},
			{Name: "other", Expression: MustParse("cron(0 2 * * ? *)")},
		}
		opts := &Options{Account: "123456789012", Region: "eu-west-1"}
		runFor(t, 24*time.Hour, bus, rules, opts)
		rules[0].Detail = []byte(`{"full":true}`)
		runFor(t, 24*time.Hour, bus, rules, opts)
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, []string{
			`{"version":"0","id":"ID","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2000-01-01T02:00:00Z",` +
				`"region":"eu-west-1","resources":["arn:aws:events:eu-west-1:123456789012:rule/nightly"],"detail":{}}`,
			`{"version":"0","id":"ID","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2000-01-02T02:00:00Z",` +
				`"region":"eu-west-1","resources":["arn:aws:events:eu-west-1:123456789012:rule/nightly"],"detail":{"full":true}}`,
		}, got)
	})
}

func TestMissedFirings(t *testing.T) {
	hourly := MustParse("cron(0 * * * ? *)")
	for name, c := range map[string]struct {
		catchUp int
		want    string
	}{
		"the latest": {0, "01 00:00:00 r: skipped 4 up to 31 23:00, err <nil>\n01 00:00:00 r of 01 00:00\n"},
		"three": {3, "01 00:00:00 r: skipped 2 up to 31 21:00, err <nil>\n" +
			"01 00:00:00 r of 31 22:00\n01 00:00:00 r of 31 23:00\n01 00:00:00 r of 01 00:00\n"},
		"all": {5, "01 00:00:00 r of 31 20:00\n01 00:00:00 r of 31 21:00\n" +
			"01 00:00:00 r of 31 22:00\n01 00:00:00 r of 31 23:00\n01 00:00:00 r of 01 00:00\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				rule := Rule{Name: "r", Expression: hourly, After: time.Now().Add(-5 * time.Hour)}
				runFor(t, time.Minute, &j, []Rule{rule}, &Options{CatchUp: c.catchUp, Report: j.report})
				assert.Equal(t, c.want, j.String())
			})
		})
	}
}

// A publisher that waits delays, and makes a rule miss firings.
func TestSlowPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		slow := publishFunc(func(ctx context.Context, e footbridge.Event) (string, error) {
			<-time.After(150 * time.Second)
			return j.Publish(ctx, e)
		})
		runFor(t, 5*time.Minute, slow, []Rule{{Name: "r", Expression: MustParse("rate(1 minute)")}}, &Options{Report: j.report})
		assert.Equal(t, `01 00:03:30 r of 01 00:01
01 00:03:30 r: skipped 1 up to 01 00:02, err <nil>
01 00:06:00 r of 01 00:03
`, j.String())
	})
}

// The clock is set while a rule waits.
func TestClockIsSet(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var published []string
	to := publishFunc(func(_ context.Context, e footbridge.Event) (string, error) {
		published = append(published, e.Time.Format("15:04"))
		return "id", nil
	})
	r, err := newRunner(to, []Rule{{Name: "r", Expression: MustParse("rate(1 hour)"), After: start}}, nil)
	require.NoError(t, err)
	for _, s := range []struct {
		now       time.Duration // since start
		published string
		next      time.Duration
	}{
		{0, "", time.Hour},
		{time.Hour, "13:00", 2 * time.Hour},
		{5*time.Hour + time.Minute, "17:00", 6 * time.Hour}, // forward: those between are skipped
		{2 * time.Hour, "", 6 * time.Hour},                  // back: nothing twice
		{6 * time.Hour, "18:00", 7 * time.Hour},
	} {
		published = nil
		next, err := r.step(t.Context(), start.Add(s.now))
		require.NoError(t, err)
		assert.Equal(t, s.published, strings.Join(published, " "), "%v", s.now)
		assert.Equal(t, start.Add(s.next), next, "%v", s.now)
	}
}

func TestRefusedEventsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var log bytes.Buffer
		full := errors.New("queue is full")
		calls := 0
		to := publishFunc(func(ctx context.Context, e footbridge.Event) (string, error) {
			if calls++; calls == 1 {
				return "id", full
			}
			return j.Publish(ctx, e)
		})
		runFor(t, 150*time.Second, to, []Rule{{Name: "r", Expression: MustParse("rate(1 minute)")}},
			&Options{Report: j.report, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		assert.Equal(t, "01 00:01:00 r: skipped 0 up to 01 00:01, err queue is full\n01 00:02:00 r of 01 00:02\n", j.String())
		assert.Contains(t, log.String(), `level=ERROR msg="schedule: a firing was not published" rule=r`)
	})
}

func TestRunEnds(t *testing.T) {
	rules := []Rule{{Name: "r", Expression: MustParse("rate(1 minute)")}}
	t.Run("with its context", func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		assert.ErrorIs(t, Run(ctx, footbridge.New(nil), rules, nil), cause)
	})
	t.Run("with its bus", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := footbridge.New(nil)
			require.NoError(t, bus.Close(t.Context()))
			assert.ErrorIs(t, Run(t.Context(), bus, rules, nil), footbridge.ErrClosed)
			assert.Equal(t, "00:01:00", time.Now().UTC().Format("15:04:05"))
		})
	})
	t.Run("with nothing to do", func(t *testing.T) {
		assert.NoError(t, Run(t.Context(), footbridge.New(nil), nil, nil))
	})
}

func TestRunRefuses(t *testing.T) {
	e := MustParse("rate(1 minute)")
	good := Rule{Name: "r", Expression: e}
	for want, rules := range map[string][]Rule{
		"Name: want 1 to 64 characters":                   {{Expression: e}},
		`Name: want 1 to 64 characters of [\.\-_A-Za-z0-`: {{Name: "a b", Expression: e}},
		"Name: want one that no other rule has":           {good, good},
		"Expression: want one that Parse has made":        {{Name: "r"}},
		"Expression: want one that Parse":                 {{Name: "r", Expression: &Expression{}}},
		`Detail: want a JSON object, got "null"`:          {{Name: "r", Expression: e, Detail: []byte("null")}},
		`Detail: want a JSON object, got "[]"`:            {{Name: "r", Expression: e, Detail: []byte("[]")}},
		`Detail: want a JSON object, got "{"`:             {{Name: "r", Expression: e, Detail: []byte("{")}},
	} {
		err := Run(t.Context(), new(journal), rules, nil)
		var refused *RuleError
		if assert.ErrorAs(t, err, &refused, "%s", want) {
			assert.ErrorContains(t, err, want)
		}
	}
	var option *OptionError
	require.ErrorAs(t, Run(t.Context(), new(journal), []Rule{good}, &Options{CatchUp: -1}), &option)
	assert.EqualError(t, option, "schedule: Options.CatchUp: want 0 or more, got -1")
	for _, to := range []Publisher{nil, (*footbridge.Bus)(nil), (*journal)(nil)} {
		assert.ErrorIs(t, Run(t.Context(), to, []Rule{good}, nil), ErrNoPublisher)
	}
}
