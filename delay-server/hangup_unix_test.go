//go:build unix

package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestHangupReloadsTheScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	// Both in one file, of one size and one time, so that it does not look changed.
	write := func(body string) {
		text, when := "routes: [{path: /a, body: "+body+"}]", time.Unix(1_000_000_000, 0)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	url, stop := runUntil(t, "SCENARIO="+file)
	get := func() string {
		reply, err := http.Get(url + "/a")
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		body, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := get(); got != "old" {
		t.Errorf("GET /a: got %q, want old", got)
	}
	write("new")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); get() != "new"; {
		if time.Now().After(deadline) {
			t.Fatal("GET /a: still old after SIGHUP")
		}
	}
	if err := stop(); err != nil {
		t.Errorf("run ended with %v, want nil", err)
	}
}
