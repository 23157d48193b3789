package pgcatalog

import (
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/types"
)

// Rows gathers a system relation's rows.
type Rows struct {
	Values [][]types.Value

	relation *catalog.Relation
	set      []int // the columns that Add sets
	zero     []types.Value
}

// NewRows begins the rows of a relation. The columns that Add is to set are
// given by name, all of them when none is; a column that is not set is null, or
// its type's zero if it is NOT NULL.
func NewRows(relation *catalog.Relation, columns ...string) *Rows {
	r := &Rows{relation: relation}
	for _, c := range relation.Columns {
		r.zero = append(r.zero, zeroOf(c.Type, c.NotNull))
	}
	r.Columns(columns...)
	return r
}

// Columns changes which columns Add sets.
func (r *Rows) Columns(names ...string) *Rows {
	r.set = r.set[:0]
	if len(names) == 0 {
		for i := range r.relation.Columns {
			r.set = append(r.set, i)
		}
		return r
	}
	for _, name := range names {
		at := -1
		for i, c := range r.relation.Columns {
			if c.Name == name {
				at = i
			}
		}
		invariant.Assert(at >= 0, "%s has no column %s", r.relation.Name, name)
		r.set = append(r.set, at)
	}
	return r
}

// Add adds a row: Go values for the columns, nil for null. Integers may have any
// type, times are time.Time (null when zero), intervals time.Duration, arrays
// slices of strings or integers.
func (r *Rows) Add(values ...any) {
	invariant.Assert(len(values) == len(r.set), "%s: %d values for %d columns", r.relation.Name, len(values), len(r.set))
	row := append([]types.Value(nil), r.zero...)
	for i, v := range values {
		row[r.set[i]] = toValue(r.relation.Columns[r.set[i]].Type, v)
	}
	r.Values = append(r.Values, row)
}

// lowerZero marks an array that counts from 0, as int2vector and oidvector do.
type lowerZero []int64

// toValue converts a Go value.
func toValue(t types.Type, v any) types.Value {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case types.Value:
		return v
	case string:
		return types.Value{Bytes: v}
	case bool:
		return types.Value{Bool: v}
	case int:
		return number(t, int64(v))
	case int16:
		return number(t, int64(v))
	case int32:
		return number(t, int64(v))
	case uint32:
		return number(t, int64(v))
	case int64:
		return number(t, v)
	case float64:
		return types.Value{Float: v}
	case time.Time:
		if v.IsZero() {
			return types.NullValue
		}
		return types.Value{Int: v.UnixMicro()}
	case time.Duration:
		return types.Value{Interval: types.Interval{Micros: v.Microseconds()}}
	case []string:
		elems := make([]types.Value, len(v))
		for i, s := range v {
			elems[i] = types.Value{Bytes: s}
		}
		return types.Value{Bytes: types.EncodeList(*t.Elem, elems)}
	case []int64:
		return types.Value{Bytes: types.EncodeList(*t.Elem, ints(v))}
	case lowerZero:
		a := types.ArrayValue{Elems: ints(v)}
		if len(v) > 0 {
			a.Dims = []types.Dimension{{Len: len(v), Lower: 0}}
		}
		return types.Value{Bytes: types.EncodeArray(*t.Elem, a)}
	}
	invariant.Assert(false, "system relations hold no %T", v)
	return types.NullValue
}

func number(t types.Type, v int64) types.Value {
	if t.Phys() == types.PhysFloat {
		return types.Value{Float: float64(v)}
	}
	return types.Value{Int: v}
}

func ints(v []int64) []types.Value {
	out := make([]types.Value, len(v))
	for i, n := range v {
		out[i] = types.Value{Int: n}
	}
	return out
}
