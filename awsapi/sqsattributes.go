package awsapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/footbridge-go/footbridge/queue"
)

// This file has attributes of queues, which in requests are strings by names.

// A sqsAttribute is one that requests may set. set is given what it is set to, which is not "",
// and says what is wrong with it; "" is nothing. A nil set keeps it, and does nothing.
type sqsAttribute struct {
	name  string
	fifo  bool // only of FIFO queues
	reset func(s *queue.Settings)
	set   func(s *queue.Settings, value string) (reason string)
	get   func(s queue.Settings) string
}

func sqsDuration(name string, field func(*queue.Settings) *time.Duration, max time.Duration) sqsAttribute {
	return sqsAttribute{
		name:  name,
		reset: func(s *queue.Settings) { *field(s) = 0 },
		set: func(s *queue.Settings, value string) string {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || time.Duration(n) > max/time.Second {
				return "want a whole number of seconds, at most " + strconv.Itoa(int(max/time.Second))
			}
			*field(s) = seconds(n)
			return ""
		},
		get: func(s queue.Settings) string { return strconv.Itoa(int(max0(*field(&s)) / time.Second)) },
	}
}

// seconds returns a duration as package queue has it, where zero is a default.
func seconds(n int) time.Duration {
	if n == 0 {
		return queue.None
	}
	return time.Duration(n) * time.Second
}

func max0(d time.Duration) time.Duration { return max(d, 0) }

func sqsBool(name, on, off string, field func(*queue.Settings) *bool) sqsAttribute {
	return sqsAttribute{
		name: name, fifo: true,
		reset: func(s *queue.Settings) { *field(s) = false },
		set: func(s *queue.Settings, value string) string {
			if value != on && value != off {
				return "want " + on + " or " + off
			}
			*field(s) = value == on
			return ""
		},
		get: func(s queue.Settings) string {
			if *field(&s) {
				return on
			}
			return off
		},
	}
}

var sqsAttributes = []sqsAttribute{
	sqsDuration("VisibilityTimeout", func(s *queue.Settings) *time.Duration { return &s.VisibilityTimeout }, queue.MaxVisibilityTimeout),
	sqsDuration("DelaySeconds", func(s *queue.Settings) *time.Duration { return &s.Delay }, queue.MaxDelay),
	sqsDuration("ReceiveMessageWaitTimeSeconds", func(s *queue.Settings) *time.Duration { return &s.ReceiveWait }, queue.MaxWait),
	sqsDuration("MessageRetentionPeriod", func(s *queue.Settings) *time.Duration { return &s.Retention }, queue.MaxRetention),
	{
		name:  "MaximumMessageSize",
		reset: func(s *queue.Settings) { s.MaxMessageSize = 0 },
		set: func(s *queue.Settings, value string) string {
			n, err := strconv.Atoi(value)
			if err != nil || n == 0 { // which would be the default
				return "want a number of bytes"
			}
			s.MaxMessageSize = n
			return ""
		},
		get: func(s queue.Settings) string { return strconv.Itoa(s.MaxMessageSize) },
	},
	{
		name:  redrivePolicy,
		reset: func(s *queue.Settings) { s.DeadLetterARN, s.MaxReceiveCount = "", 0 },
		set:   setRedrive,
		get: func(s queue.Settings) string {
			if s.DeadLetterARN == "" {
				return ""
			}
			return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, s.DeadLetterARN, s.MaxReceiveCount)
		},
	},
	sqsBool("ContentBasedDeduplication", "true", "false", func(s *queue.Settings) *bool { return &s.ContentBasedDedup }),
	sqsBool("DeduplicationScope", "messageGroup", "queue", func(s *queue.Settings) *bool { return &s.DedupPerGroup }),
	{name: "FifoThroughputLimit", fifo: true},
	{name: "Policy"},
	{name: "RedriveAllowPolicy"},
	{name: "KmsMasterKeyId"},
	{name: "KmsDataKeyReusePeriodSeconds"},
	{name: "SqsManagedSseEnabled"},
}

// Attributes that have more to them than the others.
const (
	redrivePolicy = "RedrivePolicy"
	fifoQueue     = "FifoQueue"
)

