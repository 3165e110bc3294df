package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

const binaryContent = "a program"

// bundleDir writes a bundle of two files, one of which is damaged, and its archive.
func bundleDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "flash")
	sum := sha256.Sum256([]byte(binaryContent))
	for name, content := range map[string]string{
		"bin/demo-api-linux-arm64": binaryContent, "images.tar": "half",
		"SHA256SUMS":     fmt.Sprintf("%x  bin/demo-api-linux-arm64\n%x  images.tar\n", sum, sum),
		"../flash.zip":   binaryContent,
		"../flash.zip.x": "x", "../flash.zip.sha256": fmt.Sprintf("%x  flash.zip\n", sum),
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700),
			os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// getHandler serves the bundle for requests with a Host header.
func getHandler(t *testing.T, change func(*Config)) http.Handler {
	t.Helper()
	config := DefaultConfig()
	config.BundleDir = bundleDir(t)
	change(&config)
	srv, err := New(config, config.NewLogger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	srv.bundle.Check()
	return srv.Handler()
}

func getFrom(handler http.Handler, host, target string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
	r.Host = host
	handler.ServeHTTP(w, r)
	return w
}

func TestGetWithoutABundle(t *testing.T) {
	srv, err := New(DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/get", "/get/", "/get/start.sh"} {
		w := getFrom(srv.Handler(), "localhost:3000", path)
		if w.Code != 404 || !strings.Contains(w.Body.String(), string(problem.BundleDisabled)) ||
			!strings.Contains(w.Body.String(), "set BUNDLE_DIR") {
			t.Errorf("GET %s: got %d %s, want 404 and the setting", path, w.Code, w.Body)
		}
	}
	if page := getFrom(srv.Handler(), "localhost:3000", "/").Body.String(); strings.Contains(page, `"/get"`) {
		t.Error("the navigation has a link to /get")
	}
}

func TestGetServesFiles(t *testing.T) {
	config := DefaultConfig()
	config.BundleDir = bundleDir(t)
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	const path = "/get/bin/demo-api-linux-arm64"
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(binaryContent)))

	for _, test := range []struct {
		method, path string
		header       http.Header
		status       int
		body         string
	}{
		{"GET", path, nil, 200, binaryContent},
		{"HEAD", path, nil, 200, ""},
		{"GET", path, http.Header{"Range": {"bytes=2-4"}}, 206, binaryContent[2:5]},
		{"GET", path, http.Header{"Range": {"bytes=2-"}, "If-Range": {`"another"`}}, 200, binaryContent},
		{"GET", path, http.Header{"Range": {"bytes=100-"}}, 416, ""},
		{"GET", path, http.Header{"If-None-Match": {tag}}, 304, ""},
		{"GET", "/get/flash.zip", nil, 200, binaryContent},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, base+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = test.header
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != test.status || test.status < 400 && string(body) != test.body {
			t.Errorf("%s %s %v: got %d %q, want %d %q", test.method, test.path, test.header, res.StatusCode, body,
				test.status, test.body)
		}
		if res.StatusCode < 400 && res.Header.Get("ETag") != tag {
			t.Errorf("%s %s: ETag %s, want %s", test.method, test.path, res.Header.Get("ETag"), tag)
		}
		if test.method == "HEAD" && res.ContentLength != int64(len(binaryContent)) {
			t.Errorf("HEAD: Content-Length %d, want %d", res.ContentLength, len(binaryContent))
		}
	}
	for path, want := range map[string]problem.Type{
		"/get/images.tar":              problem.BundleDamaged,
		"/get/flash.zip.x":             problem.NotFound,
		"/get/../flash.zip":            problem.NotFound,
		"/get/%2e%2e/flash.zip.sha256": problem.NotFound,
		"/get/bin":                     problem.NotFound,
		"/get/nothing":                 problem.NotFound,
	} {
		conn := wiretest.Dial(t, base) // a client would resolve the dots
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
		if reply, body := conn.Receive("GET"); !strings.Contains(body, string(want)) {
			t.Errorf("GET %s: got %d %s, want %s", path, reply.StatusCode, body, want)
		}
	}
}

func TestGetRejectsBundles(t *testing.T) {
	config := DefaultConfig()
	config.BundleDir = t.TempDir()
	_, err := New(config, config.NewLogger(io.Discard))
	if err == nil || !strings.HasPrefix(err.Error(), "BUNDLE_DIR: ") {
		t.Errorf("a folder that is no bundle: got error %v, want BUNDLE_DIR", err)
	}
}

