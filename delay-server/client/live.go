package client

// Live is an event of GET /admin/live: what happens now, in all runs or in one. All times
// are in milliseconds on the server's clock, since the server's start. The barriers list up
// to 400 requests in all, and so do the holds.
type Live struct {
	Now      float64       `json:"now"`
	Clock    LiveClock     `json:"clock"`    // the server's
	Waiting  int           `json:"waiting"`  // requests that have not ended
	Arrived  int           `json:"arrived"`  // requests since the server's start, or of the run
	Answered int           `json:"answered"` // requests of Arrived that have ended, refused ones included
	Requests []LiveRequest `json:"requests"` // up to 400 in flight, those due first
	Pools    []LivePool    `json:"pools"`    // up to 100 in use, by name
	Barriers []LiveBarrier `json:"barriers"` // up to 50 with requests, by name
	Holds    []LiveHold    `json:"holds"`    // up to 50 with requests, by name
	Runs     []LiveRun     `json:"runs"`     // up to 50 that changed last, the newest first
	Problems []LiveProblem `json:"problems"` // the last 50, the newest last
}

// A LiveClock says how time passes on a clock.
type LiveClock struct {
	Scale  float64 `json:"scale"` // as in Clock
	Frozen bool    `json:"frozen"`
}

// A LiveRequest is a request in flight.
type LiveRequest struct {
	ID      uint64  `json:"id"`      // unique
	Method  string  `json:"method"`  // cut to 200 bytes
	Path    string  `json:"path"`    // cut to 200 bytes with … at the end
	Run     string  `json:"run"`     // "" for none
	Attempt int     `json:"attempt"` // as in Wait
	State   string  `json:"state"`   // waiting, queued (for a worker), held (at a barrier or in a hold) or sending
	Begun   float64 `json:"begun"`
	Due     float64 `json:"due,omitempty"` // absent if the request waits for an event

	// Clock is "run" if the request waits on its run's own clock. Then Begun and Due are
	// translated with each event, so that Now passes between them as the run's time does.
	Clock string `json:"clock,omitempty"`
}

// A LivePool is a pool with requests.
type LivePool struct {
	Name    string `json:"name"`
	Run     string `json:"run,omitempty"` // that it belongs to, if its name begins with run:
	Busy    int    `json:"busy"`          // workers with a request
	Workers int    `json:"workers"`
	Queued  int    `json:"queued"`
	Queue   *int   `json:"queue,omitempty"` // nil if it has no limit
}

// A LiveBarrier is a barrier with requests.
type LiveBarrier struct {
	Name    string        `json:"name"`
	Run     string        `json:"run"` // that it belongs to, or ""
	Parties int           `json:"parties"`
	Waiting []LiveAttempt `json:"waiting"`        // the first 100 requests there
	More    int           `json:"more,omitempty"` // number of the others
}

// A LiveHold is a hold with requests.
type LiveHold struct {
	Name    string        `json:"name"`
	Run     string        `json:"run"` // that it belongs to, or ""
	Waiting int           `json:"waiting"`
	Held    []LiveAttempt `json:"held"` // the first 100 of them
}

// A LiveAttempt is a request at a barrier or in a hold.
type LiveAttempt struct {
	Run     string `json:"run"`
	Attempt int    `json:"attempt"`
}

// A LiveRun has the figures of a run.
type LiveRun struct {
	ID       string     `json:"id"`
	Requests int        `json:"requests"`
	Waiting  int        `json:"waiting"`
	Peak     int        `json:"peak"` // the highest number of requests in flight
	Wall     float64    `json:"wall"`
	Speedup  float64    `json:"speedup,omitempty"` // as in Summary
	Clock    *LiveClock `json:"clock,omitempty"`   // the run's own; nil for the server's
}

// A LiveProblem is a problem that requests were answered with. Equal ones in a row are one.
type LiveProblem struct {
	At     float64 `json:"at"` // of the last of them
	Status int     `json:"status"`
	Type   string  `json:"type"` // such as /problems/pool-full
	Path   string  `json:"path"` // cut to 200 bytes with … at the end; "" if unknown
	Run    string  `json:"run"`  // "" for none
	Count  int     `json:"count"`
}
