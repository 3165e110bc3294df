package plan_test

import (
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
)

func TestAQuerySaysNothingThatIsAnOperators(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
	r := request(t, "/delay/0?body=x&json=1&barrier=b&parties=2&hold=h&timeout=x&status=204")
	got, err := planOf(t, p, r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Barrier != nil || got.Hold != nil || got.Answer.Status != 204 ||
		!slices.Equal(got.Template.Ignored, []string{"barrier", "body", "hold", "json", "parties", "timeout"}) {
		t.Errorf("GET /delay/0?%s: got %+v, want 204, and all the others ignored", r.Query, got)
	}
}

func TestPrepareReturnsAllErrors(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
	_, errs := p.Prepare("GET /a", map[string][]string{
		"delay": {"x"}, "status": {"99"}, "pool": {"db"}, "workers": {"0"}, "header": {"A: b",
			"Upgrade: c"}, "limit": {"1/s"}, "burst": {"-1"},
	})
	var got []string
	for _, err := range errs {
		got = append(got, err.Name)
		if (err.Name == "header") != (err.Index == 1) {
			t.Errorf("%s: value %d is wrong: want the first, and of header the second", err.Name, err.Index)
		}
	}
	if want := []string{"delay", "header", "burst", "workers", "status"}; !slices.Equal(got, want) {
		t.Errorf("Prepare: errors of %v, want of %v", got, want)
	}
}
