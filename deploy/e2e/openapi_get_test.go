package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// smallBundle writes a folder for BUNDLE_DIR with a start script, two binaries and a
// damaged file.
func smallBundle(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var sums string
	for _, name := range []string{"start.sh", "bin/demo-api-linux-amd64", "bin/demo-api-darwin-arm64", "damaged.txt"} {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(name)), name)
		put(t, filepath.Join(dir, name), name)
	}
	put(t, filepath.Join(dir, "damaged.txt"), "half")
	put(t, filepath.Join(dir, "SHA256SUMS"), sums)
	return dir
}

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ranges asks for parts of a file, and for a file that the client has.
func (c *contract) ranges(t *testing.T) {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte("start.sh")))
	for status, header := range map[int]http.Header{
		http.StatusPartialContent:               {"Range": {"bytes=0-3"}},
		http.StatusRequestedRangeNotSatisfiable: {"Range": {"bytes=1000-"}},
		http.StatusNotModified:                  {"If-None-Match": {tag}},
	} {
		r := newRequest(t, "GET", c.base+"/get/start.sh", "")
		r.Header = header
		c.keeps(t, "GET /get/{name}", r, status)
	}
}
