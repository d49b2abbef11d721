package queue_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/queue"
)

var update = flag.Bool("update", false, "write what scripts print into their files")

// TestScripts runs the scripts in testdata, each in a bubble, and compares what they print
// with the lines behind "> " in them. The first lines of a script say what it shows; its
// commands are the methods of command.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = newScript().run(string(want)) })
			if *update {
				require.NoError(t, os.WriteFile(file, got, 0o644))
				return
			}
			require.Equal(t, string(want), string(got))
		})
	}
}

// A script runs commands and prints what they do.
type script struct {
	out      bytes.Buffer
	began    time.Time
	service  *queue.Service
	receipts map[string]string // by names: h1, h2, ...
	waiters  int
	lines    chan string // of waiters
}

func newScript() *script {
	return &script{began: time.Now(), service: &queue.Service{Account: "123456789012", Region: "eu-west-1"}, receipts: map[string]string{}, lines: make(chan string, 100)}
}

func (s *script) run(text string) []byte {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "> ") {
			continue
		}
		s.out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		for i, w := range words {
			if w, err := strconv.Unquote(w); err == nil {
				words[i] = w
			}
		}
		s.command(words[0], words[1:])
		synctest.Wait()
		for len(s.lines) > 0 {
			s.print(<-s.lines)
		}
	}
	return s.out.Bytes()
}

func (s *script) print(line string) { fmt.Fprintf(&s.out, "> %s\n", line) }

func (s *script) command(name string, args []string) {
	if name == "sleep" {
		<-time.After(duration(args[0]))
		return
	}
	if name == "create" {
		q, err := s.service.Create(args[0], settings(queue.Settings{}, args[1:]))
		if s.check(err) {
			s.print(q.ARN())
		}
		return
	}
	if name == "drop" {
		s.check(s.service.Delete(args[0]))
		return
	}
	q, err := s.service.Queue(args[0])
	if !s.check(err) {
		return
	}
	arg := func(i int) string {
		if len(args) <= i {
			return ""
		}
		return args[i]
	}
	switch name {
	case "configure":
		s.check(q.Configure(settings(q.Settings(), args[1:])))
	case "send":
		sent, err := q.Send(outgoing(args[1:]))
		switch {
		case !s.check(err):
		case sent.Duplicate:
			s.print("duplicate of " + sent.Sequence)
		case q.FIFO():
			s.print(sent.Sequence)
		}
	case "receive":
		s.print(s.receive(q, args[1:]))
	case "wait":
		s.waiters++
		id := s.waiters
		go func() {
			got := s.receive(q, args[1:])
			s.lines <- fmt.Sprintf("t=%v waiter %d: %s", time.Since(s.began), id, got)
		}()
	case "delete":
		s.check(q.Delete(s.receipt(args[1])))
	case "change":
		s.check(q.ChangeVisibility(s.receipt(args[1]), duration(arg(2))))
	case "purge":
		s.check(q.Purge())
	case "stats":
		st := q.Stats()
		s.print(fmt.Sprintf("ready %d, in flight %d, delayed %d, expired %d", st.Ready, st.InFlight, st.Delayed, st.Expired))
	default:
		s.print("no such command")
	}
}

// check prints an error.
func (s *script) check(err error) bool {
	var e *queue.Error
	switch {
	case err == nil:
		return true
	case errors.As(err, &e):
		message := e.Message
		for name, receipt := range s.receipts {
			message = strings.ReplaceAll(message, receipt, name)
		}
		s.print(e.Code + ": " + message)
	default:
		s.print(err.Error())
	}
	return false
}

func (s *script) receipt(name string) string {
	if r := s.receipts[name]; r != "" {
		return r
	}
	return name
}

func (s *script) receive(q *queue.Queue, args []string) string {
	o := queue.ReceiveOptions{Max: 10}
	for _, a := range args {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "max":
			o.Max, _ = strconv.Atoi(value)
		case "wait":
			o.Wait = duration(value)
		case "visibility":
			o.Visibility = duration(value)
		}
	}
	messages, err := q.Receive(context.Background(), o)
	var e *queue.Error
	if errors.As(err, &e) {
		return e.Code + ": " + e.Message
	}
	if len(messages) == 0 {
		return "nothing"
	}
	var got []string
	for _, m := range messages {
		name := fmt.Sprintf("h%d", len(s.receipts)+1)
		s.receipts[name] = m.Receipt
		text := fmt.Sprintf("%s (%s, time %d", m.Body, name, m.ReceiveCount)
		if m.Group != "" {
			text += ", group " + m.Group
		}
		if m.DeadLetterSource != "" {
			text += ", from " + m.DeadLetterSource
		}
		got = append(got, text+")")
	}
	return strings.Join(got, ", ")
}

func settings(to queue.Settings, args []string) queue.Settings {
	for _, a := range args {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "visibility":
			to.VisibilityTimeout = duration(value)
		case "delay":
			to.Delay = duration(value)
		case "wait":
			to.ReceiveWait = duration(value)
		case "retention":
			to.Retention = duration(value)
		case "size":
			to.MaxMessageSize, _ = strconv.Atoi(value)
		case "dlq":
			to.DeadLetterARN = value
		case "receives":
			to.MaxReceiveCount, _ = strconv.Atoi(value)
		case "content-dedup":
			to.ContentBasedDedup = true
		case "dedup-per-group":
			to.DedupPerGroup = true
		}
	}
	return to
}

func outgoing(args []string) queue.Outgoing {
	o := queue.Outgoing{Attributes: map[string]queue.Attribute{}}
	for _, a := range args {
		switch key, value, found := strings.Cut(a, "="); {
		case !found:
			o.Body = a
		case key == "size":
			n, _ := strconv.Atoi(value)
			o.Body = strings.Repeat("x", n)
		case key == "group":
			o.Group = value
		case key == "dedup":
			o.DedupID = value
		case key == "delay":
			o.Delay = duration(value)
		case key == "copies": // of an attribute
			n, _ := strconv.Atoi(value)
			for i := range n {
				o.Attributes[fmt.Sprintf("a%d", i)] = queue.Attribute{DataType: "String", String: "x"}
			}
		default: // an attribute: NAME=TYPE:VALUE
			kind, value, _ := strings.Cut(value, ":")
			attribute := queue.Attribute{DataType: kind}
			if strings.HasPrefix(kind, "Binary") {
				attribute.Binary = []byte(value)
			} else {
				attribute.String = value
			}
			o.Attributes[key] = attribute
		}
	}
	return o
}

// duration reads a duration; "none" is queue.None.
func duration(text string) time.Duration {
	if text == "none" {
		return queue.None
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}
