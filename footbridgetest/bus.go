package footbridgetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/footbridge-go/footbridge"
)

// How long a bus whose test has ended waits for handlers to return. It is measured in
// ticks: those that a busy machine drops do not count. In a bubble it waits as long as
// expectations do.
const (
	closeWait  = 5 * time.Second
	closeTick  = time.Millisecond
	bubbleTick = time.Hour
)

// books are what New keeps of a bus.
type books struct {
	log  logWriter
	test <-chan struct{} // Done of the test's context, by which tests are told apart

	toldInHandler atomic.Bool // that an expectation was in a handler

	mu        sync.Mutex // guards the fields below
	published []footbridge.Event
	letters   []footbridge.DeadLetter // that nobody has expected yet
	lost      []footbridge.LostInfo
}

var allBooks sync.Map // of *books by *footbridge.Bus, from New until the test has ended

// New returns a bus for a test, made with opts, which may be nil. It differs from
// [footbridge.New] in this:
//
//   - Without a Logger it logs to the test. Events that match no rule are logged, too.
//   - Middleware is not around the recorders of [Record], so that what injects faults spares them.
//   - Without a DLQ it has a [footbridge.MemoryDLQ].
//   - When the test ends the bus is closed, as soon as it is idle: handlers may publish
//     until then. What waits for a retry is attempted at once, as often as its policy allows.
//   - The test fails on dead letters that no [ExpectDeadLetters] has asked for, on lost
//     deliveries that no [ExpectLost] has asked for, and on handlers that do not return
//     within five seconds, or in a bubble within 10,000 hours of its time.
//   - What is said of an idle bus here and elsewhere in this package is meant of all buses
//     that New has made for the same test, since one may forward to another. If at the end
//     only others are not idle, the bus is closed behind those five seconds without a failure.
//
// opts.Observer is told all the same.
func New(t TB, opts *footbridge.Options) *footbridge.Bus {
	t.Helper()
	var o footbridge.Options
	if opts != nil {
		o = *opts
	}
	k := &books{log: logWriter{t: t}, test: t.Context().Done()}
	if o.Logger == nil {
		o.Logger = k.log.logger()
	}
	if o.DLQ == nil {
		o.DLQ = &footbridge.MemoryDLQ{}
	}
	o.Observer = k.observer(o.Observer, o.Logger)
	o.Middleware = sparing(o.Middleware)
	bus := footbridge.New(&o)
	allBooks.Store(bus, k)
	t.Cleanup(func() {
		t.Helper()
		defer k.log.end()
		defer allBooks.Delete(bus)
		k.close(t, bus)
	})
	return bus
}

// booksOf returns the books of a bus that New has made.
func booksOf(t TB, bus *footbridge.Bus) *books {
	t.Helper()
	k, ok := allBooks.Load(bus)
	if !ok {
		t.Fatalf("footbridgetest: the bus was not made by footbridgetest.New, or its test is over")
	}
	return k.(*books)
}

// sparing returns middleware that leaves the recorders of Record alone.
func sparing(all []footbridge.Middleware) (sparing []footbridge.Middleware) {
	for _, m := range all {
		if m == nil { // which footbridge.New refuses
			return all
		}
		sparing = append(sparing, func(next footbridge.Handler) footbridge.Handler {
			if r, ok := next.(*Recorder); ok && r.pattern != nil {
				return next
			}
			return m(next)
		})
	}
	return sparing
}

// events returns what was published so far.
func (k *books) events() []footbridge.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.published)
}

// observer returns an observer that enters things in the books, logs events that go
// nowhere, and then tells next.
func (k *books) observer(next *footbridge.Observer, log *slog.Logger) *footbridge.Observer {
	var o footbridge.Observer
	if next != nil {
		o = *next
	}
	o.Published = entering(k, o.Published, func(p footbridge.PublishInfo) { k.published = append(k.published, p.Event) })
	o.DeadLettered = entering(k, o.DeadLettered, func(d footbridge.DeadLetter) { k.letters = append(k.letters, d) })
	unmatched := o.Unmatched
	o.Unmatched = func(p footbridge.PublishInfo) {
		log.Info("footbridgetest: no rule matches " + eventText(&p.Event))
		if unmatched != nil {
			unmatched(p)
		}
	}
	o.Lost = entering(k, o.Lost, func(l footbridge.LostInfo) { k.lost = append(k.lost, l) })
	return &o
}

func entering[T any](k *books, next, enter func(T)) func(T) {
	return func(info T) {
		k.mu.Lock()
		enter(info)
		k.mu.Unlock()
		if next != nil {
			next(info)
		}
	}
}

