package graph

// Forever, as Input.StateTTL, says that what is kept of the input never expires.
const Forever = -1

// Expires reports, by table, which entries of the operator's state can have a
// lifetime: those that neither a window nor a watermark bounds. The tables of an
// aggregate's minima, maxima, lists and sketches are not among them: their rows go
// with their group.
func (o *Operator) Expires() []bool {
	out := make([]bool, len(o.Tables))
	switch {
	case len(out) == 0:
	case o.Aggregate != nil && !o.Aggregate.AtEnd:
		out[0] = !o.Aggregate.Global
		for i := range o.Aggregate.Distincts {
			out[1+i] = true
		}
	case o.Join != nil && o.Join.Sides != nil && !o.Join.AtEnd:
		for i := range out {
			out[i] = o.Join.Sides[i].Expiry.never()
		}
	case o.TemporalJoin != nil:
		out[1] = true // the watermark leaves a version of each key
	case o.LookupJoin != nil:
		out[0] = true
	case o.AsofJoin != nil && !o.AsofJoin.AtEnd:
		a := o.AsofJoin
		out[0] = a.Sides[0].Expiry == nil || !a.Back() // left rows may wait for ever for one that comes after them
		out[1] = a.Sides[1].Expiry == nil || a.Back()  // the last one of each key stays
	case o.TopN != nil:
		out[0] = o.TopN.Window == nil
	case o.Over != nil:
		out[0] = o.Over.Progress == nil && o.Over.Window == nil && !o.Over.AtEnd
	case o.Upsert != nil:
		out[0] = !o.Upsert.AtEnd
	case o.SetOp != nil:
		out[0] = o.SetOp.Expiry == nil
	}
	return out
}

// Lifetimes is, by table, how long an entry of the operator's state stays after it
// was last written, in microseconds, 0 for ever: what the job says, unless the
// input that the table is made of says otherwise. It is nil if nothing expires.
func (o *Operator) Lifetimes(job int64) []int64 {
	var out []int64
	for i, can := range o.Expires() {
		if !can {
			continue
		}
		ttl := job
		if in := o.inputOf(i); in != nil && in.StateTTL != 0 {
			ttl = max(in.StateTTL, 0)
		}
		if ttl <= 0 {
			continue
		}
		if out == nil {
			out = make([]int64, len(o.Tables))
		}
		out[i] = ttl
	}
	return out
}

// inputOf is the input that a table is made of, nil if it is made of several.
func (o *Operator) inputOf(table int) *Input {
	switch {
	case (o.Join != nil || o.AsofJoin != nil || o.TemporalJoin != nil) && table < len(o.Inputs):
		return &o.Inputs[table]
	case o.LookupJoin != nil && len(o.Inputs) > 1:
		return &o.Inputs[1]
	case len(o.Inputs) == 1, o.SetOp != nil && len(o.Inputs) > 0: // which has both inputs in one table
		return &o.Inputs[0]
	}
	return nil
}

// Expires reports whether any state of the plan has a lifetime, if the job's is
// that many microseconds.
func (g *Graph) Expires(job int64) bool {
	for i := range g.Operators {
		if g.Operators[i].Lifetimes(job) != nil {
			return true
		}
	}
	return false
}

// Historic reports whether what a job of the plan writes depends on when the rows of
// own tables came, and on rows that these do not have any more: what it has said could
// not be found out again from what the tables have later. job is as in Expires.
func (g *Graph) Historic(job int64) bool {
	own, timed := false, g.Expires(job)
	for i := range g.Operators {
		switch o := &g.Operators[i]; o.Kind {
		case SourceKind:
			own = own || o.Source.Connector == ""
			timed = timed || o.Source.Watermark != nil || o.Source.ProcTime
		case TemporalJoinKind, LookupJoinKind:
			timed = true
		}
	}
	return own && timed
}
