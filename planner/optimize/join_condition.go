package optimize

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
)

// joinCondition is a condition of a cluster's, over the columns of all its leaves, and
// which leaves it is on. Sets of leaves are marks of those that are in them.
type joinCondition struct {
	x      *scalar.Expr
	leaves []int
	sides  [2][]int // of an equality; else nil
}

func (c *cluster) condition(x *scalar.Expr) *joinCondition {
	j := &joinCondition{x: x, leaves: c.leavesOf(x)}
	if x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "=(") && len(x.Args) == 2 {
		j.sides = [2][]int{c.leavesOf(x.Args[0]), c.leavesOf(x.Args[1])}
	}
	return j
}

func (c *cluster) leavesOf(x *scalar.Expr) (list []int) {
	for _, col := range scalar.Columns(x) {
		list = append(list, c.leafOf[col])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func isWithin(leaves []int, set []bool) bool {
	return !slices.ContainsFunc(leaves, func(i int) bool { return !set[i] })
}

func isOutside(leaves []int, set []bool) bool {
	return !slices.ContainsFunc(leaves, func(i int) bool { return set[i] })
}

func (j *joinCondition) isWithin(set []bool) bool { return isWithin(j.leaves, set) }

// ties reports whether it is an equality of what is of a set with what is of the rest.
func (j *joinCondition) ties(set []bool) bool {
	one, other := j.sides[0], j.sides[1]
	return len(one) > 0 && len(other) > 0 &&
		(isWithin(one, set) && isOutside(other, set) || isWithin(other, set) && isOutside(one, set))
}

// connects reports whether it is on leaves of a set and on others.
func (j *joinCondition) connects(set []bool) bool {
	return !isWithin(j.leaves, set) && !isOutside(j.leaves, set)
}

// tied is the leaf that it ties to a set alone, -1 for none.
func (j *joinCondition) tied(set []bool) int {
	if !j.ties(set) {
		return -1
	}
	return j.connected(set)
}

// connected is the leaf that it connects with a set alone, -1 for none.
func (j *joinCondition) connected(set []bool) int {
	if !j.connects(set) {
		return -1
	}
	leaf := -1
	for _, i := range j.leaves {
		if set[i] {
			continue
		}
		if leaf >= 0 {
			return -1
		}
		leaf = i
	}
	return leaf
}
