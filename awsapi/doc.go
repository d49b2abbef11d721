// Package awsapi speaks EventBridge's wire protocol (AWS JSON 1.1) for the buses of a
// [footbridge.Hub]: the AWS CLI, the SDKs and Terraform are its clients.
//
//	api := awsapi.Handler(hub, nil) // an http.Handler
//	defer api.Close()
//	server := httptest.NewServer(api)
//
//	aws events put-rule --endpoint-url http://127.0.0.1:PORT --name r --event-pattern '{"source":["shop"]}'
//
// [ListenAndServe] listens, at loopback unless it is told otherwise. It answers the
// operations for events, rules, targets, event buses, tags, archives and replays:
//
//	PutEvents TestEventPattern
//	PutRule DescribeRule ListRules DeleteRule EnableRule DisableRule
//	PutTargets RemoveTargets ListTargetsByRule ListRuleNamesByTarget
//	CreateEventBus DescribeEventBus ListEventBuses UpdateEventBus DeleteEventBus
//	TagResource UntagResource ListTagsForResource
//	CreateArchive DescribeArchive ListArchives UpdateArchive DeleteArchive
//	StartReplay DescribeReplay ListReplays CancelReplay
//
// What they answer, errors word by word included, is in testdata, request by request, with
// where it is known from (TestAnswers). Forms and bounds of arguments are the service's;
// its limits on numbers (300 rules, 5 targets) are enforced by a hub that is Strict.
//
// # The hub is the program's
//
// Requests and the program change the same buses. A rule that the program has put is
// described and listed; what requests change of it leaves its targets as they are. Those
// are listed with ARNs of the service's form, that the service has not: those that dead
// letters have, arn:aws:events:REGION:ACCOUNT:target/RULE/ID, on other buses than the
// default one target/BUS/RULE/ID. (TestTargetsOfTheProgram) A rule that the program has
// replaced or removed is another, of which requests have said nothing.
// (TestRulesThatTheProgramReplaces) If both change a rule at the same moment, the later
// change is of the rule as it was before the other. What requests have said lasts as long as
// the server. Requests change rules one after another: a Middleware of the program's, which a
// bus calls when a rule is put, may send requests that ask, and none that change rules,
// archives or tags: those would wait for it. (TestMiddlewareThatAsks)
//
// # What ARNs stand for
//
// A target's ARN is that of a bus of the hub, to which it forwards; of a target of the
// program, whose Handler it gets, with its Concurrency, OrderBy and what else requests do
// not know; or one that [Options].Resolve knows. One that stands for nothing is a failed
// entry of PutTargets. RetryPolicy is a [footbridge.Backoff] with the default delays.
// DeadLetterConfig names a queue, or something that Resolve returns and that is a
// [footbridge.DLQ], too; its letters have the target's ARN as requests know it. Without the
// two a target has the bus's. RoleArn, and parameters of targets that are none here, are
// kept and listed, and do nothing.
//
// # Queues
//
// SQS's protocol (AWS JSON 1.0) is answered, too, for the queues of [Options].Queues, which
// are those of package queue:
//
//	CreateQueue GetQueueUrl ListQueues GetQueueAttributes SetQueueAttributes PurgeQueue DeleteQueue
//	TagQueue UntagQueue ListQueueTags
//	SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch
//	ChangeMessageVisibility ChangeMessageVisibilityBatch
//
// The URL of a queue has the host that the request was sent to; any is understood. Policies,
// encryption and RedriveAllowPolicy are kept and described, and do nothing; so does
// ReceiveRequestAttemptId. A target's queue is the one of that name when an event is sent;
// if there is none then, the event is a dead letter at once. (TestSQSAnswers, TestSQSWaiting,
// TestSQSOfTheProgram, TestSQSCLI, TestSQSBoto3, TestSQSTerraform)
//
// # What goes on between requests
//
// A rule with a ScheduleExpression publishes on the default bus, as package schedule does,
// as long as it is enabled; its rate counts from when a request has put or enabled it. If it
// has an EventPattern, too, that is kept below "$or", beside the pattern of the schedule's
// events: one that may not stand there, or is too long then, is refused.
//
// Archives are those of package archive, in memory, within the bounds of an
// archive.MemoryStore; their rules are listed with ManagedBy, and can be changed by the
// archive's operations alone. One whose rule or bus the program has removed is DISABLED, and
// keeps the events that it has. (TestArchivesThatTheProgramDisables)
//
// Replays run in the background, and so does the end of a deleted bus that has deliveries.
// [Server.Close] ends all of it, and leaves no goroutine behind.
//
// # Who may ask
//
// Requests that come from a web page, by their headers, and those for hosts that are neither
// loopback nor in Options.Hosts, are refused. With Options.Credentials each must be signed.
// (TestProtocol, TestHosts, TestSignatures)
package awsapi
