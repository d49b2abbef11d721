package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// Events that the bus refuses, and those that cannot be read, are counted and reported.
func TestReplayProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &MemoryStore{}
		a := filled(t, s, "1s", "2s", "3s", "4s")
		damaged := &DamagedError{File: "f", Err: errors.New("torn")}
		a.options.Store = &damagedStore{s, map[int]error{1: damaged}}
		refused := errors.New("refused")
		j := &journal{refuse: func(e footbridge.Event) error {
			if e.ID == "2" {
				return refused
			}
			return nil
		}}
		o := allDay("r")
		var reports []string
		o.Report = func(r Report) {
			p := r.Progress
			reports = append(reports, fmt.Sprintf("%s %q %d+%d/%d %v %v", p.State, r.Event.ID, p.Sent, p.Failed, p.Total, p.EventTime.Sub(midnight), r.Err))
		}
		r := newReplay(t, a, j, o)
		assert.Equal(t, Progress{State: Starting, Total: -1}, r.Progress())
		<-time.After(time.Hour)
		require.NoError(t, r.Run(t.Context()))
		assert.Equal(t, []string{
			`RUNNING "0" 1+0/4 1s <nil>`, `RUNNING "" 1+1/4 1s ` + damaged.Error(), `RUNNING "2" 1+2/4 3s refused`, `RUNNING "3" 2+2/4 4s <nil>`,
		}, reports)
		p := r.Progress()
		assert.Equal(t, midnight.Add(time.Hour), p.Ended.UTC())
		p.Began, p.Ended = time.Time{}, time.Time{}
		assert.Equal(t, Progress{State: Completed, Total: 4, Sent: 2, Failed: 2, EventTime: midnight.Add(4 * time.Second), Err: refused}, p)
		assert.ErrorIs(t, r.Run(t.Context()), ErrHasRun)
		r.Cancel()
		assert.Equal(t, Completed, r.Progress().State)
	})
}

// A damagedStore has errors in the place of some events, or none at all for Read.
type damagedStore struct {
	Store
	errs map[int]error
}

func (s *damagedStore) Read(ctx context.Context, from, until time.Time) (Cursor, error) {
	if err := s.errs[-1]; err != nil {
		return nil, err
	}
	c, err := s.Store.Read(ctx, from, until)
	return &damagedCursor{Cursor: c, errs: s.errs}, err
}

type damagedCursor struct {
	Cursor
	errs map[int]error
	n    int
}

func (c *damagedCursor) Next(ctx context.Context) (footbridge.Event, error) {
	e, err := c.Cursor.Next(ctx)
	if bad := c.errs[c.n]; bad != nil {
		e, err = footbridge.Event{}, bad
	}
	c.n++
	return e, err
}

func (c *damagedCursor) Close() error { return errors.Join(c.Cursor.Close(), c.errs[-2]) }

// Errors are their texts, and what is zero of them and of times is left out.
func TestProgressJSON(t *testing.T) {
	data, err := json.Marshal(Progress{State: Starting, Total: -1})
	require.NoError(t, err)
	assert.Equal(t, `{"State":"STARTING","Total":-1,"Sent":0,"Failed":0}`, string(data))
	data, err = json.Marshal(Progress{Failed, 3, 1, 2, midnight, midnight.Add(time.Hour), midnight.Add(time.Minute), ErrCancelled})
	require.NoError(t, err)
	assert.Equal(t, `{"State":"FAILED","Total":3,"Sent":1,"Failed":2,"EventTime":"2000-01-01T00:00:00Z","Began":"2000-01-01T01:00:00Z","Ended":"2000-01-01T00:01:00Z","Err":"replay was cancelled"}`, string(data))
}
