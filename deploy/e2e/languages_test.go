package e2e

import (
	"errors"
	"fmt"
	"html"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// languages are the tutorial's apps.
var languages = []struct {
	name     string // of the tab
	file     string
	runtimes func(t *testing.T) []string // programs whose folders are first in PATH, each in turn
}{
	{"python", "app.py", func(t *testing.T) []string { return []string{requirePython(t)} }},
	{"javascript", "app.mjs", func(t *testing.T) []string { return requireRuntime(t, "nodejs", "node", "--version") }},
	{"java", "App.java", jdks},
	{"go", "main.go", func(t *testing.T) []string { return requireRuntime(t, "golang-go", "go", "version") }},
}

// jdks returns the java of each JDK: 17 of Debian has no virtual threads, later ones do.
func jdks(t *testing.T) []string {
	t.Helper()
	found := requireRuntime(t, "default-jdk-headless", "javac", "--version")
	others, err := filepath.Glob("/usr/lib/jvm/*/bin/javac")
	if err != nil {
		t.Fatal(err)
	}
	found = append(found, others...)
	for i, path := range found {
		if found[i], err = filepath.EvalSymlinks(path); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// requireRuntime returns the path of a program. Without it the test is skipped, or fails
// with REQUIRE_CLIENTS=1.
func requireRuntime(t *testing.T, debian string, command ...string) []string {
	t.Helper()
	wiretest.RequireClient(t, debian, command...)
	path, err := exec.LookPath(command[0])
	if err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

// TestTutorialInEveryLanguage takes each app and its command from the tutorial's page, as
// a reader does, starts it and checks what it answers.
func TestTutorialInEveryLanguage(t *testing.T) {
	slow := serveDelays(t, func(c *server.Config) { c.AdminToken = "none" })
	demo := startDemoAPI(t, slow)
	page, err := get(demo + "/tutorial")
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range languages {
		t.Run(language.name, func(t *testing.T) {
			source := shown(t, page.body, "app-"+language.name)
			setting, command, _ := strings.Cut(shown(t, page.body, "start-"+language.name), " ")
			if setting != "DELAY_SERVER_URL="+slow {
				t.Errorf("the command begins with %s, want DELAY_SERVER_URL=%s", setting, slow)
			}
			if file, err := get(demo + "/tutorial/" + language.file); err != nil || file.body != source {
				t.Errorf("GET /tutorial/%s: got %d and error %v; want what the page shows", language.file,
					file.status, err)
			}
			for _, runtime := range language.runtimes(t) {
				t.Run(runtime, func(t *testing.T) {
					checkTutorialApp(t, slow, demo, language.name == "python", func(slow string) string {
						dir := t.TempDir()
						if err := os.WriteFile(filepath.Join(dir, language.file), []byte(source), 0o600); err != nil {
							t.Fatal(err)
						}
						return startCommand(t, dir, command, runtime, "DELAY_SERVER_URL="+slow, "PORT=0")
					})
				})
			}
		})
	}
}

// TestTutorialBesideDemoAPI runs the page's commands as they are, except for the app's port,
// beside demo-api with a delay-server of its own.
func TestTutorialBesideDemoAPI(t *testing.T) {
	python := requirePython(t)
	demo := startDemoAPI(t, "")
	page, err := get(demo + "/tutorial")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	save := exec.CommandContext(t.Context(), "sh", "-c", shown(t, page.body, "save-python"))
	save.Dir = dir
	if said, err := save.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", save, err, said)
	}
	app := startCommand(t, dir, shown(t, page.body, "start-python"), python, "PORT=0")
	try := strings.Replace(shown(t, page.body, "try-python"), "http://localhost:5001", app, 1)
	said, err := exec.CommandContext(t.Context(), "bash", "-c", try).Output()
	if err != nil || string(said) != `{"r1":200,"r2":200}`+"\n" {
		t.Errorf("%s: got %q and error %v, want two answers", try, said, err)
	}
	race, err := get(demo + "/race/events?calls=2&delay=50&against=" + url.QueryEscape(app))
	if err != nil || strings.Count(race.body, `"seen_by":"delay-server"`) != 2 {
		t.Errorf("race against the app: got error %v and\n%s\nwant the calls of both lanes", err, race.body)
	}
}

// TestTutorialQueriesInJava gives the Java app a database and Debian's driver.
func TestTutorialQueriesInJava(t *testing.T) {
	const driver = "/usr/share/java/postgresql.jar"
	wiretest.RequireClient(t, "libpostgresql-jdbc-java", "test", "-r", driver)
	runtime := requireRuntime(t, "default-jdk-headless", "java", "--version")[0]
	slow := serveDelays(t, func(c *server.Config) { c.AdminToken = "none" })
	postgres := wiretest.StartPostgres(t)
	database := fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/postgres?user=%s&password=%s", postgres.Port,
		wiretest.PostgresUser, wiretest.PostgresPassword)
	dir, err := filepath.Abs("../tutorial/java")
	if err != nil {
		t.Fatal(err)
	}
	start := func(classPath string) string {
		return startCommand(t, dir, "java App.java", runtime, "DELAY_SERVER_URL="+slow, "PORT=0",
			"CLASSPATH="+classPath, "DATABASE_URL="+database)
	}
	app := start(driver)
	for _, e := range endpoints {
		checkDatabase(t, app+e.path, true)
		for query, want := range map[string]string{"?calls=0&db=1": "calls=0", "?db=60001": "db"} {
			got, err := get(app + e.path + query)
			if err != nil || got.status != 400 || !strings.Contains(got.body, want) {
				t.Errorf("GET %s%s: got %d %q, error %v; want 400 and %s", e.path, query, got.status, got.body,
					err, want)
			}
		}
	}
	checkDatabase(t, start("")+"/get_data", false)
	postgres.Stop(t)
	for _, e := range endpoints {
		got, err := get(app + e.path + "?db=1")
		if err != nil || got.status != 502 || !strings.HasPrefix(got.body, "the query failed: ") ||
			strings.Contains(got.body, wiretest.PostgresPassword) {
			t.Errorf("GET %s?db=1 without the database: got %d %q, error %v; want 502 and the reason", e.path,
				got.status, got.body, err)
		}
	}
}

// startCommand runs a shell command in a folder until the test ends, and returns the first
// URL it prints. The folder of runtime is first in its PATH.
func startCommand(t *testing.T, dir, command, runtime string, environ ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(runtime)+":"+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1",
		"PYTHONUNBUFFERED=1", "GOWORK=off", "HOST=127.0.0.1")
	cmd.Env = append(cmd.Env, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run has a child
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return listens(t, cmd)
}

// checkTutorialApp checks what an app answers that start starts. The app with a database
// has a query for db.
func checkTutorialApp(t *testing.T, slow, demo string, database bool, start func(slow string) string) {
	target, err := url.Parse(slow)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	defer front.Close()
	base := start(front.URL + "/")
	for _, test := range []struct {
		query, want string
		turn, once  time.Duration // minimum times, one after another and all at once
	}{
		{"?calls=0", "ok", 0, 0},
		{"?calls=1&delay=0", `{"r1":200}`, 0, 0},
		{"?calls=11&delay=30", `{"r1":200,"r2":200,"r3":200,"r4":200,"r5":200,"r6":200,"r7":200,"r8":200,"r9":200,` +
			`"r10":200,"r11":200}`, 330 * time.Millisecond, 30 * time.Millisecond},
	} {
		if took := getBody(t, base+"/get_data"+test.query, test.want); took < test.turn {
			t.Errorf("/get_data%s took %v, want %v or more", test.query, took, test.turn)
		}
		if took := getBody(t, base+"/async_get_data"+test.query, test.want); took < test.once {
			t.Errorf("/async_get_data%s took %v, want %v or more", test.query, took, test.once)
		}
	}
	for _, e := range endpoints {
		checkDatabase(t, base+e.path, database)
		for query, want := range map[string]string{
			"?calls=-1": "calls", "?calls=1001": "calls", "?calls=2.0": "calls", "?calls=": "calls",
			"?calls=1&calls=2": "calls", "?calls=99999999999999999999": "calls",
			"?delay=1s": "delay", "?delay=60001": "delay", "?limit=2": "limit",
		} {
			got, err := get(base + e.path + query)
			if err != nil || got.status != 400 || !strings.Contains(got.body, want) ||
				!strings.Contains(got.body, ": use ") {
				t.Errorf("GET %s%s: got %d %q, error %v; want 400 and what is valid for %s", e.path, query, got.status,
					got.body, err, want)
			}
		}
	}
	race, err := get(demo + "/race/events?calls=3&delay=50&against=" + url.QueryEscape(base))
	if err != nil || strings.Count(race.body, "event: total") != 2 ||
		!strings.Contains(race.body, `"peak_in_flight":1,`) || !strings.Contains(race.body, `"peak_in_flight":3,`) {
		t.Errorf("race against the app: got error %v and\n%s\nwant two lanes, with peaks 1 and 3", err, race.body)
	}
	checkInFlight(t, slow, base)
	front.Close()
	for _, e := range endpoints {
		got, err := get(base + e.path)
		if err != nil || got.status != 502 || !strings.Contains(got.body, front.URL) {
			t.Errorf("GET %s without a slow service: got %d %q, error %v; want 502 and %s", e.path, got.status,
				got.body, err, front.URL)
		}
	}
}

// checkDatabase checks the answer to db.
func checkDatabase(t *testing.T, url string, has bool) {
	t.Helper()
	got, err := get(url + "?calls=2&delay=10&db=300")
	switch {
	case err != nil:
		t.Error(err)
	case !has && (got.status != 501 || !strings.Contains(got.body, "database driver")):
		t.Errorf("GET %s?db=300: got %d %q, want 501 and the reason", url, got.status, got.body)
	case has && (got.status != 200 || got.body != `{"r1":200,"db":200}`+"\n" || got.took < 300*time.Millisecond):
		t.Errorf("GET %s?db=300: got %d %q after %v, want 200, r1 and db after 300ms", url, got.status, got.body,
			got.took)
	}
}

// checkInFlight freezes the clock of delay-server and checks how many calls are in flight,
// by the run of the client.
func checkInFlight(t *testing.T, slow, base string) {
	t.Helper()
	steer, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steer.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	callByCall(t, steer, base)
	const many = 300
	answered := make(chan error, 1)
	go func() {
		got, err := get(base + "/async_get_data?calls=" + fmt.Sprint(many))
		if err == nil && got.status != 200 {
			err = errors.New(got.body)
		}
		answered <- err
	}()
	if clock, err := steer.AwaitClock(t.Context(), many); err != nil || clock.Waiting != many {
		t.Errorf("%d calls at once: got %d in flight, error %v", many, clock.Waiting, err)
	}
	if _, err := steer.Unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}

	r := newRequest(t, "GET", base+"/get_data?calls=3&delay=1", "")
	r.Header.Set("X-Run-Id", "anna.first.1")
	reply, body := exchange(t, r)
	run, err := steer.AwaitSettled(t.Context(), "anna.first.1")
	if err != nil || run.Requests != 3 || reply.Header.Get("X-Run-Id") != "anna.first.1" {
		t.Errorf("3 calls with X-Run-Id: got %q, X-Run-Id %q, a run of %d requests, error %v; want a run of 3", body,
			reply.Header.Get("X-Run-Id"), run.Requests, err)
	}
	if err := steer.ForgetRun(t.Context(), "anna.first.1"); err != nil {
		t.Error(err)
	}
}

// shown returns the text of the element with an ID on a page, without the tags in it.
func shown(t *testing.T, page, id string) string {
	t.Helper()
	element := regexp.MustCompile(`(?s)<code id="` + id + `">(.*?)</code>`).FindStringSubmatch(page)
	if element == nil {
		t.Fatalf("the page has no code with ID %s", id)
	}
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(element[1], ""))
}
