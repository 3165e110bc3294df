package check

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

var _ = register(Check{
	Name:  "breaker",
	Usage: "a number of failures, a comma and a time above 0",
	Meaning: "After this many failures in a row, the client sends nothing for the time, then one probe, and nothing " +
		"until the probe has ended. If the probe fails, the client pauses again. At least one probe must come. A " +
		"[failure](/doc#breaker-failures) is a status from 500 on, or no whole answer. All requests of the run are " +
		"judged " +
		"together.",
	Example: "5,10s", Schema: `{ type: string, pattern: '^\d+,.+$' }`,
	parse: parseBreaker,
})

// breaker is the rule of the check breaker.
type breaker struct {
	failures int
	pause    time.Duration
	within   time.Duration
}

func parseBreaker(in *input) (rule, error) {
	text := in.get("breaker")
	failures, pause, _ := strings.Cut(text, ",")
	n, err := strconv.Atoi(failures)
	if err != nil || strings.Trim(failures, "0123456789") != "" || n < 1 || n > maxRequests {
		return rule{}, invalid("breaker", text, fmt.Sprintf("the number of failures must be from 1 to %d", maxRequests),
			"a number and a time such as 5,10s")
	}
	if pause == "" {
		return rule{}, invalid("breaker", text, "the time is missing", "a number and a time such as 5,10s")
	}
	b := breaker{failures: n}
	if b.pause, err = parseTime("breaker", text, pause, 1); err != nil {
		return rule{}, err
	}
	b.within, _, err = in.within()
	want := fmt.Sprintf("%s open it for %s", spelling.Count(n, "failure"), ms(b.pause))
	return rule{want: want, judge: eachRun(b.judge)}, err
}

// failed reports whether a breaker counts w as a failure, as Envoy's consecutive_5xx and
// .NET's HttpCircuitBreakerStrategyOptions do: a status from 500 on, or no whole answer.
// A status such as 429 shows that the server works.
func (w wait) failed() bool { return !w.answered() || w.Status >= 500 }

// circuit is a breaker at a time of a run.
type circuit struct {
	breaker
	s *subject

	failures int  // in a row, while it is closed
	open     bool // or half-open
	cause    wait // the failure that opened it
	probe    int  // index of the probe in flight, or -1
	opened   int  // how often it opened
	probes   int  // how many probes came
	wrong    finding
}

func (b breaker) judge(s *subject) finding {
	c := circuit{breaker: b, s: s, probe: -1}
	flying := newFlight(s.waits)
	for i, w := range s.waits {
		for _, ended := range flying.end(w.Start) {
			c.end(ended)
		}
		flying.start(i)
		c.start(i)
	}
	for _, ended := range flying.ends {
		c.end(ended)
	}
	got := fmt.Sprintf("opened %s, %s", times(c.opened), spelling.Count(c.probes, "probe"))
	switch {
	case c.wrong.state != holds:
		return c.wrong
	case c.opened == 0:
		return tooFew("never open", "the run never has %s in a row; make the server fail more often",
			spelling.Count(b.failures, "failure"))
	case c.probes == 0:
		return tooFew(got,
			"no request follows the %s, so the client may just have stopped; keep calling until the breaker "+
				"lets one through", spelling.Count(b.failures, "failure"))
	}
	return hold("%s", got)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// start begins request i.
func (c *circuit) start(i int) {
	w := c.s.waits[i]
	since := w.Start - c.cause.End
	switch {
	case !c.open:
	case c.probe >= 0:
		c.violate(w, "second probe",
			fail("two probes at once", "a request came while the probe of the half-open breaker "+
				"waited; let one through, and decide by its answer"))
	case since < c.pause-earlyAfter(c.cause, c.pause, c.within):
		c.violate(w, fmt.Sprintf("breaker open for %s, want %s", ms(since), ms(c.pause)),
			fail("a request after "+ms(since),
				"a request came %s after %s had opened the breaker; let none through for %s", ms(since), c.reason(),
				ms(c.pause)))
	default:
		c.probe = i
		c.probes++
	}
}

// reason describes what opened the breaker.
func (c *circuit) reason() string {
	if c.failures < c.breaker.failures {
		return "a failed probe"
	}
	return spelling.Count(c.breaker.failures, "failure")
}

func (c *circuit) violate(w wait, mark string, f finding) {
	c.s.mark(w, "%s", mark)
	if c.wrong.state == holds {
		c.wrong = f
	}
}

// end ends request i. A request that began before the breaker opened has no effect on it.
func (c *circuit) end(i int) {
	w := c.s.waits[i]
	switch {
	case c.open && c.probe != i:
	case !w.failed():
		c.open, c.probe, c.failures = false, -1, 0
	case c.open: // the probe
		c.cause, c.probe, c.failures = w, -1, 0
		c.opened++
	default:
		if c.failures++; c.failures >= c.breaker.failures {
			c.open, c.cause = true, w
			c.opened++
		}
	}
}
