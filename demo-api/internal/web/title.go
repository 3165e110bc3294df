package web

import "strconv"

// ConcurrentTitle returns the title of concurrent calls: "All at once", or "Ten at
// once" with a limit below calls. A limit of 0 is no limit.
func ConcurrentTitle(calls, limit int) string {
	switch {
	case limit == 0 || limit >= calls:
		return "All at once"
	case limit == 1:
		return "One at a time"
	case limit < len(numbers):
		return numbers[limit] + " at once"
	}
	return strconv.Itoa(limit) + " at once"
}

var numbers = [...]string{"", "", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"}
