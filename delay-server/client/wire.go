package client

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"flash.test/delay-server/delay"
)

// These types are the JSON of the admin API; the server encodes the same types. A
// list is never null. Duration fields are numbers of milliseconds in JSON, under
// the names in the comments.

// Runs lists the runs in the server's journal.
type Runs struct {
	Runs    []Summary `json:"runs"`    // most recently started first
	Dropped int64     `json:"dropped"` // requests that JOURNAL_SIZE dropped since the last ForgetRuns or Reset
}

// A Summary is a run without its requests. A run is all requests with the same
// run ID: X-Run-Id, run= or the trace ID of traceparent.
type Summary struct {
	ID           string        `json:"id"`
	Requests     int           `json:"requests"`       // requests so far
	Waiting      int           `json:"waiting"`        // requests that have not ended
	Settled      bool          `json:"settled"`        // Waiting is 0
	PeakInFlight int           `json:"peak_in_flight"` // maximum of Waiting
	Dropped      int64         `json:"dropped"`        // requests that JOURNAL_SIZE dropped; other fields count them
	Wall         time.Duration `json:"-"`              // wall_ms: from first start to last end, or now if Waiting > 0
	Sum          time.Duration `json:"-"`              // sum_ms: total time of ended requests, without Queued
}

// Speedup returns Sum / Wall, or 0 if Wall is 0: how many times faster the run was
// than its requests one after the other. (JSON: speedup, rounded to three
// decimals; absent if Wall is 0.)
func (s Summary) Speedup() float64 {
	if s.Wall == 0 {
		return 0
	}
	return float64(s.Sum) / float64(s.Wall)
}

// A Run is a run with its requests.
type Run struct {
	Summary
	Waits []Wait `json:"waits"` // in order of arrival, without those dropped
}

// A Wait is a request of a run. Start and End are relative to the start of the
// run's first request. A field with its zero value is absent in JSON, except Start,
// Asked, Queued and Waited.
type Wait struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"` // percent-encoded; cut to 200 bytes with … at the end

	// Outcome is answered, faulted, client_closed, shutdown, refused, rejected,
	// timed_out or failed, or "" until the request has ended.
	Outcome string `json:"outcome,omitempty"`

	Status  int         `json:"status,omitempty"`  // of the response; 0 if none began
	Problem ProblemType `json:"problem,omitempty"` // of a response that is a problem
	Fault   string      `json:"fault,omitempty"`   // that was sent instead of a response, or in it

	// Attempt counts the requests of the run with this method and path, or with the
	// same attempts_key, from 1; it is 0 for a request that is not counted.
	Attempt int `json:"attempt,omitempty"`

	Protocol   string `json:"protocol,omitempty"`   // HTTP/1.1 or HTTP/2.0
	Connection int    `json:"connection,omitempty"` // number of the connection within the run, from 1
	Reused     bool   `json:"reused,omitempty"`     // a request was sent on the connection before
	Client     string `json:"client,omitempty"`     // address, or network of an IPv6 address

	// Headers has the header fields of the request that JOURNAL_HEADERS names, with
	// values cut to 200 bytes.
	Headers map[string]string `json:"headers,omitempty"`

	Start  time.Duration `json:"-"` // start_ms
	End    time.Duration `json:"-"` // end_ms: 0, and absent in JSON, until the request has ended
	Asked  time.Duration `json:"-"` // asked_ms: the delay that the request asked for
	Queued time.Duration `json:"-"` // queued_ms: time until a worker of its pool was free
	Waited time.Duration `json:"-"` // waited_ms: time after Queued

	// Gap is the time from the end of the previous request of the run, at any path, to
	// Start. (JSON: gap_ms, absent if nil.) It is nil for the first request, and if the
	// previous one had not ended.
	Gap *time.Duration `json:"-"`

	RetryAfter time.Duration `json:"-"` // retry_after_ms: what the response's Retry-After says; absent if 0
}

