package client_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
)

// The server answers 422 if a check fails. That is no error.
func TestAFailedCheckIsNoError(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, verdictJSON)
	})
	got, err := c.Check(t.Context(), "r1", "attempts=4")
	if err != nil || !reflect.DeepEqual(got, verdict) {
		t.Errorf("Check: got %+v, %v, want %+v", got, err, verdict)
	}
	if _, err := c.Runs(t.Context()); err == nil {
		t.Error("Runs: got no error for a reply with 422")
	}
}

func TestErrorsOfChecks(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = problem.UnknownParameter.New("unknown parameter").Write(w)
	})
	if _, err := c.CheckRuns(t.Context(), "r", "attempts=4"); !errors.Is(err, client.ProblemUnknownParameter) {
		t.Errorf("CheckRuns: got %v, want %s", err, client.ProblemUnknownParameter)
	}
	_, err := c.Check(t.Context(), "r", "attempts")
	const want = `check "attempts" is invalid (it has no value): use NAME=VALUE, such as attempts=4`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Check: got %v, want %s", err, want)
	}
}
