package awsapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// This file keeps web pages out. A browser on the machine runs programs that anyone has
// written, and reaches loopback. A page of another site that sends a request is told by the
// headers that browsers add, and by the content type, which they do not send to another
// site without asking; one that has its own name resolved to this address is told by Host.

// admit returns a fault if r comes from a web page, or is for another host.
func (s *Server) admit(r *http.Request) error {
	denied := func(format string, args ...any) error {
		return &fault{code: codeAccessDenied, message: fmt.Sprintf(format, args...), status: http.StatusForbidden}
	}
	if origin := r.Header.Values("Origin"); len(origin) > 0 {
		return denied("web pages may not send requests: want no header Origin, got %.100q", origin[0])
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return denied("web pages may not send requests: want no header Sec-Fetch-Site, got %.100q", site)
	}
	if host := hostname(r.Host); !isLoopback(host) && !slices.ContainsFunc(s.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return denied("want a Host of loopback or one of Options.Hosts, got %.100q", r.Host)
	}
	return nil
}

// hostname returns a header Host without its port and the brackets of IPv6.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// isLoopback reports whether host is localhost, or a loopback address in numbers.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
