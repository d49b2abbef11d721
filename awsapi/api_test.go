package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/facts"
)

var update = flag.Bool("update", false, "write the answers in testdata anew")

// A world is a server with a hub, and targets that note what they receive.
type world struct {
	*Server
	hub *footbridge.Hub

	mu       sync.Mutex // guards the field below
	received []string   // "NAME PAYLOAD"
}

// functions is what the ARNs of the world's targets begin with. A name's beginning says what
// it does.
const functions = "arn:aws:lambda:eu-west-1:123456789012:function:"

func newWorld(t testing.TB, strict bool) *world {
	w := &world{hub: footbridge.NewHub(&footbridge.Options{Account: "123456789012", Region: "eu-west-1", Strict: strict})}
	w.Server = Handler(w.hub, &Options{Resolve: w.resolve})
	return w
}

func (w *world) close(t testing.TB) {
	w.Server.Close()
	require.NoError(t, w.hub.Close(t.Context()))
}

// A function is a target; with the name "dead..." it is a dead-letter queue, too.
type function struct {
	name  string
	world *world
}

type deadLetters struct{ function }

func (w *world) resolve(arn string) (footbridge.Handler, error) {
	name, ok := strings.CutPrefix(arn, functions)
	switch {
	case !ok:
		return nil, nil
	case strings.HasPrefix(name, "missing"):
		return nil, errors.New("it was never deployed")
	case strings.HasPrefix(name, "dead"):
		return deadLetters{function{name, w}}, nil
	}
	return function{name, w}, nil
}

func (f function) note(format string, args ...any) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.world.received = append(f.world.received, f.name+" "+fmt.Sprintf(format, args...))
}

func (f function) Handle(_ context.Context, d footbridge.Delivery) error {
	payload, err := d.Payload()
	if err != nil {
		return err
	}
	f.note("%s", payload)
	if strings.HasPrefix(f.name, "broken") {
		return errors.New("broken")
	}
	return nil
}

func (f deadLetters) Send(_ context.Context, d footbridge.DeadLetter) error {
	f.note("%s %s retries %d %s", d.TargetARN, d.ErrorCode, d.RetryAttempts, d.ExhaustedRetryCondition)
	return nil
}

// take returns what was received since the last time, UUIDs as ID, sorted.
func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.received
	w.received = nil
	for i := range taken {
		taken[i] = anID.ReplaceAllString(taken[i], "ID")
	}
	slices.Sort(taken)
	return taken
}

// request returns a request as a client sends it.
func request(operation, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4010/", strings.NewReader(body))
	r.Header.Set("Content-Type", json11)
	r.Header.Set("X-Amz-Target", "AWSEvents."+operation)
	return r
}

// ask sends a request, and returns the answer's status and body.
func (w *world) ask(operation, body string) (int, string) {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, request(operation, body))
	return answer.Code, answer.Body.String()
}

var (
	anID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	token = regexp.MustCompile(`"NextToken":"([^"]*)"`)
)

// A session is a file of requests and answers on its way.
type session struct {
	*testing.T
	*world
	token string // the last NextToken
	lines []string
}

// The server answers as the files say. A file is a sequence of lines. "server" and
// "server strict" begin with a new server, of account 123456789012 and region eu-west-1,
// at 2000-01-01T00:00:00Z; "origin" says where what follows is known from. A line that begins
// with an operation's name is a request with its body, and below it is the answer: "ok" and
// its body, or "refuse" with the code and the message. In it UUIDs are ID and a NextToken is
// TOKEN, which in a request's body stands for the last one. "sleep 1m" lets time pass;
// "received" is what targets have received since, a line for each, or "nothing".
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "sqs") { // which has its own test
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s := &session{T: t}
			for i, part := range strings.Split(string(text), "\nserver") {
				if i > 0 {
					s.lines = append(s.lines, "") // the place of "server" is in part
				}
				synctest.Test(t, func(t *testing.T) { s.T = t; s.play(file, i > 0, part) })
			}
			if got := strings.Join(s.lines, "\n"); *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
				return
			}
			for i, want := range strings.Split(string(text), "\n") {
				require.Greater(t, len(s.lines), i, "%s:%d: want %s", file, i+1, want)
				require.Equal(t, want, s.lines[i], "%s:%d", file, i+1) // what comes behind may follow from it
			}
		})
	}
}

// play plays the part of a file from one "server" line to the next, and writes it anew.
func (s *session) play(file string, serves bool, part string) {
	answered, origin := true, false
	for i, line := range strings.Split(part, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case serves && i == 0:
			s.world = newWorld(s, line == " strict")
			defer s.world.close(s)
			s.lines[len(s.lines)-1] = "server" + line
		case line == "" || line[0] == '#':
			s.lines = append(s.lines, line)
		case word == "origin":
			require.Contains(s, facts.Origins, rest, file)
			origin = true
			s.lines = append(s.lines, line)
		case word == "sleep":
			d, err := time.ParseDuration(rest)
			require.NoError(s, err)
			<-time.After(d)
			synctest.Wait()
			s.lines = append(s.lines, line)
		case word == "received":
			if answered { // once for a block of them
				synctest.Wait()
				received := s.take()
				for _, r := range received {
					s.lines = append(s.lines, "received "+r)
				}
				if len(received) == 0 {
					s.lines = append(s.lines, "received nothing")
				}
			}
			answered = false
			continue
		case word == "ok" || word == "refuse":
		default:
			require.True(s, origin, "%s: want an origin before %q", file, line)
			s.lines = append(s.lines, line, s.answer(word, rest))
		}
		answered = true
	}
	if s.world != nil {
		synctest.Wait()
		assert.Empty(s, s.take(), "%s: want a line \"received\" for it", file)
	}
}

// answer sends a request, and returns the line of its answer.
func (s *session) answer(operation, body string) string {
	status, answer := s.ask(operation, strings.ReplaceAll(body, "TOKEN", s.token))
	if m := token.FindStringSubmatch(answer); m != nil {
		s.token = m[1]
		answer = strings.Replace(answer, m[1], "TOKEN", 1)
	}
	answer = anID.ReplaceAllString(answer, "ID")
	if status == http.StatusOK {
		return "ok " + answer
	}
	var fault struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	require.NoError(s, json.Unmarshal([]byte(answer), &fault), answer)
	if status == http.StatusBadRequest {
		return "refuse " + fault.Type + " " + fault.Message
	}
	return fmt.Sprintf("refuse %d %s %s", status, fault.Type, fault.Message)
}
