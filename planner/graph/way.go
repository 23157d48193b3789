package graph

// Way is that rows which come to relation From, as a source of a plan, may change what
// the plan writes to relation To. Both are ids.
type Way struct {
	From, To string
	Pos      int // where the statement has the source, -1 for nowhere
}

// Ways lists the ways through a plan. Those sides of joins that are only looked at when
// a row of the other side comes are on none.
func (g *Graph) Ways() (out []Way) {
	for i := range g.Operators {
		sink := &g.Operators[i]
		if sink.Sink == nil {
			continue
		}
		seen := make([]bool, len(g.Operators))
		known := map[string]bool{}
		var visit func(int)
		visit = func(i int) {
			o := &g.Operators[i]
			if seen[i] {
				return
			}
			seen[i] = true
			if o.Source != nil && !known[o.Source.RelationID] {
				known[o.Source.RelationID] = true
				out = append(out, Way{From: o.Source.RelationID, To: sink.Sink.RelationID, Pos: o.Pos})
			}
			inputs := o.Inputs
			if o.LookupJoin != nil || o.TemporalJoin != nil {
				inputs = inputs[:1]
			}
			for _, in := range inputs {
				visit(in.Operator)
			}
		}
		visit(i)
	}
	return out
}
