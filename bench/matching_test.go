package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/workload"
)

// An engine finds which of many patterns an event matches.
type engine struct {
	name string
	// load returns a function that counts the rules which an event matches, or an error
	// if a rule is beyond the engine.
	load    func(rules []string) (func(event []byte) (int, error), error)
	matches bool // it matches, rather than merely show what others begin with
	most    int  // rules that it is worth to wait for; 0: all
}

// engines are what there is to compare. quamina is not among them where the module proxy
// does not have it; README.md says more.
var engines = []engine{
	{name: "footbridge.Matcher", load: loadMatcher, matches: true},
	{name: "footbridge.Pattern one by one", load: loadPatterns, matches: true, most: 1000},
	{name: "expr-lang|expr", load: loadExpr, matches: true, most: 1000},
	{name: "json.Unmarshal alone", load: loadUnmarshal, most: 10},
}

func loadMatcher(rules []string) (func([]byte) (int, error), error) {
	var m footbridge.Matcher[int]
	for i, rule := range rules {
		p, err := footbridge.Compile(rule)
		if err != nil {
			return nil, err
		}
		m.Add(i, p)
	}
	dst := make([]int, 0, 1024)
	return func(event []byte) (int, error) {
		keys, err := m.AppendMatches(dst, event)
		return len(keys), err
	}, nil
}

// loadPatterns is what a program does that has patterns but no index of them.
func loadPatterns(rules []string) (func([]byte) (int, error), error) {
	patterns := make([]*footbridge.Pattern, len(rules))
	for i, rule := range rules {
		var err error
		if patterns[i], err = footbridge.Compile(rule); err != nil {
			return nil, err
		}
	}
	return func(event []byte) (int, error) {
		n := 0
		for _, p := range patterns {
			matched, err := p.Match(event)
			if err != nil {
				return 0, err
			}
			if matched {
				n++
			}
		}
		return n, nil
	}, nil
}

// loadUnmarshal is what predicates in Go need before they can look at anything. It looks
// at nothing.
func loadUnmarshal([]string) (func([]byte) (int, error), error) {
	return func(event []byte) (int, error) {
		var v map[string]any
		return 0, json.Unmarshal(event, &v)
	}, nil
}

// compare skips an engine that some rule or event is beyond, and otherwise reports the time of
// a match beside that of gjson.ValidBytes on the same events. They take turns, so that
// both see the same machine, and of their rounds the best counts. An engine that gives
// other verdicts than footbridge is skipped, too: EventBridge compares no number whose
// digits are more than its float64 can keep.
func compare(b *testing.B, e engine, rules []string, events [][]byte) {
	const rounds, long = 5, 40 * time.Millisecond
	match, err := e.load(rules)
	if err != nil {
		b.Skip("unsupported: ", err)
	}
	ours, err := loadMatcher(rules)
	if err != nil {
		b.Fatal(err)
	}
	matches := 0
	for _, event := range events {
		n, err := match(event)
		if err != nil {
			b.Skip("unsupported: ", err)
		}
		if want, err := ours(event); err != nil {
			b.Fatal(err)
		} else if n != want && e.matches {
			b.Skipf("other verdicts: %d matches, footbridge has %d: %.400s", n, want, event)
		}
		matches += n
	}
	each := float64(matches) / float64(len(events))
	work := func(event []byte) {
		if _, err := match(event); err != nil {
			b.Fatal(err)
		}
	}
	yardstick := func(event []byte) {
		if !gjson.ValidBytes(event) {
			b.Fatal("invalid")
		}
	}
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for b.Loop() { // the framework's own figure says nothing here: one loop is all it needs
		for range rounds {
			for k, f := range [2]func([]byte){work, yardstick} {
				calls, start := 0, time.Now()
				for time.Since(start) < long {
					for range 10 {
						f(events[calls%len(events)])
						calls++
					}
				}
				best[k] = min(best[k], float64(time.Since(start))/float64(calls))
			}
		}
	}
	b.ReportMetric(best[0], "ns/event")
	b.ReportMetric(best[0]/best[1], "of-ValidBytes")
	b.ReportMetric(each, "matches/event")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkParcels matches events of a land register against five rules of a kind.
func BenchmarkParcels(b *testing.B) {
	events := workload.ParcelEvents(1000)
	for _, kind := range slices.Sorted(maps.Keys(workload.ParcelRules)) {
		for _, e := range engines {
			b.Run(kind+"/"+e.name, func(b *testing.B) {
				compare(b, e, workload.ParcelRules[kind], events)
			})
		}
	}
}

// BenchmarkRules matches against a growing number of rules, a mixture and three-field
// exact ones.
func BenchmarkRules(b *testing.B) {
	sizes := []int{10, 1000, 10000, 100000}
	if testing.Short() {
		sizes = sizes[:2]
	}
	for _, set := range []struct {
		name string
		rule func(int) string
	}{{"mixed", workload.MixedRule}, {"exact", workload.ExactRule}} {
		for _, n := range sizes {
			rules := make([]string, n)
			for i := range rules {
				rules[i] = set.rule(i)
			}
			for _, e := range engines {
				if e.most > 0 && n > e.most {
					continue
				}
				b.Run(fmt.Sprintf("%s/rules=%d/%s", set.name, n, e.name), func(b *testing.B) {
					compare(b, e, rules, workload.MixedEvents(1000, n))
				})
			}
		}
	}
}

// Ours is held to itself: one index of all rules finds what the patterns find one by one.
func TestMatcherFindsWhatPatternsFind(t *testing.T) {
	check := func(rules []string, events [][]byte) {
		together, err := loadMatcher(rules)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := loadPatterns(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			n, err := together(event)
			if want, wantErr := alone(event); n != want || err != nil || wantErr != nil {
				t.Errorf("%d matches (%v), want %d (%v): %s", n, err, want, wantErr, event)
			}
		}
	}
	for _, rules := range workload.ParcelRules {
		check(rules, workload.ParcelEvents(100))
	}
	rules := make([]string, 300)
	for i := range rules {
		rules[i] = workload.MixedRule(i)
	}
	check(rules, workload.MixedEvents(100, len(rules)))
}
