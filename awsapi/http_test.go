package awsapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// What is no request of the protocol is refused, with a status that says why, and before
// its body is read.
func TestProtocol(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		status int
		fault  string // its code, a space and its message, or part of them
	}{
		{"good", func(*http.Request) {}, 200, ""},
		{"a path, as of a queue's URL", func(r *http.Request) { r.URL.Path = "/123456789012/q" }, 200, ""},
		{"the other content type, with parameters", func(r *http.Request) { r.Header.Set("Content-Type", json10+"; charset=utf-8") }, 200, ""},
		{"localhost", func(r *http.Request) { r.Host = "LOCALHOST:80" }, 200, ""},
		{"IPv6", func(r *http.Request) { r.Host = "[::1]:80" }, 200, ""},
		{"IPv6 without port", func(r *http.Request) { r.Host = "[::1]" }, 200, ""},
		{"method", func(r *http.Request) { r.Method = http.MethodGet }, 405, `MethodNotAllowedException want method POST, got "GET"`},
		{"content type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415,
			`UnsupportedMediaTypeException want Content-Type application/x-amz-json-1.1 or application/x-amz-json-1.0, got "text/plain"`},
		{"no content type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415,
			`UnsupportedMediaTypeException want Content-Type application/x-amz-json-1.1 or application/x-amz-json-1.0, got ""`},
		{"no target", func(r *http.Request) { r.Header.Del("X-Amz-Target") }, 400, `UnknownOperationException no operation of the X-Amz-Target ""`},
		{"service", func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB.ListRules") }, 400, `UnknownOperationException no operation of the X-Amz-Target "DynamoDB.ListRules"`},
		{"UTF-8", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{\"NamePrefix\":\"\xff\"}")) }, 400, `SerializationException the request's body: want UTF-8`},
		{"depth", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat("[", 20000))) }, 400,
			`exceeded max depth (offset 10001)`},
		{"size", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", maxBody+1))) }, 413,
			`RequestEntityTooLargeException want a body of at most 8388608 bytes, got more`},
		{"body that breaks off", func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{})) }, 400,
			`SerializationException the body ends early: unexpected EOF`},
		{"origin", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:4010") }, 403,
			`AccessDeniedException web pages may not send requests: want no header Origin, got "http://127.0.0.1:4010"`},
		{"empty origin", func(r *http.Request) { r.Header["Origin"] = []string{""} }, 403,
			`AccessDeniedException web pages may not send requests: want no header Origin, got ""`},
		{"fetch", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403,
			`AccessDeniedException web pages may not send requests: want no header Sec-Fetch-Site, got "cross-site"`},
		{"fetch of the same site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403,
			`AccessDeniedException web pages may not send requests: want no header Sec-Fetch-Site, got "same-site"`},
		{"fetch of the same origin", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 403,
			`AccessDeniedException web pages may not send requests: want no header Sec-Fetch-Site, got "same-origin"`},
		{"fetch of none", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, 403,
			`AccessDeniedException web pages may not send requests: want no header Sec-Fetch-Site, got "none"`},
		{"host", func(r *http.Request) { r.Host = "rebound.example:4010" }, 403,
			`AccessDeniedException want a Host of loopback or one of Options.Hosts, got "rebound.example:4010"`},
		{"host of a network", func(r *http.Request) { r.Host = "10.0.0.1" }, 403,
			`AccessDeniedException want a Host of loopback or one of Options.Hosts, got "10.0.0.1"`},
		{"host that only begins well", func(r *http.Request) { r.Host = "localhost.example" }, 403,
			`AccessDeniedException want a Host of loopback or one of Options.Hosts, got "localhost.example"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request("ListRules", "{}")
			test.change(r)
			answer := httptest.NewRecorder()
			w.ServeHTTP(answer, r)
			assert.Equal(t, test.status, answer.Code)
			assert.Equal(t, test.status == http.StatusMethodNotAllowed, answer.Header().Get("Allow") == http.MethodPost)
			assert.Equal(t, json11, answer.Header().Get("Content-Type"))
			assert.Regexp(t, anID, answer.Header().Get("X-Amzn-Requestid"))
			if test.fault != "" {
				assert.Contains(t, faultIn(t, answer.Body.Bytes()), test.fault)
			}
		})
	}
}

// broken is a reader whose connection has broken.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// faultIn returns the code and the message of an answer.
func faultIn(t testing.TB, body []byte) string {
	var f struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	require.NoError(t, json.Unmarshal(body, &f), "%s", body)
	return f.Type + " " + f.Message
}

// Options.Hosts are hosts that requests may be sent to.
func TestHosts(t *testing.T) {
	hub := footbridge.NewHub(nil)
	s := Handler(hub, &Options{Hosts: []string{"events.test"}})
	defer s.Close()
	for host, status := range map[string]int{"events.test": 200, "EVENTS.TEST:80": 200, "127.0.0.1": 200, "other.test": 403} {
		r := request("ListRules", "{}")
		r.Host = host
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, r)
		assert.Equal(t, status, answer.Code, host)
	}
}

// A second service has its own prefix, content type and errors, and its operations know the
// host they were asked by.
func TestSecondService(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	w.services = append(w.services, service{prefix: "Second", name: "second", contentType: json10, operations: map[string]operation{
		"Host": op(func(ctx context.Context, _ *struct{}) (any, error) {
			return map[string]string{"Host": hostOf(ctx)}, nil
		}),
		"Fail": op(func(context.Context, *struct{}) (any, error) {
			return nil, &fault{code: "second#Failed", message: "<no>", queryError: "Second.Failed;Sender"}
		}),
	}})
	for target, want := range map[string]string{
		"Second.Host":      `200 {"Host":"127.0.0.1:4010"}`,
		"Second.Fail":      `400 {"__type":"second#Failed","message":"<no>"}`,
		"Second.ListRules": `400 {"__type":"UnknownOperationException","message":"no operation of the X-Amz-Target \"Second.ListRules\""}`,
	} {
		r := request("", "{}")
		r.Header.Set("X-Amz-Target", target)
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		assert.Equal(t, want, fmt.Sprintf("%d %s", answer.Code, answer.Body))
		if target == "Second.Fail" {
			assert.Equal(t, json10, answer.Header().Get("Content-Type"))
			assert.Equal(t, "Second.Failed;Sender", answer.Header().Get("X-Amzn-Query-Error"))
		}
	}
}

// A request may have just under a mebibyte of events, whatever that takes in JSON.
func TestRequestSize(t *testing.T) {
	w := newWorld(t, false)
	defer w.close(t)
	put := func(size int) (int, string) {
		detail := `{"a":"` + strings.Repeat(" ", size-len(`sd{"a":""}`)) + `"}`
		text, err := json.Marshal(detail)
		require.NoError(t, err)
		escaped := strings.ReplaceAll(string(text), " ", `\u0020`) // the longest there is
		return w.ask("PutEvents", `{"Entries":[{"Source":"s","DetailType":"d","Detail":`+escaped+`}]}`)
	}
	status, answer := put(footbridge.MaxRequestSize - 1)
	assert.Equal(t, http.StatusOK, status, answer)
	assert.Contains(t, answer, `"FailedEntryCount":0`)
	status, answer = put(footbridge.MaxRequestSize)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "ValidationException Total size of the entries in the request is over the limit.", faultIn(t, []byte(answer)))
}

// A panic in an operation is an answer and a line of the log, and not the end; what is of
// ours is told apart by the status.
func TestFailuresOfOurs(t *testing.T) {
	hub := footbridge.NewHub(nil)
	var log strings.Builder
	s := Handler(hub, &Options{
		Resolve: func(string) (footbridge.Handler, error) { panic("resolve") },
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	})
	w := &world{Server: s, hub: hub}
	_, _ = w.ask("PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"s\"]}"}`)
	put := `{"Rule":"r","Targets":[{"Id":"t","Arn":"` + functions + `f"}]}`
	status, body := w.ask("PutTargets", put)
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Equal(t, "InternalFailure awsapi: the operation panicked; the log has the stack", faultIn(t, []byte(body)))
	assert.Contains(t, log.String(), "panic=resolve")
	assert.Contains(t, log.String(), "TestFailuresOfOurs")

	s.Close()
	require.NoError(t, hub.Close(t.Context()))
	for operation, body := range map[string]string{
		"PutEvents":      `{"Entries":[{"Source":"s","DetailType":"d","Detail":"{}"}]}`,
		"CreateEventBus": `{"Name":"b"}`,
		"PutRule":        `{"Name":"r","EventPattern":"{\"source\":[\"s\"]}"}`,
		"StartReplay":    `{"ReplayName":"x","EventSourceArn":"arn:aws:events:us-east-1:000000000000:archive/a","EventStartTime":1,"EventEndTime":2,"Destination":{"Arn":"x"}}`,
		"DeleteEventBus": `{"Name":"b"}`,
	} {
		status, answer := w.ask(operation, body)
		assert.Equal(t, http.StatusServiceUnavailable, status, "%s: %s", operation, answer)
		assert.Contains(t, answer, "ServiceUnavailableException", operation)
	}
	status, body = w.ask("ListRules", "{}")
	assert.Equal(t, http.StatusOK, status, body)
}

