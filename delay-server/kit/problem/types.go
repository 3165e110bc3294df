package problem

import (
	"fmt"
	"net/http"
	"strings"
)

// Type is a kind of problem: the path of its page on either program, which says
// what it means and what to do. It is an error, so that errors.Is(err,
// problem.PoolFull) reports whether err is a problem of that type.
type Type string

// The types of problem that the two programs answer with.
const (
	// What a request says.
	InvalidDelay          Type = "/problems/invalid-delay"
	InvalidParameter      Type = "/problems/invalid-parameter"
	UnknownParameter      Type = "/problems/unknown-parameter"
	RepeatedParameter     Type = "/problems/repeated-parameter"
	ConflictingParameters Type = "/problems/conflicting-parameters"
	MalformedQuery        Type = "/problems/malformed-query"
	InvalidHeader         Type = "/problems/invalid-header"
	InvalidMethod         Type = "/problems/invalid-method"
	InvalidTarget         Type = "/problems/invalid-target"
	TargetNotAllowed      Type = "/problems/target-not-allowed"
	URLTooLong            Type = "/problems/url-too-long"
	NotFound              Type = "/problems/not-found"
	MethodNotAllowed      Type = "/problems/method-not-allowed"

	// Its body.
	InvalidBody    Type = "/problems/invalid-body"
	BodyNotAllowed Type = "/problems/body-not-allowed"
	BodyTooLarge   Type = "/problems/body-too-large"
	BodyTimeout    Type = "/problems/body-timeout"

	// What it waits for.
	RateLimited     Type = "/problems/rate-limited"
	PoolFull        Type = "/problems/pool-full"
	PoolMismatch    Type = "/problems/pool-mismatch"
	BarrierMismatch Type = "/problems/barrier-mismatch"
	BarrierTimeout  Type = "/problems/barrier-timeout"
	BarrierBroken   Type = "/problems/barrier-broken"
	HoldTimeout     Type = "/problems/hold-timeout"
	HoldFailed      Type = "/problems/hold-failed"

	// The server's limits and its end.
	TooManyInFlight   Type = "/problems/too-many-in-flight"
	TooManyFromClient Type = "/problems/too-many-from-client"
	TooManyAdminWaits Type = "/problems/too-many-admin-waits"
	TooManyCalls      Type = "/problems/too-many-calls"
	ShuttingDown      Type = "/problems/shutting-down"
	Internal          Type = "/problems/internal"

	// The admin API.
	AdminDisabled     Type = "/problems/admin-disabled"
	TLSDisabled       Type = "/problems/tls-disabled"
	TokenRequired     Type = "/problems/token-required"
	HostNotAllowed    Type = "/problems/host-not-allowed"
	CrossOrigin       Type = "/problems/cross-origin"
	RunNotFound       Type = "/problems/run-not-found"
	HoldNotFound      Type = "/problems/hold-not-found"
	TooFewHeld        Type = "/problems/too-few-held"
	ClockNotFrozen    Type = "/problems/clock-not-frozen"
	AdvanceOutOfRange Type = "/problems/advance-out-of-range"
	WaitTimeout       Type = "/problems/wait-timeout"

	// Other servers.
	UpstreamNotAllowed Type = "/problems/upstream-not-allowed"
	UpstreamFailed     Type = "/problems/upstream-failed"
	UpstreamTimeout    Type = "/problems/upstream-timeout"
	CallFailed         Type = "/problems/call-failed"
	CallTimeout        Type = "/problems/call-timeout"
	ClientClosed       Type = "/problems/client-closed"
)

// Info describes a type.
type Info struct {
	Type    Type
	Status  int    // HTTP status code
	Title   string // a few words, the same for each problem of the type
	Meaning string // a sentence or two: when it is answered
	Remedy  string // a sentence or two: what the client can do
}

// StatusClientClosed is the HTTP status of ClientClosed: what nginx logs for a
// client that left before its answer.
const StatusClientClosed = 499

