package peer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

func newMessage(e []byte) *message.Message { return message.NewMessage(watermill.NewUUID(), e) }

func newPubSub() *gochannel.GoChannel {
	return gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: QueueSize}, watermill.NopLogger{})
}

// goChannel is watermill's in-memory Pub/Sub alone; a subscriber acks what it has handled.
type goChannel struct {
	pubSub  *gochannel.GoChannel
	workers sync.WaitGroup
}

func newGoChannel() *goChannel { return &goChannel{pubSub: newPubSub()} }

func (g *goChannel) Subscribe(handler func([]byte)) {
	messages, err := g.pubSub.Subscribe(context.Background(), topic)
	must(err)
	g.workers.Go(func() {
		for m := range messages {
			handler(m.Payload)
			m.Ack()
		}
	})
}

func (g *goChannel) Start() {}

func (g *goChannel) Publish(_ context.Context, e []byte) error {
	return g.pubSub.Publish(topic, newMessage(e))
}

func (g *goChannel) Close() error {
	err := g.pubSub.Close()
	g.workers.Wait()
	return err
}

// router is watermill's Router on that Pub/Sub with its Retry and PoisonQueue: the
// nearest it has to retries and dead letters.
type router struct {
	pubSub *gochannel.GoChannel
	router *message.Router
	names  int
}

func newRouter() *router {
	r := &router{pubSub: newPubSub()}
	var err error
	r.router, err = message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	must(err)
	poison, err := middleware.PoisonQueue(r.pubSub, "poison")
	must(err)
	retry := middleware.Retry{MaxRetries: 3, InitialInterval: time.Millisecond, MaxInterval: time.Second, Multiplier: 2}
	r.router.AddMiddleware(poison, retry.Middleware)
	return r
}

func (r *router) Subscribe(handler func([]byte)) {
	r.names++
	r.router.AddConsumerHandler(fmt.Sprint("handler", r.names), topic, r.pubSub, func(m *message.Message) error {
		handler(m.Payload)
		return nil
	})
}

// Start returns when the handlers run.
func (r *router) Start() {
	go func() { must(r.router.Run(context.Background())) }()
	<-r.router.Running()
}

func (r *router) Publish(_ context.Context, e []byte) error {
	return r.pubSub.Publish(topic, newMessage(e))
}

func (r *router) Close() error {
	if err := r.router.Close(); err != nil {
		return err
	}
	return r.pubSub.Close()
}
