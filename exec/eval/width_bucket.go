package eval

import (
	"sort"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// bucketOf is width_bucket(value, thresholds): how many thresholds, which are sorted,
// are not above the value.
func bucketOf(x *row) (types.Value, error) {
	a, err := x.array(1)
	if err != nil {
		return types.NullValue, err
	}
	if len(a.Dims) > 1 {
		return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "thresholds must be one-dimensional array")
	}
	for i := range a.Elems {
		if a.Elems[i].Null {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "thresholds array must not contain NULLs")
		}
	}
	t := x.typ(0)
	n := sort.Search(len(a.Elems), func(i int) bool { return types.Compare(t, &x.v[0], &a.Elems[i]) < 0 })
	return intValue(int64(n)), nil
}
