package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

func (s *Server) showClock(c echo.Context) error {
	asked, err := readCondition(c)
	if err != nil {
		return err
	}
	state := s.clock.State()
	if asked.waiting > 0 {
		ctx, leave, err := s.inRoom(c, asked)
		if err != nil {
			return err
		}
		defer leave()
		state, err = s.clock.AwaitWaiting(ctx, asked.waiting)
		if err := asked.late(err, "%d of %d wait for a time on the clock", state.Waiting, asked.waiting); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, client.Clock(state))
}

func (s *Server) setClock(c echo.Context) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	var body bytes.Buffer
	if err := httpkit.ReadBody(c, &body, s.config.ReadTimeout); err != nil {
		return err
	}
	set, err := readClockCommand(body.Bytes())
	if err != nil {
		return err
	}
	if err := set(c.Request().Context(), s); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, client.Clock(s.clock.State()))
}

// clockCommand sets the clock. The error is a *problem.Problem, flow.ErrShutdown or flow.ErrClientGone.
type clockCommand func(context.Context, *Server) error

const clockCommands = `{"advance":"1s"}, {"freeze":true}, {"freeze":false}, {"scale":0.1} or {"reset":true}`

// readClockCommand reads one of clockCommands. The error is a *problem.Problem.
func readClockCommand(text []byte) (clockCommand, error) {
	name, value, ok := oneField(text)
	if !ok {
		return nil, problem.New(http.StatusBadRequest, "the body %s is not accepted; accepted: one of %s", problem.Quote(string(text)), clockCommands)
	}
	command, err := clockField(name, bytes.TrimSpace(value))
	if err != nil {
		return nil, err
	}
	if command == nil {
		return nil, problem.New(http.StatusBadRequest, "%s %s is not accepted; accepted: one of %s", name, problem.Quote(string(value)), clockCommands)
	}
	return command, nil
}

// oneField reads a JSON object that has one field. It reads by tokens, since
// json.Unmarshal would lose the first of a field that is given twice.
func oneField(text []byte) (name string, value json.RawMessage, ok bool) {
	in := json.NewDecoder(bytes.NewReader(text))
	opening, _ := in.Token()
	field, _ := in.Token()
	name, ok = field.(string)
	if opening != json.Delim('{') || !ok || in.Decode(&value) != nil {
		return "", nil, false
	}
	closing, _ := in.Token()
	_, end := in.Token()
	return name, value, closing == json.Delim('}') && end == io.EOF
}

// clockField returns nil for a value that the field does not take.
func clockField(name string, value []byte) (clockCommand, error) {
	isTrue := string(value) == "true"
	switch {
	case name == "advance":
		d, err := readAdvance(value)
		return func(ctx context.Context, s *Server) error { return s.advance(ctx, d) }, err
	case name == "scale":
		scale, err := strconv.ParseFloat(string(value), 64)
		if err != nil {
			return nil, nil
		}
		return func(_ context.Context, s *Server) error { return s.scale(scale) }, nil
	case name == "freeze" && isTrue:
		return func(_ context.Context, s *Server) error { s.clock.Freeze(); return nil }, nil
	case name == "freeze" && string(value) == "false":
		return func(_ context.Context, s *Server) error { s.clock.Unfreeze(); return nil }, nil
	case name == "reset" && isTrue:
		return func(_ context.Context, s *Server) error { return s.clock.Reset(s.config.TimeScale) }, nil
	}
	known := []string{"advance", "freeze", "reset", "scale"}
	if slices.Contains(known, name) {
		return nil, nil
	}
	if near := spelling.Suggest(name, known); near != "" {
		return nil, problem.New(http.StatusBadRequest, "no such field: %s: did you mean %s?", problem.Quote(name), near)
	}
	return nil, problem.New(http.StatusBadRequest, "no such field: %s; accepted: one of %s", problem.Quote(name), clockCommands)
}

// mostAdvance is how far one advance goes.
const mostAdvance = 365 * 24 * time.Hour

// readAdvance reads a JSON number of milliseconds, or a string that is a delay.
func readAdvance(value []byte) (time.Duration, error) {
	text := string(value)
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(number, 'f', -1, 64) // a delay has no exponent, and JSON may
	} else if bytes.HasPrefix(value, []byte(`"`)) {
		if err := json.Unmarshal(value, &text); err != nil {
			return 0, problem.New(http.StatusBadRequest, "advance: %v", err)
		}
	}
	d, err := delay.Parse(text)
	by, fixed := d.Fixed()
	if err != nil || !fixed || by <= 0 || by > mostAdvance {
		return 0, problem.New(http.StatusBadRequest, `advance %s is not accepted; accepted: a fixed time above 0 and up to 8760h: 1000, 1.5 (milliseconds), "250ms", "30s"`, problem.Quote(text))
	}
	return by, nil
}

func (s *Server) scale(scale float64) error {
	if err := s.clock.Scale(scale); err != nil {
		return problem.New(http.StatusBadRequest, "%v", err)
	}
	return nil
}

// advance gives the requests that are woken adminTimeout to be answered.
func (s *Server) advance(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, adminTimeout, errLate)
	defer cancel()
	err := s.clock.Advance(ctx, d)
	switch {
	case errors.Is(err, clock.ErrNotFrozen):
		return problem.New(http.StatusConflict, `%v; accepted: {"freeze":true} first`, err)
	case errors.Is(err, clock.ErrOutOfRange):
		return problem.New(http.StatusConflict, "%v", err)
	}
	return condition{timeout: adminTimeout}.late(err, "%v", err)
}
