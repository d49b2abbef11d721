package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/footbridge-go/footbridge"
	"github.com/footbridge-go/footbridge/archive"
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
	codeAccessDenied     = "AccessDeniedException"
	codeInternalFailure  = "InternalFailure"
	codeMethodNotAllowed = "MethodNotAllowedException"
	codeSerialization    = "SerializationException"
	codeTooLarge         = "RequestEntityTooLargeException"
	codeUnknownOperation = "UnknownOperationException"
	codeUnsupportedType  = "UnsupportedMediaTypeException"
	codeMissingToken     = "MissingAuthenticationTokenException"
	codeIncomplete       = "IncompleteSignatureException"
	codeInvalidSignature = "InvalidSignatureException"
	codeUnknownClient    = "UnrecognizedClientException"
	codeIllegalStatus    = "IllegalStatusException"
	codeManagedRule      = "ManagedRuleException"
	codeServiceShutDown  = "ServiceUnavailableException"
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
	var parameter *archive.ParameterError
	var taken *archive.ExistsError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &request):
		return &fault{code: request.Code, message: request.Message}
	case errors.As(err, &pattern):
		return &fault{code: footbridge.CodeInvalidEventPattern, message: strings.TrimPrefix(pattern.Error(), "footbridge: ")}
	case errors.As(err, &rule):
		return ruleFault(rule)
	case errors.As(err, &parameter):
		return invalid("%s", strings.TrimPrefix(parameter.Error(), "archive: "))
	case errors.As(err, &taken):
		return exists("%s", strings.TrimPrefix(taken.Error(), "archive: "))
	case errors.Is(err, footbridge.ErrClosed):
		return &fault{code: codeServiceShutDown, message: err.Error(), status: http.StatusServiceUnavailable}
	}
	return &fault{code: codeInternalFailure, message: err.Error(), status: http.StatusInternalServerError}
}

// ruleFault returns the fault of a rule that a bus has refused.
func ruleFault(e *footbridge.RuleError) *fault {
	f := &fault{code: e.Code, message: e.Reason}
	if f.code == "" {
		f.code = footbridge.CodeValidation
	}
	if strings.HasPrefix(e.Reason, "want ") { // else it is the service's, and says of what it is
		f.message = strings.TrimPrefix(e.Error(), "footbridge: ")
	}
	return f
}
