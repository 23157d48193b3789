package explain

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// lookup is how the rows that are wanted are found.
func lookup(s *graph.Source) string {
	if !s.Lookup.Hash {
		return "index: " + indexed(s)
	}
	var names []string
	for _, k := range s.Lookup.Columns {
		for _, c := range s.Physical {
			if c.Column == k.Column {
				names = append(names, c.Name)
			}
		}
	}
	return "hash: " + strings.Join(names, ", ") + ", by outer values"
}

// indexed is the index's name, and what is looked up in it.
func indexed(s *graph.Source) string {
	l := s.Lookup
	name := func(i int) string {
		for _, c := range s.Physical {
			if c.Column == l.Columns[i].Column {
				return c.Name
			}
		}
		return fmt.Sprint("column ", l.Columns[i].Column+1)
	}
	var parts []string
	if len(l.Ranges) > 0 && !l.Outer {
		r := &l.Ranges[0]
		switch within := within(r, name); {
		case len(l.Ranges) > 1 && within == "":
			parts = append(parts, fmt.Sprintf("%d keys", len(l.Ranges)))
		case len(l.Ranges) > 1:
			parts = append(parts, fmt.Sprintf("%d keys with %s", len(l.Ranges), within))
		case within != "":
			parts = append(parts, within)
		}
	}
	if l.Outer {
		parts = append(parts, "by outer values")
	}
	if l.Keys != "" {
		parts = append(parts, "by "+l.Keys)
	}
	if l.Ordered {
		order := "in its order"
		if l.Reverse {
			order = "in reverse order"
		}
		if l.Enough > 0 {
			order += fmt.Sprintf(", %d rows", l.Enough)
		}
		parts = append(parts, order)
	}
	return strings.Join(append([]string{l.Index}, parts...), ", ")
}

// within is the bounds of a range's column, "" for none.
func within(r *graph.LookupRange, name func(int) string) string {
	n := len(r.Equal)
	var parts []string
	if r.Low != nil && r.Low.Start {
		return name(n) + " from its start"
	}
	if r.Low != nil {
		parts = append(parts, name(n)+map[bool]string{true: " from", false: " above"}[r.Low.Inclusive])
	}
	if r.High != nil {
		parts = append(parts, name(n)+map[bool]string{true: " to", false: " below"}[r.High.Inclusive])
	}
	return strings.Join(parts, " and ")
}
