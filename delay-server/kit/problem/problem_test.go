package problem_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestWrite(t *testing.T) {
	p := problem.PoolFull.New("%d requests wait", 7)
	p.RetryAfter = 1200 * time.Millisecond
	rec := httptest.NewRecorder()
	if err := p.Write(rec); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/problem+json",
		"Retry-After":            "2",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	var got problem.Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := problem.Problem{Type: problem.PoolFull, Title: "Pool full", Status: 503, Detail: "7 requests wait"}
	if got != want || rec.Code != 503 {
		t.Errorf("got %d %+v, want 503 %+v", rec.Code, got, want)
	}
}
