package plan

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "status", In: InQuery, Route: "status",
	Usage:   "200 to 599, or `CODE:PERCENT,…`",
	Meaning: "Status of the answer; 200 by default. With percentages, one is drawn; the rest are 200.",
	Example: "404:10,503:5",
	Schema:  `{ type: string, pattern: '^[2-5]\d\d(:[\d.]+(,[2-5]\d\d:[\d.]+)*)?$', default: "200" }`,
	shapes:  shapesResponse,
	parse: func(in *input, o *options) (err error) {
		o.status, err = parseStatuses(in.get("status"))
		return err
	},
})

// statuses are the status codes to pick from, by cumulative share.
type statuses struct{ list []weightedStatus }

type weightedStatus struct {
	code int
	upTo float64 // cumulative share, 0 to 1
}

var ok = statuses{[]weightedStatus{{http.StatusOK, 1}}}

// bodiless reports whether no status of s has a body.
func (s statuses) bodiless() bool {
	return !slices.ContainsFunc(s.list, func(c weightedStatus) bool { return answer.HasBody(c.code) })
}

// String returns the codes, joined by commas.
func (s statuses) String() string {
	codes := make([]string, len(s.list))
	for i, c := range s.list {
		codes[i] = strconv.Itoa(c.code)
	}
	return strings.Join(codes, ",")
}

// pick draws a code. It does not use rng if there is only one.
func (s statuses) pick(rng rng) int {
	if len(s.list) == 1 {
		return s.list[0].code
	}
	p := rng.Float64()
	for _, c := range s.list {
		if p < c.upTo {
			return c.code
		}
	}
	return s.list[len(s.list)-1].code
}

// parseStatuses parses a code, or a list of codes with percentages in fortio's form.
func parseStatuses(text string) (statuses, error) {
	if code, ok := parseStatus(text); ok {
		return statuses{[]weightedStatus{{code, 1}}}, nil
	}
	refuse := func(reason string) (statuses, error) {
		return statuses{}, invalid("status", text, reason,
			"a code from 200 to 599, or CODE:PERCENT,… such as 404:10,503:5")
	}
	var list []weightedStatus
	sum := 0.0
	for pair := range strings.SplitSeq(text, ",") {
		codeText, weight, _ := strings.Cut(pair, ":")
		code, isCode := parseStatus(codeText)
		percent, isPercent := parseDecimal(weight)
		if !isCode || !isPercent || percent == 0 {
			return refuse("at " + problem.Quote(pair))
		}
		sum += percent
		list = append(list, weightedStatus{code, sum / 100})
	}
	const rounding = 1e-9
	if sum > 100+rounding {
		return refuse(fmt.Sprintf("the percentages add up to %v", sum))
	}
	return statuses{append(list, weightedStatus{http.StatusOK, 1})}, nil
}

func parseStatus(text string) (int, bool) {
	code, err := strconv.Atoi(text)
	return code, err == nil && len(text) == 3 && code >= 200 && code <= 599
}

// require adds the header that a's status requires or that clients rely on (RFC 9110,
// sections 10.2.3 and 15), unless a has one of that name. HTTP/2 has no Upgrade
// (RFC 9113, section 8.2.2).
func require(a *answer.Answer, protoMajor int) {
	length := a.Body.Size()
	switch a.Status {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusUseProxy, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if a.Location == "" {
			a.Default("Location", "/status/200")
		}
	case http.StatusPartialContent:
		if length > 0 {
			a.Default("Content-Range", fmt.Sprintf("bytes 0-%d/%d", length-1, length))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if length >= 0 {
			a.Default("Content-Range", fmt.Sprintf("bytes */%d", length))
		}
	case http.StatusUnauthorized:
		a.Default("Www-Authenticate", challenge)
	case http.StatusMethodNotAllowed:
		a.Default("Allow", http.MethodOptions) // every endpoint answers it
	case http.StatusProxyAuthRequired:
		a.Default("Proxy-Authenticate", challenge)
	case http.StatusUpgradeRequired:
		if protoMajor == 1 {
			a.Default("Upgrade", "HTTP/2.0")
			a.Default("Connection", "Upgrade")
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		a.Default("Retry-After", "1")
	}
}

const challenge = `Basic realm="Fake Realm"` // go-httpbin's
