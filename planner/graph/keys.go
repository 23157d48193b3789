package graph

import "errors"

// Keys lets all rows through and remembers which values, none null, Columns have in
// them: the source of that id, whose Lookup says Keys, reads no rows but those that
// have one of these in the first columns of its index. It waits for them until the
// input has ended or has had more than Max different ones, and then reads all rows.
// It stands before one side of a join, whose other side is the source. Bounded graphs
// only. Output: the input's columns.
type Keys struct {
	Columns []int  `json:"columns"`
	Max     int    `json:"max"`
	Source  string `json:"source"`
}

func (c *checker) keys(k *Keys) error {
	if len(k.Columns) == 0 || k.Max < 0 {
		return errors.New("no keys to remember")
	}
	for i := range c.g.Operators {
		o := &c.g.Operators[i]
		if o.ID != k.Source {
			continue
		}
		if o.Source == nil || o.Source.Lookup == nil || o.Source.Lookup.Keys != c.o.ID || len(k.Columns) > len(o.Source.Lookup.Columns) {
			return errors.New("keys for a source that does not ask for them")
		}
		return errors.Join(c.like(0), columns(k.Columns, c.width(0)))
	}
	return errors.New("keys for no source")
}
