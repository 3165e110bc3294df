package query_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/kit/problem"
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

func TestReadRejects(t *testing.T) {
	for _, tc := range []struct {
		name, raw string
		kind      problem.Type
		want      string
	}{
		{"typing error", "sise=5", problem.UnknownParameter, `unknown parameter "sise"; did you mean "size"?`},
		{"typing error and correct name", "size=5&siz=5", problem.UnknownParameter, `"siz"; did you mean "size"?`},
		{"upper case", "SIZE=5", problem.UnknownParameter, `unknown parameter "SIZE"; did you mean "size"?`},
		{"twice", "size=5&size=5", problem.RepeatedParameter, "parameter size is given 2 times: give it once"},
		{"invalid escape", "size=%zz", problem.MalformedQuery, `query "size=%zz" is malformed`},
		{"semicolon", "size=5;a=b", problem.MalformedQuery, `query "size=5;a=b" is malformed`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values, _, err := query.Read(tc.raw, []string{"size"})
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Read(%q) = %v, %v, want %s: %q", tc.raw, values, err, tc.kind, tc.want)
			}
		})
	}
}

func TestParseInt(t *testing.T) {
	if n, err := query.ParseInt("calls", "07", 1, 7); n != 7 || err != nil {
		t.Errorf("got %d, %v, want 7", n, err)
	}
	const want = ` is invalid: use a whole number from 1 to 7`
	for _, text := range []string{"", "0", "8", "+5", "-1", "1_0", "1.0", " 1", "99999999999999999999"} {
		_, err := query.ParseInt[int64]("calls", text, 1, 7)
		if !errors.Is(err, problem.InvalidParameter) || err.Error() != fmt.Sprintf("calls %q", text)+want {
			t.Errorf("ParseInt of %q: got %v, want calls %q%s", text, err, text, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"r", "a/b{c}~!", strings.Repeat("r", 20)} {
		if err := query.CheckName(problem.InvalidHeader, "header X-Run-Id", name, 20); err != nil {
			t.Errorf("%q: got %v, want it accepted", name, err)
		}
	}
	const want = ` is invalid: use 1 to 20 visible ASCII characters`
	for _, name := range []string{"", "a b", "a\x00", "é", "a\x7f", strings.Repeat("r", 21)} {
		err := query.CheckName(problem.InvalidHeader, "header X-Run-Id", name, 20)
		if !errors.Is(err, problem.InvalidHeader) || err.Error() != fmt.Sprintf("header X-Run-Id %q", name)+want {
			t.Errorf("%q: got %v, want it rejected%s", name, err, want)
		}
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
		{"a header injection", []string{"a\r\nSet-Cookie:x"}, `"a\r\nSet-Cookie:x"`},
		{"a comma", []string{"a,b"}, `"a,b"`},
		{"not ASCII", []string{"é"}, `"\u00e9"`},
		{"an empty name", []string{""}, `""`},
		{"too many to list", many, strings.Repeat("p, ", 20) + "5 more"},
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

func TestReadKnown(t *testing.T) {
	for _, tc := range []struct {
		raw   string
		known []string
		want  string // of the error; "" for none
	}{
		{"a=1&b=2", []string{"a", "b"}, ""},
		{"", nil, ""},
		{"_=17", []string{"name", "run"}, `unknown parameter "_"; use name, run`},
		{"_=17", nil, `unknown parameter "_"; this request takes none`},
		{"nane=1", []string{"name"}, `unknown parameter "nane"; did you mean "name"?`},
	} {
		_, err := query.ReadKnown(tc.raw, tc.known...)
		switch p, _ := errors.AsType[*problem.Problem](err); {
		case tc.want == "" && err != nil:
			t.Errorf("%q with %v: %v", tc.raw, tc.known, err)
		case tc.want != "" && (p == nil || p.Type != problem.UnknownParameter || p.Detail != tc.want):
			t.Errorf("%q with %v: got %v, want %s", tc.raw, tc.known, err, tc.want)
		}
	}
}
