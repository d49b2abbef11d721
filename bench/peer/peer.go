// Package peer gives buses of other projects, plain channels and footbridge one form,
// so that the same measurements and the same hazards run on all of them.
//
// Each is used as its documentation shows it, with queues of 1,024 where a size can be
// given, handlers called asynchronously, and its own defaults otherwise.
package peer

import "context"

// QueueSize is the size of the queues of all peers that let one choose it.
const QueueSize = 1024

// A Bus is what can be done with every peer.
type Bus interface {
	// Subscribe adds a subscriber whose handler gets every event.
	Subscribe(handler func(event []byte))
	// Start is called once, when all subscribers are there, before the first Publish.
	Start()
	// Publish publishes an event, which has a JSON object as its detail. ctx is the
	// handler's where a handler publishes; peers without contexts ignore it.
	Publish(ctx context.Context, event []byte) error
	// Close closes as the peer offers it, and returns when that does.
	Close() error
}

// A Peer makes buses of one kind.
type Peer struct {
	Name string
	New  func() Bus
}

// Footbridge is the name of ours.
const Footbridge = "footbridge"

// All returns the peers, footbridge last.
func All() []Peer {
	return []Peer{
		{"channel of 1,024", func() Bus { return newChannels() }},
		{"goroutine per delivery", func() Bus { return &goroutines{} }},
		{"asaskevich/EventBus async", func() Bus { return newAsaskevich() }},
		{"kelindar/event", func() Bus { return newKelindar() }},
		{"watermill GoChannel", func() Bus { return newGoChannel() }},
		{"watermill Router+Retry+Poison", func() Bus { return newRouter() }},
		{Footbridge, func() Bus { return NewFootbridge(nil) }},
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
