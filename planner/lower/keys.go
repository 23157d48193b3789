package lower

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// A relation is found by the keys of the rows it is joined with if it has so many rows
// at least, keysEach for each key, and if there are not more keys than keysMax: to read
// keysEach rows one after the other costs about what it costs to find one.
const (
	keysRowsMin = 500
	keysEach    = 16
	keysMax     = 50_000
)

// guessedPart is how much of its input a filter is taken to let through, as a divisor.
// A bad guess costs little: when more keys come than are worth it, all rows are read.
const guessedPart = 4

// useKeys lets joins over finished data find the rows of a relation by the keys of the
// other side, where that is small, instead of reading all of them: the source waits
// for the other side's end, or until it has too many keys. The join stays as it is.
func useKeys(g *graph.Graph, opts Options) *graph.Graph {
	if opts.Indexes == nil || opts.Rows == nil {
		return g
	}
	for i := 0; i < len(g.Operators); i++ {
		if g.Operators[i].Kind != graph.JoinKind {
			continue
		}
		for side := range 2 {
			k := keyedSide{g: g, opts: opts, join: i, side: side}
			if k.find() {
				k.insert()
				i++
			}
		}
	}
	return g
}

// keyedSide is a side of a join, whose rows are to be found by keys of the other one.
type keyedSide struct {
	g    *graph.Graph
	opts Options
	join int
	side int

	source int
	index  Index
	keys   []int // of the other side, for the first columns of the index
	rows   int64
}

// find reports whether the side is a relation with an index that is worth it.
func (k *keyedSide) find() bool {
	join := &k.g.Operators[k.join]
	spec := join.Join
	if len(spec.LeftKeys) == 0 || spec.Outer(k.side) {
		return false // rows that match nothing are wanted
	}
	own, other := spec.LeftKeys, spec.RightKeys
	if k.side == 1 {
		own, other = other, own
	}
	exprs, ok := k.descend(join.Inputs[k.side].Operator, own)
	if !ok {
		return false
	}
	s := k.g.Operators[k.source].Source
	if k.rows = k.opts.Rows(s.RelationID); k.rows < keysRowsMin {
		return false
	}
	from := join.Inputs[1-k.side].Operator
	if n := k.estimate(from); n == endless || n > k.rows/guessedPart {
		return false
	}
	at := map[int]int{} // column of the relation → of the other side
	for i, x := range exprs {
		if other[i].Op != scalar.OpColumn {
			continue
		}
		if c, ok := indexable(s, x, other[i].Type); ok {
			at[c] = other[i].Column
		}
	}
	for _, x := range k.opts.Indexes(s.RelationID) {
		var keys []int
		for _, c := range x.Columns {
			from, ok := at[c.Column]
			if !ok {
				break
			}
			keys = append(keys, from)
		}
		if len(keys) > len(k.keys) {
			k.index, k.keys = x, keys
		}
	}
	return len(k.keys) > 0
}

// descend goes down to the source that nobody but the join reads, and makes keys
// expressions over its columns.
func (k *keyedSide) descend(at int, keys []*scalar.Expr) ([]*scalar.Expr, bool) {
	readers := readersOf(k.g)
	keys = slices.Clone(keys)
	for {
		o := &k.g.Operators[at]
		switch {
		case readers[at] != 1:
			return nil, false
		case o.Source != nil:
			k.source = at
			return keys, (o.Source.Connector == "" || o.Source.Connector == "view") && !isNarrow(o.Source.Lookup)
		case o.Project != nil:
			for i, x := range keys {
				keys[i] = scalar.Substitute(x, o.Project.Exprs)
			}
		case o.Filter == nil:
			return nil, false
		}
		at = o.Inputs[0].Operator
	}
}

// isNarrow reports whether a lookup is likely to find fewer rows than keys would: it has
// values and not just a range, or it is for an order.
func isNarrow(l *graph.Lookup) bool {
	return l != nil && (l.Ordered || l.Outer || l.Keys != "" || len(l.Ranges) > 0 && len(l.Ranges[0].Equal) > 0)
}

// endless is the estimate of an operator that may have no end, or whose sources the
// engine holds back by itself.
const endless = -1

