package cloudevents_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/cloudevents"
)

func ExampleMarshal() {
	e := footbridge.Event{
		ID: "e-1", Source: "com.example.orders", DetailType: "Order Placed", Time: time.Date(2026, 11, 24, 22, 5, 0, 0, time.UTC),
		Detail: []byte(`{"total":89.5}`),
	}
	text, err := cloudevents.Marshal(e)
	fmt.Println(string(text), err)

	e.Resources = []string{"arn:aws:s3:::a", "arn:aws:s3:::b"}
	_, err = cloudevents.Marshal(e)
	var refused *cloudevents.AttributeError
	fmt.Println(errors.As(err, &refused), err)
	// Output:
	// {"specversion":"1.0","id":"e-1","source":"com.example.orders","type":"Order Placed","time":"2026-11-24T22:05:00Z","datacontenttype":"application/json","data":{"total":89.5}} <nil>
	// true cloudevents: attribute subject cannot be mapped: want at most one resource, got 2
}

func ExampleUnmarshal() {
	e, err := cloudevents.Unmarshal([]byte(`{"specversion":"1.0","id":"e-1","source":"/orders","type":"placed","data":{"total":89.5}}`))
	fmt.Println(e.ID, e.Source, e.DetailType, string(e.Detail), err)
	// Output: e-1 /orders placed {"total":89.5} <nil>
}
