package delaytest

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"flash.test/delay-server/client"
)

// Run is requests that belong together: those to its URLs and those of its
// clients. Use Server.Run.
type Run struct {
	ID string

	server *Server
}

// Run returns the run of an id: 1 to 200 visible ASCII characters.
func (s *Server) Run(id string) *Run { return &Run{ID: id, server: s} }

// URL returns a URL of the server with the run in its query.
func (r *Run) URL(of string) string {
	r.server.t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		r.server.t.Fatalf("delaytest: %v", err)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "run=" + url.QueryEscape(r.ID)
	return u.String()
}

// DelayURL is URL of Server.DelayURL.
func (r *Run) DelayURL(d time.Duration) string { return r.URL(r.server.DelayURL(d)) }

// BarrierURL is URL of Server.BarrierURL.
func (r *Run) BarrierURL(name string, parties int) string {
	return r.URL(r.server.BarrierURL(name, parties))
}

// HoldURL is URL of Hold.URL.
func (r *Run) HoldURL(name string) string { return r.URL(r.server.Hold(name).URL) }

// HTTPClient returns a client whose requests are of the run, for code that makes
// its URLs itself.
func (r *Run) HTTPClient() *http.Client {
	return &http.Client{Transport: r.Transport(r.server.transport)}
}

// Transport returns base with X-Run-Id set in each request.
func (r *Run) Transport(base http.RoundTripper) http.RoundTripper { return transport{base, r.ID} }

type transport struct {
	base http.RoundTripper
	id   string
}

// RoundTrip sends a copy: a RoundTripper may not change the request.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-Run-Id", t.id)
	return t.base.RoundTrip(req)
}

// Await returns the run once n of its requests wait, or more, for n of 1 or more.
func (r *Run) Await(n int) client.Run {
	r.server.t.Helper()
	return ask(r.server, func(ctx context.Context) (client.Run, error) { return r.server.client.AwaitWaiting(ctx, r.ID, n) })
}

// Settled returns the run once all its requests have ended.
func (r *Run) Settled() client.Run {
	r.server.t.Helper()
	return ask(r.server, r.settled)
}

func (r *Run) settled(ctx context.Context) (client.Run, error) {
	return r.server.client.AwaitSettled(ctx, r.ID)
}
