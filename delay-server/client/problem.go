package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/kit/problem"
)

// A Problem is an error reply, read from its problem document (RFC 9457). It is an
// error; its text is Detail. Compare Type, not texts: texts change.
//
// Its fields are:
//
//	Type       ProblemType   // such as ProblemPoolFull
//	Title      string        // the same for all problems of a type, such as "Pool full"
//	Status     int           // HTTP status code
//	Detail     string        // what was wrong, and what is valid
//	Call       string        // demo-api only: the call that failed, or ""
//	RetryAfter time.Duration // Retry-After of the reply, in whole seconds, or 0
type Problem = problem.Problem

// A ProblemType identifies a kind of problem. Its value is the path of the page
// that documents it, such as /problems/pool-full on the server.
//
// A ProblemType is an error, so that [errors.Is] finds it:
//
//	if errors.Is(err, client.ProblemRunNotFound) { … }
type ProblemType = problem.Type

// The problem types of delay-server and demo-api, with their HTTP status codes.
const (
	// Requests.
	ProblemInvalidDelay          ProblemType = problem.InvalidDelay          // 400, delay is malformed or too long
	ProblemInvalidParameter      ProblemType = problem.InvalidParameter      // 400, value is malformed or out of range
	ProblemUnknownParameter      ProblemType = problem.UnknownParameter      // 400, no parameter has this name
	ProblemRepeatedParameter     ProblemType = problem.RepeatedParameter     // 400, parameter is given twice
	ProblemConflictingParameters ProblemType = problem.ConflictingParameters // 400, parameters contradict each other
	ProblemMalformedQuery        ProblemType = problem.MalformedQuery        // 400, query cannot be parsed
	ProblemInvalidHeader         ProblemType = problem.InvalidHeader         // 400, header has an invalid value
	ProblemInvalidMethod         ProblemType = problem.InvalidMethod         // 400, method is not a token
	ProblemInvalidTarget         ProblemType = problem.InvalidTarget         // 400, target URL is malformed
	ProblemTargetNotAllowed      ProblemType = problem.TargetNotAllowed      // 403, target host is not allowed
	ProblemURLTooLong            ProblemType = problem.URLTooLong            // 414, path and query exceed 8192 bytes
	ProblemNotFound              ProblemType = problem.NotFound              // 404, no such path
	ProblemMethodNotAllowed      ProblemType = problem.MethodNotAllowed      // 405, path does not support the method

	// Request bodies.
	ProblemInvalidBody    ProblemType = problem.InvalidBody    // 400, body is malformed
	ProblemBodyNotAllowed ProblemType = problem.BodyNotAllowed // 400, endpoint takes no body
	ProblemBodyTooLarge   ProblemType = problem.BodyTooLarge   // 413, body exceeds 1 MiB
	ProblemBodyTimeout    ProblemType = problem.BodyTimeout    // 408, body did not arrive within READ_TIMEOUT

	// Rate limits, pools, barriers and holds.
	ProblemRateLimited     ProblemType = problem.RateLimited     // 429, rate limit of a scenario's route is used up
	ProblemPoolFull        ProblemType = problem.PoolFull        // 503, workers are busy and the queue is full
	ProblemPoolMismatch    ProblemType = problem.PoolMismatch    // 409, pool has other workers or another queue
	ProblemBarrierMismatch ProblemType = problem.BarrierMismatch // 409, barrier has another number of parties
	ProblemBarrierTimeout  ProblemType = problem.BarrierTimeout  // 504, too few requests reached the barrier in time
	ProblemBarrierBroken   ProblemType = problem.BarrierBroken   // 504, another request at the barrier timed out
	ProblemBarrierReset    ProblemType = problem.BarrierReset    // 503, Reset or ForgetRun ended the wait
	ProblemHoldTimeout     ProblemType = problem.HoldTimeout     // 504, hold was not released in time
	ProblemHoldFailed      ProblemType = problem.HoldFailed      // 503, FailHold, Reset or ForgetRun ended the wait

	// Limits of the server, and its shutdown.
	ProblemTooManyInFlight   ProblemType = problem.TooManyInFlight   // 503, MAX_IN_FLIGHT is reached
	ProblemTooManyFromClient ProblemType = problem.TooManyFromClient // 503, MAX_IN_FLIGHT_PER_CLIENT is reached
	ProblemTooManyAdminWaits ProblemType = problem.TooManyAdminWaits // 503, too many admin requests wait
	ProblemTooManyViewers    ProblemType = problem.TooManyViewers    // 503, too many pages show what happens now
	ProblemTooManyCalls      ProblemType = problem.TooManyCalls      // 503, demo-api's MAX_IN_FLIGHT is reached
	ProblemShuttingDown      ProblemType = problem.ShuttingDown      // 503, server is shutting down
	ProblemInternal          ProblemType = problem.Internal          // 500, server failed; its log says why

	// The admin API.
	ProblemAdminDisabled     ProblemType = problem.AdminDisabled     // 404, server runs with ADMIN=false
	ProblemBundleDisabled    ProblemType = problem.BundleDisabled    // 404, server has no BUNDLE_DIR
	ProblemBundleDamaged     ProblemType = problem.BundleDamaged     // 500, file is not as its checksum says
	ProblemTLSDisabled       ProblemType = problem.TLSDisabled       // 404, server has no certificate authority
	ProblemTokenRequired     ProblemType = problem.TokenRequired     // 401, token is missing or wrong
	ProblemHostNotAllowed    ProblemType = problem.HostNotAllowed    // 403, ADMIN_HOSTS lacks the Host header
	ProblemCrossOrigin       ProblemType = problem.CrossOrigin       // 403, a page of another origin made the request
	ProblemRunNotFound       ProblemType = problem.RunNotFound       // 404, journal has no request of the run
	ProblemHoldNotFound      ProblemType = problem.HoldNotFound      // 404, no request waits in the hold
	ProblemScenarioNotFound  ProblemType = problem.ScenarioNotFound  // 404, no scenario to return or delete
	ProblemInvalidScenario   ProblemType = problem.InvalidScenario   // 400, scenario has errors, which Detail lists
	ProblemTooManyScenarios  ProblemType = problem.TooManyScenarios  // 409, runs have too many or too large scenarios
	ProblemTooFewHeld        ProblemType = problem.TooFewHeld        // 409, hold lacks the requests to release
	ProblemRunClockNotFound  ProblemType = problem.RunClockNotFound  // 404, run has no clock of its own
	ProblemRunInFlight       ProblemType = problem.RunInFlight       // 409, requests wait on the server's clock
	ProblemTooManyRunClocks  ProblemType = problem.TooManyRunClocks  // 409, 1000 runs have clocks of their own
	ProblemClockNotFrozen    ProblemType = problem.ClockNotFrozen    // 409, only a frozen clock can be advanced
	ProblemAdvanceOutOfRange ProblemType = problem.AdvanceOutOfRange // 409, clock would be advanced by over 292 years
	ProblemWaitTimeout       ProblemType = problem.WaitTimeout       // 504, awaited condition did not hold in time

	// Upstream servers.
	ProblemUpstreamNotAllowed ProblemType = problem.UpstreamNotAllowed // 403, PROXY_HOSTS lacks the private address
	ProblemUpstreamFailed     ProblemType = problem.UpstreamFailed     // 502, upstream is unreachable or broke off
	ProblemUpstreamTimeout    ProblemType = problem.UpstreamTimeout    // 504, no reply within PROXY_TIMEOUT
	ProblemCallFailed         ProblemType = problem.CallFailed         // 502, a call of demo-api failed
	ProblemCallTimeout        ProblemType = problem.CallTimeout        // 504, a call of demo-api exceeded TIMEOUT
	ProblemClientClosed       ProblemType = problem.ClientClosed       // 499, client closed its request to demo-api
)

