package problem_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"flash.test/delay-server/kit/problem"
)

func TestEveryTypeIsDescribed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[problem.Type]bool{}
	for _, info := range problem.Types {
		if seen[info.Type] || !name.MatchString(info.Type.Name()) {
			t.Errorf("type %q: listed twice, or its name is not words joined by hyphens", info.Type)
		}
		seen[info.Type] = true
		if info.Status < 400 || info.Status > 599 || info.Title == "" || info.Meaning == "" || info.Remedy == "" {
			t.Errorf("type %s: %+v, want an error status, a title, a meaning and a remedy", info.Type, info)
		}
	}
}

func TestErrorsIs(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", problem.PoolFull.New("pool %q is full", "db"))
	if !errors.Is(err, problem.PoolFull) || errors.Is(err, problem.PoolMismatch) {
		t.Errorf("errors.Is of %v: want it to match PoolFull only", err)
	}
	p, ok := errors.AsType[*problem.Problem](err)
	want := problem.Problem{
		Type: "/problems/pool-full", Title: "Pool full",
		Status: http.StatusServiceUnavailable, Detail: `pool "db" is full`,
	}
	if !ok || *p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
}
