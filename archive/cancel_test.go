package archive

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

func TestCancel(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := filled(t, s, "1h", "2h", "3h")
		j := &journal{}

		// While it waits for the second event.
		o := allDay("waiting")
		o.Speed = 1
		r := newReplay(t, a, j, o)
		done := make(chan error)
		go func() { done <- r.Run(t.Context()) }()
		<-time.After(30 * time.Minute)
		assert.Equal(t, Running, r.Progress().State)
		r.Cancel()
		assert.Equal(t, Cancelling, r.Progress().State)
		r.Cancel()
		err := <-done
		assert.ErrorIs(t, err, ErrCancelled)
		assert.Equal(t, "archive: replay waiting: replay was cancelled", err.Error())
		p := r.Progress()
		assert.Equal(t, Cancelled, p.State)
		assert.Equal(t, []int{1, 0, 3}, []int{p.Sent, p.Failed, p.Total})
		assert.Equal(t, 30*time.Minute, p.Ended.Sub(p.Began))

		// By its own report, at full speed.
		o = allDay("report")
		o.Report = func(rep Report) {
			if rep.Progress.Sent == 2 {
				r.Cancel()
			}
		}
		r = newReplay(t, a, j, o)
		assert.ErrorIs(t, r.Run(t.Context()), ErrCancelled)
		assert.Equal(t, 2, r.Progress().Sent)

		// Before it runs.
		r = newReplay(t, a, j, allDay("before"))
		r.Cancel()
		assert.Equal(t, Cancelled, r.Progress().State)
		assert.ErrorIs(t, r.Run(t.Context()), ErrCancelled)
		assert.Equal(t, Cancelled, r.Progress().State)

		// While it looks for the events.
		var early *Replay
		b := newArchive(t, Options{Store: &hookedStore{s, func() { early.Cancel() }, func() { assert.Equal(t, Cancelling, early.Progress().State) }}})
		early = newReplay(t, b, j, allDay("early"))
		assert.ErrorIs(t, early.Run(t.Context()), ErrCancelled)

		var states []string
		for _, r := range a.Replays() {
			states = append(states, r.Name()+" "+string(r.Progress().State))
		}
		assert.Equal(t, []string{"waiting CANCELLED", "report CANCELLED", "before CANCELLED"}, states)
		assert.Len(t, j.lines, 3)
	})
}

func TestCancelByContext(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a := filled(t, s, "1h", "2h")
		// While the bus has no room: the event is not sent, and has not failed.
		ctx, cancel := context.WithCancelCause(t.Context())
		full := publisherFunc(func(ctx context.Context, e footbridge.Event) (string, error) {
			cancel(errors.New("shutdown"))
			<-ctx.Done()
			return "", fmt.Errorf("waiting for room: %w", ctx.Err())
		})
		r := newReplay(t, a, full, allDay("context"))
		assert.EqualError(t, r.Run(ctx), "archive: replay context: shutdown")
		p := r.Progress()
		assert.Equal(t, Cancelled, p.State)
		assert.Zero(t, p.Sent+p.Failed)

		// One that has ended before.
		r = newReplay(t, a, &journal{}, allDay("ended"))
		assert.ErrorContains(t, r.Run(ctx), "shutdown")
		assert.Equal(t, Cancelled, r.Progress().State)
	})
}

// A hookedStore tells that it is read.
type hookedStore struct {
	Store
	read, next func()
}

func (s *hookedStore) Read(ctx context.Context, from, until time.Time) (Cursor, error) {
	c, err := s.Store.Read(ctx, from, until)
	s.read()
	return &hookedCursor{c, s.next}, err
}

type hookedCursor struct {
	Cursor
	next func()
}

func (c *hookedCursor) Next(ctx context.Context) (footbridge.Event, error) {
	c.next()
	return c.Cursor.Next(ctx)
}

type publisherFunc func(ctx context.Context, e footbridge.Event) (string, error)

func (f publisherFunc) Publish(ctx context.Context, e footbridge.Event) (string, error) {
	return f(ctx, e)
}

// A replay that waits for room on a bus ends when it is cancelled.
func TestCancelWhileTheBusIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := filled(t, &MemoryStore{}, "1s", "2s", "3s", "4s")
		bus := footbridge.New(nil)
		stuck := make(chan footbridge.Event)
		target := footbridge.Chan("stuck", stuck)
		target.Concurrency, target.Queue = 1, 1
		require.NoError(t, bus.PutRule(footbridge.Rule{Name: "r", Pattern: footbridge.MustCompile(`{"source":["test"]}`), Targets: []footbridge.Target{target}}))
		r := newReplay(t, a, bus, allDay("r"))
		done := make(chan error, 1)
		go func() { done <- r.Run(t.Context()) }()
		synctest.Wait()
		r.Cancel()
		assert.ErrorIs(t, <-done, ErrCancelled)
		sent := r.Progress().Sent
		for range sent {
			<-stuck
		}
		require.NoError(t, bus.Close(t.Context()))
		assert.EqualValues(t, sent, bus.Stats().Delivered, "what is counted as sent is what the bus has")
		assert.Less(t, sent, 4)
	})
}
