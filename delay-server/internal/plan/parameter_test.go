package plan_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/plan"
)

// companions are queries that a parameter requires.
var companions = map[string]string{
	"fail_first": "run=a", "attempts": "run=a", "pool": "workers=1", "workers": "pool=p", "queue": "pool=p&workers=1",
	"timeout": "parties=1", "delay": "parties=1",
	"burst": "limit=10/s", "limit_key": "limit=10/s", "limit_window": "limit=10/s", "limit_headers": "limit=10/s",
	"parties": "parties=1", "duration": "count=3", "interval": "count=3", "jitter": "count=3",
}

// Each row is complete, and its example is accepted wherever its endpoint accepts it.
func TestEveryParameterIsDescribedAndParsed(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 10_000, RedirectHosts: plan.HostList{"*"},
		ProxyHosts: plan.HostList{"*"}})
	for _, e := range plan.Endpoints() {
		path, query, _ := strings.Cut(e.Example, "?")
		for _, row := range e.Accepts() {
			checkRow(t, row)
			if row.In != plan.InQuery {
				continue
			}
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range parseQuery(t, companions[row.Name]) {
				if slices.ContainsFunc(e.Accepts(), func(p plan.Parameter) bool { return p.Name == name }) {
					values[name] = value
				}
			}
			if row.Name == "interval" || row.Name == "jitter" {
				values.Del("duration")
			}
			values.Set(row.Name, row.Example)
			if strings.HasPrefix(path, "/status/") && !values.Has("size") {
				values.Set("size", "100") // for parameters such as rate
			}
			r := request(t, path+"?"+values.Encode())
			r.Headers = http.Header{"Idempotency-Key": {"k"}}
			got, err := planOf(t, p, r)
			if err != nil || len(got.Template.Ignored) > 0 {
				t.Errorf("GET %s?%s, the example of %s: got %+v, %v, want it accepted", path, values.Encode(), row.Name,
					got, err)
			}
		}
	}
}

func checkRow(t *testing.T, row plan.Parameter) {
	t.Helper()
	var schema map[string]any
	if err := yaml.Unmarshal([]byte(row.Schema), &schema); err != nil {
		t.Errorf("%s: schema %s: %v", row.Name, row.Schema, err)
	}
	if row.Usage == "" || !strings.HasSuffix(row.Meaning, ".") || row.Example == "" {
		t.Errorf("row %+v, want a usage, a meaning that ends with a full stop, and an example", row)
	}
}

func parseQuery(t *testing.T, query string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// A route accepts the example of each of its parameters.
func TestEveryRouteParameterIsParsed(t *testing.T) {
	for _, row := range plan.RouteParameters() {
		checkRow(t, row)
		values := url.Values{row.Name: {row.Example}}
		switch key, part, isPart := strings.Cut(row.Route, "."); {
		case isPart && part != "name" && key == "limit":
			values["limit"] = []string{"10/s"}
		case isPart && part != "name":
			values[key] = []string{"x"}
		}
		for name, value := range map[string]string{"pool": "workers=1", "barrier": "parties=2"} {
			if values.Has(name) {
				for name, value := range parseQuery(t, value) {
					if !values.Has(name) {
						values[name] = value
					}
				}
			}
		}
		if !values.Has("body") && !values.Has("json") && !values.Has("size") {
			values["body"] = []string{"hello"}
		}
		if _, errs := planner().Prepare("GET /a", values); errs != nil {
			t.Errorf("%v, the example of %s: %v", values, row.Route, errs)
		}
	}
}

func TestParametersAreSorted(t *testing.T) {
	var got []string
	for _, p := range plan.QueryParameters() {
		got = append(got, p.Name)
	}
	pool := slices.Index(got, "pool")
	if want := []string{"pool", "queue", "workers"}; pool < 0 || !slices.Equal(got[pool:pool+3], want) {
		t.Errorf("got %v, want %v together", got, want)
	}
	if again := plan.QueryParameters(); len(slices.Compact(slices.Clone(got))) != len(again) {
		t.Errorf("got %v, want each name once", got)
	}
}
