package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// stage is a final stage of deploy/Dockerfile, FROM scratch.
type stage struct {
	config v1.Config
	copies []copied
}

// copied is a COPY instruction: a file or an empty folder of the build stage's /out.
type copied struct {
	from, to string // such as demo-api, / and tls, /tls
	owner    string // such as 65532:65532, or ""
}

// imagesLine begins the part of deploy/Dockerfile with the final stages.
const imagesLine = "# === images ==="

// parseStage returns the stage of a program. args are the values of its ARG
// instructions. It knows the instructions that deploy/Dockerfile has; any other is an
// error.
func parseStage(dockerfile, program string, args map[string]string) (stage, error) {
	_, text, found := strings.Cut(dockerfile, imagesLine)
	if !found {
		return stage{}, fmt.Errorf("deploy/Dockerfile has no line %s", imagesLine)
	}
	var s stage
	inside, seen := false, false
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		name, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case name == "FROM":
			inside = rest == "scratch AS "+program
			seen = seen || inside
		case inside:
			if err := s.apply(name, strings.TrimSpace(rest), args); err != nil {
				return stage{}, fmt.Errorf("deploy/Dockerfile: %s: %w", line, err)
			}
		}
	}
	if !seen {
		return stage{}, fmt.Errorf("deploy/Dockerfile has no stage FROM scratch AS %s", program)
	}
	return s, nil
}

var (
	labels  = regexp.MustCompile(`([a-z.]+)="([^"]*)"`)
	copying = regexp.MustCompile(`^--from=build(?: --chown=(\d+:\d+))? /out/(\S+) (/\S*)$`)
	probe   = regexp.MustCompile(`^--interval=(\S+) --timeout=(\S+) --retries=(\d+) CMD (\[.*\])$`)
	plain   = regexp.MustCompile(`^[\w.=:/-]+$`)
)

// apply applies one instruction.
func (s *stage) apply(name, rest string, args map[string]string) error {
	c := &s.config
	switch name {
	case "ARG":
		if variable, _, _ := strings.Cut(rest, "="); args[variable] == "" {
			return fmt.Errorf("no value of %s", variable)
		}
	case "LABEL":
		if left := strings.TrimSpace(labels.ReplaceAllString(rest, "")); left != "" {
			return fmt.Errorf("cannot read %q", left)
		}
		c.Labels = map[string]string{}
		for _, m := range labels.FindAllStringSubmatch(rest, -1) {
			value := m[2]
			if variable, ok := strings.CutPrefix(value, "$"); ok {
				value = args[variable]
			}
			c.Labels[m[1]] = value
		}
	case "COPY":
		m := copying.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("cannot read %q", rest)
		}
		s.copies = append(s.copies, copied{m[2], m[3], m[1]})
	case "HEALTHCHECK":
		return s.health(rest)
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &c.Entrypoint)
	case "USER", "ENV", "EXPOSE":
		if !plain.MatchString(rest) {
			return fmt.Errorf("cannot read %q", rest)
		}
		switch name {
		case "USER":
			c.User = rest
		case "ENV":
			c.Env = append(c.Env, rest)
		case "EXPOSE":
			c.ExposedPorts = map[string]struct{}{rest + "/tcp": {}}
		}
	default:
		return fmt.Errorf("cannot read this instruction")
	}
	return nil
}

func (s *stage) health(rest string) error {
	m := probe.FindStringSubmatch(rest)
	if m == nil {
		return fmt.Errorf("cannot read %q", rest)
	}
	var h v1.HealthConfig
	var err error
	if h.Interval, err = time.ParseDuration(m[1]); err != nil {
		return err
	}
	if h.Timeout, err = time.ParseDuration(m[2]); err != nil {
		return err
	}
	if _, err := fmt.Sscan(m[3], &h.Retries); err != nil {
		return err
	}
	var command []string
	if err := json.Unmarshal([]byte(m[4]), &command); err != nil {
		return err
	}
	h.Test = append([]string{"CMD"}, command...)
	s.config.Healthcheck = &h
	return nil
}
