package awssdk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"

	"github.com/footbridge-go/footbridge"
)

func TestJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock stands
		inAMinute := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
		permanent := func(err error) error { return footbridge.Permanent(err) }
		again := func(err error) error { return err }
		after := func(d time.Duration) func(error) error {
			return func(err error) error { return footbridge.RetryAfter(err, d) }
		}
		for _, c := range []struct {
			name string
			err  error
			want func(error) error
		}{
			{"no error", nil, again},
			{"not valid", answered(400, "ValidationException"), permanent},
			{"no permission", answered(400, "AccessDeniedException"), permanent},
			{"no permission, SQS", answered(403, "AccessDenied"), permanent},
			{"wrong key", answered(403, "SignatureDoesNotMatch"), permanent},
			{"no queue", &types.QueueDoesNotExist{}, permanent},
			{"too large", answered(413, "RequestEntityTooLargeException"), permanent},
			{"an entry's", entryError("x", "MalformedDetail", "", faultOfEntry("MalformedDetail")), permanent},

			{"throttled", answered(400, "ThrottlingException"), again},
			{"throttled, SQS", answered(400, "RequestThrottled"), again},
			{"throttled by KMS", answered(400, "KMS.ThrottlingException"), again},
			{"too many", answered(429, "Any"), again},
			{"old credentials", answered(403, "ExpiredTokenException"), again},
			{"failed", answered(500, "InternalFailure"), again},
			{"unavailable", answered(503, "ServiceUnavailable"), again},
			{"not sent", &net.OpError{Op: "dial", Err: errors.New("refused")}, again},
			{"canceled", &smithy.CanceledError{Err: context.Canceled}, again},
			{"an entry's that passes", entryError("x", "InternalFailure", "", faultOfEntry("InternalFailure")), again},
			{"an entry's that nobody knows", entryError("x", "New", "", faultOfEntry("New")), again},

			{"throttled for a while", answered(400, "ThrottlingException", "Retry-After", "7"), after(7 * time.Second)},
			{"unavailable until", answered(503, "ServiceUnavailable", "Retry-After", inAMinute), after(time.Until(date(inAMinute)))},
			{"in milliseconds", answered(503, "ServiceUnavailable", "X-Amz-Retry-After", "1500"), after(1500 * time.Millisecond)},
			{"in the past", answered(503, "ServiceUnavailable", "Retry-After", "Mon, 02 Jan 1995 15:04:05 GMT"), again},
			{"nonsense", answered(503, "ServiceUnavailable", "Retry-After", "soon"), again},
			{"refused all the same", answered(400, "ValidationException", "Retry-After", "7"), permanent},
		} {
			assert.Equal(t, c.want(c.err), judge(c.err), c.name)
			if c.err != nil {
				wrapped := fmt.Errorf("wrapped: %w", c.err)
				assert.Equal(t, c.want(wrapped), judge(wrapped), c.name)
			}
		}
	})
}

func date(s string) time.Time {
	t, _ := http.ParseTime(s)
	return t
}
