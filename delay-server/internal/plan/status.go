package plan

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
)

// statuses are status codes to pick from, by rising share.
type statuses struct{ list []weightedStatus }

type weightedStatus struct {
	code int
	upTo float64 // 0 to 1
}

var ok = statuses{[]weightedStatus{{http.StatusOK, 1}}}

// bodiless reports whether no code of s has a body.
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

// pick draws a code. A single one takes no number of chance.
func (s statuses) pick(chance chance) int {
	if len(s.list) == 1 {
		return s.list[0].code
	}
	p := chance.Float64()
	for _, c := range s.list {
		if p < c.upTo {
			return c.code
		}
	}
	return s.list[len(s.list)-1].code
}

const acceptedStatus = "a code from 200 to 599, or CODE:PERCENT,… of which the rest is 200, such as 404:10,503:5"

// readStatuses reads a code, or fortio's weighted codes.
func readStatuses(text string) (statuses, error) {
	if code, ok := readStatus(text); ok {
		return statuses{[]weightedStatus{{code, 1}}}, nil
	}
	refuse := func(reason string) (statuses, error) {
		return statuses{}, bad("status %s %s; accepted: %s", problem.Quote(text), reason, acceptedStatus)
	}
	var list []weightedStatus
	sum := 0.0
	for pair := range strings.SplitSeq(text, ",") {
		codeText, weight, _ := strings.Cut(pair, ":")
		code, isCode := readStatus(codeText)
		percent, isPercent := decimal(weight)
		if !isCode || !isPercent {
			return refuse("is not understood at " + problem.Quote(pair))
		}
		sum += percent
		list = append(list, weightedStatus{code, sum / 100})
	}
	const rounding = 1e-9
	if sum > 100+rounding {
		return refuse(fmt.Sprintf("has percentages that add up to %v, which is over 100", sum))
	}
	return statuses{append(list, weightedStatus{http.StatusOK, 1})}, nil
}

func readStatus(text string) (int, bool) {
	code, err := strconv.Atoi(text)
	return code, err == nil && len(text) == 3 && code >= 200 && code <= 599
}
