package job

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// indexIdleMax is how many epochs an index is brought forward without a reader
// before it is given up. The next reader makes it again. It is given up sooner when,
// without a reader, so many times its entries have changed: that has cost several times
// what it costs to make it.
const (
	indexIdleMax   = 600
	indexUnusedMax = 10
	indexUnusedMin = 1_000_000 // changes
)

// viewIndex finds a view's rows by some of its columns. The first reader makes
// it from what the view has then, and from there on the publisher of each epoch
// brings it forward before readers see the epoch, so that they never wait for it.
type viewIndex struct {
	*state.Lookup
	used atomic.Bool // since the last epoch
	// idle and changed are epochs and changes without a reader; the publisher's.
	idle, changed int
}

// advance brings the indexes forward to parts and returns those that remain. The
// caller holds indexing.
func (v *View) advance(parts []*state.Snapshot) map[string]*viewIndex {
	v.mu.Lock()
	old, serial, indexes := v.parts, v.serial, maps.Clone(v.indexes)
	v.mu.Unlock()
	maps.DeleteFunc(indexes, func(_ string, x *viewIndex) bool {
		x.idle++
		if x.used.Swap(false) {
			x.idle, x.changed = 0, 0
		}
		if x.idle > indexIdleMax || x.changed > max(indexUnusedMin, indexUnusedMax*x.Len()) || !x.Advance(old, parts, serial) {
			return true
		}
		x.changed += x.Changed()
		return false
	})
	return indexes
}

// Key is the view's key, as positions in its columns; nil while it is not known
// and for a view without one.
func (v *View) Key() []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.spec == nil {
		return nil
	}
	return v.spec.Key
}

// Len is how many different rows the newest epoch has.
func (v *View) Len() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := int64(0)
	for _, s := range v.parts {
		n += int64(s.Len())
	}
	return n
}

// Lookup reads what an index of the view, made if need be, has of the cut's rows in
// ranges of keys. The columns are the view's.
func (c *Cut) Lookup(columns []state.LookupColumn, ranges []state.LookupRange, reverse bool) *state.LookupScan {
	x := c.view.index(columns)
	if x == nil {
		x = &viewIndex{Lookup: state.NewLookup(inTable(c.Parts, c.Spec, columns), c.Parts, c.serial)}
	}
	x.used.Store(true)
	return x.Scan(c.Parts, c.serial, ranges, reverse)
}

// inTable is columns of the view as columns of its state table.
func inTable(parts []*state.Snapshot, spec *graph.Materialize, columns []state.LookupColumn) []state.LookupColumn {
	out := slices.Clone(columns)
	for i := range out {
		cols, _ := ColumnsOf(parts[0].Schema(), spec, []int{columns[i].Column})
		out[i].Column = cols[0]
	}
	return out
}

// index returns the index on columns of the view, made if need be; nil when the
// view has no rows any more.
func (v *View) index(columns []state.LookupColumn) *viewIndex {
	name := fmt.Sprint(columns)
	v.mu.Lock()
	x := v.indexes[name]
	v.mu.Unlock()
	if x != nil {
		return x
	}
	v.indexing.Lock()
	defer v.indexing.Unlock()
	v.mu.Lock()
	x = v.indexes[name]
	parts, spec, serial := v.parts, v.spec, v.serial
	v.mu.Unlock()
	if x != nil || len(parts) == 0 {
		return x
	}
	x = &viewIndex{Lookup: state.NewLookup(inTable(parts, spec, columns), parts, serial)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.indexes[name] = x
	return x
}

// ColumnsOf maps a view's columns to those of its state table: keys first,
// then the others in their order. Without a key all columns are, and one more,
// which count is the number of, tells how many copies of the row there are.
func ColumnsOf(schema graph.Table, spec *graph.Materialize, want []int) (cols []int, count int) {
	if spec.Key == nil {
		return want, len(schema.Keys)
	}
	place := map[int]int{}
	for i, k := range spec.Key {
		place[k] = i
	}
	total := len(schema.Keys) + len(schema.Columns)
	for i, next := 0, len(spec.Key); i < total; i++ {
		if _, ok := place[i]; !ok {
			place[i] = next
			next++
		}
	}
	for _, w := range want {
		cols = append(cols, place[w])
	}
	return cols, -1
}
