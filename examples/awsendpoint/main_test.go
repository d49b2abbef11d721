package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge/awsapi"
)

// An endpoint is a run of the program.
type endpoint struct {
	url   string
	lines *bufio.Scanner // of its output, behind the URL
	end   func() error   // interrupts it and returns run's error
}

func start(t *testing.T) *endpoint {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0"}, w, io.Discard)
		w.CloseWithError(io.EOF)
		ended <- err
	}()
	e := &endpoint{lines: bufio.NewScanner(r)}
	require.True(t, e.lines.Scan(), "the program ended")
	e.url = e.lines.Text()
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, e.url)
	e.end = sync.OnceValue(func() error {
		interrupt()
		_, _ = io.Copy(io.Discard, r) // what is printed must not block
		return <-ended
	})
	t.Cleanup(func() { assert.NoError(t, e.end()) })
	return e
}

// skipTo reads lines until one has prefix, and returns the rest of that.
func (e *endpoint) skipTo(t *testing.T, prefix string) string {
	t.Helper()
	for e.lines.Scan() {
		if rest, ok := strings.CutPrefix(e.lines.Text(), prefix); ok {
			return rest
		}
	}
	t.Fatalf("no line begins with %q", prefix)
	return ""
}

// call sends a request and returns its answer.
func (e *endpoint) call(t *testing.T, target, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(t, http.StatusOK, response.StatusCode, "%v", answer)
	return answer
}

func TestEndpoint(t *testing.T) {
	e := start(t)
	e.skipTo(t, "An interrupt")
	e.call(t, "AWSEvents.PutRule", `{"Name":"dear","EventPattern":"{\"detail\":{\"total\":[{\"numeric\":[\">\",1000]}]}}"}`)
	put := e.call(t, "AWSEvents.PutTargets", `{"Rule":"dear","Targets":[{"Id":"log","Arn":"arn:aws:lambda:us-east-1:000000000000:function:log"}]}`)
	assert.EqualValues(t, 0, put["FailedEntryCount"])
	put = e.call(t, "AWSEvents.PutEvents", `{"Entries":[{"Source":"shop","DetailType":"Order Placed","Detail":"{\"total\":2450}"}]}`)
	assert.EqualValues(t, 0, put["FailedEntryCount"])
	assert.Contains(t, e.skipTo(t, "log: "), `"detail":{"total":2450}`)
	got := e.call(t, "AmazonSQS.ReceiveMessage", `{"QueueUrl":"`+e.url+`/000000000000/orders","WaitTimeSeconds":20}`)
	require.Len(t, got["Messages"], 1)
	assert.Contains(t, got["Messages"].([]any)[0].(map[string]any)["Body"], `"detail":{"total":2450}`)

	require.NoError(t, e.end())
	_, err := http.Get(e.url)
	assert.Error(t, err, "nobody listens any more")
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"x"}, "want no arguments"},
		{[]string{"-port", "1"}, "flag provided but not defined"},
		{[]string{"-addr", "nonsense"}, "missing port"},
	} {
		assert.ErrorContains(t, run(t.Context(), c.args, io.Discard, io.Discard), c.want)
	}
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0"} {
		assert.ErrorIs(t, run(t.Context(), []string{"-addr", addr}, io.Discard, io.Discard), awsapi.ErrNotLoopback)
	}
}

// The test's binary is the program if this is set.
const asProgram = "AWSENDPOINT_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Args = []string{os.Args[0], "-addr", "127.0.0.1:0"}
		main()
		return
	}
	os.Exit(m.Run())
}

// An interrupt ends the process with status 0.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt on Windows")
	}
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), asProgram+"=1")
	program.Stderr = os.Stderr
	out, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, lines.Text())
	require.NoError(t, program.Process.Signal(os.Interrupt))
	for lines.Scan() { // until it ends
	}
	assert.NoError(t, program.Wait())
}

// What the README tells to do is what the program prints, and works.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## AWS CLI and SDKs\n")
	require.True(t, found)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(section)
	require.NotNil(t, block)
	const address = "http://127.0.0.1:4010" // the default
	printed := fmt.Sprintf(help, address)
	var script []string
	for line := range strings.Lines(block[1]) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "  # ")
		if strings.HasPrefix(command, "go run ") {
			continue
		}
		assert.Contains(t, printed, command)
		script = append(script, command)
	}
	require.Len(t, script, 3)
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not on this machine: ", err)
	}
	e := start(t)
	e.skipTo(t, "An interrupt")
	// What the machine's owner has configured is not for this endpoint.
	script = append([]string{"unset AWS_PROFILE AWS_DEFAULT_PROFILE"}, script...)
	shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.ReplaceAll(strings.Join(script, "\n"), address, e.url))
	shell.Env = append(os.Environ(), "AWS_CONFIG_FILE=none", "AWS_SHARED_CREDENTIALS_FILE=none", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
	var stderr bytes.Buffer
	shell.Stderr = &stderr
	out, err := shell.Output()
	require.NoError(t, err, "%s", stderr.String())
	assert.Contains(t, string(out), `"FailedEntryCount": 0`)
	assert.Contains(t, string(out), `\"detail\":{\"total\":2450}`)
}
