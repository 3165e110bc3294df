package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParsePlatforms(t *testing.T) {
	if all, err := parsePlatforms(""); err != nil || len(all) != 6 {
		t.Errorf("no platforms: got %v, %v, want all six", all, err)
	}
	want := []platform{{"darwin", "arm64"}, {"linux", "amd64"}}
	got, err := parsePlatforms(" darwin/arm64 linux/amd64 darwin/arm64")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"linux", "linux/386", "macos/arm64", "linux/amd64,linux/arm64"} {
		_, err := parsePlatforms(text)
		if err == nil || !strings.Contains(err.Error(), "is invalid: use linux, darwin") {
			t.Errorf("PLATFORMS=%s: got error %v, want what is valid", text, err)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		want string
	}{
		{"no folder", nil, nil, "got 0 arguments, want one folder"},
		{"a platform", []string{"flash"}, map[string]string{"PLATFORMS": "plan9"}, `PLATFORMS: "plan9" is invalid`},
		{"modules", []string{"flash"}, map[string]string{"MODULES": "no"}, "MODULES=no is invalid: use true or false"},
	} {
		_, err := newBuild(t.Context(), test.args, func(name string) string { return test.env[name] }, t.Output())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %s", test.name, err, test.want)
		}
	}
}

func TestParseStage(t *testing.T) {
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]string{"VERSION": "1.2.3", "COMMIT": "abc"}
	s, err := parseStage(string(dockerfile), "delay-server", args)
	if err != nil {
		t.Fatal(err)
	}
	c := s.config
	if c.User != "65532:65532" || !reflect.DeepEqual(c.Entrypoint, []string{"/delay-server"}) ||
		c.Labels["org.opencontainers.image.version"] != "1.2.3" || len(c.Labels) != 5 ||
		!reflect.DeepEqual(c.Healthcheck.Test, []string{"CMD", "/delay-server", "healthcheck"}) ||
		c.Healthcheck.Interval != 2*time.Second || c.Healthcheck.Retries != 3 {
		t.Errorf("got %+v, health check %+v", c, c.Healthcheck)
	}
	want := []copied{{"delay-server", "/", ""}, {"tls", "/tls", "65532:65532"}}
	if !reflect.DeepEqual(s.copies, want) {
		t.Errorf("COPY: got %v, want %v", s.copies, want)
	}

	for instruction, reason := range map[string]string{
		"RUN true":                      "cannot read this instruction",
		"COPY . /":                      `cannot read ". /"`,
		"HEALTHCHECK NONE":              `cannot read "NONE"`,
		`LABEL a="b" c`:                 `cannot read "c"`,
		"ENV A=1 B=2":                   `cannot read "A=1 B=2"`,
		"ARG OTHER":                     "no value of OTHER",
		`ENTRYPOINT /delay-server`:      "invalid character",
		"FROM scratch AS another-image": "no stage FROM scratch AS delay-server",
	} {
		text := imagesLine + "\nFROM scratch AS delay-server\n" + instruction + "\n"
		if strings.HasPrefix(instruction, "FROM") {
			text = imagesLine + "\n" + instruction + "\n"
		}
		if _, err := parseStage(text, "delay-server", args); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got error %v, want %s", instruction, err, reason)
		}
	}
}

func TestWithoutBuild(t *testing.T) {
	const compose = "# An image that is here already is used; otherwise it is built.\nservices:\n  a:\n    image: a\n" +
		"    build: {context: ., dockerfile: deploy/Dockerfile, target: a}\n    ports: []\n" +
		"  b:\n    build: {context: deploy/tutorial}\n"
	const want = "# Both images are in images.tar; sh start.sh --docker loads them.\n" +
		"services:\n  a:\n    image: a\n    ports: []\n  b:\n    build: {context: deploy/tutorial}\n"
	if got := string(withoutBuild([]byte(compose))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	file, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(withoutBuild(file)); strings.Contains(got, "buil") || !strings.Contains(got, "images.tar") {
		t.Errorf("docker-compose.yml of a bundle speaks of a build:\n%s", got)
	}
}

// The archive has the same bytes, whenever and wherever its files were written.
func TestArchiveIsReproducible(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var sums []string
	for _, written := range []time.Time{modified, modified.Add(time.Hour)} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "bundle")
		b := &build{dir: dir}
		for _, name := range []string{"b/c", "a", "start.sh"} {
			if err := b.write(name, []byte(name), name == "start.sh"); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(dir, name), written, written); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeSums(dir); err != nil {
			t.Fatal(err)
		}
		if err := writeArchive(t.Context(), dir+".zip", dir, modified); err != nil {
			t.Fatal(err)
		}
		sum, err := os.ReadFile(dir + ".zip.sha256")
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(sum))
		list, err := os.ReadFile(filepath.Join(dir, sumsName))
		if err != nil || strings.Count(string(list), "\n") != 3 || strings.Contains(string(list), sumsName) {
			t.Errorf("SHA256SUMS has\n%s, error %v; want the three other files", list, err)
		}
	}
	if sums[0] != sums[1] || !strings.HasSuffix(sums[0], "  bundle.zip\n") {
		t.Errorf("two archives of the same files: got %q", sums)
	}
}
