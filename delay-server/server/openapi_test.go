package server

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/cors"
	"flash.test/delay-server/internal/scenario"
)

// openAPI has the parts of the document that these tests need. deploy/e2e validates
// requests and responses against the whole document.
type openAPI struct {
	OpenAPI string `yaml:"openapi"`
	Servers []struct{ URL string }
	Paths   map[string]struct {
		Parameters []openAPIParameter
		Methods    map[string]any `yaml:",inline"`
	}
	Components struct {
		Parameters map[string]openAPIParameter
	}
}

type openAPIParameter struct{ Name, In string }

func readOpenAPI(t *testing.T) openAPI {
	t.Helper()
	var document openAPI
	if err := yaml.Unmarshal(openAPIDocument(), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

func TestOpenAPIIsServed(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for method, want := range map[string]string{"GET": string(openAPIDocument()), "HEAD": ""} {
		reply, body := do(t, newClient(t), method, base+"/openapi.yaml", nil)
		kind := reply.Header.Get("Content-Type")
		if reply.StatusCode != http.StatusOK || kind != "application/yaml" || body != want {
			t.Errorf("%s /openapi.yaml: got %d, %q, %d bytes, want 200, application/yaml, %d bytes",
				method, reply.StatusCode, kind, len(body), len(want))
		}
	}
	document := readOpenAPI(t)
	if !strings.HasPrefix(document.OpenAPI, "3.1.") || len(document.Servers) != 1 || document.Servers[0].URL != "/" {
		t.Errorf("got version %q, servers %v, want 3.1 and /", document.OpenAPI, document.Servers)
	}
}

// The document has the same operations as the table of routes.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	// The methods of OpenAPI 3.1.
	methods := []string{"delete", "get", "head", "options", "patch", "post", "put", "trace"}
	srv, _, _ := start(t, DefaultConfig(), io.Discard)
	var routes, operations []string
	segment := regexp.MustCompile(`:(\w+)`)
	for _, r := range srv.echo.Routes() {
		path := strings.Replace(segment.ReplaceAllString(r.Path, "{$1}"), "/get/*", "/get/{name}", 1)
		path = strings.Replace(path, "*", "{url}", 1)
		switch method := strings.ToLower(r.Method); {
		case slices.Contains(methods, method):
			routes = append(routes, method+" "+path)
		case r.Method == echo.RouteNotFound: // any
			for method := range strings.SplitSeq(strings.ToLower(cors.AnyMethod), ", ") {
				routes = append(routes, method+" "+path)
			}
		}
	}
	for path, item := range readOpenAPI(t).Paths {
		for method := range item.Methods {
			if slices.Contains(methods, method) {
				operations = append(operations, method+" "+path)
			}
		}
	}
	for _, route := range routes {
		if !slices.Contains(operations, route) {
			t.Errorf("openapi.yaml has no %s", route)
		}
	}
	for _, operation := range operations {
		if !slices.Contains(routes, operation) {
			t.Errorf("openapi.yaml has %s, which is not a route", operation)
		}
	}
}

// A reader of the document alone learns the form of each check's value.
func TestOpenAPIShowsTheFormOfChecks(t *testing.T) {
	var document struct {
		Paths map[string]struct {
			Get struct {
				Parameters []struct{ Name, Description string }
			}
		}
	}
	if err := yaml.Unmarshal(openAPIDocument(), &document); err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for _, p := range document.Paths["/admin/runs/{id}/check"].Get.Parameters {
		described[p.Name] = p.Description
	}
	for _, c := range check.Checks() {
		if got, want := described[c.Name], c.Meaning+" Value: "+c.Usage+"."; got != want {
			t.Errorf("check %s has the description %q, want %q", c.Name, got, want)
		}
	}
}

func TestScenarioSchemaIsServed(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	reply, body := do(t, newClient(t), "GET", base+"/scenario.schema.json", nil)
	kind, schema := reply.Header.Get("Content-Type"), string(scenario.Schema())
	if reply.StatusCode != http.StatusOK || kind != "application/schema+json" || body != schema {
		t.Errorf("GET /scenario.schema.json: got %d, %q, %d bytes", reply.StatusCode, kind, len(body))
	}
	shop, err := os.ReadFile("../../deploy/scenarios/shop.yaml")
	if line, _, _ := strings.Cut(string(shop), "\n"); err != nil || !strings.HasSuffix(line, "/scenario.schema.json") {
		t.Errorf("shop.yaml begins with %q, %v, want the schema's URL", line, err)
	}
}
