package archive

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/footbridge-go/footbridge"
)

// Bounds of a [MemoryStore] that names none.
const (
	DefaultMaxEvents = 65536
	DefaultMaxBytes  = 64 << 20
)

// A MemoryStore keeps events in memory. When it is full, the events that it has kept
// longest make room: they are counted in Stats, and Drop is told. The zero value is ready
// to use.
type MemoryStore struct {
	MaxEvents int   // 0 or less: DefaultMaxEvents
	MaxBytes  int64 // of the events' texts and the structs that hold them; 0 or less: DefaultMaxBytes

	// Drop is told of each event that makes room, by the goroutine that appends, before
	// Append returns. Nil: no one is.
	Drop func(footbridge.Event)

	mu      sync.Mutex // guards the fields below
	records []*record  // as they were appended
	stats   StoreStats
}

// A record is an event in memory. It is immutable, so that cursors share it.
type record struct {
	event    footbridge.Event
	appended time.Time
	size     int64
}

func newRecord(e footbridge.Event) *record {
	n := int(unsafe.Sizeof(record{})) + len(e.ID) + len(e.Source) + len(e.DetailType) + len(e.Account) + len(e.Region) +
		len(e.ReplayName) + len(e.Detail)
	for _, r := range e.Resources {
		n += int(unsafe.Sizeof(r)) + len(r)
	}
	return &record{event: e, appended: time.Now(), size: int64(n)}
}

// Append keeps e. The error is a *TooLargeError, which is permanent, if e alone is above
// MaxBytes, or it wraps that of the context.
func (s *MemoryStore) Append(ctx context.Context, e footbridge.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("archive: append: %w", err)
	}
	r := newRecord(e)
	if limit := positiveOr(s.MaxBytes, DefaultMaxBytes); r.size > limit {
		return footbridge.Permanent(&TooLargeError{EventID: e.ID, Size: r.size, Limit: limit})
	}
	for _, d := range s.add(r) {
		if s.Drop != nil {
			s.Drop(d.event)
		}
	}
	return nil
}

// add keeps r and returns what has made room for it.
func (s *MemoryStore) add(r *record) (dropped []*record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
	s.stats.Appended++
	s.stats.Events++
	s.stats.Bytes += r.size
	for s.stats.Events > positiveOr(int64(s.MaxEvents), DefaultMaxEvents) || s.stats.Bytes > positiveOr(s.MaxBytes, DefaultMaxBytes) {
		dropped = append(dropped, s.removeFirstLocked())
	}
	s.stats.Dropped += int64(len(dropped))
	return dropped
}

func (s *MemoryStore) removeFirstLocked() *record {
	r := s.records[0]
	s.records[0] = nil // the array lives on, the event need not
	s.records = s.records[1:]
	s.stats.Events--
	s.stats.Bytes -= r.size
	return r
}

// Read implements [Store]. A cursor keeps the events it has found in memory.
func (s *MemoryStore) Read(ctx context.Context, from, until time.Time) (Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("archive: read: %w", err)
	}
	c := &memoryCursor{}
	s.mu.Lock()
	for _, r := range s.records {
		if inRange(r.event.Time, from, until) {
			c.left = append(c.left, r)
		}
	}
	s.mu.Unlock()
	c.total = len(c.left)
	slices.SortStableFunc(c.left, func(a, b *record) int { return cmp.Compare(minuteOf(a.event.Time), minuteOf(b.event.Time)) })
	return c, nil
}

// Expire implements [Store]. It removes all that was appended before the time, unless the
// clock was set back meanwhile.
func (s *MemoryStore) Expire(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.records) > 0 && s.records[0].appended.Before(before) {
		s.removeFirstLocked()
		s.stats.Expired++
	}
	return nil
}

// Stats returns the store's counts.
func (s *MemoryStore) Stats() StoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

type memoryCursor struct {
	left  []*record
	total int
}

func (c *memoryCursor) Total() int { return c.total }

func (c *memoryCursor) Next(ctx context.Context) (footbridge.Event, error) {
	if err := ctx.Err(); err != nil {
		return footbridge.Event{}, fmt.Errorf("archive: read: %w", err)
	}
	if len(c.left) == 0 {
		return footbridge.Event{}, io.EOF
	}
	r := c.left[0]
	c.left = c.left[1:]
	return r.event, nil
}

func (c *memoryCursor) Close() error {
	c.left = nil
	return nil
}

func positiveOr(n, otherwise int64) int64 {
	if n > 0 {
		return n
	}
	return otherwise
}
