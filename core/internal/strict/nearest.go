// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"slices"
)

// Nearest returns the word of known that word is most likely a misspelling of,
// or "" where none is near.
func Nearest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, found := 1+len(word)/3, ""
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(word, k); d <= best && (found == "" || d < best) {
			best, found = d, k
		}
	}
	return found
}

// DidYouMean is the remedy for an unknown word: the nearest known one, else
// the list of all.
func DidYouMean(word string, known []string) string {
	if k := Nearest(word, known); k != "" {
		return fmt.Sprintf("did you mean %q?", k)
	}
	if len(known) == 0 {
		return ""
	}
	return "known: " + joined(slices.Sorted(slices.Values(known)))
}

func joined(words []string) string {
	text := ""
	for i, w := range words {
		if i > 0 {
			text += ", "
		}
		text += w
	}
	return text
}

// distance counts the letters to insert, delete, change or swap with their
// neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now := make([]int, len(b)+1)
		now[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
