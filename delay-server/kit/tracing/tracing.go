// Package tracing passes the W3C trace context on and, where a collector is
// told, sends it spans by OpenTelemetry's OTLP.
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

// Tracing is what a program traces with. The zero value passes the trace context
// on and sends no spans. Use Start.
type Tracing struct {
	provider *sdk.TracerProvider
	spans    *spans
	warn     func(msg string, args ...any)
}

// context is how a trace is told of: traceparent and tracestate.
var traceContext propagation.TraceContext

// Start returns a tracing that sends the spans of service to the collector at
// endpoint, the base URL of OTLP over HTTP such as http://localhost:4318; none
// where it is "". Spans that cannot be sent are dropped, as are those for which
// OpenTelemetry's queue has no place (OTEL_BSP_MAX_QUEUE_SIZE, 2048): log has a
// line for each failure, and Close's for all that were lost. The error is that
// of a variable that contradicts endpoint, or of OTEL_RESOURCE_ATTRIBUTES that
// cannot be read; of OpenTelemetry's other variables log has a line instead.
func Start(ctx context.Context, service, endpoint string, log *slog.Logger) (Tracing, error) {
	if err := checkEnvironment(endpoint); err != nil || endpoint == "" {
		return Tracing{}, err
	}
	warn := func(msg string, args ...any) { log.Warn(msg, append([]any{"endpoint", endpoint}, args...)...) }
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { warn("OpenTelemetry reports an error", "error", err) }))
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	of, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	n := new(spans)
	batches := ending{sdk.NewBatchSpanProcessor(sending{exporter, n}), n}
	return Tracing{sdk.NewTracerProvider(sdk.WithSpanProcessor(batches), sdk.WithResource(of)), n, warn}, nil
}

// spans counts those that were to be sent, and those that the collector took.
type spans struct{ ended, sent atomic.Int64 }

// ending counts spans that end.
type ending struct {
	sdk.SpanProcessor
	spans *spans
}

// OnEnd implements sdk.SpanProcessor.
func (e ending) OnEnd(s sdk.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		e.spans.ended.Add(1)
	}
	e.SpanProcessor.OnEnd(s)
}

// sending counts spans that the collector takes.
type sending struct {
	sdk.SpanExporter
	spans *spans
}

// ExportSpans implements sdk.SpanExporter.
func (s sending) ExportSpans(ctx context.Context, batch []sdk.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, batch)
	if err == nil {
		s.spans.sent.Add(int64(len(batch)))
	}
	return err
}

// checkEnvironment refuses those of OpenTelemetry's variables that ask for
// another way to a collector than the one there is.
func checkEnvironment(endpoint string) error {
	const own, base = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
	if url := os.Getenv(own); url != "" {
		return fmt.Errorf("%s: it is set and not accepted: want %s, to which /v1/traces is added", own, base)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); endpoint != "" && protocol != "" && protocol != "http/protobuf" {
			return fmt.Errorf("%s: %q is invalid: use http/protobuf, or none of it, and %s such as http://localhost:4318", name, protocol, base)
		}
	}
	return nil
}

// Close sends the spans that have not been sent, for two seconds at the most,
// and logs how many were lost since Start.
func (t Tracing) Close() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := t.provider.Shutdown(ctx)
	if lost := t.spans.ended.Load() - t.spans.sent.Load(); lost > 0 || err != nil {
		t.warn("traces are not complete", "spans_lost", lost, "error", err)
	}
}

// Handler returns h with a span for each request, of the trace that its headers
// tell. Annotate names it.
func (t Tracing) Handler(h http.Handler) http.Handler {
	if t.provider != nil {
		return otelhttp.NewHandler(h, "request", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(traceContext))
	}
	return &told{h}
}

// told is a handler whose requests' contexts have the trace that their headers tell.
type told struct{ http.Handler }

// ServeHTTP implements http.Handler.
func (t *told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Traceparent") != "" {
		r = extract(r)
	}
	t.Handler.ServeHTTP(w, r)
}

func extract(r *http.Request) *http.Request {
	return r.WithContext(traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// Transport returns base with the trace of each request's context in its
// headers, and a span for each.
func (t Tracing) Transport(base http.RoundTripper) http.RoundTripper {
	if t.provider != nil {
		return otelhttp.NewTransport(base, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(traceContext))
	}
	return passing{base}
}

// passing is a transport that passes the trace context on.
type passing struct{ http.RoundTripper }

// RoundTrip sends a copy where it has something to add: a RoundTripper may not
// change the request.
func (p passing) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		r = r.Clone(r.Context())
		traceContext.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	}
	return p.RoundTripper.RoundTrip(r)
}

// Annotate names the span of ctx, where one is recorded, and says more of it.
func Annotate(ctx context.Context, as func() (name string, more []attribute.KeyValue)) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		name, more := as()
		span.SetName(name)
		span.SetAttributes(more...)
	}
}