// keptDefaults are attributes that do nothing here, but that a queue has that was made without.
var keptDefaults = map[string]string{"SqsManagedSseEnabled": "true", "FifoThroughputLimit": "perQueue"}

func setRedrive(s *queue.Settings, value string) string {
	var p struct {
		DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"` // which may be in quotes
	}
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return "Redrive policy is not a valid JSON map."
	}
	if !strings.HasPrefix(p.DeadLetterTargetArn, "arn:") {
		return "Invalid value for deadLetterTargetArn."
	}
	n, err := strconv.Atoi(p.MaxReceiveCount.String())
	if err != nil {
		return "Invalid value for maxReceiveCount."
	}
	s.DeadLetterARN, s.MaxReceiveCount = p.DeadLetterTargetArn, n
	return ""
}

// applyAttributes sets attributes of a queue that is a FIFO queue or not.
func applyAttributes(settings *queue.Settings, kept map[string]string, to map[string]string, fifo bool) error {
	for _, name := range sortedKeys(to) {
		i := slices.IndexFunc(sqsAttributes, func(a sqsAttribute) bool { return a.name == name })
		if i < 0 || sqsAttributes[i].fifo && !fifo {
			return unknownAttribute(name)
		}
		a, value := sqsAttributes[i], to[name]
		switch {
		case a.set == nil && value == "":
			delete(kept, name)
		case a.set == nil:
			kept[name] = value
		case value == "":
			a.reset(settings)
		default:
			reason := a.set(settings, value)
			switch {
			case reason != "" && name == redrivePolicy:
				return sqsRefuse(queue.CodeInvalidParameterValue, fmt.Sprintf("Value %s for parameter RedrivePolicy is invalid. Reason: %s", value, reason))
			case reason != "":
				return sqsRefuse(queue.CodeInvalidAttributeValue, fmt.Sprintf("Invalid value for the parameter %s. Reason: %s.", name, reason))
			}
		}
	}
	return nil
}

func unknownAttribute(name string) error {
	return sqsRefuse(codeInvalidAttributeName, "Unknown Attribute "+name+".")
}

// settable returns the attributes that requests may set, as they are.
func settable(settings queue.Settings, kept map[string]string, fifo bool) map[string]string {
	all := maps.Clone(keptDefaults)
	if kept["KmsMasterKeyId"] != "" {
		all["SqsManagedSseEnabled"] = "false"
	}
	maps.Copy(all, kept)
	for _, a := range sqsAttributes {
		if a.get != nil {
			all[a.name] = a.get(settings)
		}
		if all[a.name] == "" || a.fifo && !fifo {
			delete(all, a.name)
		}
	}
	return all
}

// attributesOf returns all attributes of q.
func attributesOf(q *queue.Queue, kept map[string]string) map[string]string {
	all, stats := settable(q.Settings(), kept, q.FIFO()), q.Stats()
	all["QueueArn"] = q.ARN()
	all["ApproximateNumberOfMessages"] = strconv.Itoa(stats.Ready)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(stats.InFlight)
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(stats.Delayed)
	all["CreatedTimestamp"] = strconv.FormatInt(stats.Created.Unix(), 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(stats.Modified.Unix(), 10)
	if q.FIFO() {
		all[fifoQueue] = "true"
	}
	return all
}

// pickAttributes returns those of all that are named; "All" is all. known says of a name that
// is none of all's whether it might be.
func pickAttributes(all map[string]string, names []string, known func(string) bool) (map[string]string, error) {
	picked := make(map[string]string)
	for _, name := range names {
		value, ok := all[name]
		switch {
		case name == "All":
			return all, nil
		case ok:
			picked[name] = value
		case !known(name):
			return nil, unknownAttribute(name)
		}
	}
	return picked, nil
}

// isQueueAttribute reports whether queues have an attribute of that name that attributesOf may
// leave out.
func isQueueAttribute(name string) bool {
	return name == fifoQueue || slices.ContainsFunc(sqsAttributes, func(a sqsAttribute) bool { return a.name == name })
}
