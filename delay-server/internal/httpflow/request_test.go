package httpflow

import (
	"net/http/httptest"
	"reflect"
	"testing"
)

// TestPlanRequestHasAllFields checks that PlanRequest sets every field of plan.Request,
// as the event loop's parser must too. A new field that plans depend on fails it until
// PlanRequest reads it.
func TestPlanRequestHasAllFields(t *testing.T) {
	r := httptest.NewRequest("GET", "/delay/0?size=1", nil)
	r.RemoteAddr = "192.0.2.1:1"
	r.Header.Set("X-Run-Id", "a")
	r.Header.Set("Traceparent", "b")
	for f, v := range reflect.ValueOf(PlanRequest(r)).Fields() {
		if v.IsZero() {
			t.Errorf("plan.Request.%s is not set", f.Name)
		}
	}
}
