package delayserver

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/delay"
)

// Where the container has its files.
const (
	scenarioFile     = "/scenario.yaml"
	recordingsFolder = "/recordings"
)

// WithMaxDelay has a longer delay than d refused (MAX_DELAY).
func WithMaxDelay(d time.Duration) testcontainers.CustomizeRequestOption {
	return setting("MAX_DELAY", d.String())
}

// WithTimeScale has each wait last scale times what was asked (TIME_SCALE): 0.1
// is ten times as fast.
func WithTimeScale(scale float64) testcontainers.CustomizeRequestOption {
	return setting("TIME_SCALE", strconv.FormatFloat(scale, 'g', -1, 64))
}

// WithAdminToken sets the token that the admin API needs (ADMIN_TOKEN), in place of
// the random one of Run; none lets every client in. Container.Client sends it.
func WithAdminToken(token string) testcontainers.CustomizeRequestOption {
	return setting("ADMIN_TOKEN", token)
}

// WithFlashCompat has errors answered exactly as Flash does (FLASH_COMPAT).
func WithFlashCompat() testcontainers.CustomizeRequestOption { return setting("FLASH_COMPAT", "true") }

// WithScenario has the server answer the routes of a YAML file (SCENARIO).
func WithScenario(yaml io.Reader) testcontainers.CustomizeRequestOption {
	return file(yaml, scenarioFile, "SCENARIO", scenarioFile)
}

// WithRecording has /delay/recorded:NAME replay the latencies of a file
// (RECORDINGS_DIR), which is called NAME.csv, NAME.jtl or NAME.har. It may be given
// several times. The error, of Run, is that the file is called otherwise.
func WithRecording(filename string, content io.Reader) testcontainers.CustomizeRequestOption {
	if strings.Contains(filename, "/") || !delay.IsRecording(filename) {
		return func(*testcontainers.GenericContainerRequest) error {
			return fmt.Errorf("recording %q is not accepted; accepted: a file name NAME.csv, NAME.jtl or NAME.har, without a folder", filename)
		}
	}
	return file(content, recordingsFolder+"/"+filename, "RECORDINGS_DIR", recordingsFolder)
}

// ensureToken sets a random ADMIN_TOKEN where the other options set none, unless
// they turn off the admin API, for which it would be an error.
func ensureToken(req *testcontainers.GenericContainerRequest) error {
	if admin, err := strconv.ParseBool(req.Env["ADMIN"]); err == nil && !admin || req.Env["ADMIN_TOKEN"] != "" {
		return nil
	}
	return setting("ADMIN_TOKEN", rand.Text())(req)
}

func setting(name, value string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{name: value})
}

// file copies content to a path of the container, readable by the image's user,
// which is not root, and names it in a setting. It reads content now, so that the
// option can be given to several containers.
func file(content io.Reader, path, name, value string) testcontainers.CustomizeRequestOption {
	text, err := io.ReadAll(content)
	return func(req *testcontainers.GenericContainerRequest) error {
		if err != nil {
			return fmt.Errorf("read what is to be %s: %w", path, err)
		}
		req.Files = append(req.Files, testcontainers.ContainerFile{Reader: bytes.NewReader(text), ContainerFilePath: path, FileMode: 0o444})
		return setting(name, value)(req)
	}
}
