package server

import (
	"html"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/internal/exercise"
)

func TestExercisesPage(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	_, page := do(t, newClient(t), "GET", base+"/exercises", nil)
	for _, e := range exercise.Default().Exercises {
		for _, want := range []string{`data-id="` + e.ID + `"`, e.Title, "/exercises/" + e.ID + "/start/exercise-" +
			e.ID + ".mjs", "/exercises/" + e.ID + "/solution/exercise-" + e.ID + ".java"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page has no %s", want)
			}
		}
	}
	if !strings.Contains(page, base) || strings.Contains(page, exercise.PlaceholderServer) {
		t.Error("the programs do not call this server")
	}
}

// The page is made once, and again when the exercises change.
func TestExercisesOfAFile(t *testing.T) {
	config := DefaultConfig()
	config.Exercises = filepath.Join(t.TempDir(), "own.yaml")
	config.Scenario = filepath.Join(t.TempDir(), "shop.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config.Scenario, "routes: [{path: /shop}]")
	const own = "exercises: [{id: own, title: TITLE, task: Call., url: /shop, check: attempts=1}]\n"
	log := new(strings.Builder)
	write(config.Exercises, strings.Replace(own, "TITLE", "<b>one", 1))
	srv, err := New(config, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ text, want, reason string }{
		{"", "&lt;b&gt;one", ""},
		{strings.Replace(own, "TITLE", "two", 1), ">two<", ""},
		{strings.Replace(own, "id: own", "id: Own", 1), ">two<", `:1:18: id \"Own\" is invalid`},
	} {
		if step.text != "" {
			write(config.Exercises, step.text)
			srv.ReloadFiles()
		}
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/exercises", nil))
		if page := rec.Body.String(); !strings.Contains(page, step.want) {
			t.Errorf("the page has no %s", step.want)
		}
		if !strings.Contains(log.String(), step.reason) {
			t.Errorf("the log has no %s:\n%s", step.reason, log)
		}
	}

	config.Exercises += ".none"
	_, err = New(config, slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasPrefix(err.Error(), "EXERCISES: ") {
		t.Errorf("a file that does not exist: %v", err)
	}
}

func TestPrograms(t *testing.T) {
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serve := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec
	}
	const start = "/exercises/retry/start/exercise-retry.py"
	reply := serve(start + "?name=anna")
	if got, want := reply.Header().Get("Content-Disposition"), "attachment; filename=exercise-retry.py"; got != want {
		t.Errorf("Content-Disposition: got %s, want %s", got, want)
	}
	if got := reply.Body.String(); !strings.Contains(got, `SERVER = "http://example.com"`) {
		t.Errorf("the program does not call the host of the request:\n%s", got)
	}
	for _, tc := range []struct {
		path   string
		status int
		want   string
	}{
		{start, 200, `NAME = "your-name"`},
		{start + "?name=o.b-1_@%2B", 200, `NAME = "o.b-1_@+"`},
		{start + "?name=" + strings.Repeat("a", 40), 200, `aaa"`},
		{start + "?name=" + strings.Repeat("a", 41), 400, "use up to 40 letters"},
		{start + "?name=", 400, `name \"\" is invalid`},
		{start + "?name=a%22", 400, `name \"a\\\"\" is invalid`},
		{start + "?name=a%0Ab", 400, "is invalid"},
		{start + "?name=%C3%A9", 400, "is invalid"},
		{start + "?nam=a", 400, `did you mean \"name\"?`},
		{start + "?x=a", 400, `unknown parameter \"x\"; use name`},
		{"/exercises/retry/solution/exercise-retry.go", 200, "// Waits before each retry"},
		{"/exercises/retri/start/exercise-retri.py", 404, `there is no exercise \"retri\"`},
		{"/exercises/retry/begin/exercise-retry.py", 404, "exercise retry has no such file"},
		{"/exercises/retry/start/exercise-hedge.py", 404, "exercise retry has no such file"},
	} {
		reply := serve(tc.path)
		if body := reply.Body.String(); reply.Code != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: got %d, want %d and %s:\n%s", tc.path, reply.Code, tc.status, tc.want, body)
		}
	}
}

func TestExerciseOfDoc(t *testing.T) {
	page, err := pages.ReadFile("pages/doc.html")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), `<pre id="own-exercise">`)
	text, _, _ = strings.Cut(text, "</pre>")
	config := DefaultConfig()
	config.Exercises = filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(config.Exercises, []byte(html.UnescapeString(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got := srv.lessons.set().Exercises; len(got) != 1 || got[0].ID != "patient" {
		t.Errorf("got %+v", got)
	}
}
