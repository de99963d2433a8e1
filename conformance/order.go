package conformance

import (
	"iter"
	"maps"
	"slices"
)

// inOrder ranges over a map in the order of its keys, so that a case makes its calls in the same order every time: records are
// compared call by call.
func inOrder[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