// estimate is about how many rows an operator has.
func (k *keyedSide) estimate(at int) int64 {
	all := make([]int64, at+1)
	for i := range all {
		all[i] = k.estimateOne(&k.g.Operators[i], all)
	}
	return all[at]
}

// estimateOne is about how many rows an operator has, by those of the ones before it.
func (k *keyedSide) estimateOne(o *graph.Operator, before []int64) int64 {
	var inputs []int64
	for _, in := range o.Inputs {
		if before[in.Operator] == endless {
			return endless
		}
		inputs = append(inputs, before[in.Operator])
	}
	switch o.Kind {
	case graph.SourceKind:
		return k.estimateSource(o.Source)
	case graph.ValuesKind:
		return int64(len(o.Values.Rows))
	case graph.FunctionScanKind, graph.WorkingKind, graph.RecursiveKind:
		return 1
	case graph.LookupJoinKind:
		return endless
	case graph.FilterKind:
		if s := k.g.Operators[o.Inputs[0].Operator].Source; s == nil || s.Lookup == nil {
			return inputs[0]/guessedPart + 1
		}
	case graph.SortKind:
		if o.Sort.Limit >= 0 {
			return min(o.Sort.Limit, inputs[0])
		}
	case graph.AggregateKind:
		if o.Aggregate.Global {
			return 1
		}
	case graph.UnionKind:
		sum := int64(0)
		for _, n := range inputs {
			sum += n
		}
		return sum
	case graph.JoinKind:
		return estimateJoin(o.Join, inputs)
	}
	return inputs[0]
}

func (k *keyedSide) estimateSource(s *graph.Source) int64 {
	switch s.Connector {
	case "system":
		return 100
	case "", "view":
	default:
		return endless
	}
	n := k.opts.Rows(s.RelationID)
	switch l := s.Lookup; {
	case l == nil:
	case l.Keys != "" || l.Outer:
		n = n/keysEach + 1
	case l.Enough > 0:
		n = min(n, l.Enough)
	case len(l.Ranges) > 0 && len(l.Ranges[0].Equal) == len(l.Columns):
		n = min(n, int64(len(l.Ranges)))
	case len(l.Ranges) > 0:
		n = n/guessedPart + 1
	}
	return n
}

func estimateJoin(j *graph.Join, inputs []int64) int64 {
	switch {
	case j.LeftOnly():
		return inputs[0]
	case len(j.LeftKeys) > 0:
		return max(inputs[0], inputs[1])
	case inputs[0] == 0 || inputs[1] <= 1<<40/inputs[0]:
		return inputs[0] * inputs[1]
	}
	return 1 << 40
}

// insert puts the operator that remembers keys before the other side of the join, and
// has the source ask it.
func (k *keyedSide) insert() {
	g := k.g
	in := &g.Operators[k.join].Inputs[1-k.side]
	from := &g.Operators[in.Operator]
	source := &g.Operators[k.source]
	o := graph.Operator{
		ID: "keys of " + source.ID, Kind: graph.KeysKind, Inputs: []graph.Input{forward(in.Operator)}, Fields: from.Fields, Mode: from.Mode,
		UpsertKey: from.UpsertKey, TimeColumn: from.TimeColumn, Pos: -1,
		Keys: &graph.Keys{Columns: k.keys, Max: int(min(k.rows/keysEach, keysMax)), Source: source.ID},
	}
	for n := 2; slices.ContainsFunc(g.Operators, func(x graph.Operator) bool { return x.ID == o.ID }); n++ {
		o.ID = "keys of " + source.ID + "#" + strconv.Itoa(n)
	}
	source.Source.Lookup = &graph.Lookup{Index: k.index.Name, Columns: k.index.Columns, Keys: o.ID}
	in.Operator = k.join
	g.Operators = slices.Insert(g.Operators, k.join, o)
	for i := k.join + 1; i < len(g.Operators); i++ {
		for n := range g.Operators[i].Inputs {
			in := &g.Operators[i].Inputs[n]
			if in.Operator >= k.join && (i != k.join+1 || n != 1-k.side) {
				in.Operator++
			}
		}
	}
	k.join++
}

// readersOf counts who reads each operator.
func readersOf(g *graph.Graph) []int {
	readers := make([]int, len(g.Operators))
	for i := range g.Operators {
		for _, in := range g.Operators[i].Inputs {
			readers[in.Operator]++
		}
	}
	return readers
}
