// Package plan turns a request into a plan: a wait and an answer. Only this package
// parses paths and queries of waiting endpoints; package scenario matches the paths of
// its routes. A plan depends on nothing but the fields of Request.
//
// A path and its query are parsed once, into a cached Template. Each request with the
// same path and query gets its Plan from the template. Random values and counts are new
// for each request; everything else is shared.
package plan

import (
	"net/netip"
	"sync/atomic"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
)

// Request has the parts of a request that its plan depends on. The strings may alias a
// buffer that is reused after Find and Template.Plan have returned.
type Request struct {
	Method      string
	Path        string // percent-encoded, and normalized as by urlpath.Normalize
	Query       string // percent-encoded, without the question mark
	RunID       string // the header X-Run-Id, or ""
	Traceparent string // the header, or ""
	ProtoMajor  int    // 1 for HTTP/1.1, 2 for HTTP/2

	// Client is the client's address, as gate.ClientAddr returns it.
	Client netip.Addr

	// Headers has all header fields. Nil stands for none.
	Headers Headers
}

// Headers are the header fields of a request; http.Header is one.
type Headers interface {
	// Get returns the first value of the field with the name in canonical form, or "".
	Get(name string) string
}

// Planned is the plan of one request.
type Planned struct {
	Plan *Plan
	Run  string // a copy; "" for none

	// Attempt is the number of the request, from 1, among the requests of its run with the
	// same method and path, or with the same value of the header that attempts_key names.
	// Without a run only attempts_key and a script of a scenario's route count requests. It
	// is 0 for a request that is not counted.
	Attempt int

	// LimitKey is the key by which Plan.Limit counts the request. A flow clears its Run
	// unless the run has a clock of its own.
	LimitKey gate.RateKey
}

// Plan says how to answer a request. It is immutable, so requests may share it.
type Plan struct {
	Template *Template
	Limit    *gate.RateLimiter // may refuse the request; nil for no limit
	Pool     *gate.PoolSpec    // its workers serve the wait; nil for none
	Barrier  *gate.BarrierSpec // passed before the wait; nil for none
	Hold     *gate.HoldSpec    // passed before the wait; nil for none
	Wait     time.Duration     // starts at arrival, or after the pool, barrier or hold
	Cut      bool              // the sample was above MaxDelay and Wait was cut to it
	Sending  time.Duration     // minimum time from the headers to the end of the body
	Answer   answer.Answer
}

// Planner makes plans within limits. Use New.
type Planner struct {
	limits    Limits
	endpoints []*endpoint
	routeRows []*Parameter
	counts    counts
	cache     cache

	rateLimits *gate.RateLimits
	routes     atomic.Uint64 // number of routes with a limit
}

// Limits are the server's limits and settings for plans.
type Limits struct {
	MaxDelay      time.Duration // a longer fixed delay is a DelayError
	MaxInFlight   int           // maximum number of a barrier's parties; 0 for no limit
	MaxBody       int64         // maximum size of a body in bytes
	Seed          *uint64       // the default of the parameter seed; nil for none
	RedirectHosts HostList      // allowed hosts of /delay/{delay}/url/
	ProxyHosts    HostList      // allowed hosts of /delay/{delay}/proxy/
	Recordings    map[string]delay.Recording
	Flash         bool // parse and repeat numbers in paths like Flash
}

// New returns a planner within limits.
func New(limits Limits) *Planner {
	return &Planner{
		limits: limits, endpoints: newEndpoints(), routeRows: pointers(RouteParameters()),
		counts: newCounts(), cache: newCache(), rateLimits: gate.NewRateLimits(),
	}
}

// DelayError is an error in the delay of a path. Flash has this error too.
type DelayError struct{ Err error }

// Error returns the text of e.Err.
func (e *DelayError) Error() string { return e.Err.Error() }

// Unwrap returns e.Err.
func (e *DelayError) Unwrap() error { return e.Err }
