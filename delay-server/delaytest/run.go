package delaytest

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"flash.test/delay-server/client"
)

// A Run groups requests: all requests to its URLs and from its HTTP clients. Get
// it from [Server.Run].
type Run struct {
	ID string // 1 to 200 visible ASCII characters

	server *Server
	forget sync.Once // registers that the run is forgotten when the test ends
}

// Run returns the run with the given ID, 1 to 200 visible ASCII characters.
func (s *Server) Run(id string) *Run { return &Run{ID: id, server: s} }

// forgetAtEnd makes the end of the test forget the run.
func (r *Run) forgetAtEnd() {
	r.forget.Do(func() {
		r.server.t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), r.server.Timeout)
			defer cancel()
			_ = r.server.client.ForgetRun(ctx, r.ID) // it may be forgotten already
		})
	})
}

// URL returns rawURL, a URL of the server, with the run added to its query.
func (r *Run) URL(rawURL string) string {
	r.server.t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		r.server.t.Fatalf("delaytest: %v", err)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "run=" + url.QueryEscape(r.ID)
	return u.String()
}

// DelayURL returns [Server.DelayURL] with the run added.
func (r *Run) DelayURL(d time.Duration) string { return r.URL(r.server.DelayURL(d)) }

// BarrierURL returns [Server.BarrierURL] with the run added. A barrier whose name begins
// with run: belongs to the run.
func (r *Run) BarrierURL(name string, parties int) string {
	return r.URL(r.server.BarrierURL(name, parties))
}

// HoldURL returns the URL of [Server.Hold] with the run added. The hold is shared; see
// [Run.Hold].
func (r *Run) HoldURL(name string) string { return r.URL(r.server.Hold(name).URL) }

// HTTPClient returns a client that adds the run to each request, for code that
// builds its own URLs.
func (r *Run) HTTPClient() *http.Client {
	return &http.Client{Transport: r.Transport(r.server.transport)}
}

// Transport returns a RoundTripper that sets X-Run-Id and then calls base.
func (r *Run) Transport(base http.RoundTripper) http.RoundTripper { return transport{base, r.ID} }

type transport struct {
	base http.RoundTripper
	id   string
}

// RoundTrip sends a copy, since a RoundTripper must not modify the request.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-Run-Id", t.id)
	return t.base.RoundTrip(req)
}

// Await returns the run once at least n of its requests wait; n must be at least 1.
func (r *Run) Await(n int) client.Run {
	r.server.t.Helper()
	return must(r.server, func(ctx context.Context) (client.Run, error) {
		return r.server.client.AwaitWaiting(ctx, r.ID, n)
	})
}

// Settled returns the run once all its requests have ended. It fails if there are
// none.
func (r *Run) Settled() client.Run {
	r.server.t.Helper()
	return must(r.server, r.settled)
}

func (r *Run) settled(ctx context.Context) (client.Run, error) {
	return r.server.client.AwaitSettled(ctx, r.ID)
}
