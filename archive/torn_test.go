package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The process ends at every byte of the last file: no earlier line is lost, what is whole
// is found, and the store goes on.
func TestTornFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openFiles(t, dir, &FileOptions{Window: time.Hour, NoSync: true})
		appendAll(t, s, eventAt("1", midnight), eventAt("2", midnight))
		<-time.After(time.Hour)
		appendAll(t, s, eventAt("3", midnight), eventAt("4", midnight), eventAt("ü", midnight))
		require.NoError(t, s.Close())
		names := list(t, dir)
		require.Len(t, names, 2)
		whole := readFile(t, dir, names[1])
		var ends []int // of the lines, without their breaks
		for i, c := range whole {
			if c == '\n' {
				ends = append(ends, i)
			}
		}
		all := []string{"1", "2", "3", "4", "ü"}
		for cut := range len(whole) + 1 {
			torn := t.TempDir()
			writeFile(t, torn, names[0], readFile(t, dir, names[0]))
			writeFile(t, torn, names[1], whole[:cut])
			want := all[:2:2]
			for i, end := range ends[1:] {
				if cut >= end {
					want = all[: 3+i : 3+i]
				}
			}
			s := quick(openFiles(t, torn, &FileOptions{NoSync: true}))
			require.Equal(t, want, ids(readAll(t, s, always[0], always[1])), "cut at %d", cut)
			stats := s.Stats()
			assert.Equal(t, len(want), int(stats.Events))
			assert.Zero(t, stats.Damaged)
			appendAll(t, s, eventAt("next", midnight))
			require.NoError(t, s.Close())
			unfinished := cut - (strings.LastIndexByte(whole[:cut], '\n') + 1)
			if slices.Contains(ends[1:], cut) { // but for its line break the line is whole
				unfinished = 0
			}
			require.EqualValues(t, unfinished, stats.Torn, "what is cut off is counted; cut at %d", cut)

			s = openFiles(t, torn, nil)
			require.Equal(t, append(want, "next"), ids(readAll(t, s, always[0], always[1])), "cut at %d", cut)
			stats = s.Stats()
			assert.Zero(t, stats.Torn+stats.Damaged)
			require.NoError(t, s.Close())
		}
	})
}

// A badFile fails at one call, after it has written a part, and maybe at what follows.
type badFile struct {
	file
	disk *badDisk
}

// A badDisk fails its calls from the n-th on, for so many.
type badDisk struct {
	call, from, failures int
	short                int // bytes that are written all the same
}

var errDisk = errors.New("disk is full")

func (d *badDisk) err() error {
	d.call++
	if d.from < d.call && d.call <= d.from+d.failures {
		return errDisk
	}
	return nil
}

func (f *badFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.disk.err(); err != nil {
		n, _ := f.file.WriteAt(b[:min(len(b), f.disk.short)], at)
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f *badFile) Truncate(size int64) error {
	if err := f.disk.err(); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *badFile) Sync() error { return f.disk.err() } // what it says is what counts here

// Every call fails once, or with what follows it, having written any part of its bytes:
// what was acknowledged is there, what was refused is not, and the store recovers.
func TestFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts := []int{0, 1, 100, 1000}
		for failures := 1; failures <= 3; failures++ {
			for from, failed := 0, true; failed; from++ {
				failed = false
				for _, short := range parts {
					failed = storeOnBadDisk(t, &badDisk{from: from, failures: failures, short: short}) || failed
				}
			}
		}
	})
}

// storeOnBadDisk reports whether the disk has failed.
func storeOnBadDisk(t *testing.T, disk *badDisk) bool {
	dir := t.TempDir()
	name := fmt.Sprintf("%+v", *disk)
	s, err := OpenFiles(dir, &FileOptions{Window: time.Hour})
	require.NoError(t, err)
	s.open = func(name string, flag int) (file, error) {
		if err := disk.err(); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(name, flag, 0o600)
		return &badFile{f, disk}, err
	}
	var kept []string
	for i := range 6 {
		id := fmt.Sprint(i)
		if err := s.Append(t.Context(), eventAt(id, midnight)); err == nil {
			kept = append(kept, id)
		} else {
			require.ErrorIs(t, err, errDisk, name)
			headless := slices.ContainsFunc(s.windows, func(w *window) bool { return w.size == 0 })
			if disk.failures == 1 && !headless { // what it has left was cut off at once
				require.Equal(t, s.Stats().Bytes, bytesIn(t, dir), name)
			}
		}
		require.Equal(t, kept, ids(readAll(t, s, always[0], always[1])), name)
		<-time.After(25 * time.Minute)
	}
	if err := s.Close(); err != nil {
		require.ErrorIs(t, err, errDisk, name)
	}
	s = openFiles(t, dir, nil)
	defer s.Close()
	got := ids(readAll(t, s, always[0], always[1]))
	stats := s.Stats()
	assert.Zero(t, stats.Damaged, name)
	// What was refused may be found again only if the disk failed to the end, so that it
	// could not be cut off.
	if disk.call > disk.from+disk.failures {
		require.Equal(t, kept, got, name)
		assert.Zero(t, stats.Torn, name)
	} else {
		require.Subset(t, got, kept, name)
	}
	return disk.call > disk.from
}

func bytesIn(t *testing.T, dir string) (n int64) {
	for _, name := range list(t, dir) {
		n += int64(len(readFile(t, dir, name)))
	}
	return n
}

// A quickFile does not wait for the disk.
type quickFile struct{ file }

func (quickFile) Sync() error { return nil }

// quick keeps a store from waiting for the disk, also where NoSync does not.
func quick(s *FileStore) *FileStore {
	if s.out != nil {
		s.out = quickFile{s.out}
	}
	open := s.open
	s.open = func(name string, flag int) (file, error) {
		f, err := open(name, flag)
		return quickFile{f}, err
	}
	return s
}

// A header that could not be written is written by the next open, too.
func TestFileStoreWithoutHeader(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenFiles(dir, nil)
	require.NoError(t, err)
	disk := &badDisk{from: 2, failures: 1 << 30, short: 10} // open and truncate succeed
	s.open = func(name string, flag int) (file, error) {
		f, err := os.OpenFile(name, flag, 0o600)
		disk.call++
		return &badFile{f, disk}, err
	}
	assert.ErrorIs(t, s.Append(t.Context(), eventAt("1", midnight)), errDisk)
	assert.ErrorIs(t, s.Close(), errDisk)
	info, err := os.Stat(filepath.Join(dir, list(t, dir)[0]))
	require.NoError(t, err)
	assert.EqualValues(t, 10, info.Size())
	s = openFiles(t, dir, nil)
	appendAll(t, s, eventAt("2", midnight))
	assert.Equal(t, []string{"2"}, ids(readAll(t, s, always[0], always[1])))
}
