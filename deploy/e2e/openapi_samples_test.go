package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// sample is a valid request with a fast response. Targets of /url/ and /proxy/ are the
// server itself.
type sample struct {
	target string
	status int
	given  func(*contract, *testing.T) // prepares the server; nil for nothing
}

// samples are by path, for all methods, or by method and path.
var samples = map[string]sample{
	"/delay/{delay}":                {"/delay/1?seed=7&_=17", 200, nil},
	"/delay/{delay}/":               {"/delay/uniform:0.1,0.2/?seed=7", 200, nil},
	"/delay/{delay}/url/{url}":      {"/delay/1/url/http%3A%2F%2Fexample.com%2Fa%3Fb=c", 302, nil},
	"/delay/{delay}/proxy/{url}":    {"/delay/1/proxy/http%3A%2F%2FHOST%2Fhealthz", 200, nil},
	"/drip":                         {"/drip?delay=0&duration=0.002&numbytes=3", 200, nil},
	"/sse":                          {"/sse?count=2&duration=2ms", 200, nil},
	"/status/{codes}":               {"/status/418:2,418:1", 418, nil},
	"/bytes/{n}":                    {"/bytes/16?seed=1", 200, nil},
	"/barrier/{name}":               {"/barrier/b?parties=1&timeout=1s", 200, nil},
	"/hold/{name}":                  {"/hold/released", 200, (*contract).releaser},
	"/":                             {"/", 200, nil},
	"/doc":                          {"/doc", 200, nil},
	"/distribution.svg":             {"/distribution.svg?delay=lognormal:120ms,900ms", 200, nil},
	"/live":                         {"/live", 200, nil},
	"/board":                        {"/board", 200, nil},
	"/exercises":                    {"/exercises", 200, nil},
	"/exercises/{id}/{kind}/{file}": {"/exercises/retry/start/exercise-retry.py?name=anna", 200, nil},
	"/get":                          {"/get", 200, nil},
	"/get/{name}":                   {"/get/start.sh", 200, nil},
	"/assets/{name}":                {"/assets/style.css", 200, nil},
	"/problems":                     {"/problems", 200, nil},
	"/problems/{name}":              {"/problems/pool-full", 200, nil},
	"/scenario.schema.json":         {"/scenario.schema.json", 200, nil},
	"/openapi.yaml":                 {"/openapi.yaml", 200, nil},
	"/healthz":                      {"/healthz", 200, nil},
	"/readyz":                       {"/readyz", 200, nil},
	"/version":                      {"/version", 200, nil},
	"/metrics":                      {"/metrics", 200, nil},
	"/ca.pem":                       {"/ca.pem", 200, nil},

	"/board/events":                    {"/board/events?name=ran", 200, (*contract).ran},
	"/board/waterfall.svg":             {"/board/waterfall.svg?run=ran&version=1", 200, (*contract).ran},
	"/admin/runs":                      {"/admin/runs", 200, (*contract).ran},
	"DELETE /admin/runs":               {"/admin/runs", 204, (*contract).ran},
	"/admin/runs/{id}":                 {"/admin/runs/ran", 200, (*contract).ran},
	"DELETE /admin/runs/{id}":          {"/admin/runs/ran", 204, (*contract).ran},
	"/admin/runs/{id}/waterfall.svg":   {"/admin/runs/ran/waterfall.svg", 200, (*contract).ran},
	"/admin/runs/{id}/waterfall.txt":   {"/admin/runs/ran/waterfall.txt", 200, (*contract).ran},
	"/admin/runs/{id}/check":           {"/admin/runs/ran/check?peak=1", 200, (*contract).ran},
	"/admin/check":                     {"/admin/check?run_prefix=ra&peak=1", 200, (*contract).ran},
	"/admin/runs/{id}/clock":           {"/admin/runs/timed/clock", 200, (*contract).timed},
	"/admin/holds":                     {"/admin/holds", 200, (*contract).held},
	"/admin/holds/{name}":              {"/admin/holds/held", 200, (*contract).held},
	"POST /admin/holds/{name}/release": {"/admin/holds/held/release", 200, (*contract).held},
	"/admin/clock":                     {"/admin/clock", 200, nil},
	"POST /admin/reset":                {"/admin/reset", 204, nil},
	"/admin/live":                      {"/admin/live?run=ran", 200, (*contract).ran},
	"/admin/scenario":                  {"/admin/scenario", 200, (*contract).routed},
	"PUT /admin/scenario":              {"/admin/scenario", 204, nil},
	"DELETE /admin/scenario":           {"/admin/scenario", 204, (*contract).routed},
	"/admin/runs/{id}/scenario":        {"/admin/runs/ran/scenario", 200, (*contract).routed},
	"PUT /admin/runs/{id}/scenario":    {"/admin/runs/a%2Fb/scenario", 204, nil},
	"DELETE /admin/runs/{id}/scenario": {"/admin/runs/ran/scenario", 204, (*contract).routed},
}

