package footbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/internal/dispatch"
)

func TestPutRuleRefuses(t *testing.T) {
	ok := Func("ok", func(context.Context, Event) error { return nil })
	with := func(change func(*Target)) Rule {
		target := ok
		change(&target)
		return Rule{Name: "r", Pattern: everything, Targets: []Target{target}}
	}
	for _, c := range []struct {
		rule          Rule
		target, field string
		reason        string
	}{
		{Rule{Pattern: everything}, "", "Name", `want 1 to 64 characters of [\.\-_A-Za-z0-9]+, got ""`},
		{Rule{Name: "a b", Pattern: everything}, "", "Name", `got "a b"`},
		{Rule{Name: "é", Pattern: everything}, "", "Name", `got "é"`},
		{Rule{Name: "\xff", Pattern: everything}, "", "Name", `got "\xff"`},
		{Rule{Name: strings.Repeat("a", 65), Pattern: everything}, "", "Name", "want 1 to 64"},
		{Rule{Name: "r", Pattern: everything, Description: "\xff"}, "", "Description", `want UTF-8, got "\xff"`},
		{Rule{Name: "r"}, "", "Pattern", "want one that Compile has made"},
		{Rule{Name: "r", Pattern: &Pattern{}}, "", "Pattern", "want one that Compile has made"},
		{with(func(t *Target) { t.ID = "" }), "", "ID", `got "" (Targets[0])`},
		{Rule{Name: "r", Pattern: everything, Targets: []Target{ok, {Handler: ok.Handler}}}, "", "ID", `got "" (Targets[1])`},
		{with(func(t *Target) { t.ID = "a/b" }), "a/b", "ID", "want 1 to 64"},
		{with(func(t *Target) { t.Handler = nil }), "ok", "Handler", "got nil"},
		{with(func(t *Target) { t.Handler = HandlerFunc(nil) }), "ok", "Handler", "want one, got a nil footbridge.HandlerFunc"},
		{with(func(t *Target) { *t = Func("f", nil) }), "f", "Handler", "got nil"},
		{with(func(t *Target) { *t = Typed[int]("f", nil) }), "f", "Handler", "got nil"},
		{with(func(t *Target) { *t = Chan("f", nil) }), "f", "Handler", "got nil"},
		{with(func(t *Target) { *t = Forward("f", nil) }), "f", "Handler", "got nil"},
		{with(func(t *Target) { t.Concurrency = -1 }), "ok", "Concurrency", "want 0 or more, got -1"},
		{with(func(t *Target) { t.Queue = -1 }), "ok", "Queue", "want 0 or more, got -1"},
		{with(func(t *Target) { t.Backlog = -1 }), "ok", "Backlog", "want 0 or more, got -1"},
		{with(func(t *Target) { t.Handler = (*blocker)(nil) }), "ok", "Handler", "want one, got a nil *footbridge.blocker"},
		{with(func(t *Target) { t.DLQ = (*MemoryDLQ)(nil) }), "ok", "DLQ", "want one or none, got a nil *footbridge.MemoryDLQ"},
		{with(func(t *Target) { t.DLQ = dlqFunc(nil) }), "ok", "DLQ", "got a nil footbridge.dlqFunc"},
		{with(func(t *Target) { t.Retry = (*Backoff)(nil) }), "ok", "Retry", "got a nil *footbridge.Backoff"},
		{with(func(t *Target) { t.Retry = Backoff{Base: -1} }), "ok", "Retry", "want durations of 0, the default, or more, got {Base:-1ns "},
		{with(func(t *Target) { t.Retry = Backoff{MaxDelay: -1} }), "ok", "Retry", "got {Base:0s MaxDelay:-1ns "},
		{with(func(t *Target) { t.Retry = &Backoff{MaxAge: -1} }), "ok", "Retry", "MaxAge:-1ns "},
		{with(func(t *Target) { t.Retry = Backoff{Base: time.Hour, MaxDelay: time.Minute} }), "ok", "Retry", "want a Base of at most MaxDelay, 1m0s, got 1h0m0s"},
		{with(func(t *Target) { t.Timeout = -1 }), "ok", "Timeout", "want 0 or more"},
		{with(func(t *Target) { t.Overflow = 3 }), "ok", "Overflow", "got 3"},
		{with(func(t *Target) { t.Overflow = -1 }), "ok", "Overflow", "got -1"},
		{Rule{Name: "r", Pattern: everything, Targets: []Target{ok, ok}}, "ok", "ID", "want one that no other target of the rule has (Targets[1])"},
	} {
		b := New(nil)
		put(t, b, "r", Target{ID: "before", Handler: newBlocker()})
		var refused *RuleError
		require.ErrorAs(t, b.PutRule(c.rule), &refused, "%+v", c)
		assert.Equal(t, []string{c.rule.Name, c.target, c.field}, []string{refused.Rule, refused.Target, refused.Field})
		assert.ErrorContains(t, refused, c.reason)
		require.Len(t, b.Rules(), 1)
		assert.Equal(t, "before", b.Rules()[0].Targets[0].ID) // what was there stays
	}
	for _, h := range []Handler{nil, HandlerFunc(nil)} {
		b := New(&Options{Middleware: []Middleware{func(Handler) Handler { return h }}})
		var refused *RuleError
		require.ErrorAs(t, b.PutRule(with(func(*Target) {})), &refused)
		assert.EqualError(t, refused, `footbridge: rule "r" refused: target "ok": Handler: a middleware has returned nil for it`)
	}
}

