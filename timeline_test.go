package footbridge

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden timelines anew")

// A timeline records what happens on a bus, with the bubble's time. What happens at
// the same time at different targets is listed by target: its order is chance.
type timeline struct {
	t     *testing.T
	start time.Time
	mu    sync.Mutex // guards the fields below
	lines []line
	step  int // of the scenario: what happens in different steps stays in order
}

type line struct {
	time          time.Duration
	step          int
	subject, text string // subject: rule/target, or ""
}

// trace runs scenario in a bubble and compares what it records with
// testdata/trace/NAME.txt.
func trace(t *testing.T, name string, scenario func(t *testing.T, l *timeline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &timeline{t: t, start: time.Now()}
		scenario(t, l)
		got := l.String()
		file := filepath.Join("testdata", "trace", name+".txt")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), got, "%s", file)
	})
}

func (l *timeline) String() string {
	slices.SortStableFunc(l.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.step, b.step), cmp.Compare(a.subject, b.subject))
	})
	var s strings.Builder
	for _, line := range l.lines {
		fmt.Fprintf(&s, "t=%v %s", line.time, line.subject)
		fmt.Fprintln(&s, strings.TrimPrefix(" "+line.text, map[bool]string{true: " "}[line.subject == ""]))
	}
	return s.String()
}

func (l *timeline) add(subject, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line{time.Since(l.start), l.step, subject, fmt.Sprintf(format, args...)})
}

// note records a step of the scenario itself.
func (l *timeline) note(format string, args ...any) {
	l.settle()
	l.add("", format, args...)
	l.settle()
}

// settle waits until all that can happen now has happened.
func (l *timeline) settle() {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step++
}

// observer records all that a bus tells.
func (l *timeline) observer() *Observer {
	return &Observer{
		Published: func(i PublishInfo) { l.add("", "published %s: %d rules, %d targets", i.Event.ID, i.Rules, i.Targets) },
		Unmatched: func(i PublishInfo) { l.add("", "unmatched %s", i.Event.ID) },
		Attempted: func(i AttemptInfo) {
			result := "ok"
			if i.Err != nil {
				result = fmt.Sprintf("error: %v", i.Err)
			}
			if i.Retry {
				result += fmt.Sprintf("; again in %v", i.Delay)
			}
			l.add(i.Delivery.Rule+"/"+i.Delivery.Target, "%s attempt %d: %s", i.Delivery.Event.ID, i.Delivery.Attempt, result)
		},
		Delivered: func(d Delivery) { l.add(d.Rule+"/"+d.Target, "%s delivered", d.Event.ID) },
		DeadLettered: func(d DeadLetter) {
			text := fmt.Sprintf("%s dead-lettered: %s after %d retries %s", d.Event.ID, d.ErrorCode, d.RetryAttempts, d.ExhaustedRetryCondition)
			l.add(d.Rule+"/"+d.Target, "%s", strings.TrimSpace(text))
		},
		Lost: func(i LostInfo) {
			l.add(i.Letter.Rule+"/"+i.Letter.Target, "%s lost: %s; dlq: %v", i.Letter.Event.ID, i.Letter.ErrorCode, i.Err)
		},
	}
}

// bus returns a bus that l observes and that is closed, and its books checked, when
// the test is over.
func (l *timeline) bus(o Options) *Bus {
	o.Observer = l.observer()
	b := New(&o)
	l.t.Cleanup(func() {
		assert.NoError(l.t, b.Close(context.Background()))
		checkBooks(l.t, b)
	})
	return b
}

// checkBooks holds that each accepted delivery of a bus at rest was decided once.
func checkBooks(t *testing.T, b *Bus) {
	t.Helper()
	s := b.Stats()
	assert.Zero(t, s.Undecided)
	assert.Equal(t, s.Deliveries, s.Delivered+s.DeadLettered+s.Lost, "%+v", s)
	for _, target := range s.Targets {
		assert.Zero(t, target.Waiting+target.Running+target.Retrying, "%+v", target)
	}
}

// everything matches every event.
var everything = MustCompile(`{"source":[{"exists":true}]}`)

// put puts a rule that matches everything.
func put(t *testing.T, b *Bus, name string, targets ...Target) {
	t.Helper()
	require.NoError(t, b.PutRule(Rule{Name: name, Pattern: everything, Targets: targets}))
}

// event returns an event with a readable ID and a detail {"n":n}.
func event(n int) Event {
	return Event{ID: fmt.Sprintf("e%d", n), Source: "test", DetailType: "Test", Detail: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// publish publishes events one after the other.
func publish(t *testing.T, b *Bus, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		_, err := b.Publish(t.Context(), event(n))
		require.NoError(t, err)
	}
}

// failing returns a handler that fails n times for each event, then succeeds.
func failing(n int, err error) Handler {
	return HandlerFunc(func(_ context.Context, d Delivery) error {
		if d.Attempt <= n {
			return err
		}
		return nil
	})
}

var errDown = errors.New("down")

// plain is a policy with readable delays: 1s, 2s, 4s.
var plain = Backoff{NoJitter: true, MaxRetries: 3}
