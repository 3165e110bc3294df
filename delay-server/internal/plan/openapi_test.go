package plan

import (
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
		own          []string
		refused      string // one of every endpoint's that this one has another way to write
	}{
		{"/delay/{delay}", "/delay/0", nil, ""},
		{"/delay/{delay}/", "/delay/0/", nil, ""},
		{"/drip", "/drip", slices.Concat(ofHTTPBin, ofDrip), "size"},
		{"/sse", "/sse", slices.Concat(ofHTTPBin, ofSSE), "size"},
		{"/status/{codes}", "/status/200", ofHTTPBin, "status"},
		{"/bytes/{n}", "/bytes/7", ofHTTPBin, "size"},
		{"/barrier/{name}", "/barrier/b", ofBarrier, ""},
		{"/hold/{name}", "/hold/h", ofHold, ""},
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
		r := Request{Path: tc.target, Query: tc.refused + "=" + value}
		if _, err := p.Find(r); err == nil || !strings.Contains(err.Error(), "is not accepted here") {
			t.Errorf("GET %s?%s: got error %v, want it refused, since the document has it not", r.Path, r.Query, err)
		}
	}
}
