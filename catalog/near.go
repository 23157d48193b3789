package catalog

import "sort"

// Near returns the candidate that a misspelt name was probably meant to be, or
// "" when none is close.
func Near(name string, candidates []string) string {
	sort.Strings(candidates)
	best, limit := "", len(name)/3+1
	for _, c := range candidates {
		if d := distance(name, c); d <= limit && c != name {
			best, limit = c, d-1
		}
		if limit < 0 {
			break
		}
	}
	return best
}

// distance counts the single-byte edits, swaps of neighbours included, between
// two names.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now := make([]int, len(b)+1)
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
