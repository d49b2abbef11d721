package archive

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// list returns the names of the files in a directory.
func list(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readFile(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(text)
}

func writeFile(t testing.TB, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// A file's bytes, and where the windows begin and end.
func TestFileFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new", "archive")
		s := openFiles(t, dir, nil)
		e := eventAt("1", midnight.Add(1500*time.Millisecond))
		e.Resources = []string{"arn:x"}
		e.Detail = []byte("{ \"a\" : \"\\n\" }\n")
		appendAll(t, s, e)
		<-time.After(24*time.Hour - 1)
		appendAll(t, s, eventAt("2", midnight))
		<-time.After(1)
		appendAll(t, s, eventAt("3", midnight))
		<-time.After(50 * time.Hour)
		appendAll(t, s, eventAt("4", midnight))
		require.NoError(t, s.Close())
		assert.Equal(t, []string{
			"20000101T000000Z-20000102T000000Z.jsonl", "20000102T000000Z-20000103T000000Z.jsonl", "20000104T000000Z-20000105T000000Z.jsonl",
		}, list(t, dir))
		assert.Equal(t, `{"footbridge-archive":1,"from":"2000-01-01T00:00:00Z","until":"2000-01-02T00:00:00Z"}
{"time":"2000-01-01T00:00:01.5Z","event":{"version":"0","id":"1","detail-type":"Test","source":"test","account":"123456789012","time":"2000-01-01T00:00:01Z","region":"eu-west-1","resources":["arn:x"],"detail":{"a":"\n"}}}
{"time":"2000-01-01T00:00:00Z","event":{"version":"0","id":"2","detail-type":"Test","source":"test","account":"123456789012","time":"2000-01-01T00:00:00Z","region":"eu-west-1","resources":[],"detail":{"id":"2"}}}
`, readFile(t, dir, list(t, dir)[0]))
	})
}

func TestFileStoreReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for i := range 5 {
			s := openFiles(t, dir, &FileOptions{Window: time.Hour})
			stats := s.Stats()
			assert.EqualValues(t, i, stats.Events)
			assert.Zero(t, stats.Appended)
			appendAll(t, s, eventAt(fmt.Sprint(i), midnight))
			<-time.After(20 * time.Minute)
			require.NoError(t, s.Close())
		}
		assert.Len(t, list(t, dir), 2)
		s := openFiles(t, dir, nil)
		assert.Equal(t, []string{"0", "1", "2", "3", "4"}, ids(readAll(t, s, always[0], always[1])))
		assert.Equal(t, StoreStats{Events: 5, Bytes: bytesIn(t, dir)}, s.Stats())
		require.NoError(t, s.Expire(t.Context(), midnight.Add(time.Hour)))
		assert.Len(t, list(t, dir), 1, "the rest of what was open is expired alike")
	})
}

// Options.Window may change, and the clock may be set back: windows do not overlap.
func TestFileStoreChangesWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put := func(window time.Duration) {
			s := openFiles(t, dir, &FileOptions{Window: window})
			appendAll(t, s, eventAt("x", midnight))
			require.NoError(t, s.Close())
		}
		<-time.After(90 * time.Minute)
		put(time.Hour)      // [1h, 2h)
		put(24 * time.Hour) // goes on there
		<-time.After(time.Hour)
		put(24 * time.Hour) // [2h, 24h), since the day begins in what there is
		put(time.Second)    // goes on there
		<-time.After(24 * time.Hour)
		put(7 * 24 * time.Hour)
		assert.Equal(t, []string{
			"20000101T010000Z-20000101T020000Z.jsonl", "20000101T020000Z-20000102T000000Z.jsonl", "20000102T000000Z-20000103T000000Z.jsonl",
		}, list(t, dir)) // the week of a Monday ends on the 3rd
		s := openFiles(t, dir, nil)
		assert.EqualValues(t, 5, s.Stats().Events)

		// What was appended stays its time, whatever window is in the options now.
		require.NoError(t, s.Expire(t.Context(), midnight.Add(24*time.Hour-1)))
		assert.Len(t, list(t, dir), 2)

		w := s.windows[len(s.windows)-1]
		s.mu.Lock()
		got, err := s.currentLocked(midnight.Add(-1000 * time.Hour))
		s.mu.Unlock()
		require.NoError(t, err)
		assert.Same(t, w, got, "with the clock set back")
	})
}

func TestFileStoreExpiresWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openFiles(t, dir, &FileOptions{Window: time.Hour})
		appendAll(t, s, eventAt("1", midnight))
		a, err := s.Read(t.Context(), always[0], always[1])
		require.NoError(t, err)
		b, err := s.Read(t.Context(), always[0], always[1])
		require.NoError(t, err)
		<-time.After(time.Hour)
		require.NoError(t, s.Expire(t.Context(), time.Now()))
		require.NoError(t, a.Close())
		assert.Len(t, list(t, dir), 1, "b reads it")
		require.NoError(t, b.Close())
		assert.Empty(t, list(t, dir))

		// Time stands still where a file of the same name is still read.
		appendAll(t, s, eventAt("2", midnight))
		c, err := s.Read(t.Context(), always[0], always[1])
		require.NoError(t, err)
		require.NoError(t, s.Expire(t.Context(), midnight.Add(3*time.Hour)))
		assert.ErrorIs(t, s.Append(t.Context(), eventAt("3", midnight)), os.ErrExist)
		require.NoError(t, c.Close())
		appendAll(t, s, eventAt("3", midnight))
		assert.Equal(t, []string{"3"}, ids(readAll(t, s, always[0], always[1])))
	})
}

// A file that expires while it is read is removed by its last reader, unless someone else has
// removed it before, or the store was closed.
func TestFileStoreExpiresWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openFiles(t, dir, &FileOptions{Window: time.Hour})
		read := func() Cursor {
			appendAll(t, s, eventAt("1", midnight))
			c, err := s.Read(t.Context(), always[0], always[1])
			require.NoError(t, err)
			<-time.After(time.Hour)
			require.NoError(t, s.Expire(t.Context(), time.Now()))
			return c
		}
		c := read()
		require.NoError(t, os.Remove(filepath.Join(dir, list(t, dir)[0])))
		require.NoError(t, c.Close())

		c = read()
		require.NoError(t, s.Close())
		s = openFiles(t, dir, &FileOptions{Window: time.Hour})
		require.NoError(t, c.Close())
		assert.Len(t, list(t, dir), 1)
		require.NoError(t, s.Expire(t.Context(), time.Now()))
		assert.Empty(t, list(t, dir))
	})
}

func TestFileStoreIsOpenedOnce(t *testing.T) {
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("the directory is locked on Linux, the BSDs and darwin; this test knows Linux")
	}
	dir := t.TempDir()
	s, err := OpenFiles(dir, nil)
	require.NoError(t, err)
	_, err = OpenFiles(dir, nil)
	assert.ErrorIs(t, err, ErrLocked)
	require.NoError(t, s.Close())
	s, err = OpenFiles(dir, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestClosedFileStore(t *testing.T) {
	s := openFiles(t, t.TempDir(), nil)
	appendAll(t, s, eventAt("1", midnight))
	c, err := s.Read(t.Context(), always[0], always[1])
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.ErrorIs(t, s.Append(t.Context(), eventAt("2", midnight)), ErrStoreClosed)
	assert.ErrorIs(t, s.Expire(t.Context(), midnight), ErrStoreClosed)
	_, err = s.Read(t.Context(), always[0], always[1])
	assert.ErrorIs(t, err, ErrStoreClosed)
	e, err := c.Next(t.Context())
	assert.NoError(t, err, "cursors read on")
	assert.Equal(t, "1", e.ID)
	assert.NoError(t, c.Close())
}

// What is no archive is refused with its path, and left as it is.
func TestOpenFilesRefuses(t *testing.T) {
	const name = "20000101T000000Z-20000102T000000Z.jsonl"
	header := newWindow("", midnight, midnight.Add(24*time.Hour)).header()
	for title, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"other file":      {map[string]string{"notes.txt": "x"}, "notes.txt: no archive: want only files with names such as"},
		"other extension": {map[string]string{"20000101T000000Z-20000102T000000Z.json": header}, "want only files"},
		"no time":         {map[string]string{"20000101T000000Z-20001302T000000Z.jsonl": header}, "want only files"},
		"backwards":       {map[string]string{"20000102T000000Z-20000101T000000Z.jsonl": header}, "want only files"},
		"no header":       {map[string]string{name: "{\"time\":\"2000-01-01T00:00:00Z\",\"event\":{}}\n"}, "want the first line"},
		"other header":    {map[string]string{name: strings.Replace(header, ":1,", ":2,", 1)}, `got "{\"footbridge-archive\":2`},
		"other window":    {map[string]string{name: strings.Replace(header, "02T", "03T", 1)}, "want the first line"},
		"long line":       {map[string]string{name: strings.Repeat("x", 1e6)}, "want the first line"},
		"overlap":         {map[string]string{name: header, "20000101T120000Z-20000103T000000Z.jsonl": header}, "windows that do not overlap"},
		"torn header of a window that is not the last": {
			map[string]string{name: header[:10], "20000102T000000Z-20000103T000000Z.jsonl": ""}, "want a whole first line"},
	} {
		t.Run(title, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				writeFile(t, dir, file, text)
			}
			_, err := OpenFiles(dir, nil)
			var refused *FormatError
			require.ErrorAs(t, err, &refused)
			assert.ErrorContains(t, err, "archive: "+dir)
			assert.ErrorContains(t, err, c.want)
			for file, text := range c.files {
				assert.Equal(t, text, readFile(t, dir, file))
			}
			require.NoError(t, os.RemoveAll(dir))
			openFiles(t, dir, nil) // it is not locked
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, filepath.Dir(file), "file", "")
	_, err := OpenFiles(file, nil)
	var refused *FormatError
	assert.ErrorAs(t, err, &refused)
	_, err = OpenFiles("", nil)
	assert.EqualError(t, err, `archive: Parameter dir is not valid. Reason: want the path of a directory, got ""`)
	for _, w := range []time.Duration{-time.Hour, 1500 * time.Millisecond} {
		_, err = OpenFiles(t.TempDir(), &FileOptions{Window: w})
		var parameter *ParameterError
		assert.ErrorAs(t, err, &parameter)
	}
}

