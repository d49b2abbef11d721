package awssdk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/footbridge-go/footbridge"
)

// judge returns err as a bus is to take it: [footbridge.Permanent] if the service has refused
// what was sent, and [footbridge.RetryAfter] if it said when to come again. What is none of
// the two, a throttled or failed request and one that was not answered, is retried by the
// target's policy.
func judge(err error) error {
	if err == nil {
		return nil
	}
	if refused(err) {
		return footbridge.Permanent(err)
	}
	if d := retryAfter(err); d > 0 {
		return footbridge.RetryAfter(err, d)
	}
	return err
}

// passing are codes of answers with a status of 400 that another attempt may mend, beside
// those that the SDK itself retries. Credentials are renewed.
var passing = []string{
	"ExpiredToken", "ExpiredTokenException", "RequestExpired",
	"KmsThrottled", "KMS.ThrottlingException",
}

// refused reports whether err is the service's answer that what was sent is at fault.
func refused(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) || slices.Contains(passing, api.ErrorCode()) ||
		retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary {
		return false
	}
	// Errors that the SDK has no type for do not say whose fault they are; their status does.
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		status := response.HTTPStatusCode()
		return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
	}
	return api.ErrorFault() == smithy.FaultClient
}

// retryAfter returns what the headers of the answer that err is of say: Retry-After, in
// seconds or a date, or the SDK's own, in milliseconds. Zero is that there are none.
func retryAfter(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	header := response.Response.Header
	if n, err := strconv.ParseInt(header.Get("X-Amz-Retry-After"), 10, 32); err == nil {
		return time.Duration(n) * time.Millisecond
	}
	value := header.Get("Retry-After")
	if n, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return time.Until(t)
	}
	return 0
}

// entryError returns the error of an entry that failed in a request that did not. Its code is
// a dead letter's ErrorCode.
func entryError(what, code, message string, fault smithy.ErrorFault) error {
	return fmt.Errorf("awssdk: %s: %w", what, &smithy.GenericAPIError{Code: code, Message: message, Fault: fault})
}
