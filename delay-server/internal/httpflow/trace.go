package httpflow

import (
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/tracing"
)

// annotate adds to the span of the request, if it has one, what the journal records.
// Times are in milliseconds.
func annotate(c echo.Context, w *journal.Wait, outcome journal.Outcome) {
	tracing.Annotate(c.Request().Context(), func() (name string, more []attribute.KeyValue) {
		return w.Method + " " + c.Path(), []attribute.KeyValue{
			attribute.String("delay_server.run", w.Run),
			attribute.Int("delay_server.attempt", w.Attempt),
			attribute.String("delay_server.outcome", string(outcome)),
			attribute.Float64("delay_server.asked_ms", float64(w.Asked)/1e6),
			attribute.Float64("delay_server.queued_ms", float64(w.Queued)/1e6),
			attribute.Float64("delay_server.held_ms", float64(w.Held)/1e6),
			attribute.Float64("delay_server.waited_ms", float64(w.Waited)/1e6),
		}
	})
}
