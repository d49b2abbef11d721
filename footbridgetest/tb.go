package footbridgetest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// TB is what this package needs of a [testing.TB].
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
}

// waitIdle waits until nothing on a bus is undecided. If the test has a deadline it fails
// the test a second before, and says what is left.
func waitIdle(t TB, bus *footbridge.Bus) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	if err := bus.Wait(ctx); err != nil {
		t.Fatalf("footbridgetest: the bus is not idle (%v): %s", err, undecided(bus))
	}
}

// testContext returns a context that ends with the test, or a second before its deadline.
func testContext(t TB) (context.Context, context.CancelFunc) {
	if deadline, ok := deadlineOf(t); ok {
		return context.WithDeadline(t.Context(), deadline.Add(-time.Second))
	}
	return context.WithCancel(t.Context())
}

// deadlineOf returns when package testing ends the test. In a bubble, whose time is another,
// Deadline panics: there is none.
func deadlineOf(t TB) (deadline time.Time, ok bool) {
	d, has := t.(interface{ Deadline() (time.Time, bool) })
	if !has {
		return time.Time{}, false
	}
	defer func() {
		if recover() != nil {
			deadline, ok = time.Time{}, false
		}
	}()
	return d.Deadline()
}

// A logWriter writes lines to a test's log until the test is over: a test panics that is
// logged to later.
type logWriter struct {
	mu sync.Mutex // guards the field below, and keeps the test from ending in the middle of a line
	t  TB         // nil: over
}

func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", bytes.TrimRight(line, "\n"))
	}
	return len(line), nil
}

func (w *logWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

// logger returns a logger without times, which would differ from run to run.
func (w *logWriter) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
