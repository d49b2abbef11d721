package awssdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
	"github.com/footbridge-go/footbridge/queue"
)

// The tests of this file and of those named wire... let the SDK's own clients talk to package
// awsapi over HTTP. Those in which time passes do so in a bubble, over pipes.

const (
	account = "123456789012"
	region  = "eu-west-1"
	secret  = "a secret"
)

func arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, account, resource)
}

// A wire is a server of awsapi, and clients of the SDK.
type wire struct {
	hub    *footbridge.Hub
	api    *awsapi.Server
	events *eventbridge.Client
	queues *sqs.Client

	received chan footbridge.Delivery // by functions

	mu       sync.Mutex // guards the field below
	answered []string   // operations, as X-Amz-Target has them, that were answered with 200
}

// newWire starts a server. dial is nil for one at a port of loopback, or a pipe's.
func newWire(t *testing.T, opts awsapi.Options, l net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *wire {
	w := &wire{hub: footbridge.NewHub(&footbridge.Options{Account: account, Region: region}), received: make(chan footbridge.Delivery, 100)}
	opts.Queues = &queue.Service{Account: account, Region: region}
	opts.Resolve = func(arn string) (footbridge.Handler, error) {
		if !strings.Contains(arn, ":function:") {
			return nil, nil
		}
		return footbridge.HandlerFunc(func(_ context.Context, d footbridge.Delivery) error {
			if strings.HasSuffix(arn, ":broken") {
				return errors.New("it is broken")
			}
			w.received <- d
			return nil
		}), nil
	}
	w.api = awsapi.Handler(w.hub, &opts)
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	if l != nil {
		require.NoError(t, server.Listener.Close())
		server.Listener = l
	}
	server.Start()
	transport := &http.Transport{DialContext: dial}
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "key", SecretAccessKey: secret}, nil
	})
	config := aws.Config{Region: region, BaseEndpoint: aws.String("http://" + server.Listener.Addr().String()), Credentials: credentials,
		HTTPClient: wholeBodies{&http.Client{Transport: transport}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
	w.events, w.queues = eventbridge.NewFromConfig(config), sqs.NewFromConfig(config)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		w.api.Close()
		assert.NoError(t, w.hub.Close(context.Background()))
	})
	return w
}

// wholeBodies is a client that has read a request's body before it sends it. The SDK closes the
// body when it has the answer; a transport that has just sent the last byte, and looks whether
// there is another, then takes the connection for broken, and the answer is lost. Over a pipe
// that happens often, since sending ends when the server has read.
type wholeBodies struct{ *http.Client }

func (c wholeBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.Client.Do(r)
}

// serve notes the operations that succeed.
func (w *wire) serve(rw http.ResponseWriter, r *http.Request) {
	s := &statusWriter{rw, http.StatusOK}
	w.api.ServeHTTP(s, r)
	if s.status == http.StatusOK {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answered = append(w.answered, r.Header.Get("X-Amz-Target"))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// wireInBubble is newWire for a test in a bubble: connections are pipes.
func wireInBubble(t *testing.T, opts awsapi.Options) *wire {
	l := &pipes{make(chan net.Conn), make(chan struct{}), sync.Once{}}
	return newWire(t, opts, l, l.dial)
}

// pipes is a listener that connections come to by dial.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// requireCode checks that err is the service's error of that code, and returns its message.
func requireCode(t *testing.T, code string, err error) string {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode(), err)
	return api.ErrorMessage()
}
