package delay

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"flash.test/delay-server/kit/spelling"
)

// A Form is one way to write a delay.
type Form struct {
	Example string // such as "uniform:100ms,900ms"
	Usage   string // such as "uniform:MIN,MAX"
	Means   string
}

// Forms are all ways to write a delay. A bare number within a form is in milliseconds,
// or for ParseSeconds in seconds.
var Forms = []Form{
	{"1000", "MILLISECONDS", "milliseconds, with decimals (1.5), rounded up to a nanosecond"},
	{"250ms", "DURATION", "a Go duration: 250ms, 1.5s, 2m"},
	{"random", "random", "a whole number of seconds from 0 to 9, all equally likely"},
	{"uniform:100ms,900ms", "uniform:MIN,MAX", "any time from MIN to MAX, all equally likely"},
	{"normal:500ms,100ms", "normal:MEAN,STDDEV", "the normal distribution, cut at 0"},
	{"lognormal:120ms,900ms", "lognormal:MEDIAN,P99",
		"the lognormal distribution with this median and 99th percentile"},
	{"exponential:200ms", "exponential:MEAN", "the exponential distribution"},
	{"pareto:100ms,1.5", "pareto:MIN,SHAPE", "the Pareto distribution from MIN on; a smaller SHAPE has a longer tail"},
	{"weighted:150us:10,2ms:5,0.5s:1", "weighted:TIME:PERCENT,…",
		"each TIME with probability PERCENT, else no wait"},
	{"percentiles:p50=100ms,p90=300ms,p99=1.2s", "percentiles:pN=TIME,…",
		"interpolated between the points, from 0 at p0 to the last TIME"},
	{"recorded:NAME", "recorded:NAME", "the times of the recording NAME, all equally likely"},
}

// Accepted lists all forms, for error messages.
var Accepted = accepted(time.Millisecond)

// accepted lists all forms. Bare numbers count units.
func accepted(unit time.Duration) string {
	number := "milliseconds (1000, 1.5)"
	if unit == time.Second {
		number = "seconds (10, 1.5)"
	}
	var names []string
	for _, f := range Forms {
		if name, _, ok := strings.Cut(f.Usage, ":"); ok {
			names = append(names, name)
		}
	}
	return number + ", a Go duration (250ms), random or a distribution (" + strings.Join(names, ", ") + ")"
}

// A form is a way to write a distribution, after "name:".
type form struct {
	Form
	parse func(args string, unit time.Duration) (Delay, error)
}

func (f form) usage() string {
	if f.Example == f.Usage {
		return f.Usage
	}
	return f.Usage + ", such as " + f.Example
}

// forms are the Forms that have arguments, by name.
var forms = func() map[string]form {
	parsers := map[string]func(string, time.Duration) (Delay, error){
		"uniform": parseUniform, "normal": parseNormal, "lognormal": parseLognormal,
		"exponential": parseExponential, "pareto": parsePareto,
		"weighted": parseWeighted, "percentiles": parsePercentiles,
		"recorded": func(name string, _ time.Duration) (Delay, error) { return parseRecorded(name) },
	}
	byName := make(map[string]form, len(parsers))
	for _, f := range Forms {
		if name, _, ok := strings.Cut(f.Usage, ":"); ok {
			byName[name] = form{f, parsers[name]}
		}
	}
	return byName
}()

// arguments parses one comma-separated time for each name.
func arguments(args string, unit time.Duration, names ...string) ([]time.Duration, error) {
	fields := strings.Split(args, ",")
	if len(fields) != len(names) {
		return nil, fmt.Errorf("%d arguments, want %d: %s", len(fields), len(names), strings.Join(names, ", "))
	}
	times := make([]time.Duration, len(fields))
	for i, field := range fields {
		var err error
		if times[i], err = argument(names[i], field, unit); err != nil {
			return nil, err
		}
	}
	return times, nil
}

