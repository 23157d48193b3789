package upgrade

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// comparison is the work of Compare. from and taken are the matches found so
// far, by new and by old id.
type comparison struct {
	old, new operators
	opts     Options
	plan     *Plan
	from     map[string]string
	taken    map[string]string
	why      map[string]string // of a match that is not by id, by new id
	discard  map[string]bool
	columns  map[string]bool // state columns to be discarded by MAP, true once one is seen to go
}

func (c *comparison) match(old, new, why string) {
	c.from[new], c.taken[old], c.why[new] = old, new, why
}

// mapped applies the MAP clause.
func (c *comparison) mapped() error {
	c.from, c.taken, c.why, c.discard = map[string]string{}, map[string]string{}, map[string]string{}, map[string]bool{}
	c.columns = map[string]bool{}
	for _, old := range c.opts.Mapping.Discard {
		switch {
		case c.old.byID[old] != nil:
			c.discard[old] = true
		case slices.Contains(c.columnNames(), old):
			c.columns[old] = false
		default:
			return unknown(old, "the state", append(ids(c.old), c.columnNames()...))
		}
	}
	var list []string
	for old := range c.opts.Mapping.To {
		list = append(list, old)
	}
	sort.Strings(list)
	for _, old := range list {
		new := c.opts.Mapping.To[old]
		o, n := c.old.byID[old], c.new.byID[new]
		switch {
		case o == nil:
			return unknown(old, "the state", ids(c.old))
		case n == nil:
			return unknown(new, "the new query", ids(c.new))
		case c.from[new] != "":
			return pgerr.New(pgerr.InvalidParameterValue, "operator %q is mapped to from both %q and %q", new, c.from[new], old)
		case c.discard[old]:
			return pgerr.New(pgerr.InvalidParameterValue, "operator %q is both mapped and discarded", old)
		case o.Kind != n.Kind:
			return pgerr.New(pgerr.InvalidParameterValue, "operator %q cannot take the state of %q: %s is not %s", new, old, n.Kind, o.Kind)
		}
		c.match(old, new, "mapped from "+old)
	}
	return nil
}

// columnNames lists the state columns and tables of the old graph as MAP names them.
func (c *comparison) columnNames() (out []string) {
	for _, o := range c.old.operators {
		for i := range o.Tables {
			t := &o.Tables[i]
			if t.Name != "" {
				out = append(out, o.ID+"."+t.Name)
			}
			for _, col := range t.Columns {
				out = append(out, o.ID+"."+Loss{Name: col.Name, Table: t.Name}.ref())
			}
		}
	}
	return out
}

// discardsLeft refuses to discard a single column that goes on: that would make its
// operator's columns disagree.
func (c *comparison) discardsLeft() error {
	for _, name := range c.opts.Mapping.Discard {
		gone, single := c.columns[name]
		if !single || gone {
			continue
		}
		for _, o := range c.old.operators {
			if n := c.taken[o.ID]; strings.HasPrefix(name, o.ID+".") && n != "" && c.plan.Operators[n] != "" {
				return pgerr.New(pgerr.InvalidParameterValue, "state column %q has a place in the new query", name).
					Hint("MAP discards single columns that have none, and operators whole: MAP (%s => DISCARD).", literal(o.ID))
			}
		}
	}
	return nil
}

func unknown(id, where string, known []string) error {
	err := pgerr.New(pgerr.UndefinedObject, "there is no operator %q in %s", id, where)
	if near := nearest(id, known); len(near) > 0 {
		return err.Hint("Perhaps you meant %q.", near[0])
	}
	return err
}

func ids(s operators) []string {
	var out []string
	for _, o := range s.operators {
		out = append(out, o.ID)
	}
	return out
}

func (c *comparison) free(old string) bool { return c.taken[old] == "" && !c.discard[old] }

func (c *comparison) byID() {
	for _, n := range c.new.operators {
		if o := c.old.byID[n.ID]; o != nil && o.Kind == n.Kind && c.from[n.ID] == "" && c.free(n.ID) {
			c.match(n.ID, n.ID, "")
		}
	}
}

// byRole matches operators whose ids differ in the role alone: a second operator
// that means the same came or went, and with it the need to tell them apart.
func (c *comparison) byRole() {
	c.pairs(func(o, n *graph.Operator) (bool, string) {
		if o.Kind != n.Kind || base(o) != base(n) || o.Role == n.Role || isTwin(o) || isTwin(n) {
			return false, ""
		}
		same := slices.Equal(c.old.feeds[o.ID], c.new.feeds[n.ID])
		if o.Kind == graph.SinkKind {
			same = slices.Equal(c.old.reads[o.ID], c.new.reads[n.ID])
		}
		return same, "it was called " + o.ID
	})
}