// routes is a scenario with a path that no other sample has.
const routes = "routes: [{path: /of-a-scenario}]"

// sample returns the sample of an operation.
func (c *contract) sample(operation string) sample {
	found, named := samples[operation]
	if !named {
		_, path, _ := strings.Cut(operation, " ")
		found = samples[path]
	}
	found.target = strings.ReplaceAll(found.target, "HOST", strings.TrimPrefix(c.base, "http://"))
	return found
}

// bodyOf returns a valid body for an operation, "" for none.
func bodyOf(name string, operation *v3.Operation) string {
	switch {
	case operation.RequestBody == nil:
		return ""
	case name == "POST /admin/clock", name == "POST /admin/runs/{id}/clock":
		return `{"reset":true}`
	case strings.HasPrefix(name, "PUT /admin/") && strings.HasSuffix(name, "/scenario"):
		return routes
	default:
		return "a body"
	}
}

func (c *contract) everyOperation(t *testing.T) {
	for name, operation := range c.operations {
		sample, text := c.sample(name), bodyOf(name, operation)
		if sample.target == "" {
			t.Errorf("%s: there is no sample of it", name)
			continue
		}
		method, path, _ := strings.Cut(name, " ")
		if method == "OPTIONS" {
			sample.given, sample.status = nil, http.StatusNoContent // at once
		}
		if strings.Contains(path, "/proxy/") && !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
			sample.status = http.StatusMethodNotAllowed // by the target, /healthz
		}
		if ok, reason := c.allows(newRequest(t, method, c.base+sample.target, text)); !ok {
			t.Errorf("%s %s: the document forbids a good request: %s", method, sample.target, reason)
		}
		if sample.given != nil {
			sample.given(c, t)
		}
		c.keeps(t, name, newRequest(t, method, c.base+sample.target, text), sample.status)
	}
}

// ran records two requests in the run "ran".
func (c *contract) ran(t *testing.T) {
	t.Helper()
	for range 2 {
		exchange(t, newRequest(t, "GET", c.base+"/delay/0?run=ran", ""))
	}
}

// routed sets the scenarios of the server and of the run "ran".
func (c *contract) routed(t *testing.T) {
	t.Helper()
	exchange(t, newRequest(t, "PUT", c.base+"/admin/scenario", routes))
	exchange(t, newRequest(t, "PUT", c.base+"/admin/runs/ran/scenario", routes))
}

// timed makes a clock of the run "timed".
func (c *contract) timed(t *testing.T) {
	t.Helper()
	exchange(t, newRequest(t, "POST", c.base+"/admin/runs/timed/clock", `{"reset":true}`))
}

// held makes a request wait in the hold "held".
func (c *contract) held(t *testing.T) {
	t.Helper()
	keep(t, c.base+"/hold/held")
	await(t, c.base+"/admin/holds/held?waiting=1")
}

// releaser releases the next request in the hold "released".
func (c *contract) releaser(t *testing.T) {
	onceHeld(t, c.base, "released", "POST", "/admin/holds/released/release")
}

// await requests a URL of the admin API with waiting=N, and wants a 200.
func await(t *testing.T, url string) {
	t.Helper()
	if reply, body := exchange(t, newRequest(t, "GET", url, "")); reply.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: got %d %s, want 200", url, reply.StatusCode, body)
	}
}

// onceHeld sends a request, in a goroutine, when a request waits in the hold.
func onceHeld(t *testing.T, base, name, method, path string) {
	t.Helper()
	var sent sync.WaitGroup
	t.Cleanup(sent.Wait)
	steps := []*http.Request{
		newRequest(t, "GET", base+"/admin/holds/"+name+"?waiting=1", ""),
		newRequest(t, method, base+path, ""),
	}
	sent.Go(func() {
		for _, r := range steps {
			reply, err := direct.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			reply.Body.Close()
			if reply.StatusCode != http.StatusOK {
				t.Errorf("%s %s: got %d, want 200", r.Method, r.URL, reply.StatusCode)
			}
		}
	})
}
