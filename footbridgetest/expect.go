package footbridgetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/footbridge-go/footbridge"
)

// ExpectPublished waits until the bus is idle, and fails the test unless, for each pattern,
// an event that it matches was published on it since it was made. The bus must be one that
// [New] has made.
func ExpectPublished(t TB, bus *footbridge.Bus, patterns ...string) {
	t.Helper()
	k := booksOf(t, bus)
	compiled := compile(t, patterns)
	waitIdle(t, bus)
	events := k.events()
	for _, p := range compiled {
		if !slices.ContainsFunc(events, func(e footbridge.Event) bool { return matches(p, &e) }) {
			t.Errorf("footbridgetest: none of %s published matches %s%s", counted(len(events), "event"), p, nearest(p, events, "\n  "))
		}
	}
}

// ExpectDeadLetters waits until the bus is idle, and fails the test unless those that it is
// about are exactly the targets, each as RULE/TARGET, of the dead letters since the last
// ExpectDeadLetters; none means none. It returns the letters, by target and event. Letters
// that were expected do not fail the test when it ends. The bus must be one that [New] has
// made.
func ExpectDeadLetters(t TB, bus *footbridge.Bus, targets ...string) []footbridge.DeadLetter {
	t.Helper()
	k := booksOf(t, bus)
	waitIdle(t, bus)
	k.mu.Lock()
	letters := k.letters
	k.letters = nil
	k.mu.Unlock()
	slices.SortStableFunc(letters, compareLetters)
	expectTargets(t, "dead letters", targets, letters)
	return letters
}

// ExpectLost is [ExpectDeadLetters] about the deliveries that were lost, since they had no
// DLQ or it failed for good.
func ExpectLost(t TB, bus *footbridge.Bus, targets ...string) []footbridge.LostInfo {
	t.Helper()
	k := booksOf(t, bus)
	waitIdle(t, bus)
	k.mu.Lock()
	lost := k.lost
	k.lost = nil
	k.mu.Unlock()
	slices.SortStableFunc(lost, compareLost)
	var letters []footbridge.DeadLetter
	for _, l := range lost {
		letters = append(letters, l.Letter)
	}
	expectTargets(t, "lost deliveries", targets, letters)
	return lost
}

// expectTargets fails the test unless letters are exactly of the targets.
func expectTargets(t TB, what string, targets []string, letters []footbridge.DeadLetter) {
	t.Helper()
	var got []string
	about := make(map[string][]string)
	for i := range letters {
		target := letterTarget(letters[i])
		got = append(got, target)
		about[target] = append(about[target], "\n  not expected: "+letterText(&letters[i]))
	}
	missing, more := difference(targets, got)
	if len(missing)+len(more) == 0 {
		return
	}
	var s strings.Builder
	for _, target := range missing {
		fmt.Fprintf(&s, "\n  none for %s", target)
	}
	for _, target := range more {
		s.WriteString(strings.Join(shortened(about[target], "\n  not expected: "+target+": "), ""))
	}
	t.Errorf("footbridgetest: %s are not as expected: want %d, got %d%s", what, len(targets), len(letters), s.String())
}

// ExpectRouted fails the test unless the targets, each as RULE/TARGET, are exactly those
// that an event would go to; none means that it goes to none. Those of [Record] do not
// count. Nothing is published.
func ExpectRouted(t TB, bus *footbridge.Bus, e footbridge.Event, targets ...string) {
	t.Helper()
	x := bus.Explain(e)
	if x.Event == nil {
		t.Errorf("footbridgetest: the bus refuses the event: %s", x.Error)
		return
	}
	var got []string
	rules := make(map[string]*footbridge.RuleExplanation)
	for i := range x.Rules {
		r := &x.Rules[i]
		rules[r.Rule] = r
		for _, id := range r.Targets {
			if r.Matched() && x.Error == "" && !strings.HasPrefix(r.Rule, rulePrefix) {
				got = append(got, r.Rule+"/"+id)
			}
		}
	}
	missing, more := difference(targets, got)
	if len(missing)+len(more) == 0 {
		return
	}
	var s strings.Builder
	if x.Error != "" {
		fmt.Fprintf(&s, "\n  the bus refuses it: %s", x.Error)
	}
	for _, target := range missing {
		fmt.Fprintf(&s, "\n  not to %s: %s", target, whyNotTo(target, rules, slices.Contains(got, target)))
	}
	for _, target := range more {
		fmt.Fprintf(&s, "\n  but to %s", target)
	}
	t.Errorf("footbridgetest: %s goes elsewhere%s", eventText(&e), s.String())
}

func whyNotTo(target string, rules map[string]*footbridge.RuleExplanation, once bool) string {
	name, id, ok := strings.Cut(target, "/")
	r := rules[name]
	switch {
	case !ok:
		return "want RULE/TARGET"
	case r == nil:
		return "there is no such rule"
	case !slices.Contains(r.Targets, id):
		return fmt.Sprintf("the rule has no such target, but %q", r.Targets)
	case once:
		return "it was named more than once"
	case r.Disabled:
		return "the rule is disabled"
	}
	return indented(r.Explanation.String(), "    ")
}

// difference returns what of want is not in got, and the other way round, sorted.
func difference(want, got []string) (missing, more []string) {
	more = slices.Clone(got)
	for _, w := range want {
		if i := slices.Index(more, w); i >= 0 {
			more = slices.Delete(more, i, i+1)
		} else {
			missing = append(missing, w)
		}
	}
	slices.Sort(missing)
	slices.Sort(more)
	return missing, slices.Compact(more)
}

func compile(t TB, patterns []string) (compiled []*footbridge.Pattern) {
	t.Helper()
	for _, text := range patterns {
		p, err := footbridge.Compile(text)
		if err != nil {
			t.Fatalf("footbridgetest: pattern %s: %v", text, err)
			return nil
		}
		compiled = append(compiled, p)
	}
	return compiled
}

// matches reports whether an event's envelope matches a pattern.
func matches(p *footbridge.Pattern, e *footbridge.Event) bool {
	matched, err := p.Match(envelope(e))
	return err == nil && matched
}

func envelope(e *footbridge.Event) []byte {
	data, err := e.MarshalJSON()
	if err != nil { // an event that a bus has accepted has JSON
		return nil
	}
	return data
}

// nearest explains why the event that comes nearest to a pattern does not match it, in
// lines that begin with a prefix.
func nearest(p *footbridge.Pattern, events []footbridge.Event, prefix string) string {
	best, least := -1, footbridge.Explanation{}
	for i := range events {
		x := p.Explain(envelope(&events[i]))
		order := cmp.Or(cmp.Compare(x.Missed, least.Missed), cmp.Compare(least.Near, x.Near), cmp.Compare(least.Held, x.Held))
		if best < 0 || order < 0 {
			best, least = i, x
		}
	}
	if best < 0 {
		return ""
	}
	return prefix + "the nearest is " + eventText(&events[best]) + strings.ReplaceAll("\n"+strings.TrimSpace(least.String()), "\n", prefix)
}

// counted returns "1 event" or "2 events".
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// indented indents all lines but the first.
func indented(text, by string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}
