package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
)

// snippetLanguages are the languages of the builder's snippets: the file that a snippet
// is, and the command that runs it.
var snippetLanguages = []struct {
	name, file string
	command    []string
	debian     string   // packages that the command needs
	check      []string // succeeds if they are installed
}{
	{"curl", "call.sh", []string{"sh", "call.sh"}, "curl", []string{"curl", "--version"}},
	{"python", "call.py", []string{debianPython, "-W", "error", "call.py"}, "python3-httpx",
		[]string{debianPython, "-c", "import httpx"}},
	{"javascript", "call.mjs", []string{"node", "call.mjs"}, "nodejs", []string{"node", "--version"}},
	{"go", "call.go", []string{"go", "run", "call.go"}, "golang", []string{"go", "version"}},
	{"java", "Call.java", []string{"java", "Call.java"}, "default-jdk-headless", []string{"javac", "--version"}},
}

// nasty has what a shell or a string of some language could read as its own.
const nasty = `it's "$HOME" ${USER} $(id) ` + "`id`" + ` \n \\ \u0041 %s %41 {x} #!; 'q'''`

// The snippets of the builder send the request that it shows, whatever its values.
func TestSnippets(t *testing.T) {
	type received struct {
		line    string // method and target
		headers [][2]string
	}
	got := make(chan received, 10)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := received{line: r.Method + " " + r.URL.RequestURI()}
		for _, name := range []string{"X-Nasty", "X-Empty", "X-Twice"} {
			if values := r.Header[name]; values != nil { // fetch joins the values of a name
				seen.headers = append(seen.headers, [2]string{name, strings.Join(values, ", ")})
			}
		}
		got <- seen
		w.Header().Set("Server-Timing", "asked;dur=5")
		fmt.Fprint(w, "the body")
	}))
	defer target.Close()

	tab, base, _ := openBuilder(t, "")
	path := "/delay/" + url.PathEscape("1/2 'ü\"$") + "?header=" + url.QueryEscape("X-Note:"+nasty) +
		"&_=" + url.QueryEscape("ü 日本")
	fields := ";X-Nasty:" + url.PathEscape(nasty) + ";X-Empty:;X-Twice:a;X-Twice:b"
	want := [][2]string{{"X-Nasty", nasty}, {"X-Empty", ""}, {"X-Twice", "a, b"}}
	for _, request := range []struct {
		fragment, method string
		headers          [][2]string
	}{
		{"#" + path + fields, "GET", want},
		{"#POST" + path + fields, "POST", want},
		{"#HEAD/delay/5", "HEAD", nil},
	} {
		evaluate[bool](t, tab, fmt.Sprintf(`restore(%q)`, request.fragment))
		line := request.method + " " + evaluate[string](t, tab, `readRequest().path`)
		if u, err := url.ParseRequestURI(strings.TrimPrefix(line, request.method+" ")); err != nil {
			t.Errorf("%s: the builder's URL %q is invalid: %v", request.fragment, line, err)
		} else if strings.Contains(request.fragment, "header=") &&
			(u.Path != "/delay/1/2 'ü\"$" || u.Query().Get("header") != "X-Note:"+nasty ||
				u.Query().Get("_") != "ü 日本") {
			t.Errorf("%s: the builder's URL has path %q and query %q", request.fragment, u.Path, u.Query())
		}
		for _, l := range snippetLanguages {
			t.Run(l.name+" "+request.method, func(t *testing.T) {
				wiretest.RequireClient(t, l.debian, l.check...)
				source := evaluate[string](t, tab, fmt.Sprintf(`(() => {
					byId(%q).click();
					return byId("code").textContent;
				})()`, "tab-"+l.name))
				dir := t.TempDir()
				code := strings.ReplaceAll(source, base, target.URL)
				if err := os.WriteFile(filepath.Join(dir, l.file), []byte(code), 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), l.command[0], l.command[1:]...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
				var stderr strings.Builder
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s\n%s", err, stderr.String(), code)
				}
				seen := <-got
				if seen.line != line || !slices.Equal(seen.headers, request.headers) {
					t.Errorf("the server received %s with %q, want %s with %q; from\n%s", seen.line, seen.headers, line,
						request.headers, code)
				}
				if text := string(out); !strings.Contains(text, "200") || !strings.Contains(text, "asked;dur=5") ||
					strings.HasSuffix(text, "the body") == (request.method == "HEAD") {
					t.Errorf("the snippet prints %q, want the status, Server-Timing and the body; from\n%s", text, code)
				}
			})
		}
	}
}
