package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// At a loopback address the board shows an address that other computers can use.
func TestBoardPageShowsAReachableAddress(t *testing.T) {
	for _, tc := range []struct {
		host, used, want string // setting HOST, host of the request, base URL on the page
		open             bool   // the page has a link to the board at that address
	}{
		{"192.0.2.7", "localhost:3000", "http://192.0.2.7:3000", true},
		{"192.0.2.7", "127.0.0.1:3000", "http://192.0.2.7:3000", true},
		{"192.0.2.7", "192.0.2.7:3000", "http://192.0.2.7:3000", false},
		{"192.0.2.7", "laptop.local:3000", "http://laptop.local:3000", false},
		{"localhost", "localhost:3000", "http://localhost:3000", false},
	} {
		config := DefaultConfig()
		config.Host = tc.host
		_, base, _ := start(t, config, io.Discard)
		request, err := http.NewRequest("GET", base+"/board", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = tc.used
		reply, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		if command := "curl '" + tc.want + "/delay/1000?run=your-name'"; !strings.Contains(page, command) {
			t.Errorf("%s at %s: the page has no %s:\n%s", tc.host, tc.used, command, page)
		}
		if open := strings.Contains(page, `<a href="`+tc.want+`/board">`); open != tc.open {
			t.Errorf("%s at %s: the page has a link to the board: %v, want %v", tc.host, tc.used, open, tc.open)
		}
	}
}