// isTwin reports whether an operator is another one over again, with a number in its role:
// it came or went, not the one that it is like.
func isTwin(o *graph.Operator) bool {
	i := strings.LastIndexByte(o.Role, '#')
	_, err := strconv.Atoi(o.Role[i+1:])
	return i >= 0 && err == nil
}

// bySink matches operators whose roles differ in the relation alone that they feed, if
// the old query does not write to the new one nor the new query to the old one.
func (c *comparison) bySink() {
	c.pairs(func(o, n *graph.Operator) (bool, string) {
		was, is := c.old.feeds[o.ID], c.new.feeds[n.ID]
		if o.Kind != n.Kind || o.Kind == graph.SinkKind || base(o) != base(n) || slices.Equal(was, is) || c.new.feedsAny(was) || c.old.feedsAny(is) {
			return false, ""
		}
		a, inOld := strings.CutPrefix(o.Role, roleOf(was))
		b, inNew := strings.CutPrefix(n.Role, roleOf(is))
		return inOld && inNew && a == b, "it was called " + o.ID
	})
}

// roleOf is how roles name what an operator feeds.
func roleOf(feeds []string) string {
	var out []string
	for _, f := range feeds {
		out = append(out, strings.TrimPrefix(f, "public."))
	}
	return strings.Join(out, "+")
}

// feedsAny reports whether an operator feeds one of the relations.
func (s *operators) feedsAny(relations []string) bool {
	for _, feeds := range s.feeds {
		if slices.ContainsFunc(feeds, func(f string) bool { return slices.Contains(relations, f) }) {
			return true
		}
	}
	return false
}

// base is the id without the role.
func base(o *graph.Operator) string {
	if o.Role == "" {
		return o.ID
	}
	return strings.TrimSuffix(o.ID, "."+o.Role)
}

// byUnion matches operators that differ in their input's name alone, where one
// side reads a union that the other side's input is part of: a branch came to a
// query that had none, or the last but one went. A branch that aggregates the same
// relation is another input.
func (c *comparison) byUnion() {
	c.pairs(func(o, n *graph.Operator) (bool, string) {
		if o.Kind != n.Kind || o.Kind == graph.SourceKind || o.Kind == graph.SinkKind {
			return false, ""
		}
		a, b := c.old.inputs[o.ID], c.new.inputs[n.ID]
		if !subset(a, b) && !subset(b, a) {
			return false, ""
		}
		return united(base(o), c.old.reads[o.ID]) == united(base(n), c.new.reads[n.ID]), "it was called " + o.ID
	})
}

func subset(a, b []string) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

// united is the id as it would be if the input were a union.
func united(id string, relations []string) string {
	if len(relations) != 1 {
		return id
	}
	name := strings.TrimPrefix(relations[0], "public.")
	kind, rest, ok := strings.Cut(id, "(")
	if !ok || !strings.HasPrefix(rest, name) {
		return id
	}
	return kind + "(union" + rest[len(name):]
}

// pairs matches what is free on both sides where exactly one partner fits.
func (c *comparison) pairs(fits func(o, n *graph.Operator) (bool, string)) {
	partners := func(n *graph.Operator) (found []*graph.Operator, why string) {
		for _, o := range c.old.operators {
			if !c.free(o.ID) {
				continue
			}
			if ok, w := fits(o, n); ok {
				found, why = append(found, o), w
			}
		}
		return found, why
	}
	wanted := map[string]int{}
	for _, n := range c.new.operators {
		if c.from[n.ID] == "" {
			found, _ := partners(n)
			for _, o := range found {
				wanted[o.ID]++
			}
		}
	}
	type pair struct{ old, new, why string }
	var matches []pair
	for _, n := range c.new.operators {
		if c.from[n.ID] != "" {
			continue
		}
		if found, why := partners(n); len(found) == 1 && wanted[found[0].ID] == 1 {
			matches = append(matches, pair{found[0].ID, n.ID, why})
		}
	}
	for _, m := range matches {
		c.match(m.old, m.new, m.why)
	}
}

// nearest lists the ids most like id, at most three.
func nearest(id string, known []string) []string {
	type scored struct {
		id string
		d  int
	}
	var list []scored
	for _, k := range known {
		d := distance(id, k)
		if d*3 <= 2*max(len([]rune(id)), len([]rune(k))) {
			list = append(list, scored{k, d})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].d < list[j].d })
	var out []string
	for i := 0; i < len(list) && i < 3; i++ {
		out = append(out, list[i].id)
	}
	return out
}

// distance is the number of single-character edits between two strings.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j := range t {
			cost := diagonal
			if s[i] != t[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(t)]
}
