package footbridgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// TestStore tests what the interface [archive.Store] promises: that events are kept whole
// and in order, that Read returns the range that it is asked for, as it is at that moment,
// that Expire removes nothing that is younger, that a context that has ended is heeded, and
// that any number of goroutines may use a store. open returns a new, empty one, which
// TestStore closes if it has a method Close() error. An event is whole if its time and the
// bytes of its detail are the same. Run it with the race detector: without it a store that
// does not lock may pass.
func TestStore(t TB, open func() (archive.Store, error)) {
	t.Helper()
	on := func(run func(ctx context.Context, s archive.Store) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			s, err := valued("opening a store", open)
			if err != nil {
				return err
			}
			err = run(ctx, limitedStore{s})
			if c, ok := s.(io.Closer); ok && !errors.Is(err, errHangs) {
				err = errors.Join(err, returns("Close", c.Close))
			}
			return err
		}
	}
	runSuite(t, "store", []suiteCase{
		{"it keeps events whole", "a replay publishes what is kept", on(storeKeepsEvents)},
		{"it returns a range, by the minute, and in a minute in the order of Append", "so the service replays", on(storeReadsRanges)},
		{"a cursor does not change", "an archive goes on while a replay runs", on(storeReadsWhatIsThere)},
		{"Expire keeps what was appended since", "an archive promises to keep an event for its whole retention", on(storeExpires)},
		{"it refuses what comes with a context that has ended, and keeps nothing of that", "after an error an archive appends the event again", on(storeHeedsContexts)},
		{"several goroutines may use it", "events come at the same time, and replays read meanwhile", on(storeIsConcurrent)},
	})
}

// A limitedStore is a store whose calls return, and those of its cursors.
type limitedStore struct{ archive.Store }

func (s limitedStore) Append(ctx context.Context, e footbridge.Event) error {
	return returns("Append", func() error { return s.Store.Append(ctx, e) })
}

func (s limitedStore) Expire(ctx context.Context, before time.Time) error {
	return returns("Expire", func() error { return s.Store.Expire(ctx, before) })
}

func (s limitedStore) Read(ctx context.Context, from, until time.Time) (archive.Cursor, error) {
	c, err := valued("Read", func() (archive.Cursor, error) { return s.Store.Read(ctx, from, until) })
	if err != nil {
		return nil, err
	}
	return limitedCursor{c}, nil
}

type limitedCursor struct{ archive.Cursor }

func (c limitedCursor) Next(ctx context.Context) (footbridge.Event, error) {
	return valued("Next of a cursor", func() (footbridge.Event, error) { return c.Cursor.Next(ctx) })
}

func (c limitedCursor) Close() error { return returns("Close of a cursor", c.Cursor.Close) }

// always is a range with every time that an event may have.
var always = [2]time.Time{time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}

func storeKeepsEvents(ctx context.Context, s archive.Store) error {
	var want, got []kept
	for i := range wholeLetters {
		e := letterOf(i).Event
		e.Time = suiteTime.Add(time.Duration(i)*time.Minute + time.Nanosecond)
		want = append(want, keptEvent(e))
		if err := s.Append(ctx, e); err != nil {
			return err
		}
		if keptEvent(e) != want[i] {
			return errors.New("Append has changed the event, which its publisher and all its targets share")
		}
	}
	events, err := readAll(ctx, s, always[0], always[1])
	if err != nil {
		return err
	}
	for _, e := range events {
		got = append(got, keptEvent(e))
	}
	return sameKept(got, want)
}

func keptEvent(e footbridge.Event) kept {
	return kept{fmt.Sprintf("event %s of %s", e.ID, e.Time.UTC().Format("15:04")), wholeText(&e)}
}

// wholeText is an event's envelope with its whole time, and with the detail's own bytes.
func wholeText(e *footbridge.Event) string {
	return e.Time.UTC().Format(time.RFC3339Nano) + " " + string(envelope(e)) + " " + string(e.Detail)
}

