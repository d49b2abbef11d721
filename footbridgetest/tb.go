package footbridgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/footbridge-go/footbridge"
)

// TB is what this package needs of a [testing.TB].
type TB interface {
	Helper()
	Output() io.Writer
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
}

// How long an expectation waits. In a bubble time passes only where nothing else can
// happen: longer than any retry is soon over there.
const (
	patience       = 10 * time.Second
	bubblePatience = 10_000 * time.Hour
)

var (
	errPatience       = fmt.Errorf("after %v", patience)
	errBubblePatience = errors.New("after 10,000 hours of the bubble's time")
)

// patient returns a context that ends with the test, or when an expectation has waited
// long enough.
func patient(t TB) (context.Context, context.CancelFunc) {
	if inBubble() {
		return context.WithTimeoutCause(t.Context(), bubblePatience, errBubblePatience)
	}
	return context.WithTimeoutCause(t.Context(), patience, errPatience)
}

// bubblesBegin is the time at which a bubble of testing/synctest begins.
var bubblesBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// inBubble reports whether its caller is in a bubble of testing/synctest. There time begins
// in the year 2000; what takes a bubble twenty years is taken for the real time.
func inBubble() bool {
	now := time.Now()
	return !now.Before(bubblesBegin) && now.Before(bubblesBegin.AddDate(20, 0, 0))
}

// why says why a context of patient has ended.
func why(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx).Error()
	}
	return "when the test ends"
}

// waitIdle waits until nothing on the buses of a test is undecided, or fails the test and
// says what is.
func waitIdle(t TB, bus *footbridge.Bus) {
	t.Helper()
	notInHandler(t, bus)
	ctx, cancel := patient(t)
	defer cancel()
	buses := ofTest(bus)
	if waitAll(ctx, buses) != nil {
		t.Fatalf("footbridgetest: %s", notIdle(ctx, buses))
	}
}

// notInHandler fails the test, and the attempt that its caller is part of, if it is in a
// handler. Of a bus's handlers, which are called again, it says so once.
func notInHandler(t TB, bus *footbridge.Bus) {
	t.Helper()
	if !inHandler() {
		return
	}
	if k, ok := allBooks.Load(bus); ok && k.(*books).toldInHandler.Swap(true) {
		runtime.Goexit()
	}
	t.Fatalf("footbridgetest: an expectation in a handler waits for that handler, and so for ever: it belongs in the test itself")
}

// inHandler reports whether its caller is called by a worker of a bus.
func inHandler() bool {
	var callers [128]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "github.com/footbridge-go/footbridge/internal/dispatch.") {
			return true
		}
		if !more {
			return false
		}
	}
}

// ofTest returns a bus and the others that New has made for the same test, which is not
// over: what one of them has may be on its way to another.
func ofTest(bus *footbridge.Bus) []*footbridge.Bus {
	buses := []*footbridge.Bus{bus}
	k, ok := allBooks.Load(bus)
	if !ok {
		return buses
	}
	for other, of := range allBooks.Range {
		if other != bus && of.(*books).test == k.(*books).test {
			buses = append(buses, other.(*footbridge.Bus))
		}
	}
	slices.SortStableFunc(buses[1:], func(a, b *footbridge.Bus) int { return strings.Compare(a.Name(), b.Name()) })
	return buses
}

// waitAll waits until all buses are idle at once: each has been idle, and meanwhile none
// has accepted anything, as in [footbridge.Hub.Wait].
func waitAll(ctx context.Context, buses []*footbridge.Bus) error {
	for {
		before := deliveries(buses)
		for _, b := range buses {
			if err := b.Wait(ctx); err != nil {
				return err
			}
		}
		if deliveries(buses) == before {
			return nil
		}
	}
}

// deliveries returns how many the buses have accepted.
func deliveries(buses []*footbridge.Bus) (n int64) {
	for _, b := range buses {
		n += b.Stats().Deliveries
	}
	return n
}

// notIdle says why buses are not idle for which a context of patient was too short: the
// first that is not, by name if it is not the first of all.
func notIdle(ctx context.Context, buses []*footbridge.Bus) string {
	bus, which := buses[0], "the bus"
	for _, b := range buses {
		if b.Stats().Undecided > 0 {
			if b != bus {
				bus, which = b, "bus "+b.Name()+" of this test"
			}
			break
		}
	}
	s := fmt.Sprintf("%s is not idle %s: %s", which, why(ctx), undecided(bus))
	if context.Cause(ctx) == errPatience {
		for _, t := range bus.Stats().Targets {
			if t.Retrying > 0 {
				return s + "\n  retries, and letters that a DLQ has refused, take their time here, and none in a bubble of testing/synctest; see also Options.Retry"
			}
		}
	}
	return s
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
	if w.t == nil {
		return len(line), nil
	}
	if _, err := w.t.Output().Write(readable(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// readable puts a panic's stack, which is quoted in a line of the log, into lines of its own.
func readable(line []byte) []byte {
	before, quoted, ok := bytes.Cut(line, []byte(" stack="))
	stack, err := strconv.Unquote(string(bytes.TrimSpace(quoted)))
	if !ok || err != nil {
		return line
	}
	return fmt.Appendf(nil, "%s\n%s", before, stack)
}

func (w *logWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

// logger returns a logger without times, which would differ from run to run, and without
// what is logged of each attempt: of a day of retries that would be hundreds of lines.
func (w *logWriter) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
