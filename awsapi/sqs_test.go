package awsapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/internal/facts"
	"github.com/footbridge-go/footbridge/queue"
)

// request returns the request of an operation of the one service that has it.
func (w *world) request(operation, body string) *http.Request {
	r := request(operation, body)
	for _, of := range w.services {
		if of.operations[operation] != nil {
			r.Header.Set("X-Amz-Target", of.prefix+"."+operation)
			r.Header.Set("Content-Type", of.contentType)
		}
	}
	return r
}

// envelopeDigest is the digest of a body that has an ID, which is another each time.
var envelopeDigest = regexp.MustCompile(`"MD5OfBody":"[0-9a-f]{32}"(,"Body":"\{\\"version)`)

var receiptHandle = regexp.MustCompile(`"ReceiptHandle":"([^"]*)"`)

// A sqsSession is a file of requests for queues on its way.
type sqsSession struct {
	*testing.T
	*world
	token    string
	receipts []string
}

// The server answers requests for queues as the files say, which are as TestAnswers has them.
// A receipt handle is H1, H2, and so on, by the order in which they came. What is refused has
// the code that clients know from the service's older protocol, if there is one, in parentheses.
func TestSQSAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/sqs*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var lines []string
			synctest.Test(t, func(t *testing.T) {
				s := &sqsSession{T: t, world: newWorld(t, false)}
				defer s.close(t)
				for _, line := range strings.Split(string(text), "\n") {
					word, rest, _ := strings.Cut(line, " ")
					if word == "ok" || word == "refuse" {
						continue
					}
					lines = append(lines, line)
					switch {
					case line == "" || line[0] == '#':
					case word == "origin":
						require.Contains(t, facts.Origins, rest)
					case word == "sleep":
						d, err := time.ParseDuration(rest)
						require.NoError(t, err)
						<-time.After(d)
					default:
						lines = append(lines, s.answer(word, rest))
						synctest.Wait() // for what events bring about
					}
				}
			})
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
				return
			}
			require.Equal(t, strings.Split(string(text), "\n"), lines)
		})
	}
}

func (s *sqsSession) answer(operation, body string) string {
	for i, r := range s.receipts {
		body = strings.ReplaceAll(body, fmt.Sprintf(`"H%d"`, i+1), `"`+r+`"`)
	}
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, s.request(operation, strings.ReplaceAll(body, "TOKEN", s.token)))
	answer := recorder.Body.String()
	if m := token.FindStringSubmatch(answer); m != nil {
		s.token = m[1]
		answer = strings.Replace(answer, m[1], "TOKEN", 1)
	}
	for _, m := range receiptHandle.FindAllStringSubmatch(answer, -1) {
		s.receipts = append(s.receipts, m[1])
	}
	for i, r := range s.receipts {
		answer = strings.ReplaceAll(answer, r, fmt.Sprintf("H%d", i+1))
	}
	answer = envelopeDigest.ReplaceAllString(answer, `"MD5OfBody":"MD5"$1`)
	answer = anID.ReplaceAllString(answer, "ID")
	if recorder.Code == http.StatusOK {
		return "ok " + answer
	}
	var fault struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	require.NoError(s, json.Unmarshal([]byte(answer), &fault), answer)
	code := fault.Type
	if query := recorder.Header().Get("X-Amzn-Query-Error"); query != "" {
		code += " (" + query + ")"
	}
	if recorder.Code != http.StatusBadRequest {
		code = fmt.Sprint(recorder.Code, " ", code)
	}
	return "refuse " + code + " " + fault.Message
}

