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

// Paths in the container.
const (
	scenarioFile  = "/scenario.yaml"
	recordingsDir = "/recordings"
)

// WithMaxDelay sets the longest delay of a request (MAX_DELAY).
func WithMaxDelay(d time.Duration) testcontainers.CustomizeRequestOption {
	return setting("MAX_DELAY", d.String())
}

// WithTimeScale multiplies each wait by scale (TIME_SCALE): 0.1 is ten times as
// fast.
func WithTimeScale(scale float64) testcontainers.CustomizeRequestOption {
	return setting("TIME_SCALE", strconv.FormatFloat(scale, 'g', -1, 64))
}

// WithAdminToken sets the token for the admin API (ADMIN_TOKEN). The token "none"
// admits every client. Without this option the token is random.
func WithAdminToken(token string) testcontainers.CustomizeRequestOption {
	return setting("ADMIN_TOKEN", token)
}

// WithFlashCompat makes error replies identical to Flash's (FLASH_COMPAT).
func WithFlashCompat() testcontainers.CustomizeRequestOption { return setting("FLASH_COMPAT", "true") }

// WithScenario sets the scenario, a YAML file with routes (SCENARIO).
func WithScenario(yaml io.Reader) testcontainers.CustomizeRequestOption {
	return file(yaml, scenarioFile, "SCENARIO", scenarioFile)
}

// WithRecording adds a file of recorded latencies, named NAME.csv, NAME.jtl or
// NAME.har (RECORDINGS_DIR). The delay recorded:NAME replays it. The option may be
// given several times. [Run] returns an error if filename is invalid.
func WithRecording(filename string, content io.Reader) testcontainers.CustomizeRequestOption {
	if strings.Contains(filename, "/") || !delay.IsRecording(filename) {
		return func(*testcontainers.GenericContainerRequest) error {
			return fmt.Errorf(
				"recording %q is invalid: use a file name NAME.csv, NAME.jtl or NAME.har without a directory", filename)
		}
	}
	return file(content, recordingsDir+"/"+filename, "RECORDINGS_DIR", recordingsDir)
}

// ensureToken sets a random ADMIN_TOKEN unless the options set one or disable the
// admin API: the server rejects a token with ADMIN=false.
func ensureToken(req *testcontainers.GenericContainerRequest) error {
	if admin, err := strconv.ParseBool(req.Env["ADMIN"]); err == nil && !admin || req.Env["ADMIN_TOKEN"] != "" {
		return nil
	}
	return setting("ADMIN_TOKEN", rand.Text())(req)
}

func setting(name, value string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{name: value})
}

// file returns an option that copies content to path in the container, readable by
// all since the server does not run as root, and sets name to value. It reads
// content now, so that several containers can use the option.
func file(content io.Reader, path, name, value string) testcontainers.CustomizeRequestOption {
	text, err := io.ReadAll(content)
	return func(req *testcontainers.GenericContainerRequest) error {
		if err != nil {
			return fmt.Errorf("read content of %s: %w", path, err)
		}
		req.Files = append(req.Files, testcontainers.ContainerFile{
			Reader: bytes.NewReader(text), ContainerFilePath: path, FileMode: 0o444,
		})
		return setting(name, value)(req)
	}
}