// A Verdict is the result of the checks of one or more runs.
type Verdict struct {
	OK     bool          `json:"ok"`     // all checks hold
	Checks []CheckResult `json:"checks"` // sorted by name

	// Waterfall is a picture of the run as text, with the places that are wrong. Of several
	// runs it shows the first that fails a check, or else the first. It is "" if there is
	// no run.
	Waterfall string `json:"waterfall"`
}

// A CheckResult is the result of one check.
type CheckResult struct {
	Check  string `json:"check"` // such as attempts
	OK     bool   `json:"ok"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	Detail string `json:"detail"` // what is wrong, and what to do; "" if OK
}

// Holds lists the holds in which requests wait.
type Holds struct {
	Holds []Hold `json:"holds"` // sorted by name
}

// A Hold keeps requests waiting until they are released.
type Hold struct {
	Name    string `json:"name"`
	Run     string `json:"run,omitempty"` // that it belongs to, if its name begins with run:
	Waiting int    `json:"waiting"`       // requests in the hold

	// Requests are the first 1000 requests in the hold, in order of arrival. A list of holds
	// is without them.
	Requests []HeldRequest `json:"requests,omitempty"`
}

// A HeldRequest is a request in a hold.
type HeldRequest struct {
	Nth     int    `json:"nth"` // its place in order of arrival, from 1
	Run     string `json:"run,omitempty"`
	Attempt int    `json:"attempt,omitempty"` // as in Wait
}

// Released is the result of releasing a hold.
type Released struct {
	Name     string `json:"name"`
	Run      string `json:"run,omitempty"`
	Released int    `json:"released"` // requests released
}

// Failed is the result of failing a hold.
type Failed struct {
	Name   string `json:"name"`
	Run    string `json:"run,omitempty"`
	Failed int    `json:"failed"` // requests answered 503
}

// A Clock is the state of the clock that the server's waits go by.
type Clock struct {
	Scale   float64       `json:"scale"` // real time per time on the clock: 0.1 is ten times as fast
	Frozen  bool          `json:"frozen"`
	Waiting int           `json:"waiting"` // requests that wait for a time on the clock
	Elapsed time.Duration `json:"-"`       // elapsed_ms: time on the clock since the server started
	Next    time.Duration `json:"-"`       // next_ms: time until the next is due; absent in JSON if Waiting is 0
}

// A view of a type with durations has its other fields, and pointers to its
// durations as milliseconds. The same view encodes and decodes.
type (
	plainSummary Summary
	plainWait    Wait
	plainClock   Clock

	summaryJSON struct {
		*plainSummary
		Wall    *milliseconds `json:"wall_ms"`
		Sum     *milliseconds `json:"sum_ms"`
		Speedup *float64      `json:"speedup,omitempty"`
	}
	runJSON struct {
		summaryJSON
		Waits *[]Wait `json:"waits"`
	}
	waitJSON struct {
		*plainWait
		Start  *milliseconds `json:"start_ms"`
		End    *milliseconds `json:"end_ms,omitempty"`
		Asked  *milliseconds `json:"asked_ms"`
		Queued *milliseconds `json:"queued_ms"`
		Waited *milliseconds `json:"waited_ms"`
		Gap    *milliseconds `json:"gap_ms,omitempty"`

		RetryAfter *milliseconds `json:"retry_after_ms,omitempty"`
	}
	clockJSON struct {
		*plainClock
		Elapsed *milliseconds `json:"elapsed_ms"`
		Next    *milliseconds `json:"next_ms,omitempty"`
	}
)

func (s *Summary) view() summaryJSON {
	v := summaryJSON{plainSummary: (*plainSummary)(s), Wall: (*milliseconds)(&s.Wall), Sum: (*milliseconds)(&s.Sum)}
	if s.Wall != 0 {
		speedup := math.Round(s.Speedup()*1000) / 1000
		v.Speedup = &speedup
	}
	return v
}

func (w *Wait) view() waitJSON {
	return waitJSON{
		plainWait: (*plainWait)(w),
		Start:     (*milliseconds)(&w.Start), End: (*milliseconds)(&w.End),
		Asked: (*milliseconds)(&w.Asked), Queued: (*milliseconds)(&w.Queued), Waited: (*milliseconds)(&w.Waited),
		Gap: (*milliseconds)(w.Gap), RetryAfter: (*milliseconds)(&w.RetryAfter),
	}
}

func (c *Clock) view() clockJSON {
	return clockJSON{plainClock: (*plainClock)(c), Elapsed: (*milliseconds)(&c.Elapsed), Next: (*milliseconds)(&c.Next)}
}

// MarshalJSON encodes r as {"runs":[…],…}.
func (r Runs) MarshalJSON() ([]byte, error) {
	type plain Runs
	r.Runs = emptyIfNil(r.Runs)
	return json.Marshal(plain(r))
}

// MarshalJSON encodes s as {"id":…,"wall_ms":…}.
func (s Summary) MarshalJSON() ([]byte, error) { return json.Marshal(s.view()) }

// UnmarshalJSON decodes the output of MarshalJSON.
func (s *Summary) UnmarshalJSON(b []byte) error {
	*s = Summary{}
	v := s.view()
	return json.Unmarshal(b, &v)
}

// MarshalJSON encodes r as its Summary with "waits":[…].
func (r Run) MarshalJSON() ([]byte, error) {
	r.Waits = emptyIfNil(r.Waits)
	return json.Marshal(runJSON{r.view(), &r.Waits})
}

// UnmarshalJSON decodes the output of MarshalJSON.
func (r *Run) UnmarshalJSON(b []byte) error {
	*r = Run{}
	v := runJSON{r.view(), &r.Waits}
	return json.Unmarshal(b, &v)
}

// MarshalJSON encodes w as {"method":…,"start_ms":…}.
func (w Wait) MarshalJSON() ([]byte, error) {
	v := w.view()
	if w.Outcome == "" && w.End == 0 {
		v.End = nil
	}
	if w.RetryAfter == 0 {
		v.RetryAfter = nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON decodes the output of MarshalJSON.
func (w *Wait) UnmarshalJSON(b []byte) error {
	*w = Wait{}
	v := w.view()
	err := json.Unmarshal(b, &v)
	w.Gap = (*time.Duration)(v.Gap)
	return err
}

// MarshalJSON encodes h as {"holds":[…]}.
func (h Holds) MarshalJSON() ([]byte, error) {
	type plain Holds
	h.Holds = emptyIfNil(h.Holds)
	return json.Marshal(plain(h))
}

// MarshalJSON encodes c as {"scale":…,"elapsed_ms":…}.
func (c Clock) MarshalJSON() ([]byte, error) {
	v := c.view()
	if c.Waiting == 0 {
		v.Next = nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON decodes the output of MarshalJSON.
func (c *Clock) UnmarshalJSON(b []byte) error {
	*c = Clock{}
	v := c.view()
	return json.Unmarshal(b, &v)
}

// emptyIfNil returns s, or an empty list if s is nil: JSON has [] and not null.
func emptyIfNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// milliseconds is a duration whose JSON is a decimal number: 1000, 1.5, 0.000001.
type milliseconds time.Duration

func (m milliseconds) MarshalJSON() ([]byte, error) {
	return delay.AppendMilliseconds(nil, time.Duration(m)), nil
}

// UnmarshalJSON uses time.ParseDuration, which is exact for six decimals of a
// millisecond and rejects exponents.
func (m *milliseconds) UnmarshalJSON(b []byte) error {
	d, err := time.ParseDuration(string(b) + "ms")
	if err != nil {
		return fmt.Errorf("%.40s is not a decimal number of milliseconds", b)
	}
	*m = milliseconds(d)
	return nil
}
