package awsapi

import (
	"context"

	"github.com/footbridge-go/footbridge"
)

// events returns the service EventBridge.
func (s *Server) events() service {
	return service{prefix: "AWSEvents", name: "events", contentType: json11, operations: map[string]operation{
		"PutEvents":        op(s.putEvents),
		"TestEventPattern": op(s.testEventPattern),

		"PutRule":      op(s.putRule),
		"DescribeRule": op(s.describeRule),
		"ListRules":    op(s.listRules),
		"DeleteRule":   op(s.deleteRule),
		"EnableRule":   op(s.enableRule),
		"DisableRule":  op(s.disableRule),

		"PutTargets":            op(s.putTargets),
		"RemoveTargets":         op(s.removeTargets),
		"ListTargetsByRule":     op(s.listTargetsByRule),
		"ListRuleNamesByTarget": op(s.listRuleNamesByTarget),

		"CreateEventBus":   op(s.createEventBus),
		"DescribeEventBus": op(s.describeEventBus),
		"ListEventBuses":   op(s.listEventBuses),
		"UpdateEventBus":   op(s.updateEventBus),
		"DeleteEventBus":   op(s.deleteEventBus),

		"TagResource":         op(s.tagResource),
		"UntagResource":       op(s.untagResource),
		"ListTagsForResource": op(s.listTagsForResource),

		"CreateArchive":   op(s.createArchive),
		"DescribeArchive": op(s.describeArchive),
		"ListArchives":    op(s.listArchives),
		"UpdateArchive":   op(s.updateArchive),
		"DeleteArchive":   op(s.deleteArchive),

		"StartReplay":    op(s.startReplay),
		"DescribeReplay": op(s.describeReplay),
		"ListReplays":    op(s.listReplays),
		"CancelReplay":   op(s.cancelReplay),
	}}
}

// An entry is an event as PutEvents takes it. What it must have is not said here: each
// entry fails by itself.
type entry struct {
	Time         epoch
	Source       string
	Resources    []string `aws:"EventResourceList"`
	DetailType   string
	Detail       string
	EventBusName string `aws:"NonPartnerEventBusNameOrArn"`
	TraceHeader  string `aws:"TraceHeader"`
}

type putEventsInput struct {
	Entries []entry `aws:"PutEventsRequestEntryList,required"`
}

func (s *Server) putEvents(ctx context.Context, in *putEventsInput) (any, error) {
	entries, size := make([]footbridge.Entry, len(in.Entries)), 0
	for i, e := range in.Entries {
		entries[i] = footbridge.Entry{Time: e.Time.Time, Source: e.Source, Resources: e.Resources, DetailType: e.DetailType,
			Detail: e.Detail, EventBusName: e.EventBusName, TraceHeader: e.TraceHeader}
		size += entries[i].Size()
	}
	if size >= footbridge.MaxRequestSize {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	return s.hub.PutEvents(ctx, entries)
}

type testEventPatternInput struct {
	EventPattern string `aws:"EventPattern,required"`
	Event        string `aws:",required"`
}

func (s *Server) testEventPattern(_ context.Context, in *testEventPatternInput) (any, error) {
	matches, err := footbridge.TestEventPattern(in.EventPattern, in.Event)
	return map[string]bool{"Result": matches}, err
}
