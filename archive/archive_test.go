package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// newArchive returns an archive.
func newArchive(t testing.TB, o Options) *Archive {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	a, err := New(o)
	require.NoError(t, err)
	return a
}

// attach puts an archive's rule on a bus.
func attach(t testing.TB, b *footbridge.Bus, a *Archive) {
	t.Helper()
	require.NoError(t, b.PutRule(a.Rule()))
}

func publish(t testing.TB, b *footbridge.Bus, events ...footbridge.Event) {
	t.Helper()
	for _, e := range events {
		_, err := b.Publish(t.Context(), e)
		require.NoError(t, err)
	}
}

// A badStore fails while bad returns an error.
type badStore struct {
	Store
	bad func() error
}

func (s *badStore) Append(ctx context.Context, e footbridge.Event) error {
	if err := s.bad(); err != nil {
		return err
	}
	return s.Store.Append(ctx, e)
}

func TestArchiveKeepsWhatMatches(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := newArchive(t, Options{Store: s, Bus: "shop", Pattern: footbridge.MustCompile(` {"detail-type":["Order"],"$or":[{"source":["a"]},{"source":["b"]}]}`)})
		bus := footbridge.New(&footbridge.Options{Name: "shop"})
		attach(t, bus, a)
		zone := time.FixedZone("", 3600)
		for i, c := range []struct{ source, detailType string }{{"a", "Order"}, {"b", "Order"}, {"c", "Order"}, {"a", "Other"}} {
			publish(t, bus, footbridge.Event{
				ID: fmt.Sprint(i), Source: c.source, DetailType: c.detailType, Detail: []byte(`{}`), Time: midnight.Add(time.Nanosecond).In(zone),
			})
		}
		publish(t, bus, footbridge.Event{ID: "4", Source: "a", DetailType: "Order", Detail: []byte(`{}`)}) // now
		require.NoError(t, bus.Close(t.Context()))
		events := readAll(t, s, always[0], always[1])
		assert.Equal(t, []string{"0", "1", "4"}, ids(events))
		assert.Equal(t, footbridge.Event{
			ID: "0", Source: "a", DetailType: "Order", Time: midnight.Add(time.Nanosecond), Account: footbridge.DefaultAccount,
			Region: footbridge.DefaultRegion, Detail: []byte(`{}`),
		}, events[0], "as the bus has completed it, in UTC")
		assert.Equal(t, midnight, events[2].Time)
		assert.Equal(t, Stats{Archived: 3}, a.Stats())
	})
}

// Replayed events do not match the archive's rule, and its handler passes them over.
func TestReplayedEventsAreNotArchived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for title, c := range map[string]struct {
			pattern *footbridge.Pattern
			passed  int64
		}{
			"all":                     {nil, 0},
			"some":                    {footbridge.MustCompile(`{"source":["test"]}`), 0},
			"excluded by itself":      {footbridge.MustCompile(`{"replay-name":[{"exists":false}]}`), 0},
			"replay names, asked for": {footbridge.MustCompile(`{"replay-name":[{"exists":true}]}`), 1},
		} {
			a := newArchive(t, Options{Pattern: c.pattern})
			bus := footbridge.New(nil)
			attach(t, bus, a)
			e := eventAt("1", midnight)
			publish(t, bus, e)
			e.ReplayName = "again"
			publish(t, bus, e)
			require.NoError(t, bus.Close(t.Context()))
			assert.Equal(t, Stats{Archived: 1 - c.passed, Replayed: c.passed}, a.Stats(), title)
			assert.EqualValues(t, 1, bus.Stats().Deliveries, title)
		}
	})
}

// While the store fails events wait, and are kept in the order they were published.
func TestArchiveKeepsOrderWhileTheStoreFails(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		n := 0
		bad := &badStore{s, func() error {
			if n++; n%3 != 0 {
				return errors.New("down")
			}
			return nil
		}}
		a := newArchive(t, Options{Store: bad})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint(i))
			publish(t, bus, eventAt(want[i], midnight))
		}
		require.NoError(t, bus.Wait(t.Context()))
		assert.Equal(t, want, ids(readAll(t, s, always[0], always[1])))
		assert.EqualValues(t, 20, a.Stats().Archived)
		require.NoError(t, bus.Close(t.Context()))
	})
}

// What the store refuses for good is a dead letter, which can be redriven.
func TestNothingVanishesInTheArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("full")
		s := &badStore{&MemoryStore{MaxBytes: 1000}, func() error { return bad }}
		a := newArchive(t, Options{Store: s})
		dlq := &footbridge.MemoryDLQ{}
		bus := footbridge.New(&footbridge.Options{DLQ: dlq, Retry: footbridge.Backoff{MaxRetries: 2}})
		attach(t, bus, a)
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Wait(t.Context()))
		require.Equal(t, 1, dlq.Len())
		assert.Equal(t, 2, dlq.Letters()[0].RetryAttempts)
		assert.Equal(t, "Events-Archive-test", dlq.Letters()[0].Rule)

		bad = nil
		_, err := dlq.Redrive(t.Context(), bus, nil)
		require.NoError(t, err)
		require.NoError(t, bus.Wait(t.Context()))
		assert.Equal(t, []string{"1"}, ids(readAll(t, s, always[0], always[1])))

		// No retry would mend these.
		now := time.Now()
		large := eventAt("2", midnight)
		large.Detail = []byte(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
		publish(t, bus, large)
		require.NoError(t, bus.Wait(t.Context()))
		bad = fmt.Errorf("wrapped: %w", ErrStoreClosed)
		publish(t, bus, eventAt("3", midnight))
		require.NoError(t, bus.Close(t.Context()))
		require.Equal(t, 2, dlq.Len())
		for _, d := range dlq.Letters() {
			assert.Zero(t, d.RetryAttempts)
		}
		assert.Equal(t, now, time.Now())
	})
}

