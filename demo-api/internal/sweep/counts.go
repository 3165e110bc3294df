package sweep

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxCounts limits the counts of a sweep: a chart cannot show more.
const maxCounts = 100

// ParseCounts parses ascending counts of calls from 1 to maxCalls: "1,10,100". An
// item … or ... doubles the number before it while that is below the number after
// it: "1,…,1000" and "1,2,4,...,1000" are the same.
func ParseCounts(s string, maxCalls int) ([]int, error) {
	counts, err := parseCounts(s, maxCalls)
	if err != nil {
		return nil, fmt.Errorf("%w; use up to %d ascending numbers from 1 to %d, such as 1,10,100 or 1,…,%[3]d",
			err, maxCounts, maxCalls)
	}
	return counts, nil
}

func parseCounts(s string, maxCalls int) (counts []int, err error) {
	last, double := 0, false // double: the last item was …
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "…" || item == "..." {
			if err := checkDouble(counts, double); err != nil {
				return nil, err
			}
			double = true
			continue
		}
		n, err := strconv.Atoi(item)
		if err != nil || strings.Trim(item, "0123456789") != "" || n < 1 || n > maxCalls {
			return nil, fmt.Errorf("%.20q is invalid", item)
		} else if n <= last {
			return nil, fmt.Errorf("%d after %d is invalid", n, last)
		}
		for ; double && 2*last < n; last *= 2 {
			counts = append(counts, 2*last)
		}
		last, double = n, false
		if counts = append(counts, n); len(counts) > maxCounts {
			return nil, fmt.Errorf("more than %d numbers", maxCounts)
		}
	}
	if double {
		return nil, errors.New("… has no number after it")
	}
	return counts, nil
}

// checkDouble returns an error if … cannot follow counts. repeated means that the
// last item was … too.
func checkDouble(counts []int, repeated bool) error {
	k := len(counts)
	switch {
	case k == 0 || repeated:
		return errors.New("… has no number before it")
	case k > 1 && counts[k-1] != 2*counts[k-2]:
		return fmt.Errorf("… doubles, but %d,%d does not", counts[k-2], counts[k-1])
	}
	return nil
}

// Doubling returns the counts from 1 to maxCalls, each twice the one before, in the
// form of ParseCounts.
func Doubling(maxCalls int) string {
	if maxCalls == 1 {
		return "1"
	}
	return fmt.Sprintf("1,…,%d", maxCalls)
}
