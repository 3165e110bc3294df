package tracing_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"flash.test/delay-server/kit/tracing"
)

// collect runs a collector and returns its URL and the spans it has received.
func collect(t *testing.T) (url string, sent func() map[string]*spans.Span) {
	t.Helper()
	var mu sync.Mutex
	all := map[string]*spans.Span{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var batch collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &batch) != nil {
			t.Errorf("POST %s: got %d bytes, error %v; want a batch of spans at /v1/traces", r.URL.Path, len(body), err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range batch.ResourceSpans {
			service := of.Resource.Attributes[0].Value.GetStringValue()
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					all[service+" "+span.Kind.String()+" "+span.Name] = span
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func() map[string]*spans.Span {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// chain runs two services, of which the first calls the second. It calls the first
// with traceparent and returns the traceparent that the second received.
func chain(t *testing.T, front, back tracing.Tracing, traceparent string) (passed string) {
	t.Helper()
	far := httptest.NewServer(back.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		passed = r.Header.Get("Traceparent")
		tracing.Annotate(r.Context(), func() (string, []attribute.KeyValue) {
			return "GET /far", []attribute.KeyValue{attribute.Int("asked_ms", 7)}
		})
	})))
	defer far.Close()
	client := http.Client{Transport: front.Transport(far.Client().Transport)}
	near := httptest.NewServer(front.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", far.URL, nil)
		if err != nil {
			t.Error(err)
			return
		}
		reply, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		reply.Body.Close()
		if len(req.Header) > 0 {
			t.Errorf("the transport modified the request: %v", req.Header)
		}
	})))
	defer near.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", near.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	reply, err := near.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	return passed
}

func start(t *testing.T, service, endpoint string) tracing.Tracing {
	t.Helper()
	tr, err := tracing.Start(t.Context(), service, endpoint, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestPropagationWithoutCollector(t *testing.T) {
	for _, tc := range []struct{ name, traceparent, want string }{
		{"a trace", traceparent, traceparent},
		{"none", "", ""},
		{"an invalid one", "00-x-y-01", ""},
	} {
		if got := chain(t, tracing.Tracing{}, tracing.Tracing{}, tc.traceparent); got != tc.want {
			t.Errorf("%s: traceparent %q arrived as %q, want %q", tc.name, tc.traceparent, got, tc.want)
		}
	}
}

func TestSpansOfOneTrace(t *testing.T) {
	url, sent := collect(t)
	front, back := start(t, "front", url+"/"), start(t, "back", url)
	passed := chain(t, front, back, traceparent)
	front.Close()
	back.Close()

	got := sent()
	near, call := got["front SPAN_KIND_SERVER GET"], got["front SPAN_KIND_CLIENT HTTP GET"]
	far := got["back SPAN_KIND_SERVER GET /far"]
	if near == nil || call == nil || far == nil {
		t.Fatalf("got spans %v, want spans of both services and of the call", got)
	}
	trace, _ := hex.DecodeString(strings.Split(traceparent, "-")[1])
	parent, _ := hex.DecodeString(strings.Split(traceparent, "-")[2])
	for _, tc := range []struct {
		name   string
		span   *spans.Span
		parent []byte
	}{{"front", near, parent}, {"call", call, near.SpanId}, {"back", far, call.SpanId}} {
		if !bytes.Equal(tc.span.TraceId, trace) || !bytes.Equal(tc.span.ParentSpanId, tc.parent) {
			t.Errorf("%s: got trace %x, parent %x; want %x, %x",
				tc.name, tc.span.TraceId, tc.span.ParentSpanId, trace, tc.parent)
		}
	}
	if !strings.HasPrefix(passed, "00-0af7651916cd43dd8448eb211c80319c-") || passed == traceparent {
		t.Errorf("traceparent arrived as %q, want the same trace and the span of the call", passed)
	}
	asked := false
	for _, a := range far.Attributes {
		asked = asked || a.Key == "asked_ms" && a.Value.GetIntValue() == 7
	}
	if !asked {
		t.Errorf("back: got attributes %v, want asked_ms 7", far.Attributes)
	}
}

// startLogged starts a Tracing and returns its log.
func startLogged(t *testing.T, endpoint string) (tr tracing.Tracing, logged *bytes.Buffer) {
	t.Helper()
	logged = new(bytes.Buffer)
	tr, err := tracing.Start(t.Context(), "front", endpoint, slog.New(slog.NewTextHandler(logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tr, logged
}

// Without the collector, requests succeed and the log has the errors.
func TestUnreachableCollector(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tr, logged := startLogged(t, gone.URL)
	chain(t, tr, tracing.Tracing{}, "")
	tr.Close()
	for _, want := range []string{"OpenTelemetry error", "endpoint=" + gone.URL, "spans_lost=2"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("log: got %q, want %q in it", logged, want)
		}
	}
}

// Close does not wait for a collector that hangs. It logs the lost spans.
func TestHangingCollector(t *testing.T) {
	released := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(released)
	tr, logged := startLogged(t, hanging.URL)
	chain(t, tr, tracing.Tracing{}, "")
	tr.Close()
	if want := `msg="traces incomplete" endpoint=` + hanging.URL +
		` spans_lost=2`; !strings.Contains(logged.String(), want) {
		t.Errorf("log: got %q, want %s in it", logged, want)
	}
}

func TestExportedSpansLogNothing(t *testing.T) {
	url, _ := collect(t)
	tr, logged := startLogged(t, url)
	chain(t, tr, tracing.Tracing{}, "")
	tr.Close()
	if logged.Len() > 0 {
		t.Errorf("log: got %q, want nothing", logged)
	}
}

func TestConflictingVariables(t *testing.T) {
	for _, tc := range []struct{ name, value, endpoint, want string }{
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/v1/traces", "",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is not supported: " +
				"use OTEL_EXPORTER_OTLP_ENDPOINT, to which /v1/traces is added"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http://c:4317",
			`OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is invalid: use http/protobuf`},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "", ""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "http://c:4318", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv(tc.name, tc.value)
			tr, err := tracing.Start(t.Context(), "front", tc.endpoint, slog.New(slog.DiscardHandler))
			if got := fmt.Sprint(err); err != nil && got != tc.want || err == nil && tc.want != "" {
				t.Errorf("Start with %s=%s and endpoint %q: got error %v, want %q",
					tc.name, tc.value, tc.endpoint, err, tc.want)
			}
			tr.Close()
		})
	}
}

// Invalid variables of OpenTelemetry are logged in the format of the log.
func TestInvalidVariablesAreLogged(t *testing.T) {
	url, _ := collect(t)
	invalid := map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_TRACES_SAMPLER": "nonsense"}
	for name, value := range invalid {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			tr, logged := startLogged(t, url)
			tr.Close()
			if !strings.Contains(logged.String(), value) {
				t.Errorf("%s=%s: log: got %q, want the value in it", name, value, logged)
			}
		})
	}
}
