package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// DefaultWindow is the window of a [FileStore] that names none.
const DefaultWindow = 24 * time.Hour

// ErrLocked is returned by [OpenFiles] when another store has the directory open.
var ErrLocked = errors.New("directory is in use by another store")

// FileOptions are what a [FileStore] is opened with. The zero value of each field is its
// default.
type FileOptions struct {
	// Window is how much time a file is for, which is how exact retention is. Whole
	// seconds; 0: DefaultWindow. It may differ from that of the files there are.
	Window time.Duration

	// NoSync leaves it to the system when events reach the disk: one that was kept
	// survives the end of the process, but not that of the machine. Without it, Append
	// returns when the event is on the disk, which takes as long as the disk's fsync
	// (BenchmarkAppend), and since an archive keeps one event after the other, that is
	// its pace. A file that is full, and the last at Close, is synced in any case.
	NoSync bool

	Logger *slog.Logger // of what opening finds damaged or torn; nil: discards
}

// A FileStore keeps events in files of JSON lines in a directory, one file for each
// window of time, to which it only appends. To expire is to remove whole files. Of the
// events it has nothing in memory but counts; a cursor takes 32 bytes for each.
//
// On darwin, the BSDs and Linux the directory is locked while it is open; elsewhere it is
// the user's to open it once.
type FileStore struct {
	dir     string
	options FileOptions // defaults filled in
	lock    *os.File    // the directory
	open    func(name string, flag int) (file, error)

	mu      sync.Mutex // guards the fields below, and the windows'
	windows []*window  // by time; they do not overlap
	out     file       // the last window's; nil: not open
	dirty   bool       // the last window's file may have no header, or bytes behind its size
	line    []byte     // scratch
	closed  bool
	stats   StoreStats // but for what the windows know
}

// A file is what a FileStore writes to: an os.File, but in tests of failing disks.
type file interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// OpenFiles opens the archive in a directory, which is made if there is none. It reads
// all files once, to count what they hold.
//
// A last line that is unfinished, since the process or the machine came to its end, is
// completed if all but its line break is there, else cut off: it was never acknowledged.
// Other lines that are no events are counted as damaged and left as they are; reading
// gives a *DamagedError in their place. opts may be nil.
//
// The error is a *FormatError if something else than an archive is there, a
// *ParameterError, or wraps [ErrLocked] or the system's.
func OpenFiles(dir string, opts *FileOptions) (*FileStore, error) {
	s := &FileStore{dir: dir, open: func(name string, flag int) (file, error) { return os.OpenFile(name, flag, 0o600) }}
	if opts != nil {
		s.options = *opts
	}
	if dir == "" {
		return nil, &ParameterError{"dir", `want the path of a directory, got ""`}
	}
	if s.options.Window == 0 {
		s.options.Window = DefaultWindow
	}
	if w := s.options.Window; w < 0 || w%time.Second != 0 {
		return nil, &ParameterError{"Window", fmt.Sprintf("want whole seconds, 0 or more, got %v", w)}
	}
	if s.options.Logger == nil {
		s.options.Logger = slog.New(slog.DiscardHandler)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &FormatError{dir, "want a directory, got a file"}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("archive: lock %s: %w", dir, err)
	}
	s.lock = lock
	if err := s.load(); err != nil {
		if s.out != nil {
			s.out.Close()
		}
		lock.Close()
		return nil, err
	}
	return s, nil
}

// load finds the windows. It changes nothing before all of them were read.
func (s *FileStore) load() error {
	entries, err := os.ReadDir(s.dir) // by name, which is by time
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	var tail []byte // of the last
	for i, entry := range entries {
		w, err := windowOf(s.dir, entry.Name())
		if err != nil {
			return err
		}
		if i > 0 && w.from.Before(s.windows[i-1].until) {
			return &FormatError{w.path, "want windows that do not overlap, got one that begins before " + filepath.Base(s.windows[i-1].path) + " ends"}
		}
		if tail, err = w.load(); err != nil {
			return err
		}
		s.windows = append(s.windows, w)
		if i == len(entries)-1 {
			break
		}
		// A file is synced before the next is made: it was changed from outside. What is
		// there stays as it is.
		if w.size == 0 {
			return &FormatError{w.path, "want a whole first line"}
		}
		w.addTail(tail)
	}
	for _, w := range s.windows {
		if w.damaged > 0 {
			s.options.Logger.Warn("archive: lines are no events", slog.String("file", w.path), slog.Int64("lines", w.damaged))
		}
	}
	if len(s.windows) == 0 {
		return nil
	}
	return s.mend(s.windows[len(s.windows)-1], tail)
}

// mend mends the last window, behind whose size there is tail.
func (s *FileStore) mend(w *window, tail []byte) error {
	if len(tail) == 0 && w.size > 0 {
		return nil
	}
	if err := s.openLocked(w, os.O_WRONLY); err != nil {
		return err
	}
	if e, err := parseLine(tail); err == nil {
		if err := s.writeLocked(w.size+int64(len(tail)), []byte("\n")); err != nil {
			return err
		}
		w.add(e.Time, int64(len(tail))+1)
		return nil
	}
	s.options.Logger.Warn("archive: an unfinished line is cut off", slog.String("file", w.path), slog.Int("bytes", len(tail)))
	s.stats.Torn += int64(len(tail))
	s.dirty = true
	return s.cleanLocked(w)
}