func argument(name, text string, unit time.Duration) (time.Duration, error) {
	d, reason := parseTime(text, unit)
	if reason != "" {
		return 0, fmt.Errorf("%s %s: %s", name, spelling.Quote(text), reason)
	}
	return d, nil
}

// number parses a decimal number above 0.
func number(name, text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" || n <= 0 || math.IsInf(n, 1) {
		return 0, fmt.Errorf("%s %s: not a decimal number above 0", name, spelling.Quote(text))
	}
	return n, nil
}

func printNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// written returns the delay of a distribution, with its canonical text.
func written(d distribution, name string, args ...string) Delay {
	return Delay{dist: d, text: name + ":" + strings.Join(args, ",")}
}

func parseUniform(args string, unit time.Duration) (Delay, error) {
	t, err := arguments(args, unit, "MIN", "MAX")
	if err != nil {
		return Delay{}, err
	}
	if t[0] > t[1] {
		return Delay{}, fmt.Errorf("MIN %v is above MAX %v", t[0], t[1])
	}
	return written(distuv.Uniform{Min: milliseconds(t[0]), Max: milliseconds(t[1])},
		"uniform", Milliseconds(t[0]), Milliseconds(t[1])), nil
}

func parseNormal(args string, unit time.Duration) (Delay, error) {
	t, err := arguments(args, unit, "MEAN", "STDDEV")
	if err != nil {
		return Delay{}, err
	}
	if t[1] == 0 {
		return Delay{}, errors.New("STDDEV is 0")
	}
	return written(distuv.Normal{Mu: milliseconds(t[0]), Sigma: milliseconds(t[1])},
		"normal", Milliseconds(t[0]), Milliseconds(t[1])), nil
}

// parseLognormal derives sigma = ln(p99/median)/z, where z is the normal
// distribution's 99th percentile, 2.326.
func parseLognormal(args string, unit time.Duration) (Delay, error) {
	t, err := arguments(args, unit, "MEDIAN", "P99")
	if err != nil {
		return Delay{}, err
	}
	switch {
	case t[0] == 0:
		return Delay{}, errors.New("MEDIAN is 0")
	case t[1] == t[0]:
		return Delay{}, fmt.Errorf("P99 %v equals MEDIAN", t[1])
	case t[1] < t[0]:
		return Delay{}, fmt.Errorf("P99 %v is below MEDIAN %v", t[1], t[0])
	}
	median, p99 := milliseconds(t[0]), milliseconds(t[1])
	sigma := math.Log(p99/median) / distuv.UnitNormal.Quantile(0.99)
	return written(distuv.LogNormal{Mu: math.Log(median), Sigma: sigma},
		"lognormal", Milliseconds(t[0]), Milliseconds(t[1])), nil
}

func parseExponential(args string, unit time.Duration) (Delay, error) {
	t, err := arguments(args, unit, "MEAN")
	if err != nil {
		return Delay{}, err
	}
	if t[0] == 0 {
		return Delay{}, errors.New("MEAN is 0")
	}
	return written(distuv.Exponential{Rate: 1 / milliseconds(t[0])}, "exponential", Milliseconds(t[0])), nil
}

func parsePareto(args string, unit time.Duration) (Delay, error) {
	first, second, two := strings.Cut(args, ",")
	if !two || strings.Contains(second, ",") {
		return Delay{}, fmt.Errorf("%d arguments, want 2: MIN, SHAPE", strings.Count(args, ",")+1)
	}
	minimum, err := argument("MIN", first, unit)
	if err != nil {
		return Delay{}, err
	}
	if minimum == 0 {
		return Delay{}, errors.New("MIN is 0")
	}
	shape, err := number("SHAPE", second)
	if err != nil {
		return Delay{}, err
	}
	return written(distuv.Pareto{Xm: milliseconds(minimum), Alpha: shape},
		"pareto", Milliseconds(minimum), printNumber(shape)), nil
}
