package footbridgetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/footbridge-go/footbridge"
)

// A Recorder is a handler that keeps what it gets, and never fails. [Record] and
// [NewRecorder] make one. Target, Handle, Deliveries and Events may be called by any number
// of goroutines, the others, which may fail the test at once, only by the test's own.
type Recorder struct {
	t       TB
	bus     *footbridge.Bus
	name    string              // in messages
	pattern *footbridge.Pattern // of the rule that Record has put; nil: none
	before  int                 // how many events were published before that

	mu         sync.Mutex // guards the fields below
	deliveries []footbridge.Delivery
	expected   int           // how many of the deliveries, the first ones, Expect has seen
	grown      chan struct{} // closed when there is one more
}

var recorders atomic.Int64 // rules that Record has put

const rulePrefix = "footbridgetest-" // of their names

// Record puts a rule of its own on a bus and returns the recorder of the events that match
// pattern. An event that it alone matches does match a rule: with Options.Strict the bus
// accepts it.
func Record(t TB, bus *footbridge.Bus, pattern string) *Recorder {
	t.Helper()
	p, err := footbridge.Compile(pattern)
	if err != nil {
		t.Fatalf("footbridgetest: pattern %s: %v", pattern, err)
	}
	r := NewRecorder(t, bus)
	r.name, r.pattern = "recorder of "+pattern, p
	if k, ok := allBooks.Load(bus); ok {
		r.before = len(k.(*books).events())
	}
	rule := footbridge.Rule{Name: rulePrefix + strconv.FormatInt(recorders.Add(1), 10), Pattern: p, Targets: []footbridge.Target{r.Target("recorder")}}
	if err := bus.PutRule(rule); err != nil {
		t.Fatalf("footbridgetest: %v", err)
	}
	return r
}

// NewRecorder returns a recorder for targets of rules on bus: see [Recorder.Target].
func NewRecorder(t TB, bus *footbridge.Bus) *Recorder {
	return &Recorder{t: t, bus: bus, name: "recorder", grown: make(chan struct{})}
}

// Target returns a target that records. It may be called several times, for several rules.
func (r *Recorder) Target(id string) footbridge.Target {
	return footbridge.Target{ID: id, Handler: r}
}

// Handle records d. It implements [footbridge.Handler].
func (r *Recorder) Handle(_ context.Context, d footbridge.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deliveries = append(r.deliveries, d)
	close(r.grown)
	r.grown = make(chan struct{})
	return nil
}

// Deliveries returns what was recorded so far, in the order it came, without waiting.
func (r *Recorder) Deliveries() []footbridge.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.deliveries)
}

// Events returns the events of Deliveries.
func (r *Recorder) Events() []footbridge.Event {
	var events []footbridge.Event
	for _, d := range r.Deliveries() {
		events = append(events, d.Event)
	}
	return events
}

// Wait returns as soon as n events were recorded in all. If the bus becomes idle before, it
// fails the test at once: there will be no more.
func (r *Recorder) Wait(n int) []footbridge.Event {
	r.t.Helper()
	ctx, cancel := patient(r.t)
	defer cancel()
	buses, idle := ofTest(r.bus), make(chan error, 1)
	go func() { idle <- waitAll(ctx, buses) }()
	for {
		r.mu.Lock()
		got, grown := len(r.deliveries), r.grown
		r.mu.Unlock()
		if got >= n {
			return r.Events()
		}
		select {
		case <-grown:
		case err := <-idle:
			events := r.Events()
			if len(events) >= n {
				return events
			}
			state := "the bus is idle"
			if err != nil {
				state = notIdle(ctx, buses)
			}
			r.t.Fatalf("footbridgetest: %s: want %s, got %d, and %s%s%s", r.name, counted(n, "event"), len(events), state, listed("\n  got ", events), r.missed(len(events)))
			return events
		}
	}
}

// missed says, of a recorder of Record that has recorded nothing at all, why the event that
// comes nearest to its pattern does not match.
func (r *Recorder) missed(recorded int) string {
	k, ok := allBooks.Load(r.bus)
	if !ok || r.pattern == nil || recorded > 0 {
		return ""
	}
	events := k.(*books).events()
	if len(events) == 0 {
		return "\n  no event was published"
	}
	if i := slices.IndexFunc(events, func(e footbridge.Event) bool { return matches(r.pattern, &e) }); i >= 0 {
		if i < r.before {
			return "\n  it was put too late for " + eventText(&events[i])
		}
		return "\n  it matches " + eventText(&events[i]) + ", which was published to other rules alone"
	}
	return fmt.Sprintf("\n  none of %s published matches its pattern%s", counted(len(events), "event"), nearest(r.pattern, events, "\n    "))
}

