package peer

import (
	"context"
	"sync"

	asaskevich "github.com/asaskevich/EventBus"
	"github.com/kelindar/event"
)

// channels is what Go itself offers: for each subscriber a buffered channel, and a
// goroutine that ranges over it.
type channels struct {
	chans   []chan []byte
	workers sync.WaitGroup
}

func newChannels() *channels { return &channels{} }

func (c *channels) Subscribe(handler func([]byte)) {
	ch := make(chan []byte, QueueSize)
	c.chans = append(c.chans, ch)
	c.workers.Go(func() {
		for e := range ch {
			handler(e)
		}
	})
}

func (c *channels) Start() {}

func (c *channels) Publish(_ context.Context, e []byte) error {
	for _, ch := range c.chans {
		ch <- e
	}
	return nil
}

func (c *channels) Close() error {
	for _, ch := range c.chans {
		close(ch)
	}
	c.workers.Wait()
	return nil
}

// goroutines starts a goroutine for each delivery.
type goroutines struct {
	handlers []func([]byte)
	running  sync.WaitGroup
}

func (g *goroutines) Subscribe(handler func([]byte)) { g.handlers = append(g.handlers, handler) }

func (g *goroutines) Start() {}

func (g *goroutines) Publish(_ context.Context, e []byte) error {
	for _, h := range g.handlers {
		g.running.Go(func() { h(e) })
	}
	return nil
}

func (g *goroutines) Close() error {
	g.running.Wait()
	return nil
}

// topic is the one topic of peers that have them.
const topic = "events"

type asaskevichBus struct{ bus asaskevich.Bus }

func newAsaskevich() asaskevichBus { return asaskevichBus{asaskevich.New()} }

func (a asaskevichBus) Subscribe(handler func([]byte)) {
	must(a.bus.SubscribeAsync(topic, handler, false))
}

func (a asaskevichBus) Start() {}

func (a asaskevichBus) Publish(_ context.Context, e []byte) error {
	a.bus.Publish(topic, e)
	return nil
}

// Close waits: the bus has no Close.
func (a asaskevichBus) Close() error {
	a.bus.WaitAsync()
	return nil
}

type kelindarEvent struct{ detail []byte }

func (kelindarEvent) Type() uint32 { return 1 }

type kelindar struct{ dispatcher *event.Dispatcher }

func newKelindar() kelindar { return kelindar{event.NewDispatcher()} }

func (k kelindar) Subscribe(handler func([]byte)) {
	event.Subscribe(k.dispatcher, func(e kelindarEvent) { handler(e.detail) })
}

func (k kelindar) Start() {}

func (k kelindar) Publish(_ context.Context, e []byte) error {
	event.Publish(k.dispatcher, kelindarEvent{e})
	return nil
}

func (k kelindar) Close() error { return k.dispatcher.Close() }
