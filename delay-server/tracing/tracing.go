// Package tracing passes the W3C trace context on and, where a collector is
// told, sends it spans by OpenTelemetry's OTLP.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

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
type Tracing struct{ provider *sdk.TracerProvider }

// context is how a trace is told of: traceparent and tracestate.
var traceContext propagation.TraceContext

// Start returns a tracing that sends the spans of service to the collector at
// endpoint, the base URL of OTLP over HTTP such as http://localhost:4318; none
// where it is "". OpenTelemetry's other environment variables hold as it says.
// What cannot be sent is dropped, with a line in log. The error is that of a
// variable that cannot be read.
func Start(ctx context.Context, service, endpoint string, log *slog.Logger) (Tracing, error) {
	if endpoint == "" {
		return Tracing{}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	of, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return Tracing{}, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not sent", "endpoint", endpoint, "error", err) }))
	return Tracing{sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(of))}, nil
}

// Close sends the spans that have not been sent, for two seconds at the most.
func (t Tracing) Close() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // its error has been logged
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
