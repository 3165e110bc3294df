package plan

import (
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
)

var (
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$")

	// safeTypes are media types that no browser runs as a page or a script.
	safeTypes = regexp.MustCompile(`^(text/(plain|csv|event-stream)|application/(json|x-ndjson|octet-stream|problem\+json|cbor|grpc|protobuf)|(image/(png|jpeg|gif|webp)|audio/[a-z0-9.-]+|video/[a-z0-9.-]+))$`)

	mediaParameter = regexp.MustCompile(`^[ \t]*[a-zA-Z0-9-]+=[a-zA-Z0-9_.-]+$`)
)

// framing are headers that frame a message or speak for the connection.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// reserved are headers that a link must not be able to set beside framing:
// those that speak for the server, and those by which a browser would do
// something on this origin.
var reserved = []string{
	"Content-Encoding", "Proxy-Authenticate",
	"Date", "Server-Timing", "X-Content-Type-Options", "X-Ignored-Parameters",
	"Alt-Svc", "Clear-Site-Data", "Content-Disposition", "Content-Security-Policy", "Link", "Location", "Nel", "Origin-Agent-Cluster", "Public-Key-Pins",
	"Refresh", "Report-To", "Reporting-Endpoints", "Service-Worker-Allowed", "Set-Cookie", "Sourcemap", "Strict-Transport-Security", "Timing-Allow-Origin", "Www-Authenticate", "X-Frame-Options",
}

const mostHeaders = 50

// readHeader reads the values of header=Name:value. Those of an operator may be
// any but framing. The error is a *ParameterError or a *problem.Problem.
func readHeader(values []string, operator bool) ([]answer.Field, error) {
	if len(values) > mostHeaders {
		return nil, bad("header is given %d times; accepted: up to %d times", len(values), mostHeaders)
	}
	fields := make([]answer.Field, 0, len(values))
	for i, text := range values {
		name, value, hasValue := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		refuse := func(reason string) ([]answer.Field, error) {
			return nil, &ParameterError{"header", i, bad("header %s %s; accepted: Name:value", problem.Quote(text), reason)}
		}
		if !hasValue || !fieldName.MatchString(name) {
			return refuse("is no header")
		}
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c > '~' }) {
			return refuse("has a value that is not in visible ASCII")
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case slices.Contains(framing, name) || !operator && isReserved(name):
			return refuse("is the server's own to set")
		case name == "Content-Type" && !operator && !isSafeType(value):
			return refuse("is a type that a browser may run, or not known to be none; of types are accepted: application/json, text/plain, text/csv, application/octet-stream, and of images, audio and video the usual")
		case name == "Content-Type" && slices.ContainsFunc(fields, func(f answer.Field) bool { return f.Name == name }):
			return refuse("is given twice")
		}
		fields = append(fields, answer.Field{Name: name, Value: value})
	}
	return fields, nil
}

func isReserved(name string) bool {
	return slices.Contains(reserved, name) || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "Cross-Origin-")
}

func isSafeType(value string) bool {
	mediaType, parameters, has := strings.Cut(value, ";")
	return safeTypes.MatchString(strings.ToLower(strings.TrimSpace(mediaType))) && (!has || mediaParameter.MatchString(parameters))
}