// Publish refuses an event for the archive, too.
func TestArchiveIsAllOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, Options{})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		stuck := make(chan footbridge.Event)
		target := footbridge.Chan("stuck", stuck)
		target.Concurrency, target.Queue, target.Overflow = 1, 1, footbridge.OverflowReject
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"source":["test"]}`), Targets: []footbridge.Target{target}}))
		var accepted int64
		for i := range 10 {
			_, err := bus.Publish(t.Context(), eventAt(fmt.Sprint(i), midnight))
			if err == nil {
				accepted++
			} else {
				require.ErrorIs(t, err, footbridge.ErrQueueFull)
			}
			synctest.Wait()
		}
		assert.EqualValues(t, 2, accepted)
		assert.Equal(t, accepted, a.Stats().Archived)
		for range accepted {
			<-stuck
		}
		require.NoError(t, bus.Close(t.Context()))
	})
}

func TestRetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		const days = 3
		a := newArchive(t, Options{Store: s, Retention: days * 24 * time.Hour})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		for day := range 6 {
			publish(t, bus, eventAt(fmt.Sprint(day), midnight.AddDate(-10, 0, 0))) // their own time does not count
			require.NoError(t, bus.Wait(t.Context()))
			<-time.After(24 * time.Hour)
		}
		assert.Equal(t, []string{"2", "3", "4", "5"}, ids(readAll(t, s, always[0], always[1])), "the last came at the end of the third day of 2")
		<-time.After(36 * time.Hour)
		require.NoError(t, a.Expire(t.Context()))
		assert.Equal(t, []string{"5"}, ids(readAll(t, s, always[0], always[1])))
		require.NoError(t, bus.Close(t.Context()))

		forever := newArchive(t, Options{Store: s})
		<-time.After(10 * 365 * 24 * time.Hour)
		require.NoError(t, forever.Expire(t.Context()))
		assert.Len(t, readAll(t, s, always[0], always[1]), 1)
	})
}

// A store that cannot remove what is old keeps what is new.
func TestFailuresToExpireAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		a := newArchive(t, Options{Store: expireFails{&MemoryStore{}}, Retention: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		bus := footbridge.New(nil)
		attach(t, bus, a)
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Close(t.Context()))
		assert.Equal(t, Stats{Archived: 1, ExpireFailures: 1}, a.Stats())
		assert.Contains(t, log.String(), "read-only")
	})
}

type expireFails struct{ Store }

func (expireFails) Expire(context.Context, time.Time) error { return errors.New("read-only") }

// An archive of one bus takes nothing from another.
func TestArchiveOfAnotherBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArchive(t, Options{Bus: "orders"})
		dlq := &footbridge.MemoryDLQ{}
		bus := footbridge.New(&footbridge.Options{DLQ: dlq})
		attach(t, bus, a)
		publish(t, bus, eventAt("1", midnight))
		require.NoError(t, bus.Close(t.Context()))
		assert.Zero(t, a.Stats().Archived)
		require.Equal(t, 1, dlq.Len())
		var wrong *BusError
		require.ErrorAs(t, dlq.Letters()[0].Err, &wrong)
		assert.Equal(t, BusError{Archive: "test", Want: "orders", Got: "default"}, *wrong)
		assert.ErrorContains(t, wrong, `archive test keeps events of bus "orders", got one of bus "default"`)
	})
}

// Every test that the package documentation names exists.
func TestPromisesNameTheirTests(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		tests.Write(text)
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(doc), -1)
	assert.Greater(t, len(named), 10)
	for _, name := range named {
		assert.Contains(t, tests.String(), "func "+name+"(t *testing.T)")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "ArchiveName"},
		{Options{Name: strings.Repeat("a", 49)}, "ArchiveName"},
		{Options{Name: "a b"}, `want 1 to 48 characters of [\.\-_A-Za-z0-9]+, got "a b"`},
		{Options{Name: "a", Retention: -1}, "RetentionDays"},
		{Options{Name: "a", Bus: "a/b"}, `Parameter EventSourceArn is not valid. Reason: want 1 to 256 characters of [\.\-_A-Za-z0-9]+, got "a/b"`},
		{Options{Name: "a", Store: (*FileStore)(nil)}, "Parameter Store is not valid. Reason: want one or none, got a nil *archive.FileStore"},
		{Options{Name: "a", Store: (*MemoryStore)(nil)}, "got a nil *archive.MemoryStore"},
	} {
		_, err := New(c.o)
		var refused *ParameterError
		require.ErrorAs(t, err, &refused)
		assert.ErrorContains(t, err, "archive: Parameter ")
		assert.ErrorContains(t, err, c.want)
	}
	longest := newArchive(t, Options{Name: strings.Repeat("aZ09.-_x", 6)})
	assert.Len(t, longest.Name(), 48)
	attach(t, footbridge.New(nil), longest) // its rule's name has 63
	bad := newArchive(t, Options{Pattern: &footbridge.Pattern{}})
	var refused *footbridge.RuleError
	assert.ErrorAs(t, footbridge.New(nil).PutRule(bad.Rule()), &refused)
}
