package footbridge

import (
	"encoding/json"
	"fmt"
)

// A RequestError refuses a request as a whole, as the service does: its code and its
// message. Nothing was done.
type RequestError struct {
	Code    string // one of the Code constants below
	Message string // the service's text where it has one
	More    string // what Message does not say, such as the bound; "": there is no more
}

func (e *RequestError) Error() string {
	return "footbridge: " + e.Code + ": " + e.Message + inParentheses(e.More)
}

// ErrorCode returns Code, as the errors of the service's SDKs do.
func (e *RequestError) ErrorCode() string { return e.Code }

// Error codes of requests, all the service's.
const (
	CodeValidation            = "ValidationException"            // an argument is not valid
	CodeResourceNotFound      = "ResourceNotFoundException"      // a bus or a rule does not exist
	CodeResourceAlreadyExists = "ResourceAlreadyExistsException" // a bus does already
	CodeLimitExceeded         = "LimitExceededException"         // there are as many as there may be
	CodeInvalidEventPattern   = "InvalidEventPatternException"   // a pattern is not valid
)

// Error codes of entries of PutEvents, all the service's but CodeUnmatched, and
// CodeInvalidInput, which with Strict an entry may have, too.
const (
	CodeInvalidArgument        = "InvalidArgument"                 // a field is missing or not valid
	CodeMalformedDetail        = "MalformedDetail"                 // Detail is not a JSON object
	CodeNotAuthorizedForSource = "NotAuthorizedForSourceException" // Source begins with "aws."
	CodeThrottling             = "ThrottlingException"             // a target with OverflowReject has no room; a later try may find some
	CodeInternalFailure        = "InternalFailure"                 // the bus was closed, or the context ended, meanwhile
	CodeUnmatched              = "NoRuleMatched"                   // with Strict: the event matches no rule
)

// limitExceeded is the service's message for CodeLimitExceeded.
const limitExceeded = "The requested resource exceeds the maximum number allowed."

func invalid(format string, args ...any) *RequestError {
	return &RequestError{Code: CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// unfit refuses value, which stands at a place in a request, in the service's words.
func unfit(value, at, must string) *RequestError {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, at, must)
}

func busNotFound(name string) *RequestError {
	return &RequestError{Code: CodeResourceNotFound, Message: fmt.Sprintf("Event bus %s does not exist.", name)}
}

// TestEventPattern reports whether event, an envelope, matches pattern, as the service's
// request of that name does. Unlike [Pattern.Match] it insists on what every envelope has:
// id, account, source, time, region and detail-type. The error is a *PatternError, or a
// *RequestError that says that the event is not valid.
func TestEventPattern(pattern, event string) (bool, error) {
	p, err := Compile(pattern)
	if err != nil {
		return false, err
	}
	var envelope map[string]json.RawMessage
	_ = json.Unmarshal([]byte(event), &envelope) // what is no object has none of the keys
	for _, key := range [...]string{"id", "account", "source", "time", "region", "detail-type"} {
		var s *string
		if json.Unmarshal(envelope[key], &s) != nil || s == nil {
			return false, invalid("Parameter Event is not valid.")
		}
	}
	return p.Match([]byte(event))
}
