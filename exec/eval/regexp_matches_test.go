package eval

import (
	"strings"
	"testing"
)

// A pattern that can be compiled alone, but not with what is put around it, is
// refused and does not panic later.
func TestRegexpDepth(t *testing.T) {
	refused := false
	for depth := 990; depth <= 1005; depth++ {
		re, err := CompileRegexp(strings.Repeat("(", depth)+"a"+strings.Repeat(")", depth), "")
		if err != nil {
			refused = true
			continue
		}
		if m := re.From("aa", 1); m == nil || m[0] != 1 || m[1] != 2 {
			t.Errorf("depth %d: found %v", depth, m)
		}
	}
	if !refused {
		t.Error("no depth is refused, so the test tests nothing")
	}
}

func TestRegexpFrom(t *testing.T) {
	for _, c := range []struct {
		pattern, flags, s string
		start             int
		want              [2]int // -1 for none
	}{
		{"^a", "", "aa", 1, [2]int{-1, -1}},
		{"^a", "", "aa", 0, [2]int{0, 1}},
		{"^a", "n", "a\na", 1, [2]int{2, 3}},
		{`\ya`, "", "a a", 1, [2]int{2, 3}},
		{`\ya`, "", "ba", 1, [2]int{-1, -1}},
		{"b|bc", "", "äbc", 2, [2]int{2, 4}},
		{"$", "", "ab", 2, [2]int{2, 2}},
		{"x*", "", "ab", 3, [2]int{-1, -1}},
	} {
		re, err := CompileRegexp(c.pattern, c.flags)
		if err != nil {
			t.Fatal(err)
		}
		got := [2]int{-1, -1}
		if m := re.From(c.s, c.start); m != nil {
			got = [2]int{m[0], m[1]}
		}
		if got != c.want {
			t.Errorf("%q in %q from %d: %v, want %v", c.pattern, c.s, c.start, got, c.want)
		}
	}
}
