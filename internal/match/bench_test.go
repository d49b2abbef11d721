package match

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"
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
// yardstick. They take turns, so that both see the same machine, and of their rounds
// the best counts.
func ratio(b *testing.B, work, yardstick func(i int)) {
	const rounds, long = 5, 40 * time.Millisecond
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for b.Loop() { // the framework's own figure says nothing here: one loop is all it needs
		for range rounds {
			for k, f := range [2]func(int){work, yardstick} {
				calls, start := 0, time.Now()
				for time.Since(start) < long {
					for range 1000 {
						f(calls)
						calls++
					}
				}
				best[k] = min(best[k], float64(time.Since(start))/float64(calls))
			}
		}
	}
	b.ReportMetric(best[0], "ns/event")
	b.ReportMetric(best[0]/best[1], "of-ValidBytes")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkParcels reports the time per event as a multiple of gjson.ValidBytes.
func BenchmarkParcels(b *testing.B) {
	events := parcelEvents(1000)
	for _, kind := range slices.Sorted(maps.Keys(parcelRules)) {
		b.Run(kind, func(b *testing.B) {
			var s Set[int]
			for i, rule := range parcelRules[kind] {
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

// BenchmarkMixed reports the time per event, and the matches, by number of rules.
func BenchmarkMixed(b *testing.B) {
	sizes := []int{10, 100, 1000, 10000, 100000}
	if testing.Short() {
		sizes = sizes[:3]
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint("rules=", n), func(b *testing.B) {
			var s Set[int]
			for i := range n {
				s.Add(i, mustCompile(mixedRule(i)))
			}
			events := mixedEvents(1000, n)
			dst := make([]int, 0, 1000)
			matches, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				keys, err := s.AppendMatches(dst, events[i%len(events)])
				if err != nil {
					b.Fatal(err)
				}
				matches += len(keys)
				i++
			}
			b.ReportMetric(float64(matches)/float64(i), "matches/event")
		})
	}
}
