package server

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
)

// race makes the same calls both ways at the same time and tells, in a stream
// of events, when each begins and ends.
func (s *Server) race(c echo.Context) error {
	if resumed(c.Request()) {
		return c.NoContent(http.StatusNoContent)
	}
	asked, err := s.readRace(c.Request())
	if err != nil {
		return err
	}
	leave, err := s.room.take(sequential.atOnce(asked) + concurrent.atOnce(asked))
	if err != nil {
		return err
	}
	defer leave()
	asked.announce(c)
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	to := newEvents(c, asked.runID)
	defer to.close()
	turn, once := s.newLane(c, sequential, asked, to), s.newLane(c, concurrent, asked, to)
	var both sync.WaitGroup
	both.Go(func() { s.run(c, turn) })
	both.Go(func() { s.run(c, once) })
	both.Wait()
	to.send("done", raceDone{speedup(asked, turn, once)})
	return nil
}

// What the events of a race say. Times are in milliseconds, from the start of
// the lane.
type (
	raceLane struct {
		Lane  string `json:"lane"`  // "sequential" or "concurrent"
		Run   string `json:"run"`   // the X-Run-Id of its calls
		Title string `json:"title"` // "One after another", "All at once", "Ten at once"
		Calls int    `json:"calls"`
		Curl  string `json:"curl"` // what makes the same calls from a terminal
	}
	raceBegin struct {
		Lane string `json:"lane"`
		Call string `json:"call"`
		At   ms     `json:"at_ms"`
	}
	raceEnd struct {
		raceBegin
		Status int `json:"status,omitempty"` // absent where there was no answer
	}
	raceTotal struct {
		Lane   string          `json:"lane"`
		Total  ms              `json:"total_ms"`
		Sum    ms              `json:"sum_ms"` // of the calls
		Peak   int             `json:"peak_in_flight"`
		SeenBy string          `json:"seen_by"` // who counted them: "delay-server" or "demo-api"
		Answer json.RawMessage `json:"answer"`
	}
	raceFailed struct {
		Lane    string `json:"lane"`
		Total   ms     `json:"total_ms"`
		Problem any    `json:"problem"` // what the endpoint would answer
	}
	raceDone struct {
		Speedup float64 `json:"speedup,omitempty"` // total by total; absent where a lane failed or there was nothing to call
	}
)

// ms is a time in milliseconds, as Server-Timing has them.
type ms time.Duration

// MarshalJSON returns 1000.21.
func (t ms) MarshalJSON() ([]byte, error) {
	return delay.AppendMilliseconds(nil, time.Duration(t).Truncate(digits)), nil
}

// readRace reads a request of the form: a field that is empty is not given. The
// error is a *problem.Problem, 400.
func (s *Server) readRace(r *http.Request) (ask, error) {
	asked, err := parseQuery(givenQuery(r.URL.RawQuery), s.options)
	if err != nil {
		return ask{}, err
	}
	if !asked.fixed() {
		asked.seed = new(rand.Uint64())
	}
	asked.runID, err = runID(r.Header, maxRunID-len("-sequential"))
	return asked, err
}

// fixed reports whether every call takes the same time, so that nothing is drawn.
func (a ask) fixed() bool {
	d, _ := delay.Parse(a.delay) // it has been read before
	_, fixed := d.Fixed()
	if a.db != nil {
		_, fixedQuery := a.db.Fixed()
		fixed = fixed && fixedQuery
	}
	return fixed
}

// givenQuery returns a form's query without the fields that are empty.
func givenQuery(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return raw // for parseQuery to refuse
	}
	maps.DeleteFunc(values, func(name string, given []string) bool {
		return slices.Contains(parameters, name) && slices.Equal(given, []string{""})
	})
	return values.Encode()
}

// curl returns the line that makes the same request of path from a terminal.
func curl(base, path, given string) string {
	if given == "" {
		return "curl " + base + path
	}
	return "curl '" + base + path + "?" + strings.NewReplacer("%3A", ":", "%2C", ",").Replace(given) + "'"
}

// speedup returns how many times as fast once was as turn, to three decimals,
// or 0 where that says nothing.
func speedup(asked ask, turn, once *lane) float64 {
	if asked.calls == 0 || turn.total == 0 || once.total == 0 {
		return 0
	}
	return math.Round(1000*float64(turn.total)/float64(once.total)) / 1000
}
