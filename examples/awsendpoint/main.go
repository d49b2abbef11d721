// Awsendpoint is an endpoint of EventBridge and SQS on this machine: a default bus, a rule, a
// queue, and a function that prints what it receives. The AWS CLI, any SDK, and Terraform are
// its clients. It runs until it is interrupted.
//
//	go run ./examples/awsendpoint [-addr 127.0.0.1:4010] [-strict]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
	"github.com/footbridge-go/footbridge/queue"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "awsendpoint:", err)
		os.Exit(1)
	}
}

// help is what follows the endpoint's URL, which is %[1]s. Its commands are those of the README.
const help = `
There are a default bus, a queue named orders, a rule that sends events of the source shop
to it, and a function named log, which prints what it receives. In another terminal:

  export AWS_ENDPOINT_URL=%[1]s AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any
  aws events put-events --entries '[{"Source":"shop","DetailType":"Order Placed","Detail":"{\"total\":2450}"}]'
  aws sqs receive-message --endpoint-url $AWS_ENDPOINT_URL --queue-url $AWS_ENDPOINT_URL/000000000000/orders --wait-time-seconds 5

  aws events put-rule --name dear --event-pattern '{"detail":{"total":[{"numeric":[">",1000]}]}}'
  aws events put-targets --rule dear --targets Id=log,Arn=arn:aws:lambda:us-east-1:000000000000:function:log

An interrupt (Ctrl-C) ends it.

`

// run serves until ctx ends. Its first line on out is the endpoint's URL.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("awsendpoint", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:4010", "`host:port` of loopback to listen at; port 0 picks a free one")
	strict := flags.Bool("strict", false, "enforce the service's limits, so that what passes here passes there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("want no arguments but -addr, got %q", flags.Args())
	}
	l, err := listen(*addr)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	hub := footbridge.NewHub(&footbridge.Options{Logger: logger, Strict: *strict})
	queues := &queue.Service{}
	if err := furnish(hub.Default(), queues); err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", l.Addr())
	fmt.Fprintf(out, help, "http://"+l.Addr().String())

	api := awsapi.Handler(hub, &awsapi.Options{Queues: queues, Resolve: functions(out), Logger: logger})
	err = api.Serve(ctx, l)
	api.Close()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if closeErr := hub.Close(closing); err == nil {
		err = closeErr
	}
	return err
}

// listen listens at an address that only this machine reaches: anyone who reaches it may use it.
func listen(addr string) (net.Listener, error) {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !at.IP.IsLoopback() {
		return nil, fmt.Errorf("-addr %s: %w", addr, awsapi.ErrNotLoopback)
	}
	return net.ListenTCP("tcp", at)
}

// furnish makes the queue and the rule.
func furnish(bus *footbridge.Bus, queues *queue.Service) error {
	orders, err := queues.Create("orders", queue.Settings{})
	if err != nil {
		return err
	}
	return bus.PutRule(footbridge.Rule{
		Name:    "orders",
		Pattern: footbridge.MustCompile(`{"source":["shop"]}`),
		Targets: []footbridge.Target{orders.Target("queue")},
	})
}

// functions resolves the ARNs of functions, of which there is one: log.
func functions(out io.Writer) func(arn string) (footbridge.Handler, error) {
	logs := footbridge.HandlerFunc(func(_ context.Context, d footbridge.Delivery) error {
		payload, err := d.Payload()
		if err == nil {
			_, err = fmt.Fprintf(out, "log: %s\n", payload)
		}
		return err
	})
	return func(arn string) (footbridge.Handler, error) {
		if !strings.HasSuffix(arn, ":function:log") {
			return nil, nil
		}
		return logs, nil
	}
}