// Lines that are no events are counted, reported in their place, and left as they are.
func TestDamagedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openFiles(t, dir, &FileOptions{Window: time.Hour})
		appendAll(t, s, eventAt("1", midnight), eventAt("2", midnight))
		<-time.After(time.Hour)
		appendAll(t, s, eventAt("3", midnight.Add(24*time.Hour)))
		require.NoError(t, s.Close())
		name := list(t, dir)[0]
		lines := strings.SplitAfter(readFile(t, dir, name), "\n")
		damaged := strings.Replace(lines[1], `"id":"1"`, `"id":1`, 1) // found when it is read
		text := lines[0] + "\n" + lines[1] + "garbage\n" + damaged + lines[2] + lines[1][:40]
		writeFile(t, dir, name, text)

		var log strings.Builder
		s = openFiles(t, dir, &FileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stats := s.Stats()
		assert.EqualValues(t, 3, stats.Damaged, "the empty line, the garbage and the last, which is not of the last file")
		assert.EqualValues(t, 4, stats.Events)
		assert.Zero(t, stats.Torn)
		assert.Contains(t, log.String(), "lines=3")
		c, err := s.Read(t.Context(), midnight, midnight.Add(time.Hour))
		require.NoError(t, err)
		var got []string
		for range c.Total() {
			e, err := c.Next(t.Context())
			var damage *DamagedError
			if errors.As(err, &damage) {
				assert.Equal(t, filepath.Join(dir, name), damage.File)
				e.ID = fmt.Sprint("damaged at ", damage.Offset)
			} else {
				require.NoError(t, err)
			}
			got = append(got, e.ID)
		}
		require.NoError(t, c.Close())
		h, l := len(lines[0]), len(lines[1])
		at := func(n int) string { return fmt.Sprint("damaged at ", n) }
		assert.Equal(t, []string{at(h), "1", at(h + 1 + l), at(h + 9 + l), "2", at(h + 7 + 3*l)}, got)
		assert.Equal(t, text, readFile(t, dir, name))

		// No one knows when these happened: they are in every range.
		c, err = s.Read(t.Context(), midnight.AddDate(-1, 0, 0), midnight.AddDate(-1, 0, 1))
		require.NoError(t, err)
		assert.Equal(t, 3, c.Total())
		require.NoError(t, c.Close())
	})
}

// Someone has taken the last line break of a file that is not the last.
func TestMissingLineBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openFiles(t, dir, nil)
		appendAll(t, s, eventAt("1", midnight))
		<-time.After(24 * time.Hour)
		appendAll(t, s, eventAt("2", midnight))
		require.NoError(t, s.Close())
		name := list(t, dir)[0]
		text := strings.TrimSuffix(readFile(t, dir, name), "\n")
		writeFile(t, dir, name, text)
		s = openFiles(t, dir, nil)
		assert.Equal(t, []string{"1", "2"}, ids(readAll(t, s, always[0], always[1])))
		assert.EqualValues(t, 2, s.Stats().Events)
		assert.Equal(t, text, readFile(t, dir, name))
	})
}

// A file that was removed from outside is an error, of Read or of Next, and holds nothing.
func TestVanishedFile(t *testing.T) {
	dir := t.TempDir()
	s := openFiles(t, dir, nil)
	appendAll(t, s, eventAt("1", midnight))
	c, err := s.Read(t.Context(), always[0], always[1])
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, list(t, dir)[0])))
	_, err = c.Next(t.Context())
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = s.Read(t.Context(), always[0], always[1])
	assert.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, c.Close())
	assert.Zero(t, s.windows[0].readers)
}

// Events that only a direct Append can bring are refused for good.
func TestFileStoreRefusesWhatItCannotWrite(t *testing.T) {
	s := openFiles(t, t.TempDir(), nil)
	for _, change := range []func(e *footbridge.Event){
		func(e *footbridge.Event) { e.Time = e.Time.AddDate(8000, 0, 0) },
		func(e *footbridge.Event) { e.Detail = []byte("{") },
	} {
		e := eventAt("1", midnight)
		change(&e)
		var refused *footbridge.EventError
		assert.ErrorAs(t, s.Append(t.Context(), e), &refused)
	}
	assert.Empty(t, readAll(t, s, always[0], always[1]))
}
