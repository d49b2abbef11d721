package awsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge/internal/uuid"
)

// This file is the protocol: JSON over HTTP, with the operation's name in a header.

// maxBody bounds a request's body, in bytes. The largest that is of use has a mebibyte of
// events or messages, each byte of which may take six in JSON.
const maxBody = 8 << 20

// The content types of requests and answers. Each service answers with its own, and takes
// both.
const (
	json10 = "application/x-amz-json-1.0"
	json11 = "application/x-amz-json-1.1"
)

// A service is a set of operations.
type service struct {
	prefix      string // of the header X-Amz-Target, up to the dot
	name        string // in the scope of a signature
	contentType string // of its answers
	operations  map[string]operation
}

// An operation answers a request. The answer is what encoding/json makes of it; nil is {}.
type operation func(ctx context.Context, body []byte) (answer any, err error)

// op makes an operation of a function of its input, which [decode] reads.
func op[In any](f func(ctx context.Context, in *In) (any, error)) operation {
	return func(ctx context.Context, body []byte) (any, error) {
		in := new(In)
		if err := decode(body, in); err != nil {
			return nil, err
		}
		return f(ctx, in)
	}
}

type hostKey struct{}

// hostOf returns the host, with its port, that the request was sent to which an operation
// is called for.
func hostOf(ctx context.Context) string {
	host, _ := ctx.Value(hostKey{}).(string)
	return host
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.New()
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Content-Type", json11)
	// A w that knows no deadlines, as in tests, needs none. Where the body is not read to its
	// end, it is net/http that reads the rest, before the answer is sent.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	answer, err := s.answer(w, r)
	var body []byte
	if err == nil {
		body, err = marshal(answer)
	}
	status := http.StatusOK
	if err != nil {
		f := faultOf(err)
		if status = f.status; status == 0 {
			status = http.StatusBadRequest
		}
		if status >= http.StatusInternalServerError {
			s.log.Error("awsapi: request failed", slog.String("target", r.Header.Get("X-Amz-Target")),
				slog.String("request", id), slog.Any("error", err))
		}
		if f.queryError != "" {
			w.Header().Set("X-Amzn-Query-Error", f.queryError)
		}
		// Two strings are always JSON.
		body, _ = marshal(map[string]string{"__type": f.code, "message": f.message})
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone away misses nothing
}

// answer returns what r is answered with. It sets the headers that tell of it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.admit(r); err != nil {
		return nil, err
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &fault{code: codeMethodNotAllowed, message: fmt.Sprintf("want method POST, got %.20q", r.Method), status: http.StatusMethodNotAllowed}
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != json10 && t != json11 {
		return nil, &fault{code: codeUnsupportedType, status: http.StatusUnsupportedMediaType,
			message: fmt.Sprintf("want Content-Type %s or %s, got %.100q", json11, json10, r.Header.Get("Content-Type"))}
	}
	to, run, err := s.find(r.Header.Get("X-Amz-Target"))
	if err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", to.contentType)
	body, err := readBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &fault{code: codeTooLarge, status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("want a body of at most %d bytes, got more", maxBody)}
	case err != nil:
		return nil, &fault{code: codeSerialization, message: "the body ends early: " + err.Error()}
	}
	if err := s.verify(r, body, to.name); err != nil {
		return nil, err
	}
	return s.contain(context.WithValue(r.Context(), hostKey{}, r.Host), run, body)
}

// bodyTime is how long a client may take to send a body.
const bodyTime = 30 * time.Second

// readBody returns r's body. Only that has a deadline: an operation may wait for long. A
// connection on which it did not come in time is of no more use.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.Header().Set("Connection", "close")
	} else {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	return body, err
}

// find returns the operation that a header X-Amz-Target names, and its service.
func (s *Server) find(target string) (service, operation, error) {
	prefix, name, _ := strings.Cut(target, ".")
	for _, to := range s.services {
		if to.prefix == prefix && to.operations[name] != nil {
			return to, to.operations[name], nil
		}
	}
	return service{}, nil, &fault{code: codeUnknownOperation, message: fmt.Sprintf("no operation of the X-Amz-Target %.100q", target)}
}

// contain runs an operation, and makes an error of a panic.
func (s *Server) contain(ctx context.Context, run operation, body []byte) (answer any, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("awsapi: panic", slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			answer, err = nil, errors.New("awsapi: the operation panicked; the log has the stack")
		}
	}()
	return run(ctx, body)
}

// marshal returns the JSON of an answer, as the service writes it: <, > and & as they are.
func marshal(answer any) ([]byte, error) {
	if answer == nil {
		return []byte("{}"), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return nil, fmt.Errorf("awsapi: answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