func TestRules(t *testing.T) {
	b := New(nil)
	var handled []string
	target := func(id string) Target {
		return Target{ID: id, Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
			handled = append(handled, d.Rule+"/"+d.Target)
			return nil
		})}
	}
	deliver := func(want ...string) {
		t.Helper()
		handled = nil
		_, err := b.Deliver(t.Context(), event(1))
		require.NoError(t, err)
		assert.Equal(t, want, handled)
	}
	targets := []Target{target("x")}
	require.NoError(t, b.PutRule(Rule{Name: "B", Description: "second", Pattern: everything, Targets: targets}))
	targets[0].ID = "changed" // the caller's slice stays the caller's
	deliver("B/x")
	put(t, b, "A.-_9", Target{ID: "y", Handler: target("y").Handler})
	rules := b.Rules()
	require.Len(t, rules, 2)
	assert.Equal(t, []string{"A.-_9", "B"}, []string{rules[0].Name, rules[1].Name})
	assert.Equal(t, "second", rules[1].Description)
	assert.Equal(t, everything.String(), rules[1].Pattern.String())
	rules[1].Targets[0].ID = "changed"
	assert.Equal(t, "x", b.Rules()[1].Targets[0].ID)
	one, ok := b.Rule("B")
	require.True(t, ok)
	assert.Equal(t, "second", one.Description)
	one.Targets[0].ID = "changed"
	assert.Equal(t, "x", b.Rules()[1].Targets[0].ID)
	_, ok = b.Rule("none")
	assert.False(t, ok)

	require.NoError(t, b.RemoveRule("A.-_9"))
	require.NoError(t, b.DisableRule("B"))
	assert.True(t, b.Rules()[0].Disabled)
	deliver()
	require.NoError(t, b.DisableRule("B"))
	require.NoError(t, b.EnableRule("B"))
	require.NoError(t, b.EnableRule("B"))
	deliver("B/x")
	// Replacing replaces whole: the description and the targets are the new rule's.
	require.NoError(t, b.PutRule(Rule{Name: "B", Pattern: everything, Targets: []Target{target("z")}}))
	assert.Empty(t, b.Rules()[0].Description)
	deliver("B/z")
	require.NoError(t, b.PutRule(Rule{Name: "B", Pattern: everything, Disabled: true, Targets: []Target{target("z")}}))
	deliver()
	require.NoError(t, b.PutRule(Rule{Name: "B", Pattern: MustCompile(`{"source":["other"]}`), Targets: []Target{target("z")}}))
	deliver()

	for _, err := range []error{b.RemoveRule("none"), b.EnableRule("none"), b.DisableRule("none")} {
		assert.ErrorIs(t, err, ErrRuleNotFound)
		assert.ErrorContains(t, err, `"none"`)
	}
	require.NoError(t, b.RemoveRule("B"))
	assert.Empty(t, b.Rules())
	require.NoError(t, b.Close(t.Context()))
}

// Publishers see a replaced rule before or after, never both and never neither, and
// no event is lost or doubled.
func TestReplacingARuleIsAtomic(t *testing.T) {
	const events = 20000
	b := New(nil)
	var handled [events]atomic.Int32
	rule := func(version int) Rule {
		return Rule{Name: "r", Pattern: MustCompile(fmt.Sprintf(`{"source":["test","%d"]}`, version)),
			Targets: []Target{{ID: fmt.Sprint("t", version%3), Handler: HandlerFunc(func(_ context.Context, d Delivery) error {
				var n int
				_, err := fmt.Sscanf(d.Event.ID, "e%d", &n)
				handled[n].Add(1)
				return err
			})}}}
	}
	require.NoError(t, b.PutRule(rule(0)))
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range events {
			_, err := b.Publish(t.Context(), event(n))
			assert.NoError(t, err)
		}
	})
	for version := range 2000 {
		require.NoError(t, b.PutRule(rule(version)))
	}
	wg.Wait()
	require.NoError(t, b.Close(t.Context()))
	for n := range handled {
		require.EqualValues(t, 1, handled[n].Load(), "event %d", n)
	}
	assert.Zero(t, b.Stats().Unmatched)
	checkBooks(t, b)
}

// No event published after RemoveRule has returned reaches its targets; what was
// accepted before is finished.
func TestRemovedRulesFinishWhatTheyHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1})
		publish(t, b, 1, 2, 3)
		synctest.Wait()
		require.NoError(t, b.RemoveRule("r"))
		publish(t, b, 4)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 3, h.handled.Load())
		assert.EqualValues(t, 1, b.Stats().Unmatched)
		checkBooks(t, b)
	})
}

