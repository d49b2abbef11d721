package footbridgetest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
)

// What this project implements of its interfaces passes the suites.
func TestSuitesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		TestHandler(t, footbridge.HandlerFunc(func(context.Context, footbridge.Delivery) error { return nil }), order("1", `{}`), order("2", `{}`))
		TestHandler(t, NewRecorder(t, footbridge.New(nil)), order("1", `{}`))
		for _, p := range []footbridge.Backoff{{}, footbridge.NoRetry, {NoJitter: true, MaxRetries: 1 << 30, MaxDelay: 1 << 62, MaxAge: 1<<63 - 1}} {
			TestRetryPolicy(t, p)
		}
		TestDLQ(t, func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) {
			q := &footbridge.MemoryDLQ{}
			return q, func() ([]footbridge.DeadLetter, error) { return q.Letters(), nil }
		})
		TestStore(t, func() (archive.Store, error) { return &archive.MemoryStore{}, nil })
		TestStore(t, func() (archive.Store, error) {
			return archive.OpenFiles(t.TempDir(), &archive.FileOptions{NoSync: true})
		})
	})
}

// A badHandler breaks each promise of a handler.
type badHandler struct{ calls atomic.Int64 }

func (h *badHandler) Handle(ctx context.Context, d footbridge.Delivery) error {
	d.Event.Detail[1] = 'x'
	if ctx.Err() != nil {
		<-time.After(30 * time.Second)
	}
	if n := h.calls.Add(1); n > 1 {
		panic("not twice")
	}
	return errors.New("not once")
}

// A badPolicy has state, overflows, and says that it is exhausted when it retries.
type badPolicy struct{ calls atomic.Int64 }

func (p *badPolicy) Next(a footbridge.Attempt) (time.Duration, bool) {
	if a.Age == 1<<63-1 && a.Retries == 1<<30 {
		panic("too old")
	}
	if p.calls.Add(1) > 201*4-1 { // it has answered once for each attempt but that
		return time.Second, true
	}
	return time.Second<<min(a.Retries, 63) - 1, true
}

func (p *badPolicy) Exhausted(footbridge.Attempt) string { return footbridge.ConditionMaxAge }

// A badDLQ keeps what it refuses, drops and changes what it takes, and changes events.
type badDLQ struct {
	lock    chan struct{} // so that what is bad is no data race
	letters []footbridge.DeadLetter
}

func (q *badDLQ) Send(ctx context.Context, d footbridge.DeadLetter) error {
	q.lock <- struct{}{}
	defer func() { <-q.lock }()
	switch d.Event.ID {
	case "1":
		d.ErrorMessage = "another"
	case "2":
		return nil
	}
	d.Event.Detail[2] = 'T'
	q.letters = append(q.letters, d)
	return ctx.Err()
}

// A badStore has whole seconds alone, keeps one event twice, and heeds neither ranges nor
// times nor contexts; its cursors return what comes behind them.
type badStore struct {
	lock   chan struct{} // so that what is bad is no data race
	total  int           // what cursors say
	events []footbridge.Event
}

func (s *badStore) Append(_ context.Context, e footbridge.Event) error {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if e.ID == "0/07" {
		s.events = append(s.events, e)
	}
	e.Time = e.Time.Truncate(time.Second)
	s.events = append(s.events, e)
	return nil
}

func (s *badStore) Expire(context.Context, time.Time) error {
	s.events = nil
	return nil
}

// Read returns a cursor that changes, but where several goroutines append: there it would
// fail in another way each time.
func (s *badStore) Read(_ context.Context, from, until time.Time) (archive.Cursor, error) {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if len(s.events) > 0 && s.events[0].ID == "1" {
		return &badCursor{store: s}, nil
	}
	return &badCursor{store: &badStore{lock: make(chan struct{}, 1), total: s.total, events: slices.Clone(s.events)}}, nil
}

type badCursor struct {
	store *badStore
	next  int
}

func (c *badCursor) Total() int   { return c.store.total }
func (c *badCursor) Close() error { return nil }

func (c *badCursor) Next(context.Context) (footbridge.Event, error) {
	c.store.lock <- struct{}{}
	defer func() { <-c.store.lock }()
	if c.next == len(c.store.events) {
		return footbridge.Event{}, io.EOF
	}
	c.next++
	return c.store.events[c.next-1], nil
}

// A suite fails an implementation that breaks promises with the words of its golden file.
func TestSuitesFail(t *testing.T) {
	for name, test := range map[string]func(t *recordingTB){
		"suite-handler": func(t *recordingTB) { TestHandler(t, &badHandler{}, order("1", `{"a":1}`)) },
		"suite-handler-no-events": func(t *recordingTB) {
			TestHandler(t, &badHandler{})
		},
		"suite-retry-policy": func(t *recordingTB) { TestRetryPolicy(t, &badPolicy{}) },
		"suite-dlq": func(t *recordingTB) {
			TestDLQ(t, func() (footbridge.DLQ, func() ([]footbridge.DeadLetter, error)) {
				q := &badDLQ{lock: make(chan struct{}, 1)}
				return q, func() ([]footbridge.DeadLetter, error) { return q.letters, nil }
			})
		},
		"suite-store": func(t *recordingTB) {
			TestStore(t, func() (archive.Store, error) { return &badStore{lock: make(chan struct{}, 1), total: -1}, nil })
		},
		"suite-store-not-open": func(t *recordingTB) {
			TestStore(t, func() (archive.Store, error) { return nil, errors.New("no such folder") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := run(t, test)
			require.NotEmpty(t, got)
			golden(t, "failures/"+name+".txt", got)
		})
	}
}

// One of the letters that TestDLQ sends has all that a letter can have.
func TestLetterHasEverything(t *testing.T) {
	for _, v := range []reflect.Value{reflect.ValueOf(letterOf(2)), reflect.ValueOf(letterOf(2).Event)} {
		for i := range v.NumField() {
			assert.False(t, v.Field(i).IsZero(), "%s.%s", v.Type(), v.Type().Field(i).Name)
		}
	}
}

func TestDrainChecksTotal(t *testing.T) {
	store := &badStore{lock: make(chan struct{}, 1), total: 7, events: []footbridge.Event{order("1", `{}`)}}
	_, err := drain(t.Context(), &badCursor{store: store})
	assert.EqualError(t, err, "the cursor's Total is 7, and it has 1 events")
}

// This project's own stanza files run with the function for users' files.
func TestPatternFiles(t *testing.T) {
	files, err := filepath.Glob("../testdata/match/*.txt")
	require.NoError(t, err)
	assert.Greater(t, len(files), 10)
	RunPatternFiles(t, os.DirFS("../testdata/match"), "*.txt")
}
