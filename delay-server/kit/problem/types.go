package problem

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Type is a type of problem: the path of the page that documents it. It is an error, so
// that errors.Is(err, problem.PoolFull) reports whether err is a problem of that type.
type Type string

// The types of problem in responses of the two programs.
const (
	// The request.
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

	// The request's body.
	InvalidBody    Type = "/problems/invalid-body"
	BodyNotAllowed Type = "/problems/body-not-allowed"
	BodyTooLarge   Type = "/problems/body-too-large"
	BodyTimeout    Type = "/problems/body-timeout"

	// Pools, barriers and holds.
	RateLimited     Type = "/problems/rate-limited"
	PoolFull        Type = "/problems/pool-full"
	PoolMismatch    Type = "/problems/pool-mismatch"
	BarrierMismatch Type = "/problems/barrier-mismatch"
	BarrierTimeout  Type = "/problems/barrier-timeout"
	BarrierBroken   Type = "/problems/barrier-broken"
	BarrierReset    Type = "/problems/barrier-reset"
	HoldTimeout     Type = "/problems/hold-timeout"
	HoldFailed      Type = "/problems/hold-failed"

	// Limits and shutdown.
	TooManyInFlight   Type = "/problems/too-many-in-flight"
	TooManyFromClient Type = "/problems/too-many-from-client"
	TooManyAdminWaits Type = "/problems/too-many-admin-waits"
	TooManyViewers    Type = "/problems/too-many-viewers"
	TooManyCalls      Type = "/problems/too-many-calls"
	ShuttingDown      Type = "/problems/shutting-down"
	Internal          Type = "/problems/internal"

	// The admin API.
	AdminDisabled     Type = "/problems/admin-disabled"
	TLSDisabled       Type = "/problems/tls-disabled"
	BundleDisabled    Type = "/problems/bundle-disabled"
	BundleDamaged     Type = "/problems/bundle-damaged"
	TokenRequired     Type = "/problems/token-required"
	HostNotAllowed    Type = "/problems/host-not-allowed"
	CrossOrigin       Type = "/problems/cross-origin"
	RunNotFound       Type = "/problems/run-not-found"
	HoldNotFound      Type = "/problems/hold-not-found"
	ScenarioNotFound  Type = "/problems/scenario-not-found"
	InvalidScenario   Type = "/problems/invalid-scenario"
	TooManyScenarios  Type = "/problems/too-many-scenarios"
	TooFewHeld        Type = "/problems/too-few-held"
	RunClockNotFound  Type = "/problems/run-clock-not-found"
	RunInFlight       Type = "/problems/run-in-flight"
	TooManyRunClocks  Type = "/problems/too-many-run-clocks"
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
	Title   string // short, the same for all problems of the type
	Meaning string // when it occurs
	Remedy  string // what to do about it
}

// StatusClientClosed is the HTTP status of ClientClosed. nginx logs it for clients that
// leave before the response.
const StatusClientClosed = 499