// close closes the bus and reports what nobody expected.
func (k *books) close(t TB, bus *footbridge.Bus) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	buses := ofTest(bus)
	closed := make(chan error, 1)
	go func() {
		_ = waitAll(ctx, buses) // since Close refuses what handlers publish
		closed <- bus.Close(ctx)
	}()
	limit, tick := closeWait, closeTick
	if inBubble() {
		limit, tick = bubblePatience, bubbleTick
	}
	// An attempt that fails waits again: RetryNow is for those that wait at the moment.
	again := time.NewTicker(tick)
	defer again.Stop()
	var err error
	for start, ticks, done := time.Now(), time.Duration(0), false; !done; {
		select {
		case err = <-closed:
			done = true
		case <-again.C:
			for _, b := range buses {
				b.RetryNow()
			}
			if ticks++; ticks == limit/tick {
				if bus.Stats().Undecided > 0 { // else another bus is not idle, which is closed later
					t.Errorf("footbridgetest: %v after the end of the test the bus is not idle: %s", time.Since(start).Round(time.Second), undecided(bus))
				}
				cancel() // closes by force
			}
		}
	}
	var forced *footbridge.CloseError // whose dead letters and losses are in the books
	if err != nil && !errors.As(err, &forced) {
		t.Errorf("footbridgetest: %v", err)
	}
	k.report(t, forced != nil)
}

// report fails the test on what nobody expected. Of what became of deliveries because the
// bus was closed by force it gives the number: why it was is reported already.
func (k *books) report(t TB, forced bool) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	closed := 0
	var faults []string
	slices.SortStableFunc(k.letters, compareLetters)
	for i := range k.letters {
		if forced && k.letters[i].ErrorCode == footbridge.CodeBusClosed {
			closed++
			continue
		}
		faults = append(faults, "unexpected dead letter: "+letterText(&k.letters[i]))
	}
	slices.SortStableFunc(k.lost, compareLost)
	for i := range k.lost {
		if forced && k.lost[i].Letter.ErrorCode == footbridge.CodeBusClosed {
			closed++
			continue
		}
		faults = append(faults, fmt.Sprintf("lost delivery (%v): %s", k.lost[i].Err, letterText(&k.lost[i].Letter)))
	}
	for _, fault := range shortened(faults, "unexpected dead letters and lost deliveries: ") {
		t.Errorf("footbridgetest: %s", fault)
	}
	if closed > 0 {
		t.Errorf("footbridgetest: deliveries given up when the bus was closed by force: %d", closed)
	}
}

func compareLost(a, b footbridge.LostInfo) int { return compareLetters(a.Letter, b.Letter) }

// compareLetters orders letters by target and event, so that reports are the same in each run.
func compareLetters(a, b footbridge.DeadLetter) int {
	return cmp.Or(strings.Compare(letterTarget(a), letterTarget(b)), strings.Compare(a.Event.ID, b.Event.ID))
}

func letterTarget(d footbridge.DeadLetter) string { return d.Rule + "/" + d.Target }

func letterText(d *footbridge.DeadLetter) string {
	s := fmt.Sprintf("%s, %s: %s: %s", letterTarget(*d), eventText(&d.Event), d.ErrorCode, d.ErrorMessage)
	if d.ExhaustedRetryCondition != "" {
		s += fmt.Sprintf(" (%s, after %d retries)", d.ExhaustedRetryCondition, d.RetryAttempts)
	}
	return s
}

// eventText returns an event in short.
func eventText(e *footbridge.Event) string {
	const longest, uuid, enough = 120, 36, 8
	id := e.ID
	if len(id) == uuid {
		id = id[:enough] + "…" // such as New made; logs have all of it
	}
	var compact bytes.Buffer // in one line
	detail := string(e.Detail)
	if json.Compact(&compact, e.Detail) == nil {
		detail = compact.String()
	}
	if len(detail) > longest {
		detail = strings.ToValidUTF8(detail[:longest], "") + "…"
	}
	return strings.TrimSuffix("event "+id, " ") + fmt.Sprintf(" (%s, %s) %s", e.Source, e.DetailType, detail)
}

// undecided says which targets have deliveries that are not decided.
func undecided(bus *footbridge.Bus) string {
	var parts []string
	for _, s := range bus.Stats().Targets {
		for _, n := range []struct {
			n    int
			what string
		}{{s.Running, "running"}, {s.Waiting, "waiting for their turn"}, {s.Retrying, "waiting to be tried again"}} {
			if n.n > 0 {
				parts = append(parts, fmt.Sprintf("%s/%s: %d %s", s.Rule, s.Target, n.n, n.what))
			}
		}
	}
	if parts == nil {
		return "deliveries of targets that were removed"
	}
	return strings.Join(parts, "; ")
}

// Publish publishes an event with detail's JSON and returns its ID. It fails the test if
// the bus refuses the event.
func Publish(t TB, bus *footbridge.Bus, source, detailType string, detail any) (id string) {
	t.Helper()
	e, err := footbridge.NewEvent(source, detailType, detail)
	if err == nil {
		id, err = bus.Publish(t.Context(), e)
	}
	if err != nil {
		t.Fatalf("footbridgetest: publish source %q, detail-type %q: %v", source, detailType, err)
	}
	return id
}
