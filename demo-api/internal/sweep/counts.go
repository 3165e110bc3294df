package sweep

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxCounts is the most counts of one sweep: more would hide in its chart.
const maxCounts = 100

// ParseCounts reads counts of calls, each from 1 to most and above the one
// before: "1,10,100". An item … or ... stands for doubling the number before it
// as long as that is below the one behind: "1,…,1000" and "1,2,4,...,1000" are
// the same. The error says what is wrong with s and what is accepted.
func ParseCounts(s string, most int) ([]int, error) {
	counts, err := parseCounts(s, most)
	if err != nil {
		return nil, fmt.Errorf("%w; accepted: up to %d ascending numbers from 1 to %d, as in 1,10,100, or doubled between two, as in 1,…,%[3]d", err, maxCounts, most)
	}
	return counts, nil
}

func parseCounts(s string, most int) (counts []int, err error) {
	last, double := 0, false // double: … came last
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "…" || item == "..." {
			if err := mayDouble(counts, double); err != nil {
				return nil, err
			}
			double = true
			continue
		}
		n, err := strconv.Atoi(item)
		if err != nil || strings.Trim(item, "0123456789") != "" || n < 1 || n > most {
			return nil, fmt.Errorf("%.20q is no such number", item)
		} else if n <= last {
			return nil, fmt.Errorf("%d comes after %d", n, last)
		}
		for ; double && 2*last < n; last *= 2 {
			counts = append(counts, 2*last)
		}
		last, double = n, false
		if counts = append(counts, n); len(counts) > maxCounts {
			return nil, fmt.Errorf("these are more than %d", maxCounts)
		}
	}
	if double {
		return nil, errors.New("… has no number behind it")
	}
	return counts, nil
}

// mayDouble returns why … cannot follow counts; again is that it came last.
func mayDouble(counts []int, again bool) error {
	k := len(counts)
	switch {
	case k == 0 || again:
		return errors.New("… has no number before it")
	case k > 1 && counts[k-1] != 2*counts[k-2]:
		return fmt.Errorf("… doubles, and %d,%d does not", counts[k-2], counts[k-1])
	}
	return nil
}

// Doubling returns in the form of ParseCounts the counts from 1 to most, each
// twice the one before.
func Doubling(most int) string {
	if most == 1 {
		return "1"
	}
	return fmt.Sprintf("1,…,%d", most)
}
