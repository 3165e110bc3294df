package query_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/kit/query"
)

func TestRead(t *testing.T) {
	values, ignored, err := query.Read("zeta=1&size=5&_=17&header=a&header=b", []string{"size", "header"}, "header")
	if err != nil {
		t.Fatal(err)
	}
	if values.Get("size") != "5" || !slices.Equal(values["header"], []string{"a", "b"}) || len(values) != 2 {
		t.Errorf("got values %v, want size=5 and both headers", values)
	}
	if want := []string{"_", "zeta"}; !slices.Equal(ignored, want) {
		t.Errorf("got ignored %v, want %v", ignored, want)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"near miss", "sise=5", `no such parameter: "sise": did you mean size?`},
		{"near miss beside the right one", "size=5&siz=5", `"siz": did you mean size?`},
		{"twice", "size=5&size=5", "parameter size is given 2 times; accepted: once"},
		{"broken escape", "size=%zz", `query "size=%zz" is malformed`},
		{"semicolon", "size=5;a=b", `query "size=5;a=b" is malformed`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values, _, err := query.Read(tc.raw, []string{"size"})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Read(%q) = %v, %v, want an error that says %q", tc.raw, values, err, tc.want)
			}
		})
	}
}

func TestNameIgnored(t *testing.T) {
	many := strings.Split(strings.Repeat("p ", 25), " ")[:25]
	for _, tc := range []struct {
		name  string
		names []string
		want  string
	}{
		{"none", nil, ""},
		{"some", []string{"_", "utm"}, "_, utm"},
		{"a header of its own", []string{"a\r\nSet-Cookie:x"}, `"a\r\nSet-Cookie:x"`},
		{"a comma", []string{"a,b"}, `"a,b"`},
		{"another script", []string{"é"}, `"\u00e9"`},
		{"no name at all", []string{""}, `""`},
		{"too many to name", many, strings.Repeat("p, ", 20) + "5 more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			query.NameIgnored(h, tc.names)
			if got := h.Get(query.IgnoredHeader); got != tc.want {
				t.Errorf("NameIgnored(%q): got %q, want %q", tc.names, got, tc.want)
			}
		})
	}
}
