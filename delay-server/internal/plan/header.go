package plan

import (
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "header", In: InQuery, Route: "headers", Repeated: true,
	Usage:   "`Name:value`, up to 50 times",
	Meaning: "A response header: `X-…` or one of [a list](/doc#headers).",
	Details: " The list: `" + strings.Join(settable, "`, `") +
		"`, and any `X-…` except `" + strings.Join(actedOn, "`, `") +
		"`. `Content-Type` must be a type that no browser runs. " +
		"A scenario's route may set any field that does not frame the message.",
	Example: "Cache-Control:no-store",
	Schema: `{ type: array, maxItems: 50, items: { type: string, pattern: "^[!#$%&'*+.^_` + "`" +
		`|~0-9A-Za-z-]{1,200}:" } }`,
	shapes: shapesResponse,
	parse: func(in *input, o *options) error {
		fields, err := parseHeader(in.values["header"], in.trusted)
		o.header = append(o.header, fields...)
		return err
	},
})

var (
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$")

	// safeTypes are media types that no browser runs as a page or a script.
	safeTypes = regexp.MustCompile(`^(text/(plain|csv|event-stream)|` +
		`application/(json|x-ndjson|octet-stream|problem\+json|cbor|grpc|protobuf)|` +
		`(image/(png|jpeg|gif|webp)|audio/[a-z0-9.-]+|video/[a-z0-9.-]+))$`)

	mediaParameter = regexp.MustCompile(`^[ \t]*[a-zA-Z0-9-]+=[a-zA-Z0-9_.-]+$`)
)

// framing are the fields that frame a message or control the connection.
var framing = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// settable are the fields besides X-… that a link may set. At most, they make a browser,
// a proxy or a CDN store a response or repeat a request.
var settable = []string{
	"Accept-Patch", "Accept-Post", "Accept-Ranges", "Age", "Allow", "Cache-Control", "Content-Digest",
	"Content-Language", "Content-Range", "Content-Type", "Correlation-Id", "Deprecation", "ETag", "Expires",
	"Grpc-Message", "Grpc-Status", "Last-Modified", "Pragma", "Preference-Applied", "RateLimit", "RateLimit-Limit",
	"RateLimit-Policy", "RateLimit-Remaining", "RateLimit-Reset", "Repr-Digest", "Request-Id", "Retry-After", "Server",
	"Sunset", "Vary", "Warning",
}

// actedOn are prefixes of X-… fields that a link may not set: the server sets them, or a
// browser, a proxy or a CDN acts on them.
var actedOn = []string{
	"X-Accel-*", "X-AppEngine-*", "X-Auto-Login", "X-Content-Security-Policy", "X-Content-Type-Options",
	"X-DNS-Prefetch-Control", "X-Download-Options", "X-Envoy-*", "X-Frame-Options", "X-Hiawatha-*",
	"X-Ignored-Parameters", "X-Kong-*", "X-LIGHTTPD-*", "X-LiteSpeed-*", "X-Middleware-*",
	"X-Permitted-Cross-Domain-Policies", "X-Pingback", "X-Reproxy-*", "X-Sendfile*", "X-SourceMap",
	"X-UA-Compatible", "X-WebKit-CSP", "X-XRDS-Location", "X-XSS-Protection",
}

// SettableHeaders returns the header fields besides X-… that a link may set.
func SettableHeaders() []string { return slices.Clone(settable) }

// ReservedHeaders returns the X-… fields that a link may not set. A trailing * matches
// any suffix.
func ReservedHeaders() []string { return slices.Clone(actedOn) }

// mayBeSet reports whether a link may set the field of the canonical name.
func mayBeSet(name string) bool {
	equals := func(listed string) bool { return strings.EqualFold(listed, name) }
	hasPrefix := func(listed string) bool {
		prefix := strings.TrimSuffix(listed, "*")
		return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
	}
	return slices.ContainsFunc(settable, equals) ||
		strings.HasPrefix(name, "X-") && !slices.ContainsFunc(actedOn, hasPrefix)
}

const maxHeaders = 50

// parseHeader parses the values of header=Name:value. A trusted value may set any
// field that does not frame a message. The error is a *ParameterError or a
// *problem.Problem.
func parseHeader(values []string, trusted bool) ([]answer.Field, error) {
	if len(values) > maxHeaders {
		return nil, problem.RepeatedParameter.New("header is given %d times: use up to %d", len(values), maxHeaders)
	}
	fields := make([]answer.Field, 0, len(values))
	for i, text := range values {
		field, err := parseField(text, trusted)
		if err == nil && field.Name == "Content-Type" &&
			slices.ContainsFunc(fields, func(f answer.Field) bool { return f.Name == field.Name }) {
			err = problem.RepeatedParameter.New("header Content-Type is given twice: give it once")
		}
		if err != nil {
			return nil, &ParameterError{Name: "header", Index: i, Err: err}
		}
		fields = append(fields, field)
	}
	return fields, nil
}

func parseField(text string, trusted bool) (answer.Field, error) {
	name, value, hasValue := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	refuse := func(reason, valid string) (answer.Field, error) {
		return answer.Field{}, invalid("header", text, reason, valid)
	}
	if !hasValue || !fieldName.MatchString(name) {
		return refuse("not a header field", "Name:value")
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c > '~' }) {
		return refuse("not visible ASCII", "Name:value")
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case slices.Contains(framing, name):
		return refuse("it frames the message", "another field")
	case !trusted && !mayBeSet(name):
		return refuse("browsers or proxies may act on it", "X-… or a field that /doc lists; a scenario may set more")
	case name == "Content-Type" && !trusted && !isSafeType(value):
		return refuse("a browser may run this type", "a type such as application/json or text/plain")
	}
	return answer.Field{Name: name, Value: value}, nil
}

func isSafeType(value string) bool {
	mediaType, parameters, has := strings.Cut(value, ";")
	return safeTypes.MatchString(strings.ToLower(strings.TrimSpace(mediaType))) &&
		(!has || mediaParameter.MatchString(parameters))
}
