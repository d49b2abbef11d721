// Package awsapi speaks EventBridge's wire protocol for the buses of a
// [footbridge.Hub]: the AWS CLI, the SDKs and Terraform are its clients.
//
//	api := awsapi.Handler(hub, nil)
//	defer api.Close()
//	server := httptest.NewServer(api) // or awsapi.ListenAndServe
//	// AWS_ENDPOINT_URL=http://127.0.0.1:PORT aws events put-events ...
package awsapi