func storeReadsRanges(ctx context.Context, s archive.Store) error {
	base := suiteTime.Truncate(time.Minute)
	for _, offset := range []time.Duration{119 * time.Second, 60 * time.Second, 0, -1, 59 * time.Second, -time.Minute} {
		if err := s.Append(ctx, eventAt(offset.String(), base.Add(offset))); err != nil {
			return err
		}
	}
	for _, r := range []struct {
		from, until time.Duration
		want        []string
	}{
		{-time.Hour, time.Hour, []string{"-1ns", "-1m0s", "0s", "59s", "1m59s", "1m0s"}},
		{0, time.Minute, []string{"0s", "59s"}},
		{1, 60*time.Second + 1, []string{"59s", "1m0s"}},
		{time.Hour, -time.Hour, nil},
	} {
		events, err := readAll(ctx, s, base.Add(r.from), base.Add(r.until))
		if err != nil {
			return err
		}
		if got := idsOf(events); !slices.Equal(got, r.want) {
			return fmt.Errorf("from %v until %v: want %v, got %v", r.from, r.until, r.want, got)
		}
	}
	return nil
}

func storeReadsWhatIsThere(ctx context.Context, s archive.Store) error {
	if err := s.Append(ctx, eventAt("1", suiteTime)); err != nil {
		return err
	}
	c, err := s.Read(ctx, always[0], always[1])
	if err != nil {
		return err
	}
	if err := s.Append(ctx, eventAt("2", suiteTime)); err != nil {
		return errors.Join(err, c.Close())
	}
	got, err := drain(ctx, c)
	if err == nil && !slices.Equal(idsOf(got), []string{"1"}) {
		err = fmt.Errorf("an event was appended behind Read: want [1], got %v", idsOf(got))
	}
	return err
}

func storeExpires(ctx context.Context, s archive.Store) error {
	before := time.Now().Add(-time.Hour)
	if err := s.Append(ctx, eventAt("1", always[0])); err != nil { // what counts is when it was appended
		return err
	}
	if err := s.Expire(ctx, before); err != nil {
		return err
	}
	got, err := readAll(ctx, s, always[0], always[1])
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("an event was appended, and all appended an hour before expired: want 1 event, got %d", len(got))
	}
	return err
}

func storeHeedsContexts(ctx context.Context, s archive.Store) error {
	if err := s.Append(ended(ctx), eventAt("1", suiteTime)); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("appending with a context that has ended: want its error, got %v", err)
	}
	if c, err := s.Read(ended(ctx), always[0], always[1]); !errors.Is(err, context.Canceled) {
		if err == nil {
			err = c.Close()
		}
		return fmt.Errorf("reading with a context that has ended: want its error, got %v", err)
	}
	got, err := readAll(ctx, s, always[0], always[1])
	if err == nil && len(got) > 0 {
		err = fmt.Errorf("it has kept %v, which it has refused", idsOf(got))
	}
	return err
}

func storeIsConcurrent(ctx context.Context, s archive.Store) error {
	const writers, each = 4, 50
	err := together(2*writers, func(i int) error {
		for n := range each {
			var err error
			if i < writers {
				err = s.Append(ctx, eventAt(fmt.Sprintf("%d/%02d", i, n), suiteTime))
			} else if n%10 == 0 {
				_, err = readAll(ctx, s, always[0], always[1])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	events, err := readAll(ctx, s, always[0], always[1])
	if err != nil {
		return err
	}
	last := make(map[byte]string) // of each writer
	for _, id := range idsOf(events) {
		if id <= last[id[0]] {
			return fmt.Errorf("%s comes behind %s, in another order than it was appended, or twice", id, last[id[0]])
		}
		last[id[0]] = id
	}
	if len(events) != writers*each {
		return fmt.Errorf("want %d events, got %d", writers*each, len(events))
	}
	return nil
}

func readAll(ctx context.Context, s archive.Store, from, until time.Time) ([]footbridge.Event, error) {
	c, err := s.Read(ctx, from, until)
	if err != nil {
		return nil, err
	}
	return drain(ctx, c)
}

// drain returns what a cursor has, checks what it says of itself, and closes it.
func drain(ctx context.Context, c archive.Cursor) (events []footbridge.Event, err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	total := c.Total()
	for {
		e, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	if total >= 0 && total != len(events) {
		return nil, fmt.Errorf("the cursor's Total is %d, and it has %d events", total, len(events))
	}
	if _, err := c.Next(ctx); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("behind the end of a cursor: want io.EOF, got %v", err)
	}
	return events, nil
}

func idsOf(events []footbridge.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}
