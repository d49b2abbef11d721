package queue

import "fmt"

// An Error is why a queue refuses something. Code is the service's, by its name in the
// service's API model; Message is in the service's words where they are known.
type Error struct {
	Code    string
	Queue   string // name
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("queue: %s: %s: %s", e.Queue, e.Code, e.Message) }

// ErrorCode returns the code that a dead letter has of a target that is a queue: EventBridge's
// own, NO_RESOURCE where there is no such queue, and else INVALID_PARAMETER (EventBridge User
// Guide, "Using dead-letter queues").
func (e *Error) ErrorCode() string {
	if e.Code == CodeQueueDoesNotExist {
		return "NO_RESOURCE"
	}
	return "INVALID_PARAMETER"
}

// Codes of an [Error].
const (
	CodeInvalidParameterValue  = "InvalidParameterValue"
	CodeMissingParameter       = "MissingParameter"
	CodeInvalidAttributeValue  = "InvalidAttributeValue" // of a Settings
	CodeInvalidMessageContents = "InvalidMessageContents"
	CodeQueueDoesNotExist      = "QueueDoesNotExist" // or was deleted
	CodeQueueNameExists        = "QueueNameExists"   // with other settings
	CodeReceiptHandleIsInvalid = "ReceiptHandleIsInvalid"
	CodeOverLimit              = "OverLimit" // of messages in flight
	CodePurgeQueueInProgress   = "PurgeQueueInProgress"
	CodeEmptyBatchRequest      = "EmptyBatchRequest"
	CodeTooManyEntries         = "TooManyEntriesInBatchRequest"
	CodeBatchEntryIDsNotUnique = "BatchEntryIdsNotDistinct"
	CodeInvalidBatchEntryID    = "InvalidBatchEntryId"
	CodeBatchRequestTooLong    = "BatchRequestTooLong"
)

// Reasons that several methods have.
const (
	reasonNotForThisTypeOfQueue = "The request include parameter that is not valid for this queue type."
	reasonNoDedupID             = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
)

func (q *Queue) refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Queue: q.name, Message: fmt.Sprintf(format, args...)}
}

// refuseValue says of a parameter, by the service's name for it, what is wrong with its value.
func (q *Queue) refuseValue(parameter string, value any, reason string) *Error {
	return q.refuse(CodeInvalidParameterValue, "Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}
