package footbridgetest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A recordingTB is a test that is to fail.
type recordingTB struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex // guards the fields below
	failures strings.Builder
	log      strings.Builder
	cleanups []func()
}

func (r *recordingTB) Helper()                  {}
func (r *recordingTB) Context() context.Context { return r.ctx }

func (r *recordingTB) Output() io.Writer { return (*recordedLog)(r) }

// recordedLog is what is logged to a recordingTB.
type recordedLog recordingTB

func (l *recordedLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(text)
}

func (r *recordingTB) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.failures, "error: "+format+"\n", args...)
}

func (r *recordingTB) Fatalf(format string, args ...any) {
	r.mu.Lock()
	fmt.Fprintf(&r.failures, "fatal: "+format+"\n", args...)
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recordingTB) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// run runs a test in a bubble, as package testing would, and returns what it reported.
func run(t *testing.T, test func(tb *recordingTB)) (failures, log string) {
	synctest.Test(t, func(t *testing.T) {
		r := &recordingTB{}
		r.ctx, r.cancel = context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			test(r)
		}()
		<-done
		r.cancel()
		for i := len(r.cleanups) - 1; i >= 0; i-- {
			r.cleanups[i]()
		}
		<-time.After(time.Minute) // handlers that heed no context return
		failures, log = r.failures.String(), r.log.String()
	})
	return failures, log
}

// golden compares a text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "%s", file)
}
