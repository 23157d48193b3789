package eval

import (
	"regexp"
	"sort"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Costs of a row, roughly in nanoseconds.
const (
	costCompare = 1
	costLower   = 4
	costLike    = 10
	costRegexp  = 20
	// costFlat is up to where it is cheaper to evaluate all arguments of AND and
	// OR for all rows than to find out for which rows they matter.
	costFlat = 3
)

// cost estimates what an expression costs per row. It is not ok for those that
// may fail on a row, or that are not known.
func cost(e *scalar.Expr) (n int, ok bool) {
	for _, a := range e.Args {
		c, ok := cost(a)
		if !ok {
			return 0, false
		}
		n += c
	}
	switch e.Op {
	case scalar.OpColumn, scalar.OpConst:
		return n, true // of a shared column: what it stands for
	case scalar.OpAnd, scalar.OpOr, scalar.OpNot, scalar.OpIsNull, scalar.OpIn:
		return n + costCompare, true
	case scalar.OpCall:
		fn := scalar.ByKey(e.Func)
		if fn == nil {
			return 0, false
		}
		if _, compares := comparisons[fn.Name]; compares && fn.Operator && len(e.Args) == 2 && e.Args[0].Type.Kind == e.Args[1].Type.Kind {
			if e.Args[0].Type.Phys() != types.PhysInt {
				n += costCompare
			}
			return n + costCompare, true
		}
		switch fn.Key {
		case "lower(text)", "upper(text)":
			return n + costLower, true
		case "~~(text,text)":
			return n + costLike, e.Args[1].Op == scalar.OpConst && validLike(e.Args[1])
		case "regexp_extract(text,text,integer)", "regexp_extract(text,text)":
			return n + costRegexp, e.Args[1].Op == scalar.OpConst && validRegexp(e.Args[1])
		}
	}
	return 0, false
}

func validLike(pattern *scalar.Expr) bool {
	if pattern.Value == nil || pattern.Value.Null {
		return false
	}
	return !compileLike(pattern.Value.Bytes, false).broken
}

func validRegexp(pattern *scalar.Expr) bool {
	if pattern.Value == nil || pattern.Value.Null {
		return false
	}
	_, err := regexp.Compile(pattern.Value.Bytes)
	return err == nil
}

// cheapestFirst orders the arguments of AND or OR so that the cheap ones decide
// rows for the dear ones, if none of them can fail. flat tells that all are cheap.
func cheapestFirst(args []*scalar.Expr) (ordered []*scalar.Expr, flat bool) {
	costs := make(map[*scalar.Expr]int, len(args))
	sum := 0
	for _, a := range args {
		n, ok := cost(a)
		if !ok {
			return args, false
		}
		costs[a] = n
		sum += n
	}
	ordered = append([]*scalar.Expr(nil), args...)
	sort.SliceStable(ordered, func(i, j int) bool { return costs[ordered[i]] < costs[ordered[j]] })
	return ordered, sum <= costFlat*len(args)
}

// flatLogic is AND or OR of columns without nulls, for all rows of sel.
// hot: no branch on an answer.
func flatLogic(or bool, cols []*batch.Column, out []bool, sel []uint16, n int) {
	first := bytesOf(cols[0].Bool)
	dst := bytesOf(out)
	for k, c := range cols[1:] {
		src := bytesOf(c.Bool)
		from := dst
		if k == 0 {
			from = first
		}
		switch {
		case sel == nil && or:
			dst, src, from := dst[:n], src[:n], from[:n]
			for i := range dst {
				dst[i] = from[i] | src[i]
			}
		case sel == nil:
			dst, src, from := dst[:n], src[:n], from[:n]
			for i := range dst {
				dst[i] = from[i] & src[i]
			}
		case or:
			for _, i := range sel {
				dst[i] = from[i] | src[i]
			}
		default:
			for _, i := range sel {
				dst[i] = from[i] & src[i]
			}
		}
	}
}

// bytesOf is the same memory as numbers, 0 or 1.
func bytesOf(b []bool) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}
