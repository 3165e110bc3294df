package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// contract is the OpenAPI document that a delay-server serves, and the requests sent so
// far.
type contract struct {
	base     string
	document *v3.Document
	validate validator.Validator
	seen     map[string]bool // operations, "GET /doc", and statuses, "GET /doc 200" and "/doc 200"
}

// TestOpenAPI validates real requests and responses by /openapi.yaml. The server runs in
// the test.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	c := readContract(t, serveDelays(t, func(s *server.Config) {
		s.TLSHosts, s.TLSDir, s.BundleDir = []string{"localhost"}, t.TempDir(), smallBundle(t)
	}))
	late := c.lateAdvances(t)
	t.Run("every operation", c.everyOperation)
	t.Run("every error", c.everyError)
	t.Run("ranges", c.ranges)
	t.Run("as asked", c.asAsked)
	t.Run("steered", c.steered)
	t.Run("stopped", c.stopped)
	t.Run("what is forbidden is refused", c.forbidden)
	t.Run("what the clock is forbidden is refused", c.forbiddenOfTheClock)
	t.Run("outside", c.outside)
	late()
	c.complete(t)
}

// serveDelays runs a delay-server until the test ends and returns its URL.
func serveDelays(t *testing.T, set func(*server.Config)) string {
	t.Helper()
	ln := wiretest.Listen(t)
	serveUntil(t, t.Context(), ln, set)
	return "http://" + ln.Addr().String()
}

// serveUntil runs a delay-server at ln until ctx is done.
func serveUntil(t *testing.T, ctx context.Context, ln net.Listener, set func(*server.Config)) {
	t.Helper()
	config := server.DefaultConfig()
	config.ShutdownTimeout = 0
	config.ProxyHosts = []string{"127.0.0.1"}
	set(&config)
	srv, err := server.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func readContract(t *testing.T, base string) *contract {
	t.Helper()
	reply, text := exchange(t, newRequest(t, http.MethodGet, base+"/openapi.yaml", ""))
	if kind := reply.Header.Get("Content-Type"); reply.StatusCode != http.StatusOK || kind != "application/yaml" {
		t.Fatalf("GET /openapi.yaml: got %d, %q, want 200, application/yaml", reply.StatusCode, kind)
	}
	document, err := libopenapi.NewDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	validate, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := validate.ValidateDocument(); !ok {
		t.Fatalf("/openapi.yaml is no OpenAPI document: %v", errs)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	return &contract{base, &model.Model, validate, map[string]bool{}}
}

// newRequest returns a request. A text that is not "" is the body, as JSON if it begins
// with a brace.
func newRequest(t *testing.T, method, url, text string) *http.Request {
	t.Helper()
	var body io.Reader
	if text != "" {
		body = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(text, "{"):
		r.Header.Set("Content-Type", "application/json")
	case text != "":
		r.Header.Set("Content-Type", "text/plain")
	}
	return r
}

// direct follows no redirects and keeps no connections.
var direct = http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: patience},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// exchange sends a request and returns the response and its body, which can be read again.
func exchange(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	reply, err := direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := readBody(reply)
	if err != nil {
		t.Fatalf("%s %.120s: %v", r.Method, r.URL, err)
	}
	reply.Body = io.NopCloser(bytes.NewReader(body))
	return reply, string(body)
}

// endless are the paths of streams without an end.
var endless = []string{"/admin/live", "/board/events"}

// readBody reads a body to its end, or the first event of a stream without an end.
func readBody(reply *http.Response) ([]byte, error) {
	if reply.Header.Get("Content-Type") != "text/event-stream" || !slices.Contains(endless, reply.Request.URL.Path) {
		return io.ReadAll(reply.Body)
	}
	var body []byte
	for lines := bufio.NewReader(reply.Body); !bytes.HasSuffix(body, []byte("\n\n")); {
		line, err := lines.ReadBytes('\n')
		body = append(body, line...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// keeps sends a request to the operation, wants the status, and validates the response.
func (c *contract) keeps(t *testing.T, operation string, r *http.Request, status int) {
	t.Helper()
	reply, body := exchange(t, r)
	c.holds(t, operation, r, reply, body, status)
}

func (c *contract) holds(t *testing.T, operation string, r *http.Request, reply *http.Response,
	body string, status int) {
	t.Helper()
	asked := r.Clone(t.Context())
	asked.Body = nil // already sent; the response does not depend on it
	if reply.StatusCode != status {
		t.Errorf("%s %.120s: got %d %.300s, want %d", r.Method, r.URL, reply.StatusCode, body, status)
	}
	if ok, errs := c.validate.ValidateHttpResponse(asked, reply); !ok {
		t.Errorf("%s %.120s: the document has no such reply: %d %v %.300s\n%v", r.Method, r.URL, reply.StatusCode,
			reply.Header, body, errs)
	}
	_, path, _ := strings.Cut(operation, " ")
	c.seen[operation] = true
	for _, at := range []string{operation, path} {
		c.seen[fmt.Sprint(at, " ", reply.StatusCode)] = true
	}
}

// allows reports whether a request is valid by the document.
func (c *contract) allows(r *http.Request) (bool, string) {
	ok, errs := c.validate.ValidateHttpRequest(r)
	return ok, fmt.Sprint(errs)
}

// operations yields the operations of the document by name: "GET /doc".
func (c *contract) operations(yield func(name string, operation *v3.Operation) bool) {
	for path, item := range c.document.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			if !yield(strings.ToUpper(method)+" "+path, operation) {
				return
			}
		}
	}
}

// isAdmin reports whether an operation belongs to the admin API.
func isAdmin(operation *v3.Operation) bool { return slices.Contains(operation.Tags, "admin") }

// complete checks that each operation was sent and each of its statuses received.
// Operations of the admin API must receive all their statuses; others share the statuses of
// their path.
func (c *contract) complete(t *testing.T) {
	for name, operation := range c.operations {
		if !c.seen[name] {
			t.Errorf("%s was never exercised", name)
		}
		at := name
		if !isAdmin(operation) {
			_, at, _ = strings.Cut(name, " ")
		}
		for code := range operation.Responses.Codes.KeysFromOldest() {
			if !strings.HasSuffix(code, "XX") && !c.seen[at+" "+code] {
				t.Errorf("%s was never answered %s", name, code)
			}
		}
	}
}

// outside checks requests for which the document has no operation.
func (c *contract) outside(t *testing.T) {
	for _, tc := range []struct {
		name, method, target string
		status               int
	}{
		{"an unknown path", "GET", "/nothing", 404},
		{"a method that a path has not", "POST", "/healthz", 405},
	} {
		r := newRequest(t, tc.method, c.base+tc.target, "")
		if ok, _ := c.allows(r.Clone(t.Context())); ok {
			t.Errorf("%s: the document has %s %s", tc.name, tc.method, tc.target)
		}
		reply, body := exchange(t, r)
		if kind := reply.Header.Get("Content-Type"); reply.StatusCode != tc.status ||
			kind != "application/problem+json" {
			t.Errorf("%s: got %d, %s, %s, want %d and a problem document", tc.name,
				reply.StatusCode, kind, body, tc.status)
		}
	}
}
