// Package spelling writes the words of an error message: it quotes what was read and
// suggests what was meant.
package spelling

import (
	"fmt"
	"strconv"

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

// Suggest returns the first of known that word is one slip away from: one
// character inserted, left out or replaced, or two neighbours exchanged. It
// returns "" where there is none, and where word itself is known. A known word of
// two characters has one slip only, their exchange.
func Suggest(word string, known []string) string {
	suggestion := ""
	for _, k := range known {
		if k == word {
			return ""
		}
		if suggestion == "" && oneSlip(word, k) {
			suggestion = k
		}
	}
	return suggestion
}

func oneSlip(word, known string) bool {
	if d := len(word) - len(known); d < -1 || d > 1 {
		return false
	}
	if len(known) < 3 { // half the words of that length are one slip away
		return exchanged(word, known)
	}
	return levenshtein.ComputeDistance(word, known) == 1 || exchanged(word, known)
}

// exchanged reports whether word is known with two neighbours exchanged, which
// Levenshtein's distance counts as two.
func exchanged(word, known string) bool {
	if len(word) != len(known) {
		return false
	}
	i := 0
	for i < len(word) && word[i] == known[i] {
		i++
	}
	return i+1 < len(word) && word[i] == known[i+1] && word[i+1] == known[i] && word[i+2:] == known[i+2:]
}
