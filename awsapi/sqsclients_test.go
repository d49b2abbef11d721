package awsapi

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests let clients that others wrote use queues. Each is skipped where its client is
// absent.

// The AWS CLI sends an event to a queue, and receives it.
func TestSQSCLI(t *testing.T) {
	needs(t, "aws")
	e := newEndpoint(t)
	run := func(args ...string) string {
		t.Helper()
		// In the environment alone the endpoint is not enough: for sqs the CLI sets its own.
		stdout, err := e.command(t, "aws", append([]string{"--endpoint-url", e.url}, args...)...).Output()
		require.NoError(t, err, "%v: %s", args, stderr(err))
		return string(stdout)
	}
	assert.JSONEq(t, `{"QueueUrl":"`+e.url+`/123456789012/orders"}`, run("sqs", "create-queue", "--queue-name", "orders"))
	url := e.url + "/123456789012/orders"
	run("events", "put-rule", "--name", "r", "--event-pattern", `{"source":["shop"]}`)
	run("events", "put-targets", "--rule", "r", "--targets", "Id=q,Arn="+queueARNs+"orders")
	run("events", "put-events", "--entries", `[{"Source":"shop","DetailType":"Order Placed","Detail":"{\"id\":1}","Time":"2020-01-02T03:04:05Z"}]`)
	var got struct {
		Messages []struct{ Body, ReceiptHandle string }
	}
	require.NoError(t, json.Unmarshal([]byte(run("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "20")), &got))
	require.Len(t, got.Messages, 1)
	assert.Equal(t, `{"version":"0","id":"ID","detail-type":"Order Placed","source":"shop","account":"123456789012","time":"2020-01-02T03:04:05Z",`+
		`"region":"eu-west-1","resources":[],"detail":{"id":1}}`, anID.ReplaceAllString(got.Messages[0].Body, "ID"))
	assert.Empty(t, run("sqs", "delete-message", "--queue-url", url, "--receipt-handle", got.Messages[0].ReceiptHandle))
	assert.JSONEq(t, `{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesNotVisible":"0"}}`,
		run("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"))

	output, err := e.command(t, "aws", "--endpoint-url", e.url, "sqs", "get-queue-url", "--queue-name", "none").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl operation: The specified queue does not exist.")
}

// A Python program with boto3 uses all operations, checks digests, waits, and reads errors.
func TestSQSBoto3(t *testing.T) {
	needs(t, "python3")
	if output, err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("skipped: there is no boto3 on this machine: %s", output)
	}
	e := newEndpoint(t)
	script, err := filepath.Abs("testdata/sqs/client.py")
	require.NoError(t, err)
	output, err := e.command(t, "python3", script).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, "all operations answered\n", string(output))
	e.settle(t)
}
