// Package awssdk connects footbridge with the AWS SDK for Go, in both directions.
//
// [Client] stands in for the SDK's client of EventBridge: code under test keeps its call of
// PutEvents, and the events go to a Hub of the same process, without HTTP. For all other
// operations, and for other languages, there is package awsapi: the SDK's own client,
// pointed at it, is tested in this module.
//
// [EventBus], [Queue] and [FIFOQueue] are targets that forward to the real services. They
// take one delivery at a time, as every Handler does, and send those that wait together in
// one request: see [EventBus].
package awssdk
