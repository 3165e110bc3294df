package plan

import (
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestOpenAPIHasTheParameters wants the document to list, for each endpoint
// that waits, the query parameters that its plan reads, and no others.
func TestOpenAPIHasTheParameters(t *testing.T) {
	const file = "../../server/pages/openapi.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	type parameter struct {
		Name, In string
		Ref      string `yaml:"$ref"`
	}
	var document struct {
		Paths map[string]struct {
			Parameters []parameter
			Get        struct{ Parameters []parameter }
		}
		Components struct{ Parameters map[string]parameter }
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}

	p := New(Limits{MaxDelay: time.Minute, MaxBody: 1000})
	for _, tc := range []struct {
		path, target string
		plan         func(Request) (*Plan, error)
		own          []string
		refused      string // one of every endpoint's that this one has another way to write
	}{
		{"/delay/{delay}", "/delay/0", p.Delay, nil, ""},
		{"/delay/{delay}/", "/delay/0/", p.Delay, nil, ""},
		{"/drip", "/drip", p.Drip, append([]string{"delay"}, ofDrip...), "size"},
		{"/sse", "/sse", p.SSE, append([]string{"delay"}, ofSSE...), "size"},
		{"/status/{codes}", "/status/200", p.Status, []string{"delay"}, "status"},
		{"/bytes/{n}", "/bytes/7", p.Bytes, []string{"delay"}, "size"},
		{"/barrier/{name}", "/barrier/b", p.Barrier, ofBarrier, ""},
		{"/hold/{name}", "/hold/h", p.Hold, ofHold, ""},
	} {
		item := document.Paths[tc.path]
		var got []string
		for _, listed := range slices.Concat(item.Parameters, item.Get.Parameters) {
			if name, isRef := strings.CutPrefix(listed.Ref, "#/components/parameters/"); isRef {
				listed = document.Components.Parameters[name]
			}
			if listed.In == "query" {
				got = append(got, listed.Name)
			}
		}
		want := slices.DeleteFunc(slices.Concat(known, tc.own), func(name string) bool { return name == tc.refused })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s, query parameters of %s:\ngot  %v\nwant %v", file, tc.path, got, want)
		}
		if tc.refused == "" {
			continue
		}
		const value = "200" // good as a size, a status, and what stands in those paths
		r := Request{httptest.NewRequest("GET", tc.target+"?"+tc.refused+"="+value, nil), func(string) string { return value }}
		if _, err := tc.plan(r); err == nil || !strings.Contains(err.Error(), "is not accepted here") {
			t.Errorf("GET %s: got error %v, want it refused, since the document has it not", r.URL, err)
		}
	}
}
