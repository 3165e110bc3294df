package web

import "strconv"

// AtOnce names the concurrent way of so many calls, at most limit of them in
// flight: "All at once" where the limit is 0 or holds nothing up, "Ten at once".
func AtOnce(calls, limit int) string {
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