// A request that waits for a message gets it when it comes, and leaves when its client does,
// and when the server is closed.
func TestSQSWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		q, err := w.queues.(*sqs).Create("q", queue.Settings{})
		require.NoError(t, err)
		wait := func(ctx context.Context) chan string {
			answer := make(chan string, 1)
			go func() {
				r := httptest.NewRecorder()
				w.ServeHTTP(r, w.request("ReceiveMessage", `{"QueueUrl":"http://h/123456789012/q","WaitTimeSeconds":20}`).WithContext(ctx))
				answer <- fmt.Sprintf("%d %s", r.Code, r.Body)
			}()
			synctest.Wait()
			return answer
		}
		began := time.Now()
		ctx, leave := context.WithCancel(t.Context())
		left, first := wait(ctx), wait(t.Context())
		leave()
		synctest.Wait()
		assert.Equal(t, `200 {}`, <-left)
		<-time.After(3 * time.Second)
		_, err = q.Send(queue.Outgoing{Body: "a"})
		require.NoError(t, err)
		assert.Contains(t, <-first, `"Body":"a"`)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, `200 {}`, <-wait(t.Context()))
		assert.Equal(t, 23*time.Second, time.Since(began))

		last := wait(t.Context())
		w.close(t)
		assert.Contains(t, <-last, "503")
		assert.Equal(t, 23*time.Second, time.Since(began))
	})
}

// A program's own queues are those of requests, and what it deletes is forgotten.
func TestSQSOfTheProgram(t *testing.T) {
	service := new(queue.Service)
	_, err := service.Create("q", queue.Settings{})
	require.NoError(t, err)
	hub := footbridge.NewHub(nil)
	w := &world{hub: hub, Server: Handler(hub, &Options{Queues: service})}
	defer w.close(t)
	ask := func(operation, body string) string {
		r := httptest.NewRecorder()
		w.ServeHTTP(r, w.request(operation, body))
		return r.Body.String()
	}
	assert.Equal(t, `{"QueueUrls":["http://127.0.0.1:4010/000000000000/q"]}`, ask("ListQueues", `{}`))
	assert.Equal(t, `{}`, ask("TagQueue", `{"QueueUrl":"/000000000000/q","Tags":{"a":"1"}}`))
	assert.Equal(t, `{"Tags":{"a":"1"}}`, ask("ListQueueTags", `{"QueueUrl":"/000000000000/q"}`))

	// A rule's target is the queue of that name, also if it is another one by now.
	ask("PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"shop\"]}"}`)
	put := ask("PutTargets", `{"Rule":"r","Targets":[{"Id":"t","Arn":"arn:aws:sqs:us-east-1:000000000000:q","InputPath":"$.detail"}]}`)
	assert.Equal(t, `{"FailedEntryCount":0,"FailedEntries":[]}`, put)
	require.NoError(t, service.Delete("q"))
	q, err := service.Create("q", queue.Settings{})
	require.NoError(t, err)
	assert.Equal(t, `{}`, ask("ListQueueTags", `{"QueueUrl":"/000000000000/q"}`))
	assert.Equal(t, `{"QueueUrl":"http://127.0.0.1:4010/000000000000/p"}`, ask("CreateQueue", `{"QueueName":"p"}`))
	assert.Len(t, w.queues.(*sqs).states, 2, "of q, which is another, and of p")
	ask("PutEvents", `{"Entries":[{"Source":"shop","DetailType":"d","Detail":"{}"}]}`)
	require.NoError(t, hub.Wait(t.Context()))
	assert.Equal(t, 1, q.Stats().Ready)

	require.NoError(t, service.Delete("q"))
	ask("PutEvents", `{"Entries":[{"Source":"shop","DetailType":"d","Detail":"{}"}]}`)
	require.NoError(t, hub.Wait(t.Context()))
	assert.EqualValues(t, 1, hub.Default().Stats().Lost, "there is no dead-letter queue")
}

// FuzzSQS has requests of any form: they are answered, or refused for a reason of theirs.
func FuzzSQS(f *testing.F) {
	files, err := filepath.Glob("testdata/sqs*.txt")
	require.NoError(f, err)
	operations := (&sqs{}).service().operations
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		for line := range strings.Lines(string(text)) {
			if operation, body, _ := strings.Cut(line, " "); operations[operation] != nil {
				f.Add(operation, body)
			}
		}
	}
	w := newWorld(f, false)
	ctx, leave := context.WithCancel(f.Context())
	leave() // nobody waits
	f.Fuzz(func(t *testing.T, operation, body string) {
		r := httptest.NewRecorder()
		w.ServeHTTP(r, w.request(operation, body).WithContext(ctx))
		require.Less(t, r.Code, http.StatusInternalServerError, "%s", r.Body)
	})
}
