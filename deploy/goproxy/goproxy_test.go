package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Another module cannot follow our replace lines.
func TestPublishedGoMod(t *testing.T) {
	versions := map[string]string{"a.test/b": "v0.2.0"}
	for _, tc := range []struct{ name, goMod, want string }{
		{"our module", "module a.test/b/c\n\ngo 1.26.0\n\nreplace a.test/b => ../\n\nrequire a.test/b v0.0.0\n",
			"module a.test/b/c\n\ngo 1.26.0\n\nrequire a.test/b v0.2.0\n"},
		{"other modules", "module a.test/b\n\ngo 1.26.0\n\nrequire x.test/y v1.2.3 // indirect\n",
			"module a.test/b\n\ngo 1.26.0\n\nrequire x.test/y v1.2.3 // indirect\n"},
	} {
		got, err := published([]byte(tc.goMod), versions)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %s, %v, want %s", tc.name, got, err, tc.want)
		}
	}
	const foreign = "module a.test/b\n\nreplace x.test/y => ../y\n"
	const want = "x.test/y is replaced, which has no effect in another module"
	if got, err := published([]byte(foreign), versions); err == nil || err.Error() != want {
		t.Errorf("a module that is not ours: got %s, %v, want the error %s", got, err, want)
	}
}

// The lists have the versions in the folder, and no pseudo-versions, as Go expects them.
func TestLists(t *testing.T) {
	p := proxy{t.TempDir()}
	for name, text := range map[string]string{
		"a.test/b/@v/v0.10.0.zip": "", "a.test/b/@v/v0.9.0.zip": "", "a.test/b/@v/v0.11.0.mod": "",
		"a.test/b/@v/v0.10.0.info":                            `{"Version":"v0.10.0","Time":"2026-01-02T03:04:05Z"}`,
		"a.test/!c/@v/v0.0.0-20260102030405-0123456789ab.zip": "",
	} {
		if err := p.writeFile(filepath.FromSlash(name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.writeLists(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.test/b/@v/list":        "v0.9.0\nv0.10.0",
		"a.test/b/@latest":        `{"Version":"v0.10.0","Time":"2026-01-02T03:04:05Z"}`,
		"a.test/b/@v/v0.9.0.info": `{"Version":"v0.9.0"}`,
		"a.test/!c/@v/list":       "",
		"a.test/!c/@latest":       `{"Version":"v0.0.0-20260102030405-0123456789ab"}`,
	} {
		if got, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name))); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "got 0 arguments, want one folder"},
		{[]string{"a", "b"}, "got 2 arguments, want one folder"},
		{[]string{"-x", "a"}, "flag provided but not defined: -x"},
	} {
		var out strings.Builder
		if err := run(t.Context(), tc.args, &out); err == nil || err.Error() != tc.want || out.Len() > 0 {
			t.Errorf("run(%q) = %v and prints %q, want the error %s alone", tc.args, err, &out, tc.want)
		}
	}
}
