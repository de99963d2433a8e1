package main

import "strings"

// nearest is the known word that was probably meant: one that begins so, or the one that takes the fewest slips of the keyboard, two and
// half of the letters at most. Empty if there is none.
func nearest(word string, known []string) string {
	best, slips := "", 3
	for _, k := range known {
		d := distance(word, k)
		if word != "" && strings.HasPrefix(k, word) {
			d = 0
		}
		if d < slips && 2*d <= len(word) {
			best, slips = k, d
		}
	}
	return best
}

// distance is how many letters are to be changed, added or left out to make one word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the part of a so far, to every part of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
