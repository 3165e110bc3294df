package client

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// The JSON of the admin API, which the server encodes from these very types. A
// time is a time.Duration here and, to the nanosecond, a decimal number of
// milliseconds there; a list is never null.

// Runs are the runs that the server remembers.
type Runs struct {
	Runs    []Summary `json:"runs"`    // the most recently begun first
	Dropped int64     `json:"dropped"` // waits that JOURNAL_SIZE has pushed out since the server started
}

// Summary is what a run comes to.
type Summary struct {
	ID           string        `json:"id"`
	Requests     int           `json:"requests"` // that have arrived
	Waiting      int           `json:"waiting"`  // of them, those that have not ended
	Settled      bool          `json:"settled"`  // all have ended
	PeakInFlight int           `json:"peak_in_flight"`
	Dropped      int64         `json:"dropped"` // waits that JOURNAL_SIZE has pushed out; all figures still count them
	Wall         time.Duration `json:"-"`       // wall_ms: from the first start to the last end, or to now while any waits
	Sum          time.Duration `json:"-"`       // sum_ms: of the times in flight of those that have ended, but for those in a queue
}

// Speedup returns Sum over Wall: how many times as fast the run was as its
// waits in turn. It is 0 where Wall is. (speedup, to three decimals, absent
// where Wall is 0.)
func (s Summary) Speedup() float64 {
	if s.Wall == 0 {
		return 0
	}
	return float64(s.Sum) / float64(s.Wall)
}

// Run is a run with its requests.
type Run struct {
	Summary
	Waits []Wait `json:"waits"` // in order of arrival, without those dropped
}

// Wait is one request of a run. Start and End count from the run's first request.
type Wait struct {
	Method  string        `json:"method"`
	Path    string        `json:"path"`
	Outcome string        `json:"outcome,omitempty"` // answered, faulted, left, cut, refused, timed_out or failed; "" until it has ended
	Start   time.Duration `json:"-"`                 // start_ms
	End     time.Duration `json:"-"`                 // end_ms, absent while it waits: 0
	Asked   time.Duration `json:"-"`                 // asked_ms: the wait that was asked for
	Queued  time.Duration `json:"-"`                 // queued_ms: until a worker of its pool was free
	Waited  time.Duration `json:"-"`                 // waited_ms: from then
}

// Holds are the holds at which requests wait.
type Holds struct {
	Holds []Hold `json:"holds"` // by name
}

// Hold is how many requests wait at a hold.
type Hold struct {
	Name    string `json:"name"`
	Waiting int    `json:"waiting"`
}

// Released is how many requests a hold let go.
type Released struct {
	Name     string `json:"name"`
	Released int    `json:"released"`
}

// Failed is how many requests of a hold were answered 503.
type Failed struct {
	Name   string `json:"name"`
	Failed int    `json:"failed"`
}

// Clock is the server's clock.
type Clock struct {
	Scale   float64       `json:"scale"` // a wait takes so many times what was asked
	Frozen  bool          `json:"frozen"`
	Waiting int           `json:"waiting"` // requests that wait for a time on it
	Elapsed time.Duration `json:"-"`       // elapsed_ms: on this clock, since the server started
	Next    time.Duration `json:"-"`       // next_ms: until the first of them is due; absent where none waits: 0
}

// The JSON of a type with times is a view: its plain fields, and pointers to its
// times as milliseconds. The same view encodes and decodes.
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
	}
}

func (c *Clock) view() clockJSON {
	return clockJSON{plainClock: (*plainClock)(c), Elapsed: (*milliseconds)(&c.Elapsed), Next: (*milliseconds)(&c.Next)}
}

// MarshalJSON returns the API's {"runs":[…],…}.
func (r Runs) MarshalJSON() ([]byte, error) {
	type plain Runs
	r.Runs = list(r.Runs)
	return json.Marshal(plain(r))
}

// MarshalJSON returns the API's {"id":…,"wall_ms":…}.
func (s Summary) MarshalJSON() ([]byte, error) { return json.Marshal(s.view()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Summary) UnmarshalJSON(b []byte) error {
	*s = Summary{}
	v := s.view()
	return json.Unmarshal(b, &v)
}

// MarshalJSON returns the summary's JSON with "waits":[…].
func (r Run) MarshalJSON() ([]byte, error) {
	r.Waits = list(r.Waits)
	return json.Marshal(runJSON{r.view(), &r.Waits})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Run) UnmarshalJSON(b []byte) error {
	*r = Run{}
	v := runJSON{r.view(), &r.Waits}
	return json.Unmarshal(b, &v)
}

// MarshalJSON returns the API's {"method":…,"start_ms":…}.
func (w Wait) MarshalJSON() ([]byte, error) {
	v := w.view()
	if w.Outcome == "" && w.End == 0 {
		v.End = nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Wait) UnmarshalJSON(b []byte) error {
	*w = Wait{}
	v := w.view()
	return json.Unmarshal(b, &v)
}

// MarshalJSON returns the API's {"holds":[…]}.
func (h Holds) MarshalJSON() ([]byte, error) {
	type plain Holds
	h.Holds = list(h.Holds)
	return json.Marshal(plain(h))
}

// MarshalJSON returns the API's {"scale":…,"elapsed_ms":…}.
func (c Clock) MarshalJSON() ([]byte, error) {
	v := c.view()
	if c.Waiting == 0 {
		v.Next = nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Clock) UnmarshalJSON(b []byte) error {
	*c = Clock{}
	v := c.view()
	return json.Unmarshal(b, &v)
}

// list returns s as JSON's [] where it is nil.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// milliseconds is a time as the API writes it: 1000, 1.5, 0.000001.
type milliseconds time.Duration

func (m milliseconds) MarshalJSON() ([]byte, error) {
	sign, whole, rest := "", m/1e6, m%1e6
	if m < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	text := fmt.Sprintf("%s%d.%06d", sign, whole, rest)
	return []byte(strings.TrimRight(strings.TrimRight(text, "0"), ".")), nil
}

// UnmarshalJSON leans on time.ParseDuration, which is exact in milliseconds of
// up to six decimals and takes no exponent.
func (m *milliseconds) UnmarshalJSON(b []byte) error {
	d, err := time.ParseDuration(string(b) + "ms")
	if err != nil {
		return fmt.Errorf("%.40s is no decimal number of milliseconds", b)
	}
	*m = milliseconds(d)
	return nil
}
