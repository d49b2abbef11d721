package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/footbridge-go/footbridge"
)

// A journal keeps how each event's deliveries ended.
type journal struct {
	mu   sync.Mutex          // guards the field below: a bus tells from many goroutines
	ends map[string][]string // by event ID
}

func (j *journal) observer() *footbridge.Observer {
	return &footbridge.Observer{
		Unmatched: func(i footbridge.PublishInfo) { j.add(i.Event.ID, "-") },
		Delivered: func(d footbridge.Delivery) {
			end := d.Rule + "/" + d.Target
			if d.Attempt > 1 {
				end += fmt.Sprintf(" (attempt %d)", d.Attempt)
			}
			j.add(d.Event.ID, end)
		},
		DeadLettered: func(d footbridge.DeadLetter) { j.add(d.Event.ID, d.Rule+"/"+d.Target+" (dead letter)") },
		Lost:         func(i footbridge.LostInfo) { j.add(i.Letter.Event.ID, i.Letter.Rule+"/"+i.Letter.Target+" (lost)") },
	}
}

func (j *journal) add(id, end string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ends[id] = append(j.ends[id], end)
}

// of returns the ends of an event's deliveries, sorted.
func (j *journal) of(id string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(slices.Values(j.ends[id]))
}
