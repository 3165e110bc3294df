package plan

import (
	"hash/maphash"
	"math"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "limit", In: InQuery, Route: "limit.rate",
	Usage:   "0.001 to 1000000 in a second, a minute or an hour: `10/s`, `100/m`, `1000/h`",
	Meaning: "How many requests are [admitted](/doc#limits). The others are answered 429 with `Retry-After`.",
	Details: " Requests at the same path with the same limit count together; at a scenario's route, all its requests.",
	Example: "10/s", Schema: `{ type: string, pattern: '^[0-9]+(\.[0-9]{1,3})?/[smh]$' }`,
	parse: parseLimit,
})

var _ = register(Parameter{
	Name: "burst", In: InQuery, Route: "limit.burst", Requires: "limit",
	Usage:   "1 to 1000000",
	Meaning: "How many requests the limit's bucket admits at once; 1 by default.",
	Example: "5", Schema: `{ type: integer, minimum: 1, maximum: 1000000, default: 1 }`,
})

var _ = register(Parameter{
	Name: "limit_key", In: InQuery, Route: "limit.key", Requires: "limit",
	Usage: "`ip`, `run` or `header:NAME`",
	Meaning: "What has a limit of its own: each client's address, each run, or each value of a request's header. " +
		"By default all requests count together.",
	Details: " Requests without a run or without the header count together.",
	Example: "header:X-Api-Key",
	Schema:  "{ type: string, pattern: \"^(ip|run|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200})$\" }",
})

var _ = register(Parameter{
	Name: "limit_window", In: InQuery, Route: "limit.window", Requires: "limit",
	Usage: "`bucket` or `fixed`",
	Meaning: "How the limit counts: in a token bucket, which admits requests evenly; or in fixed windows, " +
		"each of which begins with its first request. `bucket` by default.",
	Example: "fixed", Schema: `{ type: string, enum: [bucket, fixed], default: bucket }`,
})

var _ = register(Parameter{
	Name: "limit_headers", In: InQuery, Route: "limit.headers", Requires: "limit",
	Usage: "`draft`, `x` or `none`",
	Meaning: "Headers that show the limit: `RateLimit` and `RateLimit-Policy`, or `X-RateLimit-Limit`, " +
		"`X-RateLimit-Remaining` and `X-RateLimit-Reset`. `none` by default.",
	Example: "draft", Schema: `{ type: string, enum: [draft, x, none], default: none }`,
})

// limit is a parsed rate limit.
type limit struct {
	rate gate.Rate
	key  string      // "ip", "run", the canonical name of a header, or "" for one count
	show limitFields // nil for none
}

// parseLimit parses limit and the parameters that require it.
func parseLimit(in *input, o *options) (err error) {
	l := new(limit)
	if l.rate, err = in.parseRate(); err == nil {
		l.key, err = in.parseLimitKey()
	}
	if err == nil {
		l.show, err = in.parseLimitHeaders()
	}
	o.limit = l
	return err
}

// parseRate parses limit, limit_window and burst.
func (in *input) parseRate() (gate.Rate, error) {
	rate, err := parsePerTime(in.get("limit"))
	if err != nil {
		return rate, err
	}
	switch window := in.or("limit_window", "bucket"); {
	case window == "bucket":
		rate.Burst = 1
	case window != "fixed":
		return rate, &ParameterError{Name: "limit_window", Err: problem.InvalidParameter.New(
			"limit_window %s is invalid: use bucket or fixed", problem.Quote(window))}
	case in.has("burst"):
		return rate, &ParameterError{Name: "burst", Err: problem.ConflictingParameters.New(
			"limit_window=fixed and burst conflict: a fixed window admits its whole limit at once")}
	}
	if in.has("burst") {
		if rate.Burst, err = in.parseInt("burst", 1, maxLimit); err != nil {
			return rate, err
		}
		if rate.Burst > math.MaxInt64/int64(rate.Interval()) {
			return rate, &ParameterError{Name: "burst", Err: problem.ConflictingParameters.New(
				"limit=%s and burst=%d conflict: the bucket would take over 292 years to fill",
				in.get("limit"), rate.Burst)}
		}
	}
	return rate, nil
}

const minLimit, maxLimit = 0.001, 1_000_000