// Two hundred clients at once publish, and change rules: each event is delivered to the
// rule that stays, once.
func TestLoad(t *testing.T) {
	const clients, requests = 200, 20
	hub := footbridge.NewHub(nil)
	s := Handler(hub, nil)
	server := httptest.NewServer(s)
	defer server.Close()
	var mu sync.Mutex
	seen := make(map[string]int)
	require.NoError(t, hub.Default().PutRule(footbridge.Rule{
		Name: "all", Pattern: footbridge.MustCompile(`{"source":["load"]}`),
		Targets: []footbridge.Target{footbridge.Func("count", func(_ context.Context, e footbridge.Event) error {
			mu.Lock()
			defer mu.Unlock()
			seen[string(e.Detail)]++
			return nil
		})},
	}))
	ask := func(client *http.Client, operation, body string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if !assert.NoError(t, err) {
			return ""
		}
		r.Header.Set("Content-Type", json11)
		r.Header.Set("X-Amz-Target", "AWSEvents."+operation)
		answer, err := client.Do(r)
		if !assert.NoError(t, err) {
			return ""
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		assert.NoError(t, err)
		assert.Equal(t, http.StatusOK, answer.StatusCode, "%s %s: %s", operation, body, text)
		return string(text)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rule := fmt.Sprintf(`"r%d"`, c)
			ask(client, "PutRule", `{"Name":`+rule+`,"EventPattern":"{\"source\":[\"other\"]}"}`)
			for i := range requests {
				entry := func(n int) string {
					return fmt.Sprintf(`{"Source":"load","DetailType":"d","Detail":"{\"client\":%d,\"n\":%d}"}`, c, n)
				}
				answer := ask(client, "PutEvents", `{"Entries":[`+entry(2*i)+`,`+entry(2*i+1)+`]}`)
				assert.True(t, strings.HasPrefix(answer, `{"FailedEntryCount":0,`), answer)
				assert.Contains(t, ask(client, "DescribeRule", `{"Name":`+rule+`}`), rule)
			}
			ask(client, "DeleteRule", `{"Name":`+rule+`}`)
		})
	}
	wg.Wait()
	require.NoError(t, hub.Wait(t.Context()))
	assert.Len(t, seen, 2*clients*requests)
	for detail, n := range seen {
		assert.Equal(t, 1, n, detail)
	}
	assert.Len(t, hub.Default().Rules(), 1)
	s.Close()
	require.NoError(t, hub.Close(t.Context()))
}

// A deadlineWriter records the deadlines of a request's reading.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (w *deadlineWriter) SetReadDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

// A body must come in time, but an operation may wait for longer.
func TestBodyMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Handler(footbridge.NewHub(nil), nil)
		defer s.Close()
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", json11)
		r.Header.Set("X-Amz-Target", "AWSEvents.ListRules")
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		s.ServeHTTP(w, r)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, []time.Time{time.Now().Add(bodyTime), {}}, w.deadlines)
	})
}
