package graph

import (
	"bytes"
	"slices"

	"github.com/millrace/millrace/types"
)

// Lookup is the rows of a relation that an index has in any of Ranges; all of them
// without any.
type Lookup struct {
	Index   string         `json:"index"`   // its name, for people
	Columns []LookupColumn `json:"columns"` // the index's
	Ranges  []LookupRange  `json:"ranges,omitempty"`
	// Keys is the id of the operator that tells the ranges when the query runs.
	Keys string `json:"keys,omitempty"`
	// Outer says that the ranges depend on outer values: they are found once these are
	// known.
	Outer bool `json:"outer,omitempty"`
	// Hash says that no index has the rows: Columns are those whose values tell which
	// are wanted, and who runs the query keeps the rows by these, as long as it runs.
	Hash bool `json:"hash,omitempty"`
	// Never says that no rows are wanted, as an outer value that they are compared with is null.
	Never bool `json:"never,omitempty"`
	// Ordered says that the rows are wanted in the order of the index, from its
	// end with Reverse. No more than Enough are wanted, if that is not 0.
	Ordered bool  `json:"ordered,omitempty"`
	Reverse bool  `json:"reverse,omitempty"`
	Enough  int64 `json:"enough,omitempty"`
}

// LookupColumn is a column of a relation in an index.
type LookupColumn struct {
	Column     int        `json:"column"`
	Type       types.Type `json:"type"`
	Desc       bool       `json:"desc,omitempty"`
	NullsFirst bool       `json:"nulls_first,omitempty"`
}

// LookupRange is the rows that have these values, not null, in the first columns of
// an index and, if there is a bound, one in the next column that is within.
type LookupRange struct {
	Equal []types.Value `json:"equal,omitempty"`
	Low   *LookupBound  `json:"low,omitempty"`
	High  *LookupBound  `json:"high,omitempty"`
}

// LookupBound is where a range begins or ends: at a value, or at strings that begin
// with it.
type LookupBound struct {
	Value     types.Value `json:"value"`
	Inclusive bool        `json:"inclusive,omitempty"`
	Start     bool        `json:"start,omitempty"`
}

// Ordered is how the column is in keys.
func (c *LookupColumn) Ordered() types.Ordered {
	return types.Ordered{Desc: c.Desc, NullsFirst: c.NullsFirst, Char: c.Type.Kind == types.Char}
}

// IsPoints reports whether the rows wanted are those with some values in the first n
// columns of the index, and they may come in any order.
func (l *Lookup) IsPoints() (n int, ok bool) {
	if l.Ordered || len(l.Ranges) == 0 {
		return 0, false
	}
	n = len(l.Ranges[0].Equal)
	for _, r := range l.Ranges {
		if r.Low != nil || r.High != nil || len(r.Equal) != n {
			return 0, false
		}
	}
	return n, n > 0
}

// Bounds are the ranges as keys, each from the first up to and without the second,
// nil for the end. They are ordered, and do not overlap.
func (l *Lookup) Bounds() [][2][]byte {
	if len(l.Ranges) == 0 {
		return [][2][]byte{{}}
	}
	var all [][2][]byte
	for i := range l.Ranges {
		if low, high := l.bounds(&l.Ranges[i]); high == nil || bytes.Compare(low, high) < 0 {
			all = append(all, [2][]byte{low, high})
		}
	}
	slices.SortFunc(all, func(a, b [2][]byte) int { return bytes.Compare(a[0], b[0]) })
	var out [][2][]byte
	for _, r := range all {
		n := len(out) - 1
		switch {
		case n < 0 || out[n][1] != nil && bytes.Compare(out[n][1], r[0]) < 0:
			out = append(out, r)
		case out[n][1] != nil && (r[1] == nil || bytes.Compare(r[1], out[n][1]) > 0):
			out[n][1] = r[1]
		}
	}
	return out
}

func (l *Lookup) bounds(r *LookupRange) (low, high []byte) {
	var key []byte
	for i := range r.Equal {
		c := &l.Columns[i]
		key = c.Ordered().AppendValue(key, c.Type.Phys(), &r.Equal[i])
	}
	if r.Low == nil && r.High == nil {
		return key, types.OrderedAfter(slices.Clone(key))
	}
	c := &l.Columns[len(r.Equal)]
	from, to := r.Low, r.High
	if c.Desc {
		from, to = to, from
	}
	low = c.Ordered().AppendValues(slices.Clone(key))
	high = types.OrderedAfter(slices.Clone(low))
	if from != nil {
		if low = from.key(c, slices.Clone(key)); !from.Inclusive {
			low = types.OrderedAfter(low)
		}
	}
	if to != nil {
		if high = to.key(c, slices.Clone(key)); to.Inclusive {
			high = types.OrderedAfter(high)
		}
	}
	return low, high
}

func (b *LookupBound) key(c *LookupColumn, dst []byte) []byte {
	if b.Start {
		return c.Ordered().AppendStart(dst, b.Value.Bytes)
	}
	return c.Ordered().AppendValue(dst, c.Type.Phys(), &b.Value)
}