// Expect waits until the bus is idle, and fails the test unless the events recorded since
// the last Expect are exactly as many as the patterns, and each pattern matches one of its
// own. The order does not matter. A pattern for any event is {"source":[{"exists":true}]}.
func (r *Recorder) Expect(patterns ...string) {
	r.t.Helper()
	compiled := compile(r.t, patterns)
	waitIdle(r.t, r.bus)
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []footbridge.Event
	var envelopes [][]byte
	for _, d := range r.deliveries[r.expected:] {
		events = append(events, d.Event)
		envelopes = append(envelopes, envelope(&d.Event))
	}
	r.expected = len(r.deliveries)
	pairs := pair(compiled, envelopes)
	var left []footbridge.Event
	for j := range events {
		if !slices.Contains(pairs, j) {
			left = append(left, events[j])
		}
	}
	var s strings.Builder
	missing := 0
	for i, p := range compiled {
		if pairs[i] >= 0 {
			continue
		}
		if missing++; missing <= most {
			fmt.Fprintf(&s, "\n  none is left for %s%s", p, nearest(p, left, "\n    "))
		}
	}
	if missing > most {
		fmt.Fprintf(&s, "\n  none is left for %s", counted(missing-most, "more pattern"))
	}
	s.WriteString(listed("\n  left over is ", left))
	if s.Len() > 0 {
		r.t.Errorf("footbridgetest: %s: events are not as expected: want %d, got %d%s%s", r.name, len(patterns), len(events), s.String(), r.missed(len(r.deliveries)))
	}
}

// ExpectNone waits until the bus is idle, and fails the test if an event was recorded since
// the last Expect that one of the patterns matches; without patterns, if any was recorded.
func (r *Recorder) ExpectNone(patterns ...string) {
	r.t.Helper()
	compiled := compile(r.t, patterns)
	waitIdle(r.t, r.bus)
	r.mu.Lock()
	defer r.mu.Unlock()
	var faults []string
	for _, d := range r.deliveries[r.expected:] {
		if len(compiled) == 0 {
			faults = append(faults, fmt.Sprintf("want no event, got %s", eventText(&d.Event)))
		}
		for _, p := range compiled {
			if matches(p, &d.Event) {
				faults = append(faults, fmt.Sprintf("want no event for %s, got %s", p, eventText(&d.Event)))
			}
		}
	}
	for _, fault := range shortened(faults, "want no event, got ") {
		r.t.Errorf("footbridgetest: %s: %s", r.name, fault)
	}
}

// pair gives as many patterns as possible an event of their own, and returns for each the
// event's index, or -1.
//
// It looks for augmenting paths: a pattern takes an event from another that has an
// alternative. So one that matches much does not take what another depends on. The events
// are envelopes, since each is matched with each pattern.
func pair(patterns []*footbridge.Pattern, events [][]byte) []int {
	pairs := make([]int, len(patterns)) // event by pattern
	owner := make([]int, len(events))   // pattern by event
	for j := range owner {
		owner[j] = -1
	}
	can := make([][]int, len(patterns)) // events that a pattern matches
	alike := make(map[string][]int)     // the same by text, since many patterns may be the same
	for i, p := range patterns {
		pairs[i] = -1
		matched, known := alike[p.String()]
		for j := 0; !known && j < len(events); j++ {
			if ok, err := p.Match(events[j]); err == nil && ok {
				matched = append(matched, j)
			}
		}
		can[i], alike[p.String()] = matched, matched
	}
	var find func(i int, tried []bool) bool
	find = func(i int, tried []bool) bool {
		free := slices.IndexFunc(can[i], func(j int) bool { return owner[j] < 0 })
		if free >= 0 {
			pairs[i], owner[can[i][free]] = can[i][free], i
			return true
		}
		for _, j := range can[i] {
			if tried[j] {
				continue
			}
			tried[j] = true
			if find(owner[j], tried) {
				pairs[i], owner[j] = j, i
				return true
			}
		}
		return false
	}
	for i := range patterns {
		find(i, make([]bool, len(events)))
	}
	return pairs
}

// most is how many events or letters a failure lists.
const most = 10

// listed returns the events, each with a text before it.
func listed(before string, events []footbridge.Event) string {
	var lines []string
	for i := range events {
		lines = append(lines, before+eventText(&events[i]))
	}
	return strings.Join(shortened(lines, before), "")
}

// shortened replaces what is behind the first lines of many by their number, with a text
// before it.
func shortened(lines []string, before string) []string {
	if more := len(lines) - most; more > 0 {
		return append(slices.Clone(lines[:most]), fmt.Sprintf("%s%d more", before, more))
	}
	return lines
}