// A publisher that has matched a rule before it was removed, and comes with the event
// behind that, finds out: it does not reach the targets any more.
func TestRemovalIsBetweenMatchAndQueue(t *testing.T) {
	b := New(nil)
	put(t, b, "r", Target{ID: "t", Handler: failing(0, nil)})
	s, a := new(press), &accepted{bus: b, event: event(1), time: time.Now()}
	require.NoError(t, s.prepare(a, &publication{}))
	require.NoError(t, b.RemoveRule("r"))
	assert.False(t, b.offer(&publication{}, s))
	assert.ErrorIs(t, b.dispatcher.Reserve(s.batch, false), dispatch.ErrRetired)
	require.NoError(t, b.Close(t.Context()))
}

// A target that is replaced keeps its queue: its concurrency bound holds across.
func TestReplacedTargetsKeepTheirQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		first, second := newBlocker(), newBlocker()
		close(second.gate)
		put(t, b, "r", Target{ID: "t", Handler: first, Concurrency: 1})
		publish(t, b, 1, 2)
		synctest.Wait()
		put(t, b, "r", Target{ID: "t", Handler: second, Concurrency: 1})
		publish(t, b, 3)
		synctest.Wait()
		assert.Zero(t, second.handled.Load())
		close(first.gate)
		require.NoError(t, b.Close(t.Context()))
		assert.EqualValues(t, 2, first.handled.Load())
		assert.EqualValues(t, 1, second.handled.Load())
	})
}

// A target that is replaced has its new bounds.
func TestReplacedTargetsHaveTheirNewBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil)
		h := newBlocker()
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 1, Queue: 1})
		publish(t, b, 1)
		synctest.Wait()
		publish(t, b, 2)
		put(t, b, "r", Target{ID: "t", Handler: h, Concurrency: 2, Queue: 2, Overflow: OverflowReject})
		synctest.Wait()
		publish(t, b, 3, 4)
		assert.Equal(t, []TargetStats{{Rule: "r", Target: "t", Running: 2, Waiting: 2}}, b.Stats().Targets)
		_, err := b.Publish(t.Context(), event(5))
		assert.ErrorIs(t, err, ErrQueueFull)
		close(h.gate)
		require.NoError(t, b.Close(t.Context()))
	})
}

// What a removed target has becomes dead letters if it says so: what waits soon after, what
// runs if it fails. A letter that its DLQ has refused is sent again all the same.
func TestTraceRemoval(t *testing.T) {
	trace(t, "removal", func(t *testing.T, l *timeline) {
		sends := 0
		b := l.bus(Options{Retry: Backoff{NoJitter: true, Base: time.Hour, MaxDelay: time.Hour}, Concurrency: 1, DLQ: dlqFunc(func(d DeadLetter) error {
			if sends++; sends == 1 {
				return errors.New("hiccup")
			}
			return nil
		})})
		gate := make(chan struct{})
		handler := HandlerFunc(func(_ context.Context, d Delivery) error {
			if d.Event.ID == "e1" {
				return errDown
			}
			<-gate
			if d.Event.ID == "e2" {
				return errDown
			}
			return nil
		})
		put(t, b, "r", Target{ID: "finish", Handler: failing(1, errDown)}, Target{ID: "letters", Handler: handler, DeadLetterOnRemoval: true})
		for n := 1; n <= 4; n++ {
			publish(t, b, n)
			l.settle()
		}
		l.note("RemoveRule")
		require.NoError(t, b.RemoveRule("r"))
		publish(t, b, 5)
		l.settle()
		<-time.After(30 * time.Second)
		l.note("the handler returns")
		close(gate)
		require.NoError(t, b.Wait(t.Context()))
	})
}

// So does what a target has that a replaced rule has not; a target of the same ID keeps its
// own.
func TestReplacedTargetsMayLeaveLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dlq := &MemoryDLQ{}
		b := New(&Options{DLQ: dlq, Retry: plain})
		kept := Target{ID: "kept", Handler: failing(1, errDown), DeadLetterOnRemoval: true}
		put(t, b, "r", kept, Target{ID: "gone", Handler: failing(1, errDown), DeadLetterOnRemoval: true})
		publish(t, b, 1, 2)
		synctest.Wait()
		put(t, b, "r", kept)
		require.NoError(t, b.Close(t.Context()))
		require.Equal(t, 2, dlq.Len())
		for _, d := range dlq.Letters() {
			assert.Equal(t, "gone", d.Target)
			assert.Equal(t, CodeTargetRemoved, d.ErrorCode)
			assert.ErrorIs(t, d.Err, ErrTargetRemoved)
			assert.ErrorIs(t, d.Err, errDown)
		}
		assert.EqualValues(t, 2, b.Stats().Delivered)
		checkBooks(t, b)
	})
}
