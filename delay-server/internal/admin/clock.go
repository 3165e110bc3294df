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
	state := a.options.Clock.State()
	if want.waiting > 0 {
		ctx, end, err := a.beginWait(c, want.timeout)
		if err != nil {
			return err
		}
		defer end()
		state, err = a.options.Clock.AwaitWaiting(ctx, want.waiting)
		if err != nil {
			return want.timedOut(err, "%d of %d requests wait for a time on the clock", state.Waiting, want.waiting)
		}
	}
	return c.JSON(http.StatusOK, client.Clock(state))
}

func (a *API) setClock(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	var body bytes.Buffer
	if err := httpkit.ReadBody(c, &body, a.options.ReadTimeout); err != nil {
		return err
	}
	set, err := readClockCommand(body.Bytes())
	if err != nil {
		return err
	}
	if err := set(c.Request().Context(), a); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, client.Clock(a.options.Clock.State()))
}

// clockCommand sets the clock. The error is a *problem.Problem or the cause of the
// context.
type clockCommand func(context.Context, *API) error

const clockCommands = `{"advance":"1s"}, {"freeze":true}, {"freeze":false}, {"scale":0.1} or {"reset":true}`

// readClockCommand reads one of clockCommands. The error is a *problem.Problem.
func readClockCommand(text []byte) (clockCommand, error) {
	name, value, ok := readOneField(text)
	if !ok {
		return nil, problem.InvalidBody.New("body %s is invalid: use %s", problem.Quote(string(text)), clockCommands)
	}
	command, err := readClockField(name, bytes.TrimSpace(value))
	if err != nil {
		return nil, err
	}
	if command == nil {
		return nil, problem.InvalidBody.New("%s %s is invalid: use %s",
			name, problem.Quote(string(value)), clockCommands)
	}
	return command, nil
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

// readClockField returns nil if the value is invalid for the field.
func readClockField(name string, value []byte) (clockCommand, error) {
	isTrue := string(value) == "true"
	switch {
	case name == "advance":
		d, err := readAdvance(value)
		return func(ctx context.Context, a *API) error { return a.advance(ctx, d) }, err
	case name == "scale":
		scale, err := strconv.ParseFloat(string(value), 64)
		if err != nil {
			return nil, nil
		}
		return func(_ context.Context, a *API) error { return a.scale(scale) }, nil
	case name == "freeze" && isTrue:
		return func(_ context.Context, a *API) error { a.options.Clock.Freeze(); return nil }, nil
	case name == "freeze" && string(value) == "false":
		return func(_ context.Context, a *API) error { a.options.Clock.Unfreeze(); return nil }, nil
	case name == "reset" && isTrue:
		return func(_ context.Context, a *API) error { return a.options.Clock.Reset(a.options.TimeScale) }, nil
	}
	known := []string{"advance", "freeze", "reset", "scale"}
	if slices.Contains(known, name) {
		return nil, nil
	}
	if near := spelling.Suggest(name, known); near != "" {
		return nil, problem.InvalidBody.New("unknown field %s; did you mean %q?", problem.Quote(name), near)
	}
	return nil, problem.InvalidBody.New("unknown field %s; use %s", problem.Quote(name), clockCommands)
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

func (a *API) scale(scale float64) error {
	if err := a.options.Clock.Scale(scale); err != nil {
		return problem.InvalidBody.New("%v", err)
	}
	return nil
}

// advance gives the requests that it wakes defaultTimeout to be answered.
func (a *API) advance(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, defaultTimeout, errTimeout)
	defer cancel()
	err := a.options.Clock.Advance(ctx, d)
	switch {
	case errors.Is(err, clock.ErrNotFrozen):
		return problem.ClockNotFrozen.New(`%v; freeze it first: {"freeze":true}`, err)
	case errors.Is(err, clock.ErrOutOfRange):
		return problem.AdvanceOutOfRange.New("%v", err)
	}
	return condition{timeout: defaultTimeout}.timedOut(err, "%v", err)
}
