package match

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/footbridge-go/footbridge/internal/workload"
)

// sink keeps what benchmarks compute.
var sink int

func mustCompile(source string) *Pattern {
	p, err := Compile(source)
	if err != nil {
		panic(err)
	}
	return p
}

// ratio reports the time of a call of work as a multiple of that of a call of
// yardstick.
func ratio(b *testing.B, work, yardstick func(i int)) {
	best := alternate(b, work, yardstick)
	b.ReportMetric(best[0], "ns/event")
	b.ReportMetric(best[0]/best[1], "of-ValidBytes")
	b.ReportMetric(0, "ns/op")
}

// alternate returns the time of a call of each of two functions. They take turns, so that
// both see the same machine, and of their rounds the best counts.
func alternate(b *testing.B, work, yardstick func(i int)) (best [2]float64) {
	return alternateBy(b, 1000, work, yardstick)
}

// alternateBy is alternate for functions of which so many calls are made at a time.
func alternateBy(b *testing.B, atATime int, work, yardstick func(i int)) (best [2]float64) {
	const rounds, long = 5, 40 * time.Millisecond
	best = [2]float64{math.Inf(1), math.Inf(1)}
	for b.Loop() { // the framework's own figure says nothing here: one loop is all it needs
		for range rounds {
			for k, f := range [2]func(int){work, yardstick} {
				calls, start := 0, time.Now()
				for time.Since(start) < long {
					for range atATime {
						f(calls)
						calls++
					}
				}
				best[k] = min(best[k], float64(time.Since(start))/float64(calls))
			}
		}
	}
	return best
}

// BenchmarkParcels reports the time per event as a multiple of gjson.ValidBytes.
func BenchmarkParcels(b *testing.B) {
	events := workload.ParcelEvents(1000)
	for _, kind := range slices.Sorted(maps.Keys(workload.ParcelRules)) {
		b.Run(kind, func(b *testing.B) {
			var s Set[int]
			for i, rule := range workload.ParcelRules[kind] {
				s.Add(i, mustCompile(rule))
			}
			dst := make([]int, 0, 16)
			ratio(b, func(i int) {
				keys, err := s.AppendMatches(dst, events[i%len(events)])
				if err != nil {
					b.Fatal(err)
				}
				sink += len(keys)
			}, func(i int) {
				if !gjson.ValidBytes(events[i%len(events)]) {
					b.Fatal("invalid")
				}
			})
		})
	}
}

// BenchmarkValidate validates and matches in one pass, as a bus does that publishes, and
// reports the time as a multiple of gjson.ValidBytes alone.
func BenchmarkValidate(b *testing.B) {
	for _, kind := range []string{"no-rules", "exact", "prefix", "wildcard", "suffix-ignore-case", "anything-but", "numeric"} {
		b.Run("parcels/"+kind, func(b *testing.B) {
			var s Set[int]
			for i, rule := range workload.ParcelRules[kind] {
				s.Add(i, mustCompile(`{"detail":`+rule+`}`))
			}
			validateRatio(b, &s, workload.ParcelEvents(1000))
		})
	}
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint("mixed/rules=", n), func(b *testing.B) {
			var s Set[int]
			for i := range n {
				s.Add(i, mustCompile(`{"detail":`+workload.MixedRule(i)+`}`))
			}
			validateRatio(b, &s, workload.MixedEvents(1000, n))
		})
	}
}

func validateRatio(b *testing.B, s *Set[int], events [][]byte) {
	dst := make([]int, 0, 100)
	f := Fields{Source: "shop", DetailType: "Type 1", Time: time.Unix(0, 0)}
	ratio(b, func(i int) {
		f.Detail = events[i%len(events)]
		keys, err := s.AppendFieldsMatches(dst, &f, 1000)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(keys)
	}, func(i int) {
		if !gjson.ValidBytes(events[i%len(events)]) {
			b.Fatal("invalid")
		}
	})
}

