package awsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file verifies signatures: AWS Signature Version 4, in the header Authorization.

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigTime      = "20060102T150405Z"

	// maxSkew is how far the time of a signature may be from this machine's.
	maxSkew = 5 * time.Minute
)

// An authorization is what a header Authorization says.
type authorization struct {
	key           string   // access key ID
	scope         []string // date, region, service, "aws4_request"
	signedHeaders []string
	signature     []byte
}

// verify returns a fault unless r is signed with one of the credentials, if there are any,
// for the service of that name.
func (s *Server) verify(r *http.Request, body []byte, service string) error {
	if len(s.options.Credentials) == 0 {
		return nil
	}
	header := r.Header.Get("Authorization")
	switch {
	case header == "" && r.URL.Query().Has("X-Amz-Signature"):
		return &fault{code: codeIncomplete, message: "presigned URLs are not supported: want the signature in the header Authorization"}
	case header == "":
		return &fault{code: codeMissingToken, message: "Missing Authentication Token"}
	}
	a, err := parseAuthorization(header)
	if err != nil {
		return err
	}
	if a.scope[2] != service {
		return signatureFault("Credential should be scoped to correct service: '%s'.", service)
	}
	if err := a.checkTime(r.Header.Get("X-Amz-Date"), time.Now()); err != nil {
		return err
	}
	if err := a.checkHeaders(r); err != nil {
		return err
	}
	secret, known := s.options.Credentials[a.key]
	want := a.sign(r, body, secret)
	switch {
	case !known:
		return &fault{code: codeUnknownClient, message: "The security token included in the request is invalid."}
	case !hmac.Equal(want, a.signature):
		return signatureFault("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

func signatureFault(format string, args ...any) error {
	return &fault{code: codeInvalidSignature, message: fmt.Sprintf(format, args...)}
}

// parseAuthorization reads a header Authorization.
func parseAuthorization(header string) (*authorization, error) {
	incomplete := func(reason string) (*authorization, error) {
		return nil, &fault{code: codeIncomplete, message: reason}
	}
	parameters, ok := strings.CutPrefix(header, sigAlgorithm+" ")
	if !ok {
		return incomplete(fmt.Sprintf("want Authorization to begin with %s, got %.40q", sigAlgorithm, header))
	}
	values := make(map[string]string)
	for _, p := range strings.Split(parameters, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		values[name] = value
	}
	for _, name := range [...]string{"Credential", "SignedHeaders", "Signature"} {
		if values[name] == "" {
			return incomplete(fmt.Sprintf("Authorization header requires '%s' parameter.", name))
		}
	}
	credential := strings.Split(values["Credential"], "/")
	n := len(credential)
	if n < 5 || credential[n-1] != "aws4_request" {
		return incomplete(fmt.Sprintf("want Credential of the form KEY/DATE/REGION/SERVICE/aws4_request, got %.100q", values["Credential"]))
	}
	signature, err := hex.DecodeString(values["Signature"])
	if err != nil {
		return incomplete("want Signature in hexadecimal digits")
	}
	return &authorization{
		key:           strings.Join(credential[:n-4], "/"),
		scope:         credential[n-4:],
		signedHeaders: strings.Split(values["SignedHeaders"], ";"),
		signature:     signature,
	}, nil
}

// checkTime returns a fault unless date, a header X-Amz-Date, is near now and of the scope's day.
func (a *authorization) checkTime(date string, now time.Time) error {
	t, err := time.Parse(sigTime, date)
	switch {
	case err != nil:
		return &fault{code: codeIncomplete, message: fmt.Sprintf("want a header X-Amz-Date of the form %s, got %.40q", sigTime, date)}
	case date[:8] != a.scope[0]:
		return signatureFault("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.", a.scope[0], date[:8])
	case now.Sub(t) > maxSkew:
		return signatureFault("Signature expired: %s is now earlier than %s (%s - 5 min.)", date, now.Add(-maxSkew).UTC().Format(sigTime), now.UTC().Format(sigTime))
	case t.Sub(now) > maxSkew:
		return signatureFault("Signature not yet current: %s is still later than %s (%s + 5 min.)", date, now.Add(maxSkew).UTC().Format(sigTime), now.UTC().Format(sigTime))
	}
	return nil
}

// checkHeaders returns a fault unless host and all x-amz- headers are signed: else who sits
// between could change what the request means.
func (a *authorization) checkHeaders(r *http.Request) error {
	must := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			must = append(must, name)
		}
	}
	for _, name := range must {
		if !slices.Contains(a.signedHeaders, name) {
			return signatureFault("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// sign returns the signature that r should have.
func (a *authorization) sign(r *http.Request, body []byte, secret string) []byte {
	hash := sha256.Sum256([]byte(canonicalRequest(r, a.signedHeaders, body)))
	toSign := strings.Join([]string{sigAlgorithm, r.Header.Get("X-Amz-Date"), strings.Join(a.scope, "/"), hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range append(slices.Clone(a.scope), toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key
}

// canonicalRequest returns the text whose hash is signed.
func canonicalRequest(r *http.Request, signedHeaders []string, body []byte) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + escape(path, "/") + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range signedHeaders {
		var values []string
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length": // which net/http takes out of the headers
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		default:
			values = slices.Clone(r.Header.Values(name))
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	hash := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + hex.EncodeToString(hash[:]))
	return b.String()
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escape(name, "")+"="+escape(v, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape percent-encodes all bytes of s but letters, digits, -._~ and those of keep.
func escape(s, keep string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
