package client_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
)

// TestProblemConstants compares problem.go with the constants of kit/problem.
func TestProblemConstants(t *testing.T) {
	constants := problemConstants(t, "problem.go")
	for name, path := range problemConstants(t, "../kit/problem/types.go") {
		typ := problem.Type(strings.Trim(path.value, `"`))
		got, ok := constants["Problem"+name]
		want := constant{"problem." + name, fmt.Sprintf("// %d, ", typ.Info().Status)}
		if !ok || got.value != want.value || !strings.HasPrefix(got.comment, want.comment) {
			t.Errorf("Problem%s = %s %s, want %s %s…", name, got.value, got.comment, want.value, want.comment)
		}
	}
}

type constant struct{ value, comment string }

// problemConstants returns the constants of a file by name.
func problemConstants(t *testing.T, path string) map[string]constant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]constant{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		var c constant
		if spec.Comment != nil {
			c.comment = spec.Comment.List[0].Text
		}
		switch value := spec.Values[0].(type) {
		case *ast.BasicLit:
			c.value = value.Value
		case *ast.SelectorExpr:
			c.value = fmt.Sprint(value.X, ".", value.Sel)
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && strings.HasSuffix(typ.Name, "Type") {
			found[spec.Names[0].Name] = c
		}
		return false
	})
	if len(found) == 0 {
		t.Fatalf("%s: found no constants", path)
	}
	return found
}

func TestReadProblem(t *testing.T) {
	full := problem.PoolFull.New(`pool "db" is full`)
	header, body := full.Encode()
	full.RetryAfter = time.Second // which Encode adds
	for _, tc := range []struct {
		name        string
		contentType string
		body        string
		want        *client.Problem
		err         string
	}{
		{"problem", header.Get("Content-Type"), string(body), full, ""},
		{"media type with a parameter", "application/problem+json; charset=utf-8", string(body), full, ""},
		{"other reply", "text/plain", "busy", nil,
			`reply is not a problem document: 503 Service Unavailable, Content-Type "text/plain"`},
		{"malformed JSON", problem.ContentType, "oops", nil,
			"decode problem document: invalid character 'o' looking for beginning of value"},
		{"1 MiB", problem.ContentType, strings.Repeat(" ", 1<<20-len(body)) + string(body), full, ""},
		{"over 1 MiB", problem.ContentType, strings.Repeat(" ", 1<<20-len(body)+1) + string(body), nil,
			"reply 503 Service Unavailable exceeds 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := &http.Response{
				Status: "503 Service Unavailable", StatusCode: 503,
				Header: http.Header{"Content-Type": {tc.contentType}, "Retry-After": header["Retry-After"]},
				Body:   io.NopCloser(strings.NewReader(tc.body)),
			}
			got, err := client.ReadProblem(res)
			if tc.err != "" {
				if got != nil || err == nil || err.Error() != tc.err {
					t.Errorf("got %+v, %v\nwant %s", got, err, tc.err)
				}
				return
			}
			if err != nil || *got != *tc.want || !errors.Is(got, client.ProblemPoolFull) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tc.want)
			}
		})
	}
}
