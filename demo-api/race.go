package main

import (
	"bytes"
	"context"
	_ "embed" // the template
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/settings"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/ideal"
)

// runRace makes the same calls one after another and all at once, prints the two
// times to stdout, and draws both as an SVG.
func runRace(ctx context.Context, args []string, cfg config.Config, stdout, stderr io.Writer) error {
	flags, err := parseRaceFlags(args, cfg, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return usageError("race", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	caller, err := newCaller(cfg, stderr, cancel)
	if err != nil {
		return err
	}
	defer caller.close()
	lanes := []raceLane{
		{Class: "sequential", Name: "One after another", Path: "/get_data", fetch: fetch.Sequential},
		{Class: "concurrent", Name: "All at once", Path: "/async_get_data",
			fetch: func(ctx context.Context, calls []fetch.Call) ([]fetch.Result, error) {
				return fetch.Concurrent(ctx, calls, 0)
			}},
	}
	run := caller.runLanes
	if flags.against != "" {
		run = caller.runAppLanes
	}
	if err := run(ctx, flags, cfg, lanes); err != nil {
		return fmt.Errorf("race: %w", err)
	}
	for _, lane := range lanes {
		fmt.Fprintf(stdout, "%-17s  %s\n", lane.Name, seconds(lane.took))
	}

	var svg bytes.Buffer
	if err := drawRace(&svg, flags, lanes); err != nil {
		return err
	}
	if err := os.WriteFile(flags.out, svg.Bytes(), 0o666); err != nil {
		return fmt.Errorf("race --out: %w", err)
	}
	fmt.Fprintf(stdout, "Picture: %s\n", flags.out)
	return nil
}

// runLanes makes the calls of lanes. Call i takes the same time in each.
func (c *caller) runLanes(ctx context.Context, flags raceFlags, cfg config.Config, lanes []raceLane) error {
	samples, err := ideal.Draw(flags.delay, flags.calls, rand.Uint64(), cfg.MaxDelay)
	if err != nil {
		return err // unreachable: parseRaceFlags has parsed it
	}
	calls := make([]fetch.Call, flags.calls)
	for i := range calls {
		calls[i] = fetch.Call{Name: "r" + strconv.Itoa(i+1), Do: func(ctx context.Context) (int, error) {
			return c.call(ctx, samples, i)
		}}
	}
	if _, err := calls[0].Do(ctx); err != nil { // opens a connection: otherwise the first call is slower
		return err
	}
	for i := range lanes {
		lane := &lanes[i]
		start := time.Now()
		results, err := lane.fetch(ctx, calls)
		if err != nil {
			return err
		}
		lane.took = time.Since(start)
		for _, r := range results {
			begin := r.Start.Sub(start)
			lane.calls = append(lane.calls, raceCall{r.Name, ideal.Span{Start: begin, End: begin + r.Duration}})
		}
	}
	return nil
}

// raceFlags are the flags of the command.
type raceFlags struct {
	calls   int
	delay   string // a form that delay.Parse reads
	against string // URL of the app whose endpoints make the calls; "" for this program
	out     string // file of the picture
}

const raceHelp = `demo-api race makes the same calls one after another and all at once, and draws both.

usage:
  demo-api race --calls 5 --delay 1s --out race.svg
  demo-api race --against http://localhost:5001

With --against, GET /get_data and /async_get_data of an app make the calls. If they go
to the delay-server at DELAY_SERVER_URL with the X-Run-Id of the request, the picture
has a bar for each call.

`

// maxRaceCalls limits the height of the picture.
const maxRaceCalls = 20

// parseRaceFlags parses the flags. After --help, it prints the help to help and
// returns flag.ErrHelp.
func parseRaceFlags(args []string, cfg config.Config, help io.Writer) (raceFlags, error) {
	var f raceFlags
	set := flag.NewFlagSet("race", flag.ContinueOnError)
	set.IntVar(&f.calls, "calls", 5, fmt.Sprintf("number of `CALLS`, 1 to %d", maxRaceCalls))
	set.StringVar(&f.delay, "delay", "1s", "`DELAY` of each call, as for delay-server")
	set.StringVar(&f.against, "against", "", "`URL` of an app in another language, such as http://localhost:5001")
	set.StringVar(&f.out, "out", "race.svg", "`FILE` of the picture, an SVG")
	set.SetOutput(io.Discard)
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, raceHelp)
		return f, errors.Join(err, printFlags(help, set))
	} else if err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	var v settings.Validation
	v.Check(1 <= f.calls && f.calls <= maxRaceCalls, "--calls: %d is invalid: use 1 to %d", f.calls, maxRaceCalls)
	checkDelay(&v, f.delay, cfg.MaxDelay)
	v.Check(f.against == "" || httpkit.IsBaseURL(f.against),
		"--against: %q is invalid: use http://host:port or https://host:port", f.against)
	d, err := delay.Parse(f.delay)
	_, fixed := d.Fixed()
	v.Check(f.against == "" || err != nil || fixed,
		"--against and a random --delay conflict: the app would wait for other samples in each lane; use a fixed delay")
	return f, v.Err()
}

