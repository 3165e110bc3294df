package plan

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// delay parses /delay/{delay}: the wait, then Flash's answer, or what the
// parameters make of it.
func (p *Planner) delay(a args) (*Template, error) {
	text := unescaped(a.param)
	d, err := p.pathDelay(text)
	if err != nil {
		return nil, err
	}
	params, err := readParameters(a.query, a.known)
	if err != nil {
		return nil, err
	}
	t := &Template{planner: p, delay: d}
	if p.limits.Flash && isNumber(text) { // which Flash repeats as it is written
		t.body = func(_ *Template, a *answer.Answer, _ rng, _ time.Duration) { a.FlashText(text) }
	}
	if params.values != nil {
		t.measure = p.measureFlash(t)
	}
	if err := p.parseOptions(t, params); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// measureFlash measures Flash's answer, the most that it can be where the wait is drawn.
func (p *Planner) measureFlash(t *Template) func(*options) extent {
	return func(*options) extent {
		a := answer.Answer{Status: http.StatusOK}
		if t.body != nil {
			t.body(t, &a, nil, 0)
			return extent{length: int64(len(a.Body.Whole))}
		}
		wait, fixed := t.delay.Fixed()
		if !fixed {
			wait = p.limits.MaxDelay - 1 // whose text has a fraction of nanoseconds
		}
		return extent{length: int64(len(answer.AppendFlash(nil, a.Status, wait)))}
	}
}

// redirect parses /delay/{delay}/url/{target...}: the wait, then a redirect to the
// target. The query is the target's, so no parameter is read from it.
func (p *Planner) redirect(a args) (*Template, error) {
	d, err := p.pathDelay(unescaped(a.param))
	if err != nil {
		return nil, err
	}
	target, err := p.limits.RedirectHosts.target(a.rest, a.query, redirecting)
	if err != nil {
		return nil, err
	}
	redirect := answer.Redirect(target.String())
	return p.withoutQuery(a, d, func(_ *Template, a *answer.Answer, _ rng, _ time.Duration) { *a = redirect })
}

// proxy parses /delay/{delay}/proxy/{target...}: the wait, then the answer of the
// target to the request, whose body is its. The query is the target's, so no
// parameter is read from it.
func (p *Planner) proxy(a args) (*Template, error) {
	d, err := p.pathDelay(unescaped(a.param))
	if err != nil {
		return nil, err
	}
	target, err := p.limits.ProxyHosts.target(a.rest, a.query, proxying)
	if err != nil {
		return nil, err
	}
	t, err := p.withoutQuery(a, d, func(_ *Template, a *answer.Answer, _ rng, _ time.Duration) { a.Upstream = target })
	if err == nil {
		t.Forwards = true
	}
	return t, err
}

// withoutQuery returns the template of an endpoint that reads no parameters.
func (p *Planner) withoutQuery(a args, d delay.Delay, body bodyFunc) (*Template, error) {
	t := &Template{planner: p, delay: d, content: content{body: body}}
	if err := p.parseOptions(t, parameters{}); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// pathDelay reads the delay of a path. The error is a *DelayError.
func (p *Planner) pathDelay(text string) (delay.Delay, error) {
	d, err := p.parseDelay(p.number(text))
	if err != nil {
		return d, &DelayError{err}
	}
	return d, nil
}

// number returns a number as Parse reads it, where it is one to Flash: JavaScript
// takes .5 and 5. too.
func (p *Planner) number(text string) string {
	if !p.limits.Flash || len(text) < 2 || !isNumber(text) || strings.Count(text, ".") != 1 {
		return text
	}
	if text[0] == '.' {
		return "0" + text
	}
	return strings.TrimSuffix(text, ".")
}

// isNumber reports whether text is a number if it is a delay.
func isNumber(text string) bool { return strings.Trim(text, "0123456789.") == "" }

// parseDelay reads a delay that this server waits.
func (p *Planner) parseDelay(text string) (delay.Delay, error) {
	return p.checkLimit(text, delay.Parse)
}

// checkLimit reads a delay by parse and checks it against the limits.
func (p *Planner) checkLimit(text string, parse func(string) (delay.Delay, error)) (delay.Delay, error) {
	d, err := parse(text)
	if err != nil {
		return d, err
	}
	if d, err = d.With(p.limits.Recordings); err != nil {
		return d, err
	}
	if d.Min() > p.limits.MaxDelay {
		return d, p.tooLong(text)
	}
	return d, nil
}

func (p *Planner) tooLong(text string) error {
	return fmt.Errorf("delay %s is longer than this server waits: accepted: up to %v (%s ms), its MAX_DELAY",
		problem.Quote(text), p.limits.MaxDelay, delay.Milliseconds(p.limits.MaxDelay))
}

// isFixed reports whether samples of d draw nothing.
func isFixed(d delay.Delay) bool {
	_, fixed := d.Fixed()
	return fixed
}
