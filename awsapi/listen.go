package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/footbridge-go/footbridge"
)

// drain is how long Serve waits for requests that run when its context ends.
const drain = 5 * time.Second

// ErrNotLoopback is wrapped by what [ListenAndServe] returns for an address that other
// machines can reach, unless Options.AnyAddress allows it.
var ErrNotLoopback = errors.New("want a loopback address, such as 127.0.0.1:4010")

// ListenAndServe serves hub's buses at addr, a host and a port, until ctx ends; then it
// returns nil once requests and all that they have started have ended, as [Server.Serve]
// says. The host must be loopback, else the error wraps [ErrNotLoopback]; without one
// addr is that of all networks. opts may be nil.
func ListenAndServe(ctx context.Context, addr string, hub *footbridge.Hub, opts *Options) error {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return fmt.Errorf("awsapi: listen: %w", err)
	}
	if !at.IP.IsLoopback() && (opts == nil || !opts.AnyAddress) {
		return fmt.Errorf("awsapi: listen at %q: %w", addr, ErrNotLoopback)
	}
	l, err := net.ListenTCP("tcp", at)
	if err != nil {
		return fmt.Errorf("awsapi: listen: %w", err)
	}
	s := Handler(hub, opts)
	defer s.Close()
	return s.Serve(ctx, l)
}

// Serve serves connections of l until ctx ends. Then it stops the server, as [Server.Close]
// does, so that requests that wait for messages are answered; closes l, waits up to five
// seconds for requests that run, and ends what is left of them. It returns nil, or why it
// cannot accept connections.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		s.stop()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // its error is the listener's, which is closed
		}
	})
	err := server.Serve(l)
	if stop() { // ctx has not ended
		return fmt.Errorf("awsapi: serve: %w", errors.Join(err, server.Close()))
	}
	<-ended
	return nil
}
