// Package tracing propagates the W3C trace context and, if configured, exports spans
// to an OpenTelemetry collector by OTLP.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracing traces requests. The zero value propagates the trace context and exports no
// spans. Create one with Start.
type Tracing struct {
	provider *sdk.TracerProvider
	spans    *spanCounts
	warn     func(msg string, args ...any)
}

// traceContext reads and writes the headers traceparent and tracestate.
var traceContext propagation.TraceContext

// Start returns a Tracing that exports the spans of service to the collector at
// endpoint, a base URL of OTLP over HTTP such as http://localhost:4318. If endpoint is
// "", it exports none. Spans are dropped if exporting fails or OpenTelemetry's queue is
// full (OTEL_BSP_MAX_QUEUE_SIZE, 2048 by default). log gets each failure, and Close logs
// the number of lost spans. Start returns an error for an environment variable that
// conflicts with endpoint, and for an invalid OTEL_RESOURCE_ATTRIBUTES. Other invalid
// variables of OpenTelemetry are only logged.
func Start(ctx context.Context, service, endpoint string, log *slog.Logger) (Tracing, error) {
	if err := checkEnvironment(endpoint); err != nil || endpoint == "" {
		return Tracing{}, err
	}
	warn := func(msg string, args ...any) { log.Warn(msg, append([]any{"endpoint", endpoint}, args...)...) }
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { warn("OpenTelemetry error", "error", err) }))
	url := strings.TrimRight(endpoint, "/") + "/v1/traces"
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	name := attribute.String("service.name", service)
	res, err := resource.New(ctx, resource.WithAttributes(name), resource.WithFromEnv())
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	n := new(spanCounts)
	batches := countEnded{sdk.NewBatchSpanProcessor(countExported{exporter, n}), n}
	return Tracing{sdk.NewTracerProvider(sdk.WithSpanProcessor(batches), sdk.WithResource(res)), n, warn}, nil
}

// spanCounts counts sampled spans.
type spanCounts struct{ ended, exported atomic.Int64 }

// countEnded counts spans that end.
type countEnded struct {
	sdk.SpanProcessor
	spans *spanCounts
}

// OnEnd implements sdk.SpanProcessor.
func (e countEnded) OnEnd(s sdk.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		e.spans.ended.Add(1)
	}
	e.SpanProcessor.OnEnd(s)
}

// countExported counts spans that the collector accepts.
type countExported struct {
	sdk.SpanExporter
	spans *spanCounts
}

// ExportSpans implements sdk.SpanExporter.
func (e countExported) ExportSpans(ctx context.Context, batch []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, batch)
	if err == nil {
		e.spans.exported.Add(int64(len(batch)))
	}
	return err
}

// checkEnvironment rejects variables of OpenTelemetry that conflict with endpoint or
// ask for another protocol.
func checkEnvironment(endpoint string) error {
	const traces, base = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
	if os.Getenv(traces) != "" {
		return fmt.Errorf("%s is not supported: use %s, to which /v1/traces is added", traces, base)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); endpoint != "" && protocol != "" && protocol != "http/protobuf" {
			return fmt.Errorf("%s: %q is invalid: use http/protobuf", name, protocol)
		}
	}
	return nil
}

// Close exports the remaining spans, for up to two seconds, and logs how many spans
// were lost since Start.
func (t Tracing) Close() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := t.provider.Shutdown(ctx)
	if lost := t.spans.ended.Load() - t.spans.exported.Load(); lost > 0 || err != nil {
		t.warn("traces incomplete", "spans_lost", lost, "error", err)
	}
}

// Handler returns a handler that starts a span for each request, in the trace of its
// headers, and calls h. Annotate names the span.
func (t Tracing) Handler(h http.Handler) http.Handler {
	if t.provider != nil {
		return otelhttp.NewHandler(h, "request",
			otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(traceContext))
	}
	return &extractHandler{h}
}

// extractHandler extracts the trace context from the headers of requests into their
// contexts.
type extractHandler struct{ http.Handler }

// ServeHTTP implements http.Handler.
func (h *extractHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Traceparent") != "" {
		r = extract(r)
	}
	h.Handler.ServeHTTP(w, r)
}

// extract returns r with the trace context of its headers.
func extract(r *http.Request) *http.Request {
	return r.WithContext(traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// Transport returns a transport that starts a span for each request, writes its trace
// context to the headers, and calls base.
func (t Tracing) Transport(base http.RoundTripper) http.RoundTripper {
	if t.provider != nil {
		return otelhttp.NewTransport(base,
			otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(traceContext))
	}
	return propagator{base}
}

// propagator writes the trace context of requests to their headers.
type propagator struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper. It adds headers to a copy of r, since a
// RoundTripper must not modify the request.
func (p propagator) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		r = r.Clone(r.Context())
		traceContext.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	}
	return p.RoundTripper.RoundTrip(r)
}

// Annotate sets the name and attributes of the span of ctx. It calls describe only if
// the span is recorded.
func Annotate(ctx context.Context, describe func() (name string, attributes []attribute.KeyValue)) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		name, attributes := describe()
		span.SetName(name)
		span.SetAttributes(attributes...)
	}
}
