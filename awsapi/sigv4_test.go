package awsapi

import (
	"bufio"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/footbridge-go/footbridge"
)

// The signature is that of the documentation's example, byte for byte (AWS General
// Reference, "Signature Version 4": access key AKIDEXAMPLE, service iam).
func TestSignatureOfTheDocumentation(t *testing.T) {
	const text = "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\n" +
		"Host: iam.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nX-Amz-Date: 20150830T123600Z\r\n" +
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, " +
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	require.NoError(t, err)
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	require.NoError(t, err)
	assert.Equal(t, "AKIDEXAMPLE", a.key)
	assert.Equal(t, a.signature, a.sign(r, nil, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
}

// The parts of a canonical request that the example has not: a path with escapes, a query
// out of order, white space in headers, several of a name, Content-Length, a body.
func TestCanonicalRequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://h/a%20b/~c?b=2&a=%2F&a=1&c", strings.NewReader("body"))
	r.Header.Set("My-Header", "  a   b  ")
	r.Header.Add("My-Header", "c")
	want := "POST\n/a%2520b/~c\na=%2F&a=1&b=2&c=\ncontent-length:4\nhost:h\nmy-header:a b,c\n\ncontent-length;host;my-header\n" +
		"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"
	assert.Equal(t, want, canonicalRequest(r, []string{"content-length", "host", "my-header"}, []byte("body")))
	assert.Equal(t, []string{"  a   b  ", "c"}, r.Header.Values("My-Header"), "the request stays as it was")
}

// signed signs r, with its host, at the time now.
func signed(r *http.Request, body, key, secret, service string) *http.Request {
	return signedHeaders(r, body, key, secret, service, "content-type", "host", "x-amz-date", "x-amz-target")
}

func signedHeaders(r *http.Request, body, key, secret, service string, headers ...string) *http.Request {
	r.Header.Set("X-Amz-Date", time.Now().UTC().Format(sigTime))
	day := r.Header.Get("X-Amz-Date")[:8]
	a := &authorization{key: key, scope: []string{day, "eu-west-1", service, "aws4_request"}, signedHeaders: headers}
	a.signature = a.sign(r, []byte(body), secret)
	r.Header.Set("Authorization", a.String())
	return r
}

// Requests must be signed where there are credentials: with one of them, now, and all of it.
func TestSignatures(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(r *http.Request) *http.Request
		fault  string
	}{
		{"good", func(r *http.Request) *http.Request { return r }, ""},
		{"another key", func(r *http.Request) *http.Request { return signed(r, "{}", "OTHER", "other", "events") }, ""},
		{"none", func(r *http.Request) *http.Request { r.Header.Del("Authorization"); return r }, "MissingAuthenticationTokenException Missing Authentication Token"},
		{"presigned", func(r *http.Request) *http.Request {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "X-Amz-Signature=abc"
			return r
		}, "IncompleteSignatureException presigned URLs are not supported: want the signature in the header Authorization"},
		{"another kind", func(r *http.Request) *http.Request { r.Header.Set("Authorization", "Bearer x"); return r },
			`IncompleteSignatureException want Authorization to begin with AWS4-HMAC-SHA256, got "Bearer x"`},
		{"no credential", func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00")
			return r
		}, `IncompleteSignatureException Authorization header requires 'Credential' parameter.`},
		{"short credential", func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00")
			return r
		}, `IncompleteSignatureException want Credential of the form KEY/DATE/REGION/SERVICE/aws4_request, got "a/b"`},
		{"no hexadecimal digits", func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", r.Header.Get("Authorization")+"x")
			return r
		}, `IncompleteSignatureException want Signature in hexadecimal digits`},
		{"unknown key", func(r *http.Request) *http.Request { return signed(r, "{}", "NOBODY", secret, "events") },
			"UnrecognizedClientException The security token included in the request is invalid."},
		{"unknown key, empty secret", func(r *http.Request) *http.Request { return signed(r, "{}", "NOBODY", "", "events") },
			"UnrecognizedClientException The security token included in the request is invalid."},
		{"wrong secret", func(r *http.Request) *http.Request { return signed(r, "{}", keyID, "guess", "events") }, mismatch},
		{"another body", func(r *http.Request) *http.Request { return signed(r, `{"Limit":1}`, keyID, secret, "events") }, mismatch},
		{"another operation", func(r *http.Request) *http.Request { r.Header.Set("X-Amz-Target", "AWSEvents.DeleteRule"); return r }, mismatch},
		{"another host", func(r *http.Request) *http.Request { r.Host = "localhost"; return r }, mismatch},
		{"another service", func(r *http.Request) *http.Request { return signed(r, "{}", keyID, secret, "sqs") },
			"InvalidSignatureException Credential should be scoped to correct service: 'events'."},
		{"unsigned header", func(r *http.Request) *http.Request { r.Header.Set("X-Amz-Security-Token", "x"); return r },
			"InvalidSignatureException 'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."},
		{"unsigned host", func(r *http.Request) *http.Request {
			return signedHeaders(r, "{}", keyID, secret, "events", "content-type", "x-amz-date", "x-amz-target")
		}, "InvalidSignatureException 'host' must be a 'SignedHeader' in the AWS Authorization."},
		{"unsigned operation", func(r *http.Request) *http.Request {
			return signedHeaders(r, "{}", keyID, secret, "events", "content-type", "host", "x-amz-date")
		}, "InvalidSignatureException 'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		{"beginning of the signature", func(r *http.Request) *http.Request {
			header := r.Header.Get("Authorization")
			r.Header.Set("Authorization", header[:len(header)-2])
			return r
		}, mismatch},
		{"no date", func(r *http.Request) *http.Request { r.Header.Del("X-Amz-Date"); return r },
			`IncompleteSignatureException want a header X-Amz-Date of the form 20060102T150405Z, got ""`},
		{"another day", func(r *http.Request) *http.Request { r.Header.Set("X-Amz-Date", "19991231T235959Z"); return r },
			"InvalidSignatureException Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20000101' != '19991231'."},
		{"just young enough", func(r *http.Request) *http.Request { <-time.After(maxSkew); return r }, ""},
		{"too old", func(r *http.Request) *http.Request { <-time.After(maxSkew + time.Second); return r },
			"InvalidSignatureException Signature expired: 20000101T000000Z is now earlier than 20000101T000001Z (20000101T000501Z - 5 min.)"},
		{"from the future", func(r *http.Request) *http.Request { r.Header.Set("X-Amz-Date", "20000101T000501Z"); return r },
			"InvalidSignatureException Signature not yet current: 20000101T000501Z is still later than 20000101T000500Z (20000101T000000Z + 5 min.)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Handler(footbridge.NewHub(nil), &Options{Credentials: map[string]string{keyID: secret, "OTHER": "other"}})
				defer s.Close()
				answer := httptest.NewRecorder()
				s.ServeHTTP(answer, test.change(signed(request("ListRules", "{}"), "{}", keyID, secret, "events")))
				if test.fault == "" {
					assert.Equal(t, http.StatusOK, answer.Code, answer.Body)
				} else {
					assert.Equal(t, http.StatusBadRequest, answer.Code)
					assert.Equal(t, test.fault, faultIn(t, answer.Body.Bytes()))
				}
			})
		})
	}
}

const mismatch = "InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."

// String returns the header.
func (a *authorization) String() string {
	return sigAlgorithm + " Credential=" + a.key + "/" + strings.Join(a.scope, "/") + ", SignedHeaders=" + strings.Join(a.signedHeaders, ";") +
		", Signature=" + hex.EncodeToString(a.signature)
}
