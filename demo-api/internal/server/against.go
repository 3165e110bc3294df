package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"

	"flash.test/demo-api/internal/ideal"
	"flash.test/demo-api/internal/upstream"
)

// parseAgainst parses the URL of an app. Its host must be in hosts, as in
// Options.AgainstHosts. The error is a *problem.Problem: 400, or 403 for the host.
func parseAgainst(value string, hosts []string) (string, error) {
	u, err := url.Parse(value)
	if err != nil || !httpkit.IsBaseURL(value) || strings.Trim(u.Path, "/") != "" {
		return "", problem.InvalidParameter.New(
			"against %s is invalid: use http://host:port or https://host:port, without a path",
			problem.Quote(value))
	}
	if slices.ContainsFunc(hosts, func(allowed string) bool { return allowsHost(allowed, u) }) {
		return u.Scheme + "://" + u.Host, nil
	}
	return "", problem.TargetNotAllowed.New("against host %s is not allowed; add it to AGAINST_HOSTS",
		problem.Quote(u.Host))
}

// allowsHost reports whether an entry of Options.AgainstHosts allows the host of u. A
// network allows addresses, not names.
func allowsHost(allowed string, u *url.URL) bool {
	addr, _ := netip.ParseAddr(u.Hostname())
	network, _ := netip.ParsePrefix(allowed) // contains nothing if it is none
	return allowed == "*" || network.Contains(addr.Unmap()) || strings.EqualFold(allowed, u.Host) ||
		strings.EqualFold(allowed, strings.TrimSuffix(u.Host, ":"+u.Port()))
}

// checkAgainst returns an error, a *problem.Problem, if a hostile page may have made a
// browser send r: it must not reach the apps of the visitor's machine by demo-api.
func checkAgainst(r *http.Request) error {
	if host, _ := httpkit.HostName(r.Host); !httpkit.IsLocalName(host) {
		return problem.HostNotAllowed.New("host %s is not allowed with against; open demo-api by an IP address, "+
			"localhost or a name without dots", problem.Quote(r.Host))
	}
	if p := httpkit.CheckOriginAsWrite(r); p != nil {
		return p
	}
	return nil
}

// appQuery returns the query of the requests to the app of a race. An app need not
// know other forms of delay than milliseconds.
func (p params) appQuery() string {
	d, _ := delay.Parse(p.delay) // parseNames has parsed it
	wait, _ := d.Fixed()
	query := url.Values{"calls": {strconv.Itoa(p.calls)}, "delay": {delay.Milliseconds(wait)}}
	if p.db != nil {
		wait, _ := p.db.Fixed()
		query.Set("db", delay.Milliseconds(wait))
	}
	if p.limit > 0 {
		query.Set("limit", strconv.Itoa(p.limit))
	}
	return query.Encode()
}

// runAppLane makes the request of a lane to an app, and sends its result. The events
// of calls are from delay-server, if the app passes the run ID on.
func (s *Server) runAppLane(c echo.Context, l *lane) {
	expected := ideal.Total(ideal.Sequential(l.params.waits()))
	watching, stop := context.WithCancel(l.stream.ctx)
	watched := make(chan struct{})
	l.start = time.Now()
	watch := runWatch{lane: l}
	go func() {
		defer close(watched)
		watch.follow(watching, s)
	}()
	body, err := s.upstream.App(l.stream.ctx, upstream.AppRequest{
		Base: l.params.against, Path: l.path, Query: l.params.appQuery(), RunID: l.params.runID,
		Timeout: s.options.Timeout + expected,
	})
	total := time.Since(l.start)
	stop()
	<-watched
	if err != nil {
		l.stream.send("failed", raceFailed{l.name, ms(total), s.problem(err, c)})
		return
	}
	l.total = total
	result := raceTotal{Lane: l.name, Total: ms(total), Answer: answerJSON(body)}
	ctx, cancel := context.WithTimeout(l.stream.ctx, journalTimeout)
	defer cancel()
	if run, err := s.upstream.Run(ctx, l.params.runID); err == nil {
		watch.update(run, total)
		result.Sum, result.Peak, result.SeenBy = ms(run.Sum), &run.PeakInFlight, "delay-server"
	} else {
		s.log.Debug("no calls from delay-server", "run", l.params.runID, "error", err)
	}
	l.stream.send("total", result)
}

// runWatch sends an event for each start and end of a call that delay-server saw.
type runWatch struct {
	lane   *lane
	known  bool          // offset is
	offset time.Duration // from the start of the lane to the start of the first call
	begun  int
	ended  map[int]bool
}

// watchInterval is the time between two looks at a run.
const watchInterval = 100 * time.Millisecond

// follow looks at the run until ctx is done.
func (w *runWatch) follow(ctx context.Context, s *Server) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if run, err := s.upstream.Run(ctx, w.lane.params.runID); err == nil && !run.Settled {
			w.update(run, time.Since(w.lane.start))
		}
	}
}

// update sends the events of calls that started or ended since the last update. now
// is the time since the start of the lane.
func (w *runWatch) update(run upstream.Run, now time.Duration) {
	if !w.known { // the run cannot have begun later than its age says
		w.known, w.offset, w.ended = true, max(now-run.Age, 0), map[int]bool{}
	}
	for i, call := range run.Calls {
		begin := raceBegin{w.lane.name, "r" + strconv.Itoa(i+1), ms(w.offset + call.Start)}
		if i >= w.begun {
			w.lane.stream.send("begin", begin)
			w.begun++
		}
		if call.Ended && !w.ended[i] {
			w.ended[i] = true
			begin.At = ms(w.offset + call.End)
			w.lane.stream.send("end", raceEnd{begin, call.Status})
		}
	}
}

// answerJSON returns the body of a response as it is if it is JSON, else as a string.
func answerJSON(body []byte) json.RawMessage {
	body = bytes.TrimSpace(body)
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		return compact.Bytes()
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		panic(err) // unreachable: a string
	}
	return text
}
