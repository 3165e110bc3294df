package e2e

import (
	"context"
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

// TestSnippets runs the snippets of the builder. They send the request that it shows,
// whatever its values.
func TestSnippets(t *testing.T) {
	path := "/delay/" + url.PathEscape("1/2 'ü\"$") + "?header=" + url.QueryEscape("X-Note:"+nasty) +
		"&_=" + url.QueryEscape("ü 日本")
	fields := ";X-Nasty:" + url.PathEscape(nasty) + ";X-Empty:;X-Twice:a;X-Twice:b"
	headers := [][2]string{{"X-Nasty", nasty}, {"X-Empty", ""}, {"X-Twice", "a, b"}}
	requests := []snippetRequest{
		{fragment: "#" + path + fields, method: "GET", headers: headers},
		{fragment: "#POST" + path + fields, method: "POST", headers: headers},
		{fragment: "#HEAD/delay/5", method: "HEAD"},
	}
	tab, base, _ := openBuilder(t, "")
	for i := range requests { // the commands may take longer than a tab is open
		requests[i].read(t, tab, base)
	}
	for _, r := range requests[:2] {
		u, err := url.ParseRequestURI(r.path)
		if err != nil || u.Path != "/delay/1/2 'ü\"$" || u.Query().Get("header") != "X-Note:"+nasty ||
			u.Query().Get("_") != "ü 日本" {
			t.Errorf("the builder's path is %s, which is read as %v, %v", r.path, u, err)
		}
	}
	for _, r := range requests {
		for _, l := range snippetLanguages {
			t.Run(l.name+" "+r.method, func(t *testing.T) {
				wiretest.RequireClient(t, l.debian, l.check...)
				r.run(t, l.file, r.code[l.name], l.command)
			})
		}
	}
}

// snippetRequest is a request of the builder, and its snippets.
type snippetRequest struct {
	fragment, method string
	headers          [][2]string
	path             string
	code             map[string]string // by language; the target's URL is TARGET
}

func (r *snippetRequest) read(t *testing.T, tab context.Context, base string) {
	t.Helper()
	request(t, tab, r.fragment)
	r.path = evaluate[string](t, tab, `readRequest().path`)
	r.code = map[string]string{}
	for _, l := range snippetLanguages {
		code := evaluate[string](t, tab, fmt.Sprintf(`(() => {
			byId(%q).click();
			return byId("code").textContent;
		})()`, "tab-"+l.name))
		r.code[l.name] = strings.ReplaceAll(code, base, "TARGET")
	}
}

// run runs a snippet, and checks the request that it sends and what it prints.
func (r *snippetRequest) run(t *testing.T, file, code string, command []string) {
	type received struct {
		line    string
		headers [][2]string
	}
	requests := make(chan received, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		got := received{line: q.Method + " " + q.URL.RequestURI()}
		for _, name := range []string{"X-Nasty", "X-Empty", "X-Twice"} {
			if values := q.Header[name]; values != nil { // fetch joins the values of a name
				got.headers = append(got.headers, [2]string{name, strings.Join(values, ", ")})
			}
		}
		requests <- got
		w.Header().Set("Server-Timing", "asked;dur=5")
		fmt.Fprint(w, "the body")
	}))
	defer target.Close()
	dir := t.TempDir()
	code = strings.ReplaceAll(code, "TARGET", target.URL)
	if err := os.WriteFile(filepath.Join(dir, file), []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS="), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, stderr.String(), code)
	}
	want := received{r.method + " " + r.path, r.headers}
	select {
	case got := <-requests:
		if got.line != want.line || !slices.Equal(got.headers, want.headers) {
			t.Errorf("the server received %q, want %q; from\n%s", got, want, code)
		}
	default:
		t.Fatalf("the server received no request; from\n%s", code)
	}
	text, isHead := string(out), r.method == "HEAD"
	if !strings.Contains(text, "200") || !strings.Contains(text, "asked;dur=5") ||
		strings.HasSuffix(text, "the body") == isHead {
		t.Errorf("the snippet prints %q, want the status, Server-Timing and the body; from\n%s", text, code)
	}
}
