package plan

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
)

var _ = registerEndpoint(Endpoint{
	Pattern: "/delay/{delay}", Group: "waits",
	Summary:    "Wait, then give Flash's answer",
	Meaning:    "Waits, then answers as Flash does, or as the [parameters](/doc#parameters) say.",
	Example:    "/delay/250ms",
	Parameters: []Parameter{pathDelay},
	Responses: `
"200": { $ref: "#/components/responses/Flash" }
"500": { $ref: "#/components/responses/InternalServerError" }
`,
	parse: (*Planner).delay,
})

var _ = registerEndpoint(Endpoint{
	Pattern: "/delay/{delay}/url/{url...}", Group: "waits",
	Summary:    "Wait, then redirect",
	Meaning:    "Waits, then [redirects](/doc#targets) to the URL. The query belongs to the URL.",
	Example:    "/delay/250ms/url/example.com",
	Parameters: []Parameter{pathDelay, pathTarget},
	Responses: `
"302":
  description: A redirect to the URL.
  headers:
    Server-Timing: { $ref: "#/components/headers/Server-Timing" }
    Location: { $ref: "#/components/headers/Location" }
"403": { $ref: "#/components/responses/Forbidden" }
"500": { $ref: "#/components/responses/InternalServerError" }
`,
	TargetQuery: true, Redirects: true,
	parse: (*Planner).redirect,
})

var _ = registerEndpoint(Endpoint{
	Pattern: "/delay/{delay}/proxy/{url...}", Group: "waits",
	Summary: "Wait, then forward the request to the URL and its response back",
	Meaning: "Waits, then [forwards the request](/doc#targets) to the URL, if `PROXY_HOSTS` allows its host. " +
		"The query belongs to the URL.",
	Example:    "/delay/250ms/proxy/example.com",
	Parameters: []Parameter{pathDelay, pathTarget},
	Responses: `
"403": { $ref: "#/components/responses/Forbidden" }
"413": null
"500": { $ref: "#/components/responses/InternalServerError" }
"502": { $ref: "#/components/responses/BadGateway" }
"504": { $ref: "#/components/responses/GatewayTimeout" }
default: { $ref: "#/components/responses/Forwarded" }
`,
	TargetQuery: true, Forwards: true,
	parse: (*Planner).proxy,
})

var pathDelay = Parameter{
	Name: "delay", In: InPath, Required: true,
	Usage: "a [delay](/doc#delay)", Meaning: "The wait. A bare number is milliseconds.",
	Example: "250ms", Schema: `{ $ref: "#/components/schemas/Delay" }`,
}

var pathTarget = Parameter{
	Name: "url", In: InPath, Required: true,
	Usage:   "host, host/path or a URL",
	Meaning: "An http or https URL, plain or percent-encoded as a whole. The scheme is http by default.",
	Example: "example.com", Schema: `{ type: string, minLength: 1 }`,
}

// delay parses /delay/{delay}: the wait, then Flash's answer, changed by the parameters.
func (p *Planner) delay(a args) (*Template, error) {
	text := unescaped(a.param)
	d, err := p.pathDelay(text)
	if err != nil {
		return nil, err
	}
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	t := &Template{planner: p, delay: d}
	if p.limits.Flash && isNumber(text) { // Flash repeats a number as written
		t.flashText = text
	}
	if in.values != nil {
		t.measure = measureFlash
	}
	if err := p.parseOptions(t, in); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// measureFlash measures Flash's answer. If the wait is random, it returns the maximum.
func measureFlash(t *Template) extent {
	if t.flashText != "" {
		var a answer.Answer
		a.Status = http.StatusOK
		a.FlashText(t.flashText)
		return extent{length: int64(len(a.Body.Whole))}
	}
	wait, fixed := t.delay.Fixed()
	if !fixed {
		wait = t.planner.limits.MaxDelay - 1 // the longest text: it has nine decimals
	}
	return extent{length: int64(len(answer.AppendFlash(nil, http.StatusOK, wait)))}
}

// redirect parses /delay/{delay}/url/{target...}: the wait, then a redirect to the
// target. The query belongs to the target and has no parameters.
func (p *Planner) redirect(a args) (*Template, error) {
	if err := a.forbidScript(); err != nil {
		return nil, err
	}
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

// proxy parses /delay/{delay}/proxy/{target...}: the wait, then the target's answer
// to the request. The query belongs to the target and has no parameters.
func (p *Planner) proxy(a args) (*Template, error) {
	if err := a.forbidScript(); err != nil {
		return nil, err
	}
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
	if err := p.parseOptions(t, &input{Planner: p}); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// ParseDelay parses a delay within the limits, as in a path. A bare number counts unit:
// Milliseconds or Seconds. The error is a *problem.Problem.
func (p *Planner) ParseDelay(text string, unit Unit) (delay.Delay, error) {
	in := &input{Planner: p, seconds: unit == Seconds}
	return in.parseDelay("delay", p.number(text))
}

// pathDelay parses the delay in a path. The error is a *DelayError.
func (p *Planner) pathDelay(text string) (delay.Delay, error) {
	d, err := p.checkLimit(p.number(text), delay.Parse)
	if err != nil {
		return d, &DelayError{err}
	}
	return d, nil
}

// number rewrites a number that Flash accepts but Parse does not: JavaScript also
// parses .5 and 5. as numbers.
func (p *Planner) number(text string) string {
	if !p.limits.Flash || len(text) < 2 || !isNumber(text) || strings.Count(text, ".") != 1 {
		return text
	}
	if text[0] == '.' {
		return "0" + text
	}
	return strings.TrimSuffix(text, ".")
}

// isNumber reports whether text, a valid delay, is a number without a unit.
func isNumber(text string) bool { return strings.Trim(text, "0123456789.") == "" }

// checkLimit parses a delay by parse and checks it against the limits. The error is a
// *delay.SyntaxError.
func (p *Planner) checkLimit(text string, parse func(string) (delay.Delay, error)) (delay.Delay, error) {
	d, err := parse(text)
	if err != nil {
		return d, err
	}
	if d, err = d.With(p.limits.Recordings); err != nil {
		return d, err
	}
	if maxDelay := p.limits.MaxDelay; d.Min() > maxDelay {
		valid := fmt.Sprintf("up to %v (%s ms)", maxDelay, delay.Milliseconds(maxDelay))
		return d, &delay.SyntaxError{Read: text, Reason: "longer than MAX_DELAY", Accepted: valid}
	}
	return d, nil
}

// isFixed reports whether d is not random.
func isFixed(d delay.Delay) bool {
	_, fixed := d.Fixed()
	return fixed
}
