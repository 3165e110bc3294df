package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// stack is the base URLs of both programs, for clients on the host.
type stack struct{ delayServer, demoAPI string }

type reply struct {
	status int
	kind   string // Content-Type
	body   string
	took   time.Duration
}

// patience is the limit after which something counts as hanging.
const patience = time.Minute

var client = http.Client{Timeout: patience}

func get(url string) (reply, error) {
	begun := time.Now()
	resp, err := client.Get(url)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), string(body), time.Since(begun)}, err
}

// getBody fetches url, wants status 200 and the body, and returns how long it took.
func getBody(t *testing.T, url, want string) time.Duration {
	t.Helper()
	got, err := get(url)
	if err != nil {
		t.Fatal(err)
	}
	// delay-server sends no line end, like Flash
	if got.status != http.StatusOK || strings.TrimSuffix(got.body, "\n") != want {
		t.Fatalf("GET %s: got %d %q, want 200 %q", url, got.status, got.body, want)
	}
	return got.took
}

// awaitHealthz waits until both programs answer.
func (s stack) awaitHealthz(t *testing.T) {
	t.Helper()
	for _, base := range []string{s.delayServer, s.demoAPI} {
		wiretest.Eventually(t, base+"/healthz answers 200", func() bool {
			r, err := get(base + "/healthz")
			return err == nil && r.status == http.StatusOK
		})
	}
}

// tutorial performs the tutorial's steps with its delay of 1,000 ms, up to three times on
// a busy machine.
func tutorial(t *testing.T, s stack) {
	t.Helper()
	for range 3 {
		if tutorialOnce(t, s) {
			return
		}
	}
	t.Error("concurrent calls took nearly as long as sequential ones, in each of 3 tries")
}

// tutorialOnce reports whether concurrent calls took clearly less time than sequential
// ones.
func tutorialOnce(t *testing.T, s stack) bool {
	t.Helper()
	const call = 1000 * time.Millisecond

	getBody(t, s.demoAPI+"/get_data?calls=0", "ok")
	getBody(t, s.demoAPI+"/async_get_data?calls=0", "ok")

	one := getBody(t, s.delayServer+"/delay/1000/",
		`{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}`)
	sequential := getBody(t, s.demoAPI+"/get_data", `{"r1":200,"r2":200}`)
	concurrent := getBody(t, s.demoAPI+"/async_get_data", `{"r1":200,"r2":200}`)
	third := getBody(t, s.demoAPI+"/async_get_data?calls=3", `{"r1":200,"r2":200,"r3":200}`)
	t.Logf("one call %v; two: sequential %v, concurrent %v; three concurrent %v", one, sequential, concurrent, third)

	for _, floor := range []struct {
		what      string
		got, want time.Duration
	}{
		{"one call waits as asked", one, call},
		{"two sequential calls take their sum", sequential, 2 * call},
		{"two concurrent calls take the slowest", concurrent, call},
		{"three concurrent calls take the slowest", third, call},
	} {
		if floor.got < floor.want {
			t.Errorf("%s: got %v, want at least %v", floor.what, floor.got, floor.want)
		}
	}
	// The ideals are 1/2 and 1/3.
	return concurrent.Seconds() <= 0.9*sequential.Seconds() && third.Seconds() <= 0.6*3*one.Seconds()
}
