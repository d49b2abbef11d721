package archive

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/footbridge-go/footbridge"
)

// A fileCursor reads events from files, each when it is its turn: what is in memory is
// where they are.
type fileCursor struct {
	store   *FileStore
	windows []*window // of refs; held until Close
	refs    []lineRef
	next    int

	in   *os.File // in's window is open
	of   *window
	line []byte // scratch
}

// A lineRef says where an event is.
type lineRef struct {
	minute       int64 // of its Time
	offset, size int64 // of its line
	window       *window
}

// Read implements [Store]. It reads the lines, but not the envelopes, of all files that
// have events in the range. A damaged line is in every range, since its Time is not known.
func (s *FileStore) Read(ctx context.Context, from, until time.Time) (Cursor, error) {
	c := &fileCursor{store: s}
	sizes, err := c.hold(ctx, from, until)
	if err != nil {
		return nil, err
	}
	for i, w := range c.windows {
		if err := c.find(ctx, w, sizes[i], from, until); err != nil {
			_ = c.Close() // err says more
			return nil, err
		}
	}
	slices.SortStableFunc(c.refs, func(a, b lineRef) int { return cmp.Compare(a.minute, b.minute) })
	return c, nil
}

// hold enters the cursor at the windows it reads, and returns how much of each is there.
func (c *fileCursor) hold(ctx context.Context, from, until time.Time) (sizes []int64, err error) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(ctx, "read"); err != nil {
		return nil, err
	}
	for _, w := range s.windows {
		if w.mayHave(from, until) {
			w.readers++
			c.windows = append(c.windows, w)
			sizes = append(sizes, w.size)
		}
	}
	return sizes, nil
}

// find finds the lines of a window that are in the range.
func (c *fileCursor) find(ctx context.Context, w *window, size int64, from, until time.Time) error {
	f, err := os.Open(w.path)
	if err != nil {
		return fmt.Errorf("archive: read: %w", err)
	}
	defer f.Close()
	lines := newLineReader(io.LimitReader(f, size))
	ref := lineRef{window: w, minute: minuteOf(from)}
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil && n%1024 == 0 {
			return fmt.Errorf("archive: read: %w", err)
		}
		line, _, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("archive: read: %w", err)
		}
		ref.offset, ref.size = ref.offset+ref.size, int64(len(line))
		if n == 0 { // the header
			continue
		}
		t, _, err := splitLine(line)
		if err == nil && !inRange(t, from, until) {
			continue
		}
		if err == nil {
			ref.minute = minuteOf(t)
		} // else it stays with the event before it
		c.refs = append(c.refs, ref)
	}
}

// Total implements [Cursor].
func (c *fileCursor) Total() int { return len(c.refs) }

// Next implements [Cursor].
func (c *fileCursor) Next(ctx context.Context) (e footbridge.Event, err error) {
	if err := ctx.Err(); err != nil {
		return e, fmt.Errorf("archive: read: %w", err)
	}
	if c.next == len(c.refs) {
		return e, io.EOF
	}
	ref := c.refs[c.next]
	if err := c.openFile(ref.window); err != nil {
		return e, fmt.Errorf("archive: read: %w", err)
	}
	c.line = slices.Grow(c.line[:0], int(ref.size))[:ref.size]
	if _, err := c.in.ReadAt(c.line, ref.offset); err != nil {
		return e, fmt.Errorf("archive: read: %w", err)
	}
	c.next++
	if e, err = parseLine(c.line); err != nil {
		return e, &DamagedError{File: ref.window.path, Offset: ref.offset, Err: err}
	}
	return e, nil
}

// openFile opens a window's file. One is open at a time, since most events come by windows.
func (c *fileCursor) openFile(w *window) (err error) {
	if c.of == w {
		return nil
	}
	if c.in != nil {
		c.in.Close()
		c.in, c.of = nil, nil
	}
	if c.in, err = os.Open(w.path); err == nil {
		c.of = w
	}
	return err
}

// Close implements [Cursor]. It removes the files that have expired meanwhile, unless the
// store was closed: then they are of who opens it next, who finds them expired.
func (c *fileCursor) Close() (err error) {
	if c.in != nil {
		c.in.Close()
		c.in, c.of = nil, nil
	}
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range c.windows {
		if w.readers--; w.readers == 0 && w.expired && !s.closed {
			if e := w.remove(); e != nil && err == nil {
				err = e
			}
		}
	}
	c.windows, c.refs, c.next = nil, nil, 0
	return err
}
