package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A Store keeps the events of an archive. All its methods may be called from any number
// of goroutines.
type Store interface {
	// Append keeps an event behind all that it has. With an error it has kept nothing;
	// one that is [footbridge.Permanent] is not tried again. The event is shared: the
	// store must not change what its Detail and Resources refer to.
	Append(ctx context.Context, e footbridge.Event) error

	// Read returns the events that are there now and whose Time is at or behind from and
	// before until: by the minute of Time, and in a minute in the order they were
	// appended. Append and Expire do not change what a cursor returns.
	Read(ctx context.Context, from, until time.Time) (Cursor, error)

	// Expire removes events that were appended before a time. It may keep some of them
	// longer, and removes no other.
	Expire(ctx context.Context, before time.Time) error
}

// A Cursor walks over the events that [Store.Read] has found. It is used by one
// goroutine at a time.
type Cursor interface {
	// Total returns how many times Next returns something other than io.EOF, or -1 if
	// that is not known.
	Total() int
	// Next returns the next event, and io.EOF behind the last. A *DamagedError stands in
	// the place of one event: the next call goes on behind it. Any other error is the end.
	Next(ctx context.Context) (footbridge.Event, error)
	// Close ends the cursor.
	Close() error
}

// StoreStats are what a store holds now, and counts since it was made or opened.
type StoreStats struct {
	Events int64 // held
	Bytes  int64 // they take: for a MemoryStore about, for a FileStore the size of its files

	Appended int64 // events
	Dropped  int64 // events that a MemoryStore gave up before their time, to keep its bounds
	Expired  int64 // events
	Damaged  int64 // lines that a FileStore found, when it was opened, to be no events; they are left as they are
	Torn     int64 // bytes of an unfinished line that opening a FileStore has cut off
}

// ErrStoreClosed is returned by a store that was closed.
var ErrStoreClosed = errors.New("store is closed")

// A DamagedError says that an event in a store cannot be read.
type DamagedError struct {
	File   string // its path
	Offset int64  // of the line, in bytes
	Err    error  // why
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("archive: %s: line at offset %d is no event: %v", e.File, e.Offset, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// A TooLargeError says that an event alone is above a store's bound.
type TooLargeError struct {
	EventID     string
	Size, Limit int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("archive: event %s: want at most %d bytes, got %d", e.EventID, e.Limit, e.Size)
}

// minuteOf returns the minute of t, counted from 1970: what events are ordered by.
func minuteOf(t time.Time) int64 {
	seconds := t.Unix()
	minute := seconds / 60
	if seconds%60 < 0 {
		minute--
	}
	return minute
}

// inRange reports whether t is one of the times that Read is asked for.
func inRange(t, from, until time.Time) bool { return !t.Before(from) && t.Before(until) }
