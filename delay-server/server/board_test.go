package server

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// boardState returns the status of /board/events, and the data of its first event.
func boardState(t *testing.T, base, query string, header http.Header) (status int, data string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", base+"/board/events"+query, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return reply.StatusCode, data
		}
	}
	return reply.StatusCode, ""
}

func TestBoardAccess(t *testing.T) {
	yes, no := true, false
	token := http.Header{"Authorization": {"Bearer secret"}}
	rebound := http.Header{"Host": {"example.com"}}
	foreign := http.Header{"Sec-Fetch-Site": {"cross-site"}}
	for _, tc := range []struct {
		what   string
		token  string
		board  *bool
		header http.Header
		want   int
	}{
		{"no token is needed", "", nil, nil, 200},
		{"no token is needed, another host", "", nil, rebound, 403},
		{"no token is needed, a foreign page", "", nil, foreign, 403},
		{"a token guards reads", "secret", nil, nil, 401},
		{"a token guards reads, and is there", "secret", nil, token, 200},
		{"public beside a token", "secret", &yes, nil, 200},
		{"public beside a token, another host", "secret", &yes, rebound, 200},
		{"public, a foreign page", "secret", &yes, foreign, 403},
		{"public, a script of another origin", "secret", &yes, http.Header{"Origin": {"http://evil.example"}}, 403},
		{"no board", "", &no, nil, 404},
	} {
		config := DefaultConfig()
		config.AdminToken, config.Board = tc.token, tc.board
		_, base, _ := start(t, config, io.Discard)
		if got, _ := boardState(t, base, "", tc.header); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.what, got, tc.want)
		}
		page := 200
		if tc.board == &no {
			page = 404
		}
		for _, path := range []string{"/board", "/exercises"} {
			if reply, _ := do(t, newClient(t), "GET", base+path, nil); reply.StatusCode != page {
				t.Errorf("%s: %s answered %d, want %d", tc.what, path, reply.StatusCode, page)
			}
		}
	}
}

func TestBoardOfAServer(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		do(t, client, "GET", base+"/delay/0?run=anna.concurrent.1", nil)
		do(t, client, "GET", base+"/delay/0?run=%3Cb%3E", nil)
		for _, run := range []string{"anna.concurrent.1", "%3Cb%3E"} {
			do(t, client, "GET", base+"/admin/runs/"+run+"?settled=true", nil)
		}
		_, data := boardState(t, base, "", nil)
		for _, want := range []string{`{"name":"anna","addresses":1,"requests":1,"waiting":0,"passed":[],"failed":[],` +
			`"tries":[{"run":"anna.concurrent.1","exercise":"concurrent","requests":1,"waiting":0,"peak":1,`,
			`"verdict":"running"`, `{"name":"\u003cb\u003e"`} {
			if !strings.Contains(data, want) {
				t.Errorf("state %s has no %s", data, want)
			}
		}
		if _, data := boardState(t, base, "?name=%3Cb%3E", nil); strings.Contains(data, "anna") ||
			!strings.Contains(data, "003cb") {
			t.Errorf("state of <b>: %s", data)
		}
		reply, picture := do(t, client, "GET", base+"/board/waterfall.svg?run=anna.concurrent.1&version=3", nil)
		if reply.StatusCode != 200 || !strings.Contains(picture, "Run anna.concurrent.1") {
			t.Errorf("waterfall: got %d %.100s", reply.StatusCode, picture)
		}
		do(t, client, "DELETE", base+"/admin/runs/%3Cb%3E", nil)
		if _, data := boardState(t, base, "", nil); strings.Contains(data, "003cb") {
			t.Errorf("state after the run was forgotten: %s", data)
		}
		do(t, client, "POST", base+"/admin/reset", nil)
		if _, data := boardState(t, base, "", nil); !strings.Contains(data, `"people":[]`) {
			t.Errorf("state after a reset: %s", data)
		}
	})
}