// maxProblemBytes bounds a problem document. Details quote at most a few hundred
// bytes of a request.
const maxProblemBytes = 1 << 20

// ReadProblem reads a problem document from res.Body, which the caller closes.
// It is for replies of endpoints that wait; errors of a [Client] are problems
// already. The error is non-nil if res is another reply, such as a success, a
// proxy's page, or an answer that status=503 asked for.
func ReadProblem(res *http.Response) (*Problem, error) {
	if !isProblem(res) {
		return nil, fmt.Errorf("reply is not a problem document: %s, Content-Type %q",
			res.Status, res.Header.Get("Content-Type"))
	}
	text, err := readBody(res, maxProblemBytes)
	if err != nil {
		return nil, err
	}
	return parseProblem(res, text)
}

// isProblem reports whether the header of res announces a problem document.
func isProblem(res *http.Response) bool {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return mediaType == problem.ContentType
}

// parseProblem returns the problem in text, the body of res.
func parseProblem(res *http.Response, text []byte) (*Problem, error) {
	p := new(Problem)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("decode problem document: %w", err)
	}
	p.Status = res.StatusCode
	if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p, nil
}

// readBody returns the body of res. More than limit bytes are an error.
func readBody(res *http.Response, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read reply %s: %w", res.Status, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("reply %s exceeds %d bytes", res.Status, limit)
	}
	return text, nil
}