// BenchmarkMixed reports the time per event by number of rules, and how much that is of
// what is allowed: three times the time at 10 rules, and 50 ns for each match.
func BenchmarkMixed(b *testing.B) {
	sizes := []int{100, 1000, 10000, 100000}
	if testing.Short() {
		sizes = sizes[:2]
	}
	few := newMixed(10)
	for _, n := range sizes {
		b.Run(fmt.Sprint("rules=", n), func(b *testing.B) {
			many := newMixed(n)
			best := alternate(b, many.match, few.match)
			matches := many.matchesPerEvent()
			b.ReportMetric(best[0], "ns/event")
			b.ReportMetric(best[1], "ns/event-at-10")
			b.ReportMetric(matches, "matches/event")
			b.ReportMetric(best[0]/(3*best[1]+50*matches), "of-allowed")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A mixed is a set of so many mixed rules with events for them.
type mixed struct {
	set    Set[int]
	events [][]byte
	dst    []int
}

func newMixed(n int) *mixed {
	m := &mixed{events: workload.MixedEvents(1000, n), dst: make([]int, 0, 1000)}
	for i := range n {
		m.set.Add(i, mustCompile(workload.MixedRule(i)))
	}
	return m
}

func (m *mixed) match(i int) {
	keys, err := m.set.AppendMatches(m.dst, m.events[i%len(m.events)])
	if err != nil {
		panic(err)
	}
	sink += len(keys)
}

func (m *mixed) matchesPerEvent() float64 {
	before := sink
	for i := range m.events {
		m.match(i)
	}
	return float64(sink-before) / float64(len(m.events))
}

// BenchmarkAdd adds rules to an empty set, and one to a set that has them, which the
// next match sees. Compiling is not in it.
func BenchmarkAdd(b *testing.B) {
	n := 100000
	if testing.Short() {
		n = 1000
	}
	for name, rule := range map[string]func(int) string{"mixed": workload.MixedRule, "exact": workload.ExactRule} {
		patterns := make([]*Pattern, n+1)
		for i := range patterns {
			patterns[i] = mustCompile(rule(i))
		}
		b.Run(fmt.Sprintf("%s/all/rules=%d", name, n), func(b *testing.B) {
			for b.Loop() {
				var s Set[int]
				for i := range n {
					s.Add(i, patterns[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/rule")
		})
		b.Run(fmt.Sprintf("%s/one-more/rules=%d", name, n), func(b *testing.B) {
			var s Set[int]
			for i := range n {
				s.Add(i, patterns[i])
			}
			event := workload.MixedEvents(1, n)[0]
			dst := make([]int, 0, 1000)
			for b.Loop() {
				s.Add(n, patterns[n])
				keys, err := s.AppendMatches(dst, event)
				if err != nil {
					b.Fatal(err)
				}
				sink += len(keys)
				s.Remove(n)
			}
		})
	}
}

// BenchmarkCores matches on one goroutine and on all cores, alone and while another
// goroutine adds and removes rules all the time. The ratio of two to one is what counts.
func BenchmarkCores(b *testing.B) {
	const n = 10000
	for _, changing := range []bool{false, true} {
		var s Set[int]
		for i := range n {
			s.Add(i, mustCompile(workload.MixedRule(i)))
		}
		events := workload.MixedEvents(1000, n)
		run := func(b *testing.B, goroutines int) float64 {
			stop := make(chan struct{})
			var changes, matches sync.WaitGroup
			if changing {
				p := mustCompile(workload.MixedRule(n))
				changes.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(100 * time.Microsecond):
							s.Add(n, p)
							s.Remove(n)
						}
					}
				})
			}
			start := time.Now()
			for range goroutines {
				matches.Go(func() {
					dst := make([]int, 0, 1000)
					for i := range 50000 {
						if _, err := s.AppendMatches(dst, events[i%len(events)]); err != nil {
							b.Error(err)
						}
					}
				})
			}
			matches.Wait()
			took := time.Since(start)
			close(stop)
			changes.Wait()
			return float64(goroutines) * 50000 / took.Seconds()
		}
		b.Run(fmt.Sprintf("changing=%v", changing), func(b *testing.B) {
			one, two := 0.0, 0.0
			for b.Loop() {
				for range 5 { // they take turns, and of their rounds the best counts
					one, two = max(one, run(b, 1)), max(two, run(b, 2))
				}
			}
			b.ReportMetric(two/one, "two-to-one")
			b.ReportMetric(0, "ns/op")
		})
	}
}
