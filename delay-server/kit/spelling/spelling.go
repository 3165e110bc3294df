// Package spelling helps with messages: it quotes invalid input, suggests a known word for
// a misspelled one, and counts things.
package spelling

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Quote returns s as a quoted string. It cuts s after 80 bytes and adds its length.
func Quote(s string) string {
	const maxQuoted = 80
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:maxQuoted], len(s))
}

// Count writes a number of things, such as "1 retry" or "2 retries".
func Count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	if stem, ok := strings.CutSuffix(of, "y"); ok {
		of = stem + "ie"
	}
	return strconv.Itoa(n) + " " + of + "s"
}

// Suggest returns the first known word that differs from word by one typing error: a
// character inserted, omitted or replaced, or two adjacent ones swapped. It returns ""
// if there is none or if word is known. For known words of two characters only a swap
// counts.
func Suggest(word string, known []string) string {
	suggestion := ""
	for _, k := range known {
		if k == word {
			return ""
		}
		if suggestion == "" && oneTypo(word, k) {
			suggestion = k
		}
	}
	return suggestion
}

func oneTypo(word, known string) bool {
	if d := len(word) - len(known); d < -1 || d > 1 {
		return false
	}
	if len(known) < 3 { // other typing errors would match too many words
		return swapped(word, known)
	}
	return levenshtein.ComputeDistance(word, known) == 1 || swapped(word, known)
}

// swapped reports whether word is known with two adjacent characters swapped, which
// the Levenshtein distance counts as two edits.
func swapped(word, known string) bool {
	if len(word) != len(known) {
		return false
	}
	i := 0
	for i < len(word) && word[i] == known[i] {
		i++
	}
	return i+1 < len(word) && word[i] == known[i+1] && word[i+1] == known[i] && word[i+2:] == known[i+2:]
}
