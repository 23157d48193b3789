package eval

import (
	"regexp"
	"strings"
	"unsafe"

	"github.com/millrace/millrace/planner/scalar"
)

// placeIn is the offset of part, a slice of s, in s.
func placeIn(s, part string) int {
	if part == "" {
		return 0
	}
	return int(uintptr(unsafe.Pointer(unsafe.StringData(part))) - uintptr(unsafe.Pointer(unsafe.StringData(s))))
}

// keyValuePattern is the shape (&|^)name=([^&]*), which URLs are taken apart with.
var keyValuePattern = regexp.MustCompile(`^\(([^\\\[\]().*+?{}|^$])\|\^\)([^\\\[\]().*+?{}|^$]+)\(\[\^([^\\\[\]^])\]\*\)$`)

// extractSlicer makes Flink's regexp_extract, in which patterns are Java's. A
// constant pattern of the shape (&|^)name=([^&]*) needs no regular expression.
func extractSlicer(e *scalar.Expr) slicer {
	if p := e.Args[1]; p.Op == scalar.OpConst && p.Value != nil && !p.Value.Null {
		if m := keyValuePattern.FindStringSubmatch(p.Value.Bytes); m != nil {
			return keyValueSlicer(m[1][0], m[2], m[3][0])
		}
	}
	var re *regexp.Regexp
	var needle string
	last := "\x00"
	return func(c *call, i int, s string) (int, int, bool, error) {
		if p := c.cols[1].Str(i); p != last {
			var err error
			if re, err = regexp.Compile(p); err != nil {
				last = "\x00"
				return 0, 0, false, errRegexp(regexpProblem(err))
			}
			last = strings.Clone(p)
			needle, _ = re.LiteralPrefix()
		}
		group := 0
		if len(c.cols) > 2 {
			group = int(c.cols[2].Int[i])
		}
		if group < 0 || group > re.NumSubexp() || needle != "" && !strings.Contains(s, needle) {
			return 0, 0, false, nil
		}
		m := re.FindStringSubmatchIndex(s)
		if m == nil || m[2*group] < 0 {
			return 0, 0, false, nil
		}
		return m[2*group], m[2*group+1], true, nil
	}
}

// keyValueSlicer finds name at the start of s or after sep, and gives what
// follows up to stop as group 2.
func keyValueSlicer(sep byte, name string, stop byte) slicer {
	find := newFinder(name)
	return func(c *call, i int, s string) (int, int, bool, error) {
		for from := 0; ; {
			at := find.in(s, from)
			if at < 0 {
				return 0, 0, false, nil
			}
			if at > 0 && s[at-1] != sep {
				from = at + 1
				continue
			}
			lo := at + len(name)
			hi := len(s)
			if end := strings.IndexByte(s[lo:], stop); end >= 0 {
				hi = lo + end
			}
			group := int64(0)
			if len(c.cols) > 2 {
				group = c.cols[2].Int[i]
			}
			switch group {
			case 0:
				return max(at-1, 0), hi, true, nil
			case 1:
				return max(at-1, 0), at, true, nil
			case 2:
				return lo, hi, true, nil
			}
			return 0, 0, false, nil
		}
	}
}
