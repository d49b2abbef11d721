package awsapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/awsapi"
)

// A client of the service publishes to a rule that the program has put.
func ExampleHandler() {
	ctx, hub := context.Background(), footbridge.NewHub(nil)
	err := hub.Default().PutRule(footbridge.Rule{
		Name:    "orders",
		Pattern: footbridge.MustCompile(`{"source":["shop"]}`),
		Targets: []footbridge.Target{footbridge.Func("print", func(_ context.Context, e footbridge.Event) error {
			fmt.Println(e.DetailType, string(e.Detail))
			return nil
		})},
	})
	if err != nil {
		panic(err)
	}
	api := awsapi.Handler(hub, nil)
	defer api.Close()
	server := httptest.NewServer(api)
	defer server.Close()

	// What aws events put-events --endpoint-url $URL --entries ... sends.
	body := `{"Entries":[{"Source":"shop","DetailType":"Order Placed","Detail":"{\"id\":1}"}]}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	if err := hub.Wait(ctx); err != nil {
		panic(err)
	}
	fmt.Println(answer.Status)
	// Output:
	// Order Placed {"id":1}
	// 200 OK
}
