package admin

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

func (a *API) showClock(c echo.Context) error {
	want, err := readCondition(c)
	if err != nil {
		return err
	}
	return a.answerState(c, a.options.Clock, want)
}

// answerState answers with the state of a clock once the condition holds.
func (a *API) answerState(c echo.Context, of *clock.Clock, want condition) error {
	state := of.State()
	if want.waiting > 0 {
		ctx, end, err := a.beginWait(c, want.timeout)
		if err != nil {
			return err
		}
		defer end()
		state, err = of.AwaitWaiting(ctx, want.waiting)
		if err != nil {
			return want.timedOut(err, "%d of %d requests wait for a time on the clock", state.Waiting, want.waiting)
		}
	}
	return c.JSON(http.StatusOK, client.Clock(state))
}

func (a *API) setClock(c echo.Context) error {
	command, err := a.readCommand(c)
	if err != nil {
		return err
	}
	if command.set != nil {
		command.set(a.options.Clock)
	} else if err := advance(c.Request().Context(), a.options.Clock, command.advance); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, client.Clock(a.options.Clock.State()))
}

// readCommand reads the command of a request. The error is a *problem.Problem.
func (a *API) readCommand(c echo.Context) (command clockCommand, err error) {
	if _, err := readQuery(c); err != nil {
		return command, err
	}
	var body bytes.Buffer
	if err := httpkit.ReadBody(c, &body, a.options.ReadTimeout); err != nil {
		return command, err
	}
	return a.parseCommand(body.Bytes())
}

// clockCommand sets a clock, or advances it.
type clockCommand struct {
	set     func(*clock.Clock) // nil to advance
	advance time.Duration
}

const clockCommands = `{"advance":"1s"}, {"freeze":true}, {"freeze":false}, {"scale":0.1} or {"reset":true}`

// parseCommand parses one of clockCommands. The error is a *problem.Problem.
func (a *API) parseCommand(text []byte) (command clockCommand, err error) {
	name, value, ok := readOneField(text)
	if !ok {
		err = problem.InvalidBody.New("body %s is invalid: use %s", problem.Quote(string(text)), clockCommands)
		return command, err
	}
	command, err = a.parseField(name, bytes.TrimSpace(value))
	if err == nil && command.set == nil && command.advance == 0 {
		err = problem.InvalidBody.New("%s %s is invalid: use %s",
			name, problem.Quote(string(value)), clockCommands)
	}
	return command, err
}

// readOneField reads a JSON object that has one field. It reads tokens, since
// json.Unmarshal drops the first of two fields of the same name.
func readOneField(text []byte) (name string, value json.RawMessage, ok bool) {
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

// parseField returns no command if the value is invalid for the field.
func (a *API) parseField(name string, value []byte) (command clockCommand, err error) {
	isTrue := string(value) == "true"
	switch {
	case name == "advance":
		command.advance, err = readAdvance(value)
	case name == "scale":
		command.set, err = readScale(value)
	case name == "freeze" && isTrue:
		command.set = (*clock.Clock).Freeze
	case name == "freeze" && string(value) == "false":
		command.set = (*clock.Clock).Unfreeze
	case name == "reset" && isTrue:
		command.set = func(c *clock.Clock) { _ = c.Reset(a.options.TimeScale) } // a valid scale
	default:
		err = checkField(name)
	}
	return command, err
}

// checkField returns an error if no command has the name.
func checkField(name string) error {
	known := []string{"advance", "freeze", "reset", "scale"}
	if slices.Contains(known, name) {
		return nil
	}
	if near := spelling.Suggest(name, known); near != "" {
		return problem.InvalidBody.New("unknown field %s; did you mean %q?", problem.Quote(name), near)
	}
	return problem.InvalidBody.New("unknown field %s; use %s", problem.Quote(name), clockCommands)
}

const maxAdvance = 365 * 24 * time.Hour

// readAdvance reads a JSON number of milliseconds, or a string that is a delay.
func readAdvance(value []byte) (time.Duration, error) {
	text := string(value)
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(number, 'f', -1, 64) // a delay has no exponent, and JSON may
	} else if bytes.HasPrefix(value, []byte(`"`)) {
		if err := json.Unmarshal(value, &text); err != nil {
			return 0, problem.InvalidBody.New("advance: %v", err)
		}
	}
	d, err := delay.Parse(text)
	by, fixed := d.Fixed()
	if err != nil || !fixed || by <= 0 || by > maxAdvance {
		return 0, problem.InvalidBody.New(
			"advance %s is invalid: use milliseconds or a Go duration, above 0 and up to 8760h",
			problem.Quote(text))
	}
	return by, nil
}

// readScale returns no function if value is no number.
func readScale(value []byte) (set func(*clock.Clock), err error) {
	scale, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return nil, nil
	}
	if err := clock.CheckScale(scale); err != nil {
		return nil, problem.InvalidBody.New("%v", err)
	}
	return func(c *clock.Clock) { _ = c.Scale(scale) }, nil // a valid scale
}

// advance gives the requests that it wakes defaultTimeout to be answered.
func advance(ctx context.Context, c *clock.Clock, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, defaultTimeout, errTimeout)
	defer cancel()
	err := c.Advance(ctx, d)
	switch {
	case errors.Is(err, clock.ErrNotFrozen):
		return problem.ClockNotFrozen.New(`%v; freeze it first: {"freeze":true}`, err)
	case errors.Is(err, clock.ErrOutOfRange):
		return problem.AdvanceOutOfRange.New("%v", err)
	}
	return condition{timeout: defaultTimeout}.timedOut(err, "%v", err)
}