var limitForm = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,3})?/[smh]$`)

// parsePerTime parses a limit such as 10/s. 0.5/s is one request in 2 seconds.
func parsePerTime(text string) (gate.Rate, error) {
	count, unit, _ := strings.Cut(text, "/")
	n, _ := parseDecimal(count)
	if !limitForm.MatchString(text) || n < minLimit || n > maxLimit {
		return gate.Rate{}, problem.InvalidParameter.New("limit %s is invalid"+
			": use %v to %d a second, minute or hour, such as 10/s, 100/m or 1000/h",
			problem.Quote(text), minLimit, maxLimit)
	}
	window := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	const scale = 1000
	thousandths := int64(math.Round(n * scale))
	divisor := gcd(thousandths, scale)
	return gate.Rate{Requests: thousandths / divisor, Window: window * time.Duration(scale/divisor)}, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// parseLimitKey parses limit_key and returns limit.key.
func (in *input) parseLimitKey() (string, error) {
	if !in.has("limit_key") {
		return "", nil
	}
	text := in.get("limit_key")
	name, isHeader := strings.CutPrefix(text, "header:")
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case text == "ip", text == "run":
		return text, nil
	case isHeader && name == "Host":
		return "", &ParameterError{Name: "limit_key",
			Err: invalid("limit_key", text, "Host names this server", "another header, such as header:X-Api-Key")}
	case isHeader && isRequestField(name):
		return name, nil
	}
	return "", &ParameterError{Name: "limit_key", Err: problem.InvalidParameter.New(
		"limit_key %s is invalid: use ip, run or header:NAME, such as header:X-Api-Key", problem.Quote(text))}
}

// parseLimitHeaders parses limit_headers and returns limit.show.
func (in *input) parseLimitHeaders() (limitFields, error) {
	switch text := in.or("limit_headers", "none"); text {
	case "none":
		return nil, nil
	case "draft":
		return draftFields{}, in.forbidHeaders("draft", "Ratelimit", "Ratelimit-Policy")
	case "x":
		return xFields{}, in.forbidHeaders("x", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset")
	default:
		return nil, &ParameterError{Name: "limit_headers", Err: problem.InvalidParameter.New(
			"limit_headers %s is invalid: use draft, x or none", problem.Quote(text))}
	}
}

// forbidHeaders returns an error if the parameter header sets one of the canonical names,
// which limit_headers sets too.
func (in *input) forbidHeaders(style string, names ...string) error {
	for i, field := range in.values["header"] {
		name, _, _ := strings.Cut(field, ":")
		if name = textproto.CanonicalMIMEHeaderKey(name); slices.Contains(names, name) {
			return &ParameterError{Name: "header", Index: i, Err: problem.ConflictingParameters.New(
				"header=%s and limit_headers=%s conflict: both set %s", name, style, name)}
		}
	}
	return nil
}

// limitFields are the header fields that show a limit.
type limitFields interface {
	policy(gate.Rate) answer.Field   // the same in all responses
	quota(gate.Quota) []answer.Field // of one response
}

// draftFields are the fields of draft-ietf-httpapi-ratelimit-headers-11: the policy of q
// requests in w seconds, and that r are left for t seconds.
type draftFields struct{}

func (draftFields) policy(rate gate.Rate) answer.Field {
	value := `"default";q=` + decimal(rate.Requests) + `;w=` + decimal(seconds(rate.Window))
	return answer.Field{Name: "RateLimit-Policy", Value: value}
}

func (draftFields) quota(q gate.Quota) []answer.Field {
	value := `"default";r=` + decimal(q.Remaining) + `;t=` + decimal(seconds(q.Reset))
	return []answer.Field{{Name: "RateLimit", Value: value}}
}

// xFields are the fields of GitHub and others. The reset is a Unix time of the system's
// clock, which the client has too.
type xFields struct{}

func (xFields) policy(rate gate.Rate) answer.Field {
	return answer.Field{Name: "X-RateLimit-Limit", Value: decimal(rate.Size())}
}

func (xFields) quota(q gate.Quota) []answer.Field {
	reset := time.Now().Add(q.Reset + time.Second - 1).Unix() // round up
	return []answer.Field{
		{Name: "X-RateLimit-Remaining", Value: decimal(q.Remaining)},
		{Name: "X-RateLimit-Reset", Value: decimal(reset)},
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// limiter returns the rate limiter of t, nil for none. Templates of endpoints count
// together if they have the same name and limit. So the count outlives a template that
// the cache evicts. Each route that Prepare returns has its own count.
func (t *Template) limiter(name string) *gate.RateLimiter {
	l, p := t.options.limit, t.planner
	if l == nil {
		return nil
	}
	id := p.routes.Add(1)
	if !t.trusted {
		id = p.counts.hash("limit", name, l.rate.String(), l.key)
	}
	return p.rateLimits.Limiter(id, l.rate)
}

// ShowsLimit reports whether limit_headers adds header fields to the responses of t.
func (t *Template) ShowsLimit() bool { return t.limit != nil && t.options.limit.show != nil }

// LimitPolicy returns the header field of limit_headers that all responses share. It
// needs ShowsLimit.
func (t *Template) LimitPolicy() answer.Field { return t.options.limit.show.policy(t.limit.Rate()) }

// LimitQuota returns the header fields of limit_headers for a quota of the plan's Limit.
// It needs ShowsLimit.
func (t *Template) LimitQuota(q gate.Quota) []answer.Field { return t.options.limit.show.quota(q) }

// keyOf returns the key by which l counts a request of the run.
func (l *limit) keyOf(p *Planner, r *Request, run string) (key gate.RateKey) {
	if run != "" {
		key.Run = p.counts.hash(run)
	}
	switch l.key {
	case "":
	case "run":
		key.Value = key.Run
	case "ip":
		addr := r.Client.As16()
		key.Value = maphash.Bytes(p.counts.seed, addr[:])
	default:
		value := ""
		if r.Headers != nil {
			value = r.Headers.Get(l.key)
		}
		key.Value = p.counts.hash("header", value)
	}
	return key
}

// seconds returns d in seconds, rounded up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
