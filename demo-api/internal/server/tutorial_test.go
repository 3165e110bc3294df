package server_test

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// text returns the text of a page without its tags.
func text(page string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, ""))
}

// The tutorial shows the apps as they are, and the function that makes the calls here.
func TestTutorialShowsTheSource(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	page := text(d.get(t, "/tutorial").body)
	for _, file := range []string{"python/app.py", "node/app.mjs", "java/App.java", "go/main.go"} {
		source, err := os.ReadFile("../../../deploy/tutorial/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, string(source)) {
			t.Errorf("GET /tutorial: %s is not in it", file)
		}
		_, name, _ := strings.Cut(file, "/")
		got := d.get(t, "/tutorial/"+name)
		if got.StatusCode != 200 || strings.TrimSpace(got.body) != strings.TrimSpace(string(source)) ||
			got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("GET /tutorial/%s: got %d, %s, %d bytes; want the file as text", name, got.StatusCode,
				got.Header.Get("Content-Type"), len(got.body))
		}
	}
	source, err := os.ReadFile("fetch.go")
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(string(source), "\nfunc (s *Server) calls(")
	calls, _, _ = strings.Cut(calls, "\n}\n")
	if !strings.Contains(page, "func (s *Server) calls("+calls+"\n}") {
		t.Error("GET /tutorial: the method calls of fetch.go is not in it")
	}
	if got := d.get(t, "/tutorial/original.py"); got.StatusCode != 404 {
		t.Errorf("GET /tutorial/original.py: got %d, want 404", got.StatusCode)
	}
}

// A step has the same number and title as a preset of the race.
func TestTutorialNumbersItsSteps(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	headings := regexp.MustCompile(`<h2 id="step-(\d)"><span>Step (\d)</span> ([^<]+)</h2>`).FindAllStringSubmatch(
		d.get(t, "/tutorial").body, -1)
	race := text(d.get(t, "/").body)
	if len(headings) != 4 {
		t.Fatalf("GET /tutorial: got steps %q, want 4", headings)
	}
	for _, h := range headings {
		title, _, _ := strings.Cut(h[3], ",")
		if h[1] != h[2] || !regexp.MustCompile(h[1]+`\.?\s+`+regexp.QuoteMeta(title)).MatchString(race) {
			t.Errorf("step %q: no preset of the race has this number and title", h[0])
		}
	}
}

// The commands name the delay-server as the visitor reaches it, unless it is the apps'
// default.
func TestTutorialNamesTheDelayServer(t *testing.T) {
	for _, tc := range []struct {
		name, link string
		embedded   bool
		host, want string
	}{
		{"the default", "http://localhost:3000", false, "localhost:5000", ""},
		{"in this process", "http://127.0.0.1:37109", true, "localhost:5000", "http://127.0.0.1:37109"},
		{"in this process, from elsewhere", "http://127.0.0.1:37109", true, "192.168.1.17:5000", ""},
		{"another port", "http://localhost:3600/", false, "127.0.0.1:5000", "http://localhost:3600"},
		{"from elsewhere", "http://localhost:3000", false, "192.168.1.17:5000", "http://192.168.1.17:3000"},
		{"from elsewhere, IPv6", "http://localhost:3000", false, "[fd00::1]:5000", "http://[fd00::1]:3000"},
		{"without a port", "http://localhost", false, "192.168.1.17:5000", "http://192.168.1.17"},
		{"on another machine", "http://10.0.0.7:3000", false, "localhost:5000", "http://10.0.0.7:3000"},
		{"no link", "", false, "localhost:5000", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options()
			o.DelayServerLink, o.Embedded = tc.link, tc.embedded
			d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
			page := d.send(t, "GET", "/tutorial", map[string]string{"Host": tc.host}, nil).body
			want := "python3 app.py"
			if tc.want != "" {
				want = "DELAY_SERVER_URL=" + tc.want + " " + want
			}
			if !strings.Contains(page, `<code id="start-python">`+want+`</code>`) {
				t.Errorf("delay-server at %s, visited at %s: the page lacks %q", tc.link, tc.host, want)
			}
		})
	}
}
