package server

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/query"
)

// race makes the same calls in both ways at the same time, and streams an event
// when each call starts and ends.
func (s *Server) race(c echo.Context) error {
	p, err := s.parseRace(c.Request())
	if err != nil {
		return err
	}
	inFlight, run := sequential.concurrency(p)+concurrent.concurrency(p), s.runLane
	if p.against != "" {
		inFlight, run = 2, s.runAppLane
	}
	return s.streamEvents(c, p, inFlight, func(stream *eventStream) {
		sequentialLane, concurrentLane := s.newLane(c, sequential, p, stream), s.newLane(c, concurrent, p, stream)
		var both sync.WaitGroup
		both.Go(func() { run(c, sequentialLane) })
		both.Go(func() { run(c, concurrentLane) })
		both.Wait()
		stream.send("done", raceDone{speedup(p, sequentialLane, concurrentLane)})
	})
}

// The events of a race. Times are in milliseconds from the start of the lane.
type (
	raceLane struct {
		Lane  string `json:"lane"`  // "sequential" or "concurrent"
		Run   string `json:"run"`   // X-Run-Id of its calls
		Title string `json:"title"` // "One after another", "All at once", "Ten at once"
		Calls int    `json:"calls"`
		Ideal ms     `json:"ideal_ms,omitzero"` // total if only the waits took time; absent if unknown
		Curl  string `json:"curl"`              // command that makes the same calls
	}
	raceBegin struct {
		Lane string `json:"lane"`
		Call string `json:"call"`
		At   ms     `json:"at_ms"`
	}
	raceEnd struct {
		raceBegin
		Status int `json:"status,omitempty"` // absent if the call failed
	}
	raceTotal struct {
		Lane   string          `json:"lane"`
		Total  ms              `json:"total_ms"`
		Sum    ms              `json:"sum_ms,omitzero"`          // of the calls
		Peak   *int            `json:"peak_in_flight,omitempty"` // absent if no program counted an app's calls
		SeenBy string          `json:"seen_by,omitempty"`        // source of Peak: "delay-server" or "demo-api"
		Answer json.RawMessage `json:"answer"`
	}
	raceFailed struct {
		Lane    string `json:"lane"`
		Total   ms     `json:"total_ms"`
		Problem any    `json:"problem"` // the response of the endpoint
	}
	raceDone struct {
		Speedup float64 `json:"speedup,omitempty"` // absent if a lane failed or made no calls
	}
)

// ms is a time that encodes as milliseconds, as in Server-Timing.
type ms time.Duration

// MarshalJSON returns 1000.21.
func (t ms) MarshalJSON() ([]byte, error) {
	return delay.AppendMilliseconds(nil, time.Duration(t).Truncate(precision)), nil
}

// parseRace parses the request of the race's form. The error is a
// *problem.Problem, 400, or 403 for against.
func (s *Server) parseRace(r *http.Request) (params, error) {
	p, err := parseNames(withoutEmpty(r.URL.RawQuery), raceParamNames, s.options)
	if err != nil {
		return params{}, err
	}
	if p.seed == nil {
		p.draw(uint64(rand.Int32()), s.options.MaxDelay)
	}
	if p.against != "" {
		if err := checkAgainst(r); err != nil {
			return params{}, err
		}
	}
	p.runID, err = parseRunID(r.Header, query.MaxName-len("-sequential"))
	return p, err
}

// raceParamNames are the query parameters of a race.
var raceParamNames = append([]string{"against"}, paramNames...)

// isFixed reports whether no delay is random.
func (p params) isFixed() bool {
	d, _ := delay.Parse(p.delay) // parseQuery has parsed it
	_, fixed := d.Fixed()
	if p.db != nil {
		_, fixedDB := p.db.Fixed()
		fixed = fixed && fixedDB
	}
	return fixed
}

// withoutEmpty returns the query of a form without its empty fields.
func withoutEmpty(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return raw // parseQuery rejects it
	}
	maps.DeleteFunc(values, func(name string, given []string) bool {
		return slices.Contains(raceParamNames, name) && slices.Equal(given, []string{""})
	})
	return values.Encode()
}

// raceCurl returns the curl command of a lane. raw is the query of the race.
func raceCurl(c echo.Context, way strategy, p params, raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return curlCommand(baseURL(c), way.path, raw)
	}
	if p.samples != nil && !p.isFixed() {
		values.Set("seed", strconv.FormatUint(*p.seed, 10))
	}
	if p.against != "" {
		return curlCommand(p.against, way.path, p.appQuery())
	}
	values.Del("against")
	return curlCommand(baseURL(c), way.path, values.Encode())
}

// curlCommand returns the curl command of a request.
func curlCommand(base, path, query string) string {
	if query == "" {
		return "curl " + base + path
	}
	return "curl '" + base + path + "?" + strings.NewReplacer("%3A", ":", "%2C", ",").Replace(query) + "'"
}

// speedup returns sequential time over concurrent time, rounded to three
// decimals. It returns 0 if a lane failed or made no calls.
func speedup(p params, sequential, concurrent *lane) float64 {
	if p.calls == 0 || sequential.total == 0 || concurrent.total == 0 {
		return 0
	}
	return math.Round(1000*float64(sequential.total)/float64(concurrent.total)) / 1000
}
