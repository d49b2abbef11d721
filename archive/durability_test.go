package archive

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A noisyFile notes what is done with it.
type noisyFile struct {
	file
	log *strings.Builder
}

func (f noisyFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.file.WriteAt(b, at)
	what := "line"
	if at == 0 {
		what = "header"
	}
	fmt.Fprintf(f.log, " %s", what)
	return n, err
}

func (f noisyFile) Sync() error {
	f.log.WriteString(" sync")
	return f.file.Sync()
}

func (f noisyFile) Close() error {
	f.log.WriteString(" close;")
	return f.file.Close()
}

// When what is written is synced.
func TestSync(t *testing.T) {
	for noSync, want := range map[bool]string{
		false: " header sync line sync line sync sync close; header sync line sync sync close;",
		true:  " header line line sync close; header line sync close;",
	} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			s := openFiles(t, t.TempDir(), &FileOptions{Window: time.Hour, NoSync: noSync})
			open := s.open
			s.open = func(name string, flag int) (file, error) {
				f, err := open(name, flag)
				return noisyFile{f, &log}, err
			}
			appendAll(t, s, eventAt("1", midnight), eventAt("2", midnight))
			<-time.After(time.Hour)
			appendAll(t, s, eventAt("3", midnight))
			require.NoError(t, s.Close())
			assert.Equal(t, want, log.String(), "NoSync %v", noSync)
		})
	}
}

// A process that is killed leaves a directory that another can open, with all that it has
// been told was kept.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv("ARCHIVE_TEST_DIR"); dir != "" {
		appendForEver(t, dir)
	}
	for _, acknowledged := range []int{1, 50, 500} {
		dir := t.TempDir()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
		child.Env = append(os.Environ(), "ARCHIVE_TEST_DIR="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		var want []string
		for len(want) < acknowledged && lines.Scan() {
			want = append(want, lines.Text())
		}
		require.NoError(t, child.Process.Kill())
		for lines.Scan() { // what it has written before it ended
			want = append(want, lines.Text())
		}
		require.Error(t, child.Wait())
		require.GreaterOrEqual(t, len(want), acknowledged)
		s := openFiles(t, dir, nil)
		got := ids(readAll(t, s, always[0], always[1]))
		require.GreaterOrEqual(t, len(got), len(want))
		assert.LessOrEqual(t, len(got), len(want)+1, "one was kept that it was not told of")
		assert.Equal(t, want, got[:len(want)])
		assert.Zero(t, s.Stats().Damaged)
	}
}

// appendForEver prints the ID of each event that was kept.
func appendForEver(t *testing.T, dir string) {
	s, err := OpenFiles(dir, &FileOptions{NoSync: true})
	require.NoError(t, err)
	for i := 0; ; i++ {
		id := fmt.Sprint(i)
		appendAll(t, s, eventAt(id, midnight))
		if _, err := fmt.Println(id); err != nil { // no one is there any more
			os.Exit(1)
		}
	}
}