// seconds returns a duration such as "5.02 s".
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s" }

//go:embed race.svg.tmpl
var raceSVG string

// The template escapes as HTML does, which is valid in XML.
var raceTemplate = template.Must(template.New("race.svg").Parse(raceSVG))

// The layout, in the picture's pixels.
const (
	raceLeft, raceRight = 200.0, 624.0 // of the bars
	raceRow             = 16.0         // from one bar to the next
	raceGap             = 28.0         // between the lanes
)

// raceLane is a lane of the picture and its results.
type raceLane struct {
	Class, Name, Path string
	fetch             func(context.Context, []fetch.Call) ([]fetch.Result, error)

	took  time.Duration
	calls []raceCall

	Y     float64
	Total string
	Bars  []raceBar
}

// raceCall is a call of a lane, from the start of the lane.
type raceCall struct {
	name string
	ideal.Span
}

type raceBar struct {
	X, Y, Width float64
	Title       string
}

type raceTick struct {
	X     float64
	Label string
}

// drawRace writes the picture. The error is from writing.
func drawRace(w io.Writer, flags raceFlags, lanes []raceLane) error {
	longest := time.Duration(1)
	for _, lane := range lanes {
		longest = max(longest, lane.took)
	}
	at := func(d time.Duration) float64 {
		x := raceLeft + (raceRight-raceLeft)*d.Seconds()/longest.Seconds()
		return math.Round(10*x) / 10
	}
	picture := struct {
		Title                string
		Height, Floor, Below float64
		Ticks                []raceTick
		Lanes                []raceLane
	}{Title: fmt.Sprintf("%d calls of %s, made in two ways", flags.calls, flags.delay)}
	y := 24.0
	for _, lane := range lanes {
		lane.Y, lane.Total = y, seconds(lane.took)
		for i, c := range lane.calls {
			lane.Bars = append(lane.Bars, raceBar{
				X: at(c.Start), Y: raceRow * float64(i), Width: math.Round(10*(at(c.End)-at(c.Start))) / 10,
				Title: fmt.Sprintf("%s: from %s to %s", c.name, seconds(c.Start), seconds(c.End)),
			})
		}
		picture.Lanes = append(picture.Lanes, lane)
		y += max(raceRow*float64(len(lane.Bars)), 40) + raceGap
	}
	picture.Floor = y - raceGap + 12
	picture.Below = picture.Floor + 18
	picture.Height = picture.Below + 14
	step := raceStep(longest)
	for t := time.Duration(0); t <= longest; t += step {
		label := strconv.FormatFloat(t.Seconds(), 'f', -1, 64) + " s"
		picture.Ticks = append(picture.Ticks, raceTick{at(t), label})
	}
	if err := raceTemplate.Execute(w, picture); err != nil {
		return fmt.Errorf("draw the race: %w", err)
	}
	return nil
}

// raceStep returns the time between two ticks: 1, 2 or 5 times a power of ten, for
// at most seven ticks.
func raceStep(longest time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		for _, step := range []time.Duration{unit, 2 * unit, 5 * unit} {
			if longest/step < 7 {
				return step
			}
		}
	}
}
