package awsapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// ListenAndServe takes loopback addresses alone, unless it is told otherwise.
func TestListenAndServe(t *testing.T) {
	hub := footbridge.NewHub(nil)
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		assert.ErrorIs(t, ListenAndServe(t.Context(), addr, hub, nil), ErrNotLoopback, addr)
	}
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:none"} {
		err := ListenAndServe(t.Context(), addr, hub, nil)
		assert.ErrorContains(t, err, "awsapi: listen: ", addr)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for addr, opts := range map[string]*Options{"127.0.0.1:0": nil, "localhost:0": {}, "0.0.0.0:0": {AnyAddress: true}} {
		assert.NoError(t, ListenAndServe(ended, addr, hub, opts), addr)
	}
	require.NoError(t, hub.Close(t.Context()))
}

// Serve answers until its context ends, and lets requests finish that run then.
func TestServe(t *testing.T) {
	hub := footbridge.NewHub(nil)
	running, gate := make(chan struct{}), make(chan struct{})
	s := Handler(hub, &Options{Resolve: func(string) (footbridge.Handler, error) {
		close(running)
		<-gate
		return footbridge.HandlerFunc(func(context.Context, footbridge.Delivery) error { return nil }), nil
	}})
	defer s.Close()
	w := &world{Server: s, hub: hub}
	w.ok(t, "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"shop\"]}"}`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served, answered := make(chan error), make(chan string)
	go func() { served <- s.Serve(ctx, l) }()
	go func() {
		r := request("PutTargets", "")
		put, err := http.NewRequest(http.MethodPost, "http://"+l.Addr().String(), strings.NewReader(`{"Rule":"r","Targets":[{"Id":"t","Arn":"`+functions+`f"}]}`))
		if err == nil {
			put.Header = r.Header
			var answer *http.Response
			if answer, err = http.DefaultClient.Do(put); err == nil {
				defer answer.Body.Close()
				body, _ := io.ReadAll(answer.Body)
				answered <- string(body)
				return
			}
		}
		answered <- err.Error()
	}()
	<-running
	cancel()
	close(gate)
	assert.Equal(t, `{"FailedEntryCount":0,"FailedEntries":[]}`, <-answered)
	assert.NoError(t, <-served)
	http.DefaultClient.CloseIdleConnections()

	// A listener that fails is an error, and not the end of the context.
	assert.ErrorIs(t, s.Serve(t.Context(), l), net.ErrClosed)
	require.NoError(t, hub.Close(t.Context()))
}
