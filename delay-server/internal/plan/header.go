package plan

import (
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var (
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$")

	// safeTypes are media types that no browser runs as a page or a script.
	safeTypes = regexp.MustCompile(`^(text/(plain|csv|event-stream)|application/(json|x-ndjson|octet-stream|problem\+json|cbor|grpc|protobuf)|(image/(png|jpeg|gif|webp)|audio/[a-z0-9.-]+|video/[a-z0-9.-]+))$`)

	mediaParameter = regexp.MustCompile(`^[ \t]*[a-zA-Z0-9-]+=[a-zA-Z0-9_.-]+$`)
)

// framing are headers that frame a message or speak for the connection.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// accepted are the headers beside X-… that a link may set: no browser, proxy or
// CDN does more by them than to keep an answer, or to ask for it again.
var accepted = []string{
	"Accept-Patch", "Accept-Post", "Accept-Ranges", "Age", "Allow", "Cache-Control", "Content-Digest", "Content-Language", "Content-Range",
	"Content-Type", "Correlation-Id", "Deprecation", "Etag", "Expires", "Grpc-Message", "Grpc-Status", "Last-Modified", "Pragma",
	"Preference-Applied", "Ratelimit", "Ratelimit-Limit", "Ratelimit-Policy", "Ratelimit-Remaining", "Ratelimit-Reset", "Repr-Digest",
	"Request-Id", "Retry-After", "Server", "Sunset", "Vary", "Warning",
}

// actedOn are beginnings of the names X-… that are the server's own, or that a
// browser, a proxy or a CDN acts on.
var actedOn = []string{
	"X-Ignored-Parameters",
	"X-Auto-Login", "X-Content-Security-Policy", "X-Content-Type-Options", "X-Dns-Prefetch-Control", "X-Download-Options", "X-Frame-Options",
	"X-Permitted-Cross-Domain-Policies", "X-Pingback", "X-Sourcemap", "X-Ua-Compatible", "X-Webkit-Csp", "X-Xrds-Location", "X-Xss-Protection",
	"X-Accel-", "X-Appengine-", "X-Envoy-", "X-Hiawatha-", "X-Kong-", "X-Lighttpd-", "X-Litespeed-", "X-Middleware-", "X-Reproxy-", "X-Sendfile",
}

// mayBeSet reports whether a link may set the header.
func mayBeSet(name string) bool {
	return slices.Contains(accepted, name) || strings.HasPrefix(name, "X-") &&
		!slices.ContainsFunc(actedOn, func(beginning string) bool { return strings.HasPrefix(name, beginning) })
}

const maxHeaders = 50

// readHeader reads the values of header=Name:value. Those of an operator may be
// any but framing. The error is a *ParameterError or a *problem.Problem.
func readHeader(values []string, trusted bool) ([]answer.Field, error) {
	if len(values) > maxHeaders {
		return nil, badRequest("header is given %d times; accepted: up to %d times", len(values), maxHeaders)
	}
	fields := make([]answer.Field, 0, len(values))
	for i, text := range values {
		name, value, hasValue := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		refuse := func(reason string) ([]answer.Field, error) {
			return nil, &ParameterError{"header", i, badRequest("header %s %s; accepted: Name:value", problem.Quote(text), reason)}
		}
		if !hasValue || !fieldName.MatchString(name) {
			return refuse("is no header")
		}
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c > '~' }) {
			return refuse("has a value that is not in visible ASCII")
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case slices.Contains(framing, name) && trusted:
			return refuse("is the server's own to set")
		case !trusted && !mayBeSet(name):
			return nil, &ParameterError{"header", i, badRequest("header %s is the server's own to set, or one that browsers or proxies may act on; "+
				"accepted: X-… but for those that they act on, and %s; a scenario may set more", problem.Quote(text), strings.Join(accepted, ", "))}
		case name == "Content-Type" && !trusted && !isSafeType(value):
			return refuse("is a type that a browser may run, or not known to be none; of types are accepted: application/json, text/plain, text/csv, application/octet-stream, and of images, audio and video the usual")
		case name == "Content-Type" && slices.ContainsFunc(fields, func(f answer.Field) bool { return f.Name == name }):
			return refuse("is given twice")
		}
		fields = append(fields, answer.Field{Name: name, Value: value})
	}
	return fields, nil
}

func isSafeType(value string) bool {
	mediaType, parameters, has := strings.Cut(value, ";")
	return safeTypes.MatchString(strings.ToLower(strings.TrimSpace(mediaType))) && (!has || mediaParameter.MatchString(parameters))
}