// Types describes all types, in the order of their documentation.
var Types = []Info{
	{InvalidDelay, http.StatusBadRequest, "Invalid delay",
		"The delay in the path cannot be read, or is longer than the server's MAX_DELAY.",
		"Write milliseconds (1000), a Go duration (250ms) or a distribution (uniform:100ms,900ms); the detail lists the forms."},
	{InvalidParameter, http.StatusBadRequest, "Invalid parameter",
		"The value of a parameter, in the query or the path, cannot be read or is out of range.",
		"Use a value that the detail accepts."},
	{UnknownParameter, http.StatusBadRequest, "Unknown parameter",
		"No parameter has this name. Waiting endpoints reject a name that is one typing error away from a known one, the admin API any unknown name.",
		"Correct the name."},
	{RepeatedParameter, http.StatusBadRequest, "Repeated parameter",
		"A parameter, or a header that takes one value, is given more than once.",
		"Give it once. Only header may be repeated."},
	{ConflictingParameters, http.StatusBadRequest, "Conflicting parameters",
		"Two parameters contradict each other, or one needs another that is missing: one of them would have no effect.",
		"Remove one of the two, or add the one that is missing, as the detail says."},
	{MalformedQuery, http.StatusBadRequest, "Malformed query",
		"The query is not name=value pairs joined by &, or has an invalid percent-encoding.",
		"Encode the values, as curl --data-urlencode with --get does."},
	{InvalidHeader, http.StatusBadRequest, "Invalid header",
		"A header that the server reads, such as X-Run-Id, has a value that it cannot use.",
		"Send a value that the detail accepts, or leave the header out."},
	{InvalidMethod, http.StatusBadRequest, "Invalid method",
		"The request's method is not a token as RFC 9110 defines it.",
		"Use a method such as GET or POST."},
	{InvalidTarget, http.StatusBadRequest, "Invalid target",
		"The URL behind /url/ or /proxy/ cannot be read.",
		"Use an http or https URL with a host, such as /delay/500/url/example.com/path."},
	{TargetNotAllowed, http.StatusForbidden, "Target not allowed",
		"The host behind /url/ or /proxy/ is not one that the server redirects to or forwards to.",
		"Add the host to the server's REDIRECT_HOSTS or PROXY_HOSTS."},
	{URLTooLong, http.StatusRequestURITooLong, "URL too long",
		"The path and query are longer than 8192 bytes.",
		"Use a shorter URL."},
	{NotFound, http.StatusNotFound, "Not found",
		"The server has no page or endpoint at this path.",
		"See /doc for the endpoints."},
	{MethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed",
		"The path exists and does not take this method.",
		"Use one of the methods in the Allow header."},

	{InvalidBody, http.StatusBadRequest, "Invalid body",
		"The request's body cannot be read, or is not the JSON that the endpoint takes.",
		"Send what the detail accepts."},
	{BodyNotAllowed, http.StatusBadRequest, "Body not allowed",
		"This endpoint of the admin API takes no body.",
		"Use query parameters."},
	{BodyTooLarge, http.StatusRequestEntityTooLarge, "Body too large",
		"The request's body is larger than 1 MiB.",
		"Send a smaller body, or none: waiting endpoints do not use it."},
	{BodyTimeout, http.StatusRequestTimeout, "Body timeout",
		"The request's body did not arrive within the server's READ_TIMEOUT.",
		"Send the body faster, or raise READ_TIMEOUT."},

	{RateLimited, http.StatusTooManyRequests, "Rate limited",
		"A scenario's route admits fewer requests: its limit is used up.",
		"Send the request again after the seconds in Retry-After."},
	{PoolFull, http.StatusServiceUnavailable, "Pool full",
		"All workers of the pool are busy and its queue is full.",
		"Send the request again after the seconds in Retry-After, or ask for a longer queue."},
	{PoolMismatch, http.StatusConflict, "Pool mismatch",
		"Requests are in a pool of this name with another number of workers or another queue.",
		"Use the same workers and queue in each request, or another name."},
	{BarrierMismatch, http.StatusConflict, "Barrier mismatch",
		"Requests wait at a barrier of this name with another number of parties.",
		"Use the same parties in each request, or another name."},
	{BarrierTimeout, http.StatusGatewayTimeout, "Barrier timeout",
		"Too few requests arrived at the barrier within the request's timeout.",
		"Make the requests concurrently, or raise timeout. A sequential client never passes a barrier."},
	{BarrierBroken, http.StatusGatewayTimeout, "Barrier broken",
		"Another request at the barrier timed out, which ends the wait of all.",
		"See barrier-timeout."},
	{HoldTimeout, http.StatusGatewayTimeout, "Hold timeout",
		"Nobody released the hold within the request's timeout.",
		"Release it with POST /admin/holds/{name}/release, or raise timeout."},
	{HoldFailed, http.StatusServiceUnavailable, "Hold failed",
		"A DELETE /admin/holds/{name} failed the requests in the hold.",
		"Nothing: a test asked for this answer."},

	{TooManyInFlight, http.StatusServiceUnavailable, "Too many requests in flight",
		"As many requests wait as the server's MAX_IN_FLIGHT admits.",
		"Send the request again after the seconds in Retry-After, or raise MAX_IN_FLIGHT."},
	{TooManyFromClient, http.StatusServiceUnavailable, "Too many requests from this client",
		"As many requests of this client's address wait as the server's MAX_IN_FLIGHT_PER_CLIENT admits.",
		"Send the request again after the seconds in Retry-After, or raise MAX_IN_FLIGHT_PER_CLIENT."},
	{TooManyAdminWaits, http.StatusServiceUnavailable, "Too many admin requests wait",
		"1000 requests of the admin API wait for a condition already.",
		"Send the request again when some have ended."},
	{TooManyCalls, http.StatusServiceUnavailable, "Too many calls in flight",
		"The calls of this request and of those in progress would exceed demo-api's MAX_IN_FLIGHT.",
		"Send the request again after the seconds in Retry-After, with fewer calls or with limit, or raise MAX_IN_FLIGHT."},
	{ShuttingDown, http.StatusServiceUnavailable, "Shutting down",
		"The server received SIGTERM or Ctrl-C and ends what still waits after SHUTDOWN_TIMEOUT.",
		"Send the request to another instance, or again after the restart."},
	{Internal, http.StatusInternalServerError, "Internal error",
		"The server failed. Its log says why.",
		"Read the log, and report the error."},

	{AdminDisabled, http.StatusNotFound, "Admin API disabled",
		"The server runs with ADMIN=false.",
		"Start it with ADMIN=true."},
	{TLSDisabled, http.StatusNotFound, "TLS disabled",
		"The server has no certificate authority, since it does not listen with TLS.",
		"Start it with TLS_HOSTS and TLS_DIR."},
	{TokenRequired, http.StatusUnauthorized, "Token required",
		"The admin API needs a token for this request, and the request has none or a wrong one.",
		"Send Authorization: Bearer with the server's ADMIN_TOKEN, or with the token that it logged when it started."},
	{HostNotAllowed, http.StatusForbidden, "Host not allowed",
		"The Host header is a name with dots that ADMIN_HOSTS does not list, and the server has no ADMIN_TOKEN: a hostile page could use such a name.",
		"Use an IP address or localhost, add the name to ADMIN_HOSTS, or set ADMIN_TOKEN."},
	{CrossOrigin, http.StatusForbidden, "Cross-origin request",
		"A page of another origin made the request. The admin API takes none.",
		"Make the request from a program, or from a page of this server."},
	{RunNotFound, http.StatusNotFound, "Run not found",
		"The journal has no request of this run: none came, or they were dropped for newer ones.",
		"Compare the name with /admin/runs, or raise JOURNAL_SIZE."},
	{HoldNotFound, http.StatusNotFound, "Hold not found",
		"No request waits in a hold of this name.",
		"Wait for one first: GET /admin/holds/{name}?waiting=1."},
	{TooFewHeld, http.StatusConflict, "Too few requests held",
		"The release asks for more requests than the hold has.",
		"Wait for them first, with waiting=N, or leave count out to release all."},
	{ClockNotFrozen, http.StatusConflict, "Clock not frozen",
		"Only a frozen clock can be advanced.",
		"Freeze it first: POST {\"freeze\":true} to /admin/clock."},
	{AdvanceOutOfRange, http.StatusConflict, "Advance out of range",
		"The clock would be advanced by more than 292 years in all.",
		"Reset the clock: POST {\"reset\":true} to /admin/clock."},
	{WaitTimeout, http.StatusGatewayTimeout, "Wait timeout",
		"What a request of the admin API waited for did not happen within its timeout.",
		"See the detail for what did happen; raise timeout if the machine is slow."},

	{UpstreamNotAllowed, http.StatusForbidden, "Upstream address not allowed",
		"The host to forward to leads to an address that is not public and that PROXY_HOSTS does not list.",
		"Add the address or its range to PROXY_HOSTS."},
	{UpstreamFailed, http.StatusBadGateway, "Upstream failed",
		"The server that the request was forwarded to cannot be reached, or broke off.",
		"See the detail, and check the host."},
	{UpstreamTimeout, http.StatusGatewayTimeout, "Upstream timeout",
		"The server that the request was forwarded to did not connect or reply within PROXY_TIMEOUT.",
		"Check the host, or raise PROXY_TIMEOUT."},
	{CallFailed, http.StatusBadGateway, "Call failed",
		"A call that demo-api made failed. call names it.",
		"See the detail; check DELAY_SERVER_URL or DATABASE_URL."},
	{CallTimeout, http.StatusGatewayTimeout, "Call timeout",
		"A call that demo-api made took longer than its TIMEOUT. call names it.",
		"Ask for a shorter delay, or raise TIMEOUT."},
	{ClientClosed, StatusClientClosed, "Client closed the request",
		"The client left before its answer, and demo-api cancelled all calls.",
		"Nothing."},
}

// byType has the index in Types of each type.
var byType = func() map[Type]int {
	m := make(map[Type]int, len(Types))
	for i, info := range Types {
		m[info.Type] = i
	}
	return m
}()

// Info returns the description of t. It panics for a type that is not in Types.
func (t Type) Info() Info {
	i, ok := byType[t]
	if !ok {
		panic("problem: no type " + string(t))
	}
	return Types[i]
}

// Find returns the type of a name, such as pool-full.
func Find(name string) (info Info, ok bool) {
	i, ok := byType[Type(prefix+name)]
	if !ok {
		return Info{}, false
	}
	return Types[i], true
}

const prefix = "/problems/"

// Name returns the type without its path, such as pool-full.
func (t Type) Name() string { return strings.TrimPrefix(string(t), prefix) }

// Error returns t's name with spaces, such as "pool full".
func (t Type) Error() string { return strings.ReplaceAll(t.Name(), "-", " ") }

// New returns a problem of the type, its detail formatted as by fmt.Sprintf.
func (t Type) New(format string, args ...any) *Problem {
	info := t.Info()
	return &Problem{Type: t, Title: info.Title, Status: info.Status, Detail: fmt.Sprintf(format, args...)}
}
