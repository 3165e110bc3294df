// Package plan turns a request into a plan: a wait and an answer. Only this package
// parses paths and queries of waiting endpoints; package scenario matches the paths of
// its routes. A plan depends on nothing but the fields of Request.
//
// A path and its query are parsed once, into a Template, and each request that
// repeats them gets its Plan from there: what is drawn or counted is drawn and
// counted for the request, and all else is shared.
package plan

import (
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
)

// Request is all of a request that its plan depends on. The strings may alias a
// buffer that is reused once Find and Template.Plan have returned.
type Request struct {
	Method      string
	Path        string // percent-encoded, and normalized as by urlpath.Normalize
	Query       string // percent-encoded, without its question mark
	RunID       string // of the header X-Run-Id, or ""
	Traceparent string // the header, or ""
	ProtoMajor  int    // of HTTP
}

// Plan says how to answer a request. It is immutable, so requests may share it.
type Plan struct {
	Template *Template
	Limit    *gate.RateLimiter // which admits the request or not; nil for any
	Pool     *gate.PoolSpec    // whose workers serve the wait; nil for none
	Barrier  *gate.BarrierSpec // at which the request stands before it waits; nil for none
	Hold     *gate.HoldSpec    // by which it is held before it waits; nil for none
	Wait     time.Duration     // from the arrival, the worker's turn or the event to the answer
	Cut      bool              // Wait is MaxDelay, in place of samples above it
	Sending  time.Duration     // from the headers to the end of the body, at least
	Answer   answer.Answer
}

// Planner makes plans within limits. Use New.
type Planner struct {
	limits    Limits
	endpoints []*endpoint
	routeRows []*Parameter
	runs      runs
	cache     cache
}

// Limits are what a Planner plans within.
type Limits struct {
	MaxDelay      time.Duration // a longer fixed delay is a DelayError
	MaxInFlight   int           // the most parties that a barrier can have; 0 for any
	MaxBody       int64         // bytes; a larger size is a problem
	Seed          *uint64       // of every request without a seed of its own; nil for none
	RedirectHosts HostList      // where /delay/{delay}/url/ may lead
	ProxyHosts    HostList      // whose answers /delay/{delay}/proxy/ may give
	Recordings    map[string]delay.Recording
	Now           func() time.Time // the clock of what tells the time; nil for time.Now
	Flash         bool             // read a number in a path, and repeat it, as Flash does
}

// New returns a planner within limits.
func New(limits Limits) *Planner {
	if limits.Now == nil {
		limits.Now = time.Now
	}
	return &Planner{
		limits: limits, endpoints: newEndpoints(), routeRows: pointers(RouteParameters()),
		runs: newRuns(), cache: newCache(),
	}
}

// DelayError is an error in the delay itself, the one error that Flash has too.
type DelayError struct{ Err error }

// Error says what was read and what is accepted.
func (e *DelayError) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *DelayError) Unwrap() error { return e.Err }