// The page has the address that others can use, in the commands and in the QR code.
func TestGetPageAddress(t *testing.T) {
	published := 3000
	for _, test := range []struct {
		name, listen, host, target string
		inContainer                bool
		want                       string // the address in the commands
		problem                    string
	}{
		{"as the visitor used it", "0.0.0.0", "10.1.2.3:3000", "/get", false, "http://10.1.2.3:3000", ""},
		{"a name", "0.0.0.0", "laptop.local", "/get", false, "http://laptop.local", ""},
		{"an address of IPv6", "::", "[2001:db8::1]:80", "/get", false, "http://[2001:db8::1]:80", ""},
		{"from this machine", "192.0.2.7", "localhost:3000", "/get", false, "http://192.0.2.7:3000", ""},
		{"from this machine, with a dot", "192.0.2.7", "localhost.:3000", "/get", false, "http://192.0.2.7:3000", ""},
		{"chosen", "192.0.2.7", "laptop.local:3000", "/get?address=192.0.2.7", false, "http://192.0.2.7:3000", ""},
		{"only loopback", "localhost", "localhost:3000", "/get", false, "http://localhost:3000", "HOST=0.0.0.0"},
		{"in a container", "0.0.0.0", "127.0.0.1:3000", "/get", true, "http://127.0.0.1:3000", "in a container"},
		{"in a container, from another", "0.0.0.0", "10.1.2.3:80", "/get", true, "http://10.1.2.3:80", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler := getHandler(t, func(c *Config) {
				c.Host = test.listen
				if test.inContainer {
					c.PublishedPort = &published
				}
			})
			w := getFrom(handler, test.host, test.target)
			page := html.UnescapeString(w.Body.String())
			if w.Code != 200 || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
				t.Fatalf("got %d, Content-Length %s: %s", w.Code, w.Header().Get("Content-Length"), page)
			}
			for _, command := range []string{"curl -O " + test.want + "/get/start.sh",
				"sh start.sh " + test.want + "/get", "-File start.ps1 -From " + test.want + "/get"} {
				if !strings.Contains(page, command+"<") {
					t.Errorf("the page has no command %s", command)
				}
			}
			if got := strings.Contains(page, `aria-label="QR code of `+test.want+`/get"`); got != (test.problem == "") {
				t.Errorf("QR code: %v; want one only of an address that others can use", got)
			}
			if test.problem != "" && !strings.Contains(page, test.problem) {
				t.Errorf("the page does not say %q", test.problem)
			}
		})
	}
}

func TestGetPageShowsFiles(t *testing.T) {
	page := getFrom(getHandler(t, func(*Config) {}), "10.1.2.3", "/get").Body.String()
	for _, want := range []string{`href="/get/bin/demo-api-linux-arm64"`, `data-platform="linux-arm64"`,
		`href="/get/flash.zip"`, "Damaged, so not served:</strong> <code>images.tar</code>",
		`aria-current="page">Get</a>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestGetPageRejects(t *testing.T) {
	handler := getHandler(t, func(c *Config) { c.Host = "192.0.2.7" })
	for _, test := range []struct{ host, target, want string }{
		{"localhost", "/get?address=10.0.0.1", `address \"10.0.0.1\" is invalid: use 192.0.2.7`},
		{"a&b;c", "/get", `Host \"a&b;c\" is not a host`},
	} {
		w := getFrom(handler, test.host, test.target)
		if w.Code != 400 || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("Host %s, GET %s: got %d %s, want 400 and %s", test.host, test.target, w.Code, w.Body, test.want)
		}
	}
}

// The picture has the modules of the code, and nothing else.
func TestQRCode(t *testing.T) {
	const text = "http://192.168.178.21:3000/get"
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	black := map[[2]int]bool{}
	svg := string(qrCode(text))
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg, -1) {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+1])
		}
		if n[2] != n[3] {
			t.Errorf("%s does not return to its start", m[0])
		}
		for x := range n[2] {
			black[[2]int{n[0] + x - quietZone, n[1] - quietZone}] = true
		}
	}
	count := 0
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				count++
				if !black[[2]int{x, y}] {
					t.Fatalf("module %d,%d is white, want black", x, y)
				}
			}
		}
	}
	if len(black) != count {
		t.Errorf("%d black modules, want %d", len(black), count)
	}
	if got := qrCode(strings.Repeat("a", 5000)); got != "" {
		t.Errorf("a text that is too long: got %.40s, want no code", got)
	}
}
