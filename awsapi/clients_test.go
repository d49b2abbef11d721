package awsapi

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests let clients that others wrote talk to a server: the AWS CLI, boto3 and
// Terraform. Each is skipped where its client is absent.

const (
	keyID  = "AKIDEXAMPLE"
	secret = "secret"
)

// An endpoint is a world that listens, and insists on signatures.
type endpoint struct {
	*world
	url string
}

func newEndpoint(t *testing.T) *endpoint {
	w := newWorld(t, false)
	w.options.Credentials = map[string]string{keyID: secret}
	server := httptest.NewServer(w)
	t.Cleanup(func() {
		server.Close()
		w.close(t)
	})
	return &endpoint{w, server.URL}
}

// command returns a command whose AWS client is configured for the endpoint.
func (e *endpoint) command(t *testing.T, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = t.TempDir()
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "TF_") })
	c.Env = append(c.Env, "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_DEFAULT_REGION=eu-west-1", "AWS_ENDPOINT_URL="+e.url,
		"AWS_CONFIG_FILE=none", "AWS_SHARED_CREDENTIALS_FILE=none", "NO_PROXY=*")
	return c
}

// needs skips the test unless there is a program of that name.
func needs(t *testing.T, program string) {
	if testing.Short() {
		t.Skipf("skipped: %s is slow to start, and these are short tests", program)
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("skipped: there is no %s on this machine: %v", program, err)
	}
}

// settle waits until the hub has nothing undecided, and returns what was received.
func (e *endpoint) settle(t *testing.T) []string {
	require.NoError(t, e.hub.Wait(t.Context()))
	return e.take()
}

// The AWS CLI puts rules and targets, publishes, tests patterns, and reads errors.
func TestCLI(t *testing.T) {
	needs(t, "aws")
	e := newEndpoint(t)
	ok := func(want string, args ...string) {
		t.Helper()
		c := e.command(t, "aws", append([]string{"events"}, args...)...)
		stdout, err := c.Output()
		require.NoError(t, err, "%v: %s", args, stderr(err))
		if want == "" {
			assert.Empty(t, string(stdout))
		} else {
			assert.JSONEq(t, want, anID.ReplaceAllString(string(stdout), "ID"))
		}
	}
	ok(`{"RuleArn":"arn:aws:events:eu-west-1:123456789012:rule/r"}`,
		"put-rule", "--name", "r", "--event-pattern", `{"source":["shop"]}`)
	ok(`{"FailedEntryCount":0,"FailedEntries":[]}`,
		"put-targets", "--rule", "r", "--targets", "Id=t,Arn="+functions+"f,InputPath=$.detail")
	ok(`{"FailedEntryCount":1,"Entries":[{"EventId":"ID"},{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}]}`,
		"put-events", "--entries", `[{"Source":"shop","DetailType":"Order Placed","Detail":"{\"id\":1}","Time":"2020-01-02T03:04:05Z"},{"Source":"shop","DetailType":"d","Detail":"x"}]`)
	assert.Equal(t, []string{`f {"id":1}`}, e.settle(t))
	ok(`{"Result":true}`, "test-event-pattern", "--event-pattern", `{"source":["shop"]}`,
		"--event", `{"id":"1","account":"1","source":"shop","time":"t","region":"r","detail-type":"d"}`)
	ok("", "disable-rule", "--name", "r")

	output, err := e.command(t, "aws", "events", "describe-rule", "--name", "none").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "An error occurred (ResourceNotFoundException) when calling the DescribeRule operation: Rule none does not exist on EventBus default.")
}

// stderr returns what a command that failed has said.
func stderr(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return ""
}

// A Python program with boto3 uses all operations, with pagers, waits and typed errors.
func TestBoto3(t *testing.T) {
	needs(t, "python3")
	if output, err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("skipped: there is no boto3 on this machine: %s", output)
	}
	e := newEndpoint(t)
	script, err := filepath.Abs("testdata/boto3/client.py")
	require.NoError(t, err)
	output, err := e.command(t, "python3", script).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, "all operations answered\n", string(output))
	assert.Equal(t, []string{`f {"order":1}`, `f {"order":1}`}, e.settle(t), "published and replayed")
}

// raceEnabled is whether the race detector is on.
var raceEnabled bool