// Types describes all types, in the order in which they are documented.
var Types = []Info{
	{InvalidDelay, http.StatusBadRequest, "Invalid delay",
		"The delay in the path is invalid, or longer than MAX_DELAY.",
		"Use milliseconds (1000), a Go duration (250ms) or a distribution (uniform:100ms,900ms)."},
	{InvalidParameter, http.StatusBadRequest, "Invalid parameter",
		"A parameter in the query or the path is invalid or out of range.",
		"Use a value that the detail lists."},
	{UnknownParameter, http.StatusBadRequest, "Unknown parameter",
		"No parameter has this name. Waiting endpoints reject only names that look like a typing error; " +
			"the admin API rejects all unknown names.",
		"Correct the name."},
	{RepeatedParameter, http.StatusBadRequest, "Repeated parameter",
		"A parameter, or a header with a single value, is given more than once.",
		"Give it once. Only the parameter header may be repeated."},
	{ConflictingParameters, http.StatusBadRequest, "Conflicting parameters",
		"Two parameters conflict, or one has no effect without another that is missing.",
		"Remove a parameter, or add the missing one."},
	{MalformedQuery, http.StatusBadRequest, "Malformed query",
		"The query is not name=value pairs joined by &, or has an invalid percent-encoding.",
		"Encode the values, as curl --data-urlencode with --get does."},
	{InvalidHeader, http.StatusBadRequest, "Invalid header",
		"A header such as X-Run-Id has an invalid value.",
		"Use a value that the detail lists, or omit the header."},
	{InvalidMethod, http.StatusBadRequest, "Invalid method",
		"The request's method is not a token as RFC 9110 defines it.",
		"Use a method such as GET or POST."},
	{InvalidTarget, http.StatusBadRequest, "Invalid target",
		"The URL after /url/ or /proxy/ is invalid.",
		"Use an http or https URL with a host, such as /delay/500/url/example.com/path."},
	{TargetNotAllowed, http.StatusForbidden, "Target not allowed",
		"The server does not redirect or forward to the host after /url/ or /proxy/, or send requests to the host of " +
			"against.",
		"Add the host to delay-server's REDIRECT_HOSTS or PROXY_HOSTS, or to demo-api's AGAINST_HOSTS."},
	{URLTooLong, http.StatusRequestURITooLong, "URL too long",
		"The path and query are longer than 8192 bytes.",
		"Use a shorter URL."},
	{NotFound, http.StatusNotFound, "Not found",
		"The server has no page or endpoint at this path.",
		"See the detail for the endpoints, or /doc of delay-server."},
	{MethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed",
		"The endpoint does not allow this method.",
		"Use one of the methods in the Allow header."},

	{InvalidBody, http.StatusBadRequest, "Invalid body",
		"The request's body cannot be read, or is not the expected JSON.",
		"Send a body as the detail describes."},
	{BodyNotAllowed, http.StatusBadRequest, "Body not allowed",
		"This endpoint of the admin API does not allow a body.",
		"Use query parameters."},
	{BodyTooLarge, http.StatusRequestEntityTooLarge, "Body too large",
		"The request's body is larger than 1 MiB.",
		"Send a smaller body, or none: waiting endpoints ignore it."},
	{BodyTimeout, http.StatusRequestTimeout, "Body timeout",
		"The request's body did not arrive within the server's READ_TIMEOUT.",
		"Send the body faster, or raise READ_TIMEOUT."},

	{RateLimited, http.StatusTooManyRequests, "Rate limited",
		"The rate limit of the request or of a scenario's route is exceeded.",
		"Retry after the seconds in Retry-After."},
	{PoolFull, http.StatusServiceUnavailable, "Pool full",
		"All workers of the pool are busy and its queue is full.",
		"Retry after the seconds in Retry-After, or use a longer queue."},
	{PoolMismatch, http.StatusConflict, "Pool mismatch",
		"The pool is in use with another number of workers or another queue length.",
		"Use the same workers and queue in each request, or another name."},
	{BarrierMismatch, http.StatusConflict, "Barrier mismatch",
		"Requests wait at the barrier with another number of parties.",
		"Use the same parties in each request, or another name."},
	{BarrierTimeout, http.StatusGatewayTimeout, "Barrier timeout",
		"Too few requests arrived at the barrier within the timeout.",
		"Send the requests concurrently, or raise timeout. A sequential client cannot pass a barrier."},
	{BarrierBroken, http.StatusGatewayTimeout, "Barrier broken",
		"Another request at the barrier timed out, which fails all of them.",
		"See barrier-timeout."},
	{BarrierReset, http.StatusServiceUnavailable, "Barrier reset",
		"The barrier was reset: by POST /admin/reset, or since its run was forgotten.",
		"None: a test asked for this response."},
	{HoldTimeout, http.StatusGatewayTimeout, "Hold timeout",
		"The hold was not released within the timeout.",
		"Release it with POST /admin/holds/{name}/release, or raise timeout."},
	{HoldFailed, http.StatusServiceUnavailable, "Hold failed",
		"The hold was failed: by DELETE /admin/holds/{name} or POST /admin/reset, or since its run was forgotten.",
		"None: a test asked for this response."},

	{TooManyInFlight, http.StatusServiceUnavailable, "Too many requests in flight",
		"The number of waiting requests has reached MAX_IN_FLIGHT.",
		"Retry after the seconds in Retry-After, or raise MAX_IN_FLIGHT."},
	{TooManyFromClient, http.StatusServiceUnavailable, "Too many requests from this client",
		"The number of waiting requests from this client's address has reached MAX_IN_FLIGHT_PER_CLIENT.",
		"Retry after the seconds in Retry-After, or raise MAX_IN_FLIGHT_PER_CLIENT."},
	{TooManyAdminWaits, http.StatusServiceUnavailable, "Too many waiting admin requests",
		"1000 requests of the admin API are waiting for a condition.",
		"Retry when some have ended."},
	{TooManyViewers, http.StatusServiceUnavailable, "Too many viewers",
		"Too many pages show what happens now.",
		"Close a page that is not needed; the page connects again by itself."},
	{TooManyCalls, http.StatusServiceUnavailable, "Too many calls in flight",
		"The calls of this request would exceed demo-api's MAX_IN_FLIGHT.",
		"Retry after the seconds in Retry-After, with fewer calls or with limit, or raise MAX_IN_FLIGHT."},
	{ShuttingDown, http.StatusServiceUnavailable, "Shutting down",
		"The server is shutting down, and the request was not finished within SHUTDOWN_TIMEOUT.",
		"Retry with another instance, or after the restart."},
	{Internal, http.StatusInternalServerError, "Internal error",
		"An internal error occurred. The server logs it.",
		"Look at the log, and report the error."},

	{AdminDisabled, http.StatusNotFound, "Admin API disabled",
		"The server runs with ADMIN=false.",
		"Start it with ADMIN=true."},
	{TLSDisabled, http.StatusNotFound, "TLS disabled",
		"The server has no certificate authority, since TLS is disabled.",
		"Start it with TLS_HOSTS and TLS_DIR."},
	{BundleDisabled, http.StatusNotFound, "No bundle",
		"The server has no files to hand out.",
		"Start it with BUNDLE_DIR, the folder that deploy/offline/bundle wrote."},
	{BundleDamaged, http.StatusInternalServerError, "Damaged file",
		"A file of BUNDLE_DIR is not as its checksum says, so it is not served.",
		"Copy the bundle again."},
	{TokenRequired, http.StatusUnauthorized, "Token required",
		"This request needs the token of the admin API; it has none or a wrong one.",
		"Send Authorization: Bearer with the server's ADMIN_TOKEN, or the token that it logged at startup."},
	{HostNotAllowed, http.StatusForbidden, "Host not allowed",
		"The Host header is a name that hostile pages could use for DNS rebinding. The admin API without an " +
			"ADMIN_TOKEN rejects it, and so does a race against another app.",
		"Use an IP address or localhost. For the admin API, add the name to ADMIN_HOSTS or set ADMIN_TOKEN."},
	{CrossOrigin, http.StatusForbidden, "Cross-origin request",
		"A page of another origin sent the request. The admin API and a race against another app reject those.",
		"Send the request from a program, or from a page of this server."},
	{RunNotFound, http.StatusNotFound, "Run not found",
		"The journal has no requests of this run: there were none, or newer ones replaced them.",
		"Check the name in /admin/runs, or raise JOURNAL_SIZE."},
	{HoldNotFound, http.StatusNotFound, "Hold not found",
		"No request waits in a hold of this name.",
		"First wait for one: GET /admin/holds/{name}?waiting=1."},
	{ScenarioNotFound, http.StatusNotFound, "Scenario not found",
		"The run or the server has no scenario to show or delete.",
		"Set one: PUT /admin/runs/{id}/scenario or /admin/scenario."},
	{InvalidScenario, http.StatusBadRequest, "Invalid scenario",
		"The scenario has errors. The old one stays.",
		"Correct the lines that the detail lists."},
	{TooManyScenarios, http.StatusConflict, "Too many scenarios",
		"The scenarios of runs have reached their limit in number, routes or bytes.",
		"Delete some: DELETE /admin/runs/{id}/scenario, or DELETE /admin/runs/{id} after each test."},
	{TooFewHeld, http.StatusConflict, "Too few requests held",
		"The hold lacks the requests to release: count, nth or attempt.",
		"First wait for them with waiting=N. Without count, nth, attempt and order, all are released."},
	{RunClockNotFound, http.StatusNotFound, "Run has no clock of its own",
		"The run goes by the server's clock.",
		"Make its clock: POST {\"freeze\":true} to /admin/runs/{id}/clock before the run's first request."},
	{RunInFlight, http.StatusConflict, "Run is in flight",
		"Requests of the run wait on the server's clock, so the run can have no clock of its own now.",
		"Make the clock before these requests are sent, or use another run."},
	{TooManyRunClocks, http.StatusConflict, "Too many clocks of runs",
		"1000 runs have clocks of their own.",
		"Forget runs that have ended: DELETE /admin/runs/{id}, or all runs: DELETE /admin/runs."},
	{ClockNotFrozen, http.StatusConflict, "Clock not frozen",
		"Only a frozen clock can be advanced.",
		"Freeze it first: POST {\"freeze\":true} to the same path."},
	{AdvanceOutOfRange, http.StatusConflict, "Advance out of range",
		"The clock would be advanced by more than 292 years in all.",
		"Restart the server, or forget the run: DELETE /admin/runs/{id}."},
	{WaitTimeout, http.StatusGatewayTimeout, "Wait timeout",
		"The condition of an admin request was not met within its timeout.",
		"See the detail for the current state; raise timeout if the machine is slow."},

	{UpstreamNotAllowed, http.StatusForbidden, "Upstream address not allowed",
		"The upstream host resolves to a private address that is not in PROXY_HOSTS.",
		"Add the address or its range to PROXY_HOSTS."},
	{UpstreamFailed, http.StatusBadGateway, "Upstream failed",
		"The upstream server cannot be reached, or ended the connection.",
		"See the detail, and check the host."},
	{UpstreamTimeout, http.StatusGatewayTimeout, "Upstream timeout",
		"The upstream server did not accept the connection or respond within PROXY_TIMEOUT.",
		"Check the host, or raise PROXY_TIMEOUT."},
	{CallFailed, http.StatusBadGateway, "Call failed",
		"A call of demo-api failed. The member call names it.",
		"See the detail; check DELAY_SERVER_URL or DATABASE_URL."},
	{CallTimeout, http.StatusGatewayTimeout, "Call timeout",
		"A call of demo-api took longer than TIMEOUT. The member call names it.",
		"Use a shorter delay, or raise TIMEOUT."},
	{ClientClosed, StatusClientClosed, "Client closed the request",
		"The client left before the response, and demo-api cancelled its calls.",
		"None."},
}

// byType maps each type to its index in Types.
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

const prefix = "/problems/"

// Name returns the type without its path, such as pool-full.
func (t Type) Name() string { return strings.TrimPrefix(string(t), prefix) }

// Error returns the name with spaces, such as "pool full".
func (t Type) Error() string { return strings.ReplaceAll(t.Name(), "-", " ") }

// New returns a problem of the type. Its detail is formatted like fmt.Sprintf.
func (t Type) New(format string, args ...any) *Problem {
	info := t.Info()
	return &Problem{Type: t, Title: info.Title, Status: info.Status, Detail: fmt.Sprintf(format, args...)}
}

// NewBodyTimeout returns the BodyTimeout of a request of which n bytes of its body
// arrived within timeout. body is "request body", or more specific.
func NewBodyTimeout(body string, n int64, timeout time.Duration) *Problem {
	return BodyTimeout.New("%s did not arrive within %v (READ_TIMEOUT); got %d bytes", body, timeout, n)
}
