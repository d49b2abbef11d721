package awsapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/queue"
)

// Options are what [Handler] is called with. The zero value of each field is its default.
type Options struct {
	// Resolve returns what a target's ARN stands for, or why it stands for nothing; a nil
	// Handler without an error is that it is not known. It is asked for ARNs that do not
	// resolve by themselves. A Handler that is a [footbridge.DLQ], too, may be a dead-letter
	// queue. It may be called by any number of goroutines. Nil: nothing else resolves.
	Resolve func(arn string) (footbridge.Handler, error)

	// Queues are those that requests for SQS are about, and that targets and dead-letter
	// queues may be. Nil: a service of the server's own, with the hub's account and region.
	Queues *queue.Service

	// Credentials are secret access keys by the access key IDs that name them. If there are
	// any, requests must be signed with one of them (Signature Version 4, in the header
	// Authorization), at a time that is within five minutes of this machine's. Nil:
	// signatures are not looked at.
	Credentials map[string]string

	// Hosts are host names, without port, that requests may be sent to, beside localhost and
	// loopback addresses.
	Hosts []string

	// AnyAddress lets [ListenAndServe] listen on addresses that other machines can reach.
	// They reach it by one of Hosts; give it Credentials, too.
	AnyAddress bool

	Logger *slog.Logger // of what fails for a reason of ours, of schedules and replays; nil: discards
}

// A Server is an [http.Handler] that speaks the service's protocol for the buses of a hub.
// [Handler] makes one. All its methods may be called from any number of goroutines.
type Server struct {
	hub      *footbridge.Hub
	options  Options
	log      *slog.Logger
	services []service
	queues   queues

	background context.Context // of what goes on between requests; ends by Close
	end        context.CancelFunc
	running    sync.WaitGroup // what goes on between requests

	// changing is held by a request that changes rules, archives or tags, and taken before mu:
	// nothing changes between what it reads and what it writes. A bus calls the program's
	// Middleware when it puts a rule, so that is done under changing alone: what the Middleware
	// asks the server, it is told.
	changing sync.Mutex

	mu       sync.Mutex // guards the fields below and what they lead to; locks of the hub and its buses are taken under it
	closed   bool
	buses    map[string]*busState // by name; those that requests have asked for
	archives map[string]*archiveState
	replays  map[string]*replayState
}

// queues are what rules need of a queue service.
type queues interface {
	// handler returns what sends to the queue of that ARN, with that message group, which
	// is "" if the target names none; nil if the ARN is not that of a queue of the service.
	handler(arn, messageGroup string) (footbridge.Handler, error)
	// dlq returns what sends dead letters to it, nil if the ARN is not that of a queue.
	dlq(arn string) (footbridge.DLQ, error)
}

// Handler returns a server of hub's buses. opts may be nil. It listens nowhere: that is
// [ListenAndServe], or an [http.Server] of the caller's.
func Handler(hub *footbridge.Hub, opts *Options) *Server {
	s := &Server{hub: hub, buses: make(map[string]*busState), archives: make(map[string]*archiveState), replays: make(map[string]*replayState)}
	if opts != nil {
		s.options = *opts
	}
	s.log = s.options.Logger
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.background, s.end = context.WithCancel(context.Background())
	sqs := newSQS(s.options.Queues, hub, s.background)
	s.queues = sqs
	s.services = []service{s.events(), sqs.service()}
	return s
}

// errClosed refuses what would go on behind a closed server's back.
var errClosed = &fault{code: codeServiceShutDown, message: "The server is closed.", status: http.StatusServiceUnavailable}

// startLocked runs f until it returns, or the context that it gets ends, which stop and
// Close see to. REQUIRES: the server is not closed.
func (s *Server) startLocked(f func(ctx context.Context)) (stop context.CancelFunc) {
	ctx, stop := context.WithCancel(s.background)
	s.running.Go(func() {
		defer stop()
		f(ctx)
	})
	return stop
}

// Close ends what requests have started and goes on: schedules and replays; and the buses
// that they have deleted and that have not finished, as [footbridge.Bus.Close] does when its
// context has ended. It returns when these have ended. A request that would start such a
// thing is refused from now on. The hub stays as it is: close it after the server.
func (s *Server) Close() {
	s.stop()
	s.running.Wait()
}

// stop is Close, and does not wait.
func (s *Server) stop() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
}
