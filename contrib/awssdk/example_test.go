package awssdk_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/contrib/awssdk"
)

// placeOrder is code that puts events: in production it gets an *eventbridge.Client.
func placeOrder(ctx context.Context, client awssdk.EventsClient, id string) error {
	_, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: aws.String("shop"), DetailType: aws.String("Order Placed"), Detail: aws.String(fmt.Sprintf(`{"id":%q}`, id)),
	}}})
	return err
}

func ExampleClient() {
	ctx := context.Background()
	hub := footbridge.NewHub(nil)
	err := hub.Default().PutRule(footbridge.Rule{
		Name:    "orders",
		Pattern: footbridge.MustCompile(`{"detail-type":["Order Placed"]}`),
		Targets: []footbridge.Target{footbridge.Func("print", func(_ context.Context, e footbridge.Event) error {
			fmt.Println(e.Source, string(e.Detail))
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := placeOrder(ctx, awssdk.NewClient(hub), "O-1"); err != nil {
		fmt.Println(err)
	}
	if err := hub.Close(ctx); err != nil { // drains
		fmt.Println(err)
	}
	// Output: shop {"id":"O-1"}
}

func ExampleEventBus() {
	ctx := context.Background()
	cloud := footbridge.NewHub(nil)   // stands for an account of the cloud,
	client := awssdk.NewClient(cloud) // as this does for eventbridge.NewFromConfig(cfg)
	bus, dlq := footbridge.New(nil), &footbridge.MemoryDLQ{}

	audit := awssdk.EventBus("audit", client, "default")
	audit.DLQ = dlq
	err := bus.PutRule(footbridge.Rule{
		Name:    "dear",
		Pattern: footbridge.MustCompile(`{"detail":{"total":[{"numeric":[">",1000]}]}}`),
		Targets: []footbridge.Target{audit},
	})
	if err != nil {
		fmt.Println(err)
	}
	for _, source := range []string{"shop", "aws.shop"} {
		if _, err := bus.Publish(ctx, footbridge.Event{Source: source, DetailType: "Order", Detail: []byte(`{"total":2450}`)}); err != nil {
			fmt.Println(err)
		}
	}
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("put:", cloud.Default().Stats().Published)
	for _, letter := range dlq.Letters() {
		fmt.Println("refused:", letter.Event.Source, letter.ErrorCode)
	}
	// Output:
	// put: 1
	// refused: aws.shop NotAuthorizedForSourceException
}