// Append keeps e in the file of the moment. The error is that of the system, or wraps
// [ErrStoreClosed] or the context's; what it has left in the file is cut off again, at
// once or, if that fails, before the next event is written.
func (s *FileStore) Append(ctx context.Context, e footbridge.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(ctx, "append"); err != nil {
		return err
	}
	line, err := appendLine(s.line[:0], e)
	if err != nil {
		return footbridge.Permanent(err)
	}
	if cap(line) <= 64<<10 {
		s.line = line
	}
	w, err := s.currentLocked(time.Now().UTC())
	if err != nil {
		return err
	}
	if err := s.writeLocked(w.size, line); err != nil {
		s.dirty = true
		return errors.Join(err, s.cleanLocked(w))
	}
	w.add(e.Time, int64(len(line)))
	s.stats.Appended++
	return nil
}

func (s *FileStore) readyLocked(ctx context.Context, verb string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("archive: %s: %w", verb, err)
	}
	if s.closed {
		return fmt.Errorf("archive: %s: %w", verb, ErrStoreClosed)
	}
	return nil
}

// currentLocked returns the window of events that are appended now, with its file open
// and clean. When the clock was set back, that is still the last one.
func (s *FileStore) currentLocked(now time.Time) (w *window, err error) {
	begin := now.Truncate(s.options.Window)
	end := begin.Add(s.options.Window)
	if n := len(s.windows); n > 0 {
		w = s.windows[n-1]
		if now.Before(w.until) {
			if s.out == nil {
				if err := s.openLocked(w, os.O_WRONLY); err != nil {
					return nil, err
				}
			}
			return w, s.cleanLocked(w)
		}
		if err := s.finishLocked(w); err != nil {
			return nil, err
		}
		if begin.Before(w.until) { // Options.Window was another
			begin = w.until
		}
	}
	w = newWindow(s.dir, begin, end)
	// EXCL: a file of that name is one that expired while it is read.
	if err := s.openLocked(w, os.O_WRONLY|os.O_CREATE|os.O_EXCL); err != nil {
		return nil, err
	}
	s.dirty = true
	s.windows = append(s.windows, w)
	return w, s.cleanLocked(w)
}

// openLocked opens the file of a window, the last one or one that will be.
func (s *FileStore) openLocked(w *window, flag int) error {
	out, err := s.open(w.path, flag)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	s.out = out
	return nil
}

// cleanLocked cuts off what is behind the lines of the last window, whose file is open,
// and writes the header if there is none.
func (s *FileStore) cleanLocked(w *window) error {
	if !s.dirty {
		return nil
	}
	if err := s.out.Truncate(w.size); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if w.size == 0 {
		if err := s.writeLocked(0, []byte(w.header())); err != nil {
			return err
		}
		if err := syncDir(s.lock); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		w.size = int64(len(w.header()))
	}
	s.dirty = false
	return nil
}

// writeLocked writes to the last window's file.
func (s *FileStore) writeLocked(at int64, b []byte) error {
	if _, err := s.out.WriteAt(b, at); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if !s.options.NoSync {
		if err := s.out.Sync(); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// finishLocked syncs and closes the last window's file. With an error it may be tried again.
func (s *FileStore) finishLocked(w *window) error {
	if s.out == nil {
		return nil
	}
	if err := s.cleanLocked(w); err != nil {
		return err
	}
	if err := s.out.Sync(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	err := s.out.Close()
	s.out = nil
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// Expire removes the files of windows that ended before the time, or at it. Those that a
// cursor reads are removed when it is closed.
func (s *FileStore) Expire(ctx context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(ctx, "expire"); err != nil {
		return err
	}
	for len(s.windows) > 0 && !s.windows[0].until.After(before) {
		w := s.windows[0]
		if len(s.windows) == 1 && s.out != nil {
			s.out.Close() // nothing of it is needed any more
			s.out = nil
		}
		if w.readers == 0 {
			if err := w.remove(); err != nil {
				return err
			}
		}
		w.expired = true
		s.stats.Expired += w.events
		s.windows = s.windows[1:]
	}
	return nil
}

// Stats returns the store's counts.
func (s *FileStore) Stats() StoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	for _, w := range s.windows {
		stats.Events += w.events
		stats.Bytes += w.size
		stats.Damaged += w.damaged
	}
	return stats
}

// Close syncs and closes the file of the moment and unlocks the directory. The store
// takes and finds nothing any more; cursors read on. A second Close does nothing.
func (s *FileStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if n := len(s.windows); n > 0 {
		err = s.finishLocked(s.windows[n-1])
	}
	if s.out != nil {
		err = errors.Join(err, s.out.Close())
	}
	return errors.Join(err, s.lock.Close())
}
