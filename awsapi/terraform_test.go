package awsapi

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/queue"
)

// terraformPlugins returns the directory whose registry.terraform.io has the AWS provider:
// that of an environment variable, one that Terraform looks in, or one not far below the
// root of the file system.
func terraformPlugins(t *testing.T) string {
	candidates := []string{os.Getenv("FOOTBRIDGE_TERRAFORM_PLUGINS")}
	if home, err := os.UserHomeDir(); err == nil {
		candidates = append(candidates, filepath.Join(home, ".terraform.d", "plugins"), filepath.Join(home, ".local", "share", "terraform", "plugins"))
	}
	candidates = append(candidates, "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")
	for _, depth := range []string{"/", "/*", "/*/*"} {
		found, _ := filepath.Glob(filepath.Join(depth, "registry.terraform.io")) // only a bad pattern is an error
		for _, f := range found {
			candidates = append(candidates, filepath.Dir(f))
		}
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "registry.terraform.io", "hashicorp", "aws")); dir != "" && err == nil {
			return dir
		}
	}
	t.Skip("skipped: Terraform's AWS provider is not on this machine; FOOTBRIDGE_TERRAFORM_PLUGINS may name the directory that has registry.terraform.io/hashicorp/aws")
	return ""
}

// newTerraform returns an endpoint, and what runs Terraform with a configuration against it.
// Its tests are parallel: most of their time the provider waits for what it has made.
func newTerraform(t *testing.T, config string) (*endpoint, func(args ...string)) {
	t.Helper()
	needs(t, "terraform")
	if raceEnabled {
		t.Skip("skipped: Terraform takes a minute, and runs without the race detector, for which there is TestLoad")
	}
	plugins := terraformPlugins(t)
	t.Parallel()
	e, dir := newEndpoint(t), t.TempDir()
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.tf"), text, 0o600))
	rc := filepath.Join(dir, "terraform.rc")
	mirror := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", plugins)
	require.NoError(t, os.WriteFile(rc, []byte(mirror), 0o600))
	return e, func(args ...string) {
		t.Helper()
		c := e.command(t, "terraform", append(args, "-no-color")...)
		c.Dir = dir
		c.Env = append(c.Env, "TF_CLI_CONFIG_FILE="+rc, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_VAR_endpoint="+e.url)
		output, err := c.CombinedOutput()
		require.NoError(t, err, "terraform %v: %s", args, output)
	}
}

// Terraform applies a configuration, finds no differences then, and destroys what it made.
func TestTerraform(t *testing.T) {
	e, terraform := newTerraform(t, "testdata/terraform/main.tf")
	terraform("init")
	terraform("apply", "-auto-approve")
	terraform("plan", "-detailed-exitcode") // which is 2 if there are differences

	result, err := e.hub.PutEvents(t.Context(), []footbridge.Entry{{EventBusName: "orders", Source: "shop", DetailType: "Order Placed", Detail: `{"id":7,"total":1000}`}})
	require.NoError(t, err)
	require.Zero(t, result.FailedEntryCount)
	assert.Equal(t, []string{
		`broken {"id":7,"total":1000}`,
		`call {"order":7}`,
		`dead arn:aws:lambda:eu-west-1:123456789012:function:broken ERROR_FROM_TARGET retries 0 MaximumRetryAttempts`,
	}, e.settle(t))

	terraform("destroy", "-auto-approve")
	assert.Len(t, e.hub.List(""), 1, "the default bus")
	assert.Empty(t, e.hub.Default().Rules())
}

// It does so with queues, and rules that send to them.
func TestSQSTerraform(t *testing.T) {
	e, terraform := newTerraform(t, "testdata/sqs/main.tf")
	service := e.queues.(*sqs).Service
	_, err := service.Create("dead", queue.Settings{})
	require.NoError(t, err)
	terraform("init")
	terraform("apply", "-auto-approve")
	terraform("plan", "-detailed-exitcode") // which is 2 if there are differences

	_, err = e.hub.PutEvents(t.Context(), []footbridge.Entry{{Source: "shop", DetailType: "Order Placed", Detail: `{"id":7}`}})
	require.NoError(t, err)
	require.NoError(t, e.hub.Wait(t.Context()))
	for _, name := range []string{"jobs", "ledger.fifo"} {
		q, err := service.Queue(name)
		require.NoError(t, err)
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.None})
		require.NoError(t, err)
		require.Len(t, got, 1, name)
		assert.Equal(t, `{"id":7}`, got[0].Body)
	}
	terraform("destroy", "-auto-approve")
	assert.Len(t, service.Queues(""), 1, "the program's")
}
