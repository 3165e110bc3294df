package drive

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Wrk runs wrk, which must be on the PATH: two threads and n connections for
// some time. It returns the answers a second.
func Wrk(ctx context.Context, url string, n int, during time.Duration) (*Tally, float64, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t2", "-c"+strconv.Itoa(n), "-d"+strconv.Itoa(int(during.Seconds())), url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, 0, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(out))
	}
	return parseWrk(string(out))
}

var (
	wrkRate   = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)$`)
	wrkTotal  = regexp.MustCompile(`(?m)^\s+([0-9]+) requests in `)
	wrkStatus = regexp.MustCompile(`(?m)^\s+Non-2xx or 3xx responses: ([0-9]+)$`)
	wrkSocket = regexp.MustCompile(`(?m)^\s+Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)$`)
)

// parseWrk reads what wrk writes at its end.
func parseWrk(out string) (*Tally, float64, error) {
	rate, total := wrkRate.FindStringSubmatch(out), wrkTotal.FindStringSubmatch(out)
	if rate == nil || total == nil {
		return nil, 0, fmt.Errorf("wrk wrote no number of requests: %q", out)
	}
	tally := NewTally()
	tally.Answers = number(total[1])
	if found := wrkStatus.FindStringSubmatch(out); found != nil {
		tally.Answers -= number(found[1])
		tally.Errors, tally.FirstError = number(found[1]), found[0]
	}
	if found := wrkSocket.FindStringSubmatch(out); found != nil {
		for _, count := range found[1:] {
			tally.Errors += number(count)
		}
		tally.FirstError = found[0]
	}
	perSecond, err := strconv.ParseFloat(rate[1], 64)
	return tally, perSecond * float64(tally.Answers) / float64(max(1, number(total[1]))), err // wrk's rate is that of all replies
}

// number returns the value of digits.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}
