package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/footbridge-go/footbridge"
)

// A fault is the error that a request is answered with.
type fault struct {
	code    string // the answer's "__type"
	message string
	status  int // of HTTP; 0: 400, as the service has for nearly all

	// queryError, if it is set, is the answer's header x-amzn-query-error: the code, and
	// whose fault it is, as clients of services know it that once spoke another protocol.
	queryError string
}

func (f *fault) Error() string { return f.code + ": " + f.message }

// Codes of faults that are not footbridge's.
const (
	codeAccessDenied      = "AccessDeniedException"
	codeInternalFailure   = "InternalFailure"
	codeMethodNotAllowed  = "MethodNotAllowedException"
	codeSerialization     = "SerializationException"
	codeTooLarge          = "RequestEntityTooLargeException"
	codeUnknownOperation  = "UnknownOperationException"
	codeUnsupportedType   = "UnsupportedMediaTypeException"
	codeMissingToken      = "MissingAuthenticationTokenException"
	codeIncomplete        = "IncompleteSignatureException"
	codeInvalidSignature  = "InvalidSignatureException"
	codeUnknownClient     = "UnrecognizedClientException"
	codeIllegalStatus     = "IllegalStatusException"
	codeManagedRule       = "ManagedRuleException"
	codeServiceShutDown   = "ServiceUnavailableException"
	statusServiceShutDown = http.StatusServiceUnavailable
)

func invalid(format string, args ...any) *fault {
	return &fault{code: footbridge.CodeValidation, message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *fault {
	return &fault{code: footbridge.CodeResourceNotFound, message: fmt.Sprintf(format, args...)}
}

func exists(format string, args ...any) *fault {
	return &fault{code: footbridge.CodeResourceAlreadyExists, message: fmt.Sprintf(format, args...)}
}

// faultOf returns the fault that a request is answered with whose operation returned err.
func faultOf(err error) *fault {
	var f *fault
	var request *footbridge.RequestError
	var pattern *footbridge.PatternError
	var rule *footbridge.RuleError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &request):
		return &fault{code: request.Code, message: request.Message}
	case errors.As(err, &pattern):
		return &fault{code: footbridge.CodeInvalidEventPattern, message: strings.TrimPrefix(pattern.Error(), "footbridge: ")}
	case errors.As(err, &rule) && rule.Code != "":
		return &fault{code: rule.Code, message: rule.Reason}
	case errors.As(err, &rule):
		return invalid("%s: %s", rule.Field, rule.Reason)
	case errors.Is(err, footbridge.ErrClosed):
		return &fault{code: codeServiceShutDown, message: err.Error(), status: statusServiceShutDown}
	}
	return &fault{code: codeInternalFailure, message: err.Error(), status: http.StatusInternalServerError}
}
