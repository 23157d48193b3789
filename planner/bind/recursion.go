package bind

import (
	"reflect"
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// orderedQuery is a WITH query in an order in which each comes after those it
// refers to.
type orderedQuery struct {
	*ast.CTE
	recursive bool // it refers to itself
}

// orderOf orders WITH queries and finds those that refer to themselves, in a form
// that can be run. Without RECURSIVE a name means what it meant before.
func orderOf(w *ast.With) ([]orderedQuery, error) {
	var out []orderedQuery
	if !w.Recursive {
		for i := range w.CTEs {
			out = append(out, orderedQuery{CTE: &w.CTEs[i]})
		}
		return out, nil
	}
	needs := make([]map[int]bool, len(w.CTEs)) // what each refers to, and has not been placed
	recursive := make([]bool, len(w.CTEs))
	for i := range w.CTEs {
		needs[i] = map[int]bool{}
		walkReferences(bodyOf(&w.CTEs[i]), func(r *ast.TableRef, _ place) {
			at := slices.IndexFunc(w.CTEs, func(c ast.CTE) bool { return c.Name.Value == r.Name[0].Value })
			switch {
			case at == i:
				recursive[i] = true
			case at >= 0:
				needs[i][at] = true
			}
		})
	}
	placed := make([]bool, len(w.CTEs))
	for len(out) < len(w.CTEs) {
		next := slices.IndexFunc(needs, func(n map[int]bool) bool { return n != nil && len(n) == 0 })
		if next < 0 {
			first := slices.Index(placed, false)
			return nil, pgerr.New(pgerr.FeatureNotSupported, "mutual recursion between WITH items is not implemented").At(int(w.CTEs[first].Name.Pos))
		}
		placed[next], needs[next] = true, nil
		for _, n := range needs {
			delete(n, next)
		}
		out = append(out, orderedQuery{CTE: &w.CTEs[next], recursive: recursive[next]})
	}
	for i := range w.CTEs {
		if recursive[i] {
			if err := recursionOf(&w.CTEs[i]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// bodyOf is the query or statement of a WITH query.
func bodyOf(c *ast.CTE) ast.Node {
	if c.Statement != nil {
		return c.Statement
	}
	return c.Query
}

// unionOf is the UNION that a recursive query must be, nil for none.
func unionOf(q *ast.Query) *ast.SetOp {
	for {
		switch body := q.Body.(type) {
		case *ast.SetOp:
			if body.Op == "union" {
				return body
			}
			return nil
		case *ast.Nested:
			if q.With != nil {
				return nil
			}
			q = body.Query
		default:
			return nil
		}
	}
}

// recursionOf checks a query that refers to itself: it is a UNION whose second
// part does so once, where the rows that come last can be put.
func recursionOf(c *ast.CTE) error {
	if c.Statement != nil {
		return pgerr.New(pgerr.InvalidRecursion, "recursive query %q must not contain data-modifying statements", c.Name.Value).At(int(c.Name.Pos))
	}
	op := unionOf(c.Query)
	if op == nil {
		return pgerr.New(pgerr.InvalidRecursion, "recursive query %q does not have the form non-recursive-term UNION [ALL] recursive-term", c.Name.Value).At(int(c.Name.Pos))
	}
	var err error
	count := 0
	check := func(within place) func(*ast.TableRef, place) {
		return func(r *ast.TableRef, p place) {
			if err != nil || r.Name[0].Value != c.Name.Value {
				return
			}
			if within != anyPlace {
				p = within
			}
			switch count++; {
			case p != anyPlace:
				err = pgerr.New(pgerr.InvalidRecursion, "recursive reference to query %q must not appear within %s", c.Name.Value, p).At(int(r.Pos))
			case count > 1:
				err = pgerr.New(pgerr.InvalidRecursion, "recursive reference to query %q must not appear more than once", c.Name.Value).At(int(r.Pos))
			}
		}
	}
	walkReferences(op.L, check("its non-recursive term"))
	walkReferences(op.R, check(anyPlace))
	if c.Query.With != nil {
		for _, inner := range c.Query.With.CTEs {
			walkReferences(inner.Query, check(inSubquery))
		}
	}
	refuse := func(x ast.Node, what string) {
		if err == nil {
			err = pgerr.New(pgerr.FeatureNotSupported, "%s in a recursive query is not implemented", what).At(int(x.Offset()))
		}
	}
	for q := c.Query; ; {
		switch {
		case len(q.OrderBy) > 0:
			refuse(q.OrderBy[0].X, "ORDER BY")
		case q.Skip != nil:
			refuse(q.Skip, "OFFSET")
		case q.Limit != nil:
			refuse(q.Limit, "LIMIT")
		case q.Locking != "":
			refuse(q, "FOR UPDATE/SHARE")
		}
		nested, ok := q.Body.(*ast.Nested)
		if !ok {
			return err
		}
		q = nested.Query
	}
}

// place is where a query refers to itself, as its error says; "" where it may.
type place string

const (
	anyPlace   place = ""
	inSubquery place = "a subquery"
)

// walkReferences calls f for each name of a relation without a schema that no WITH
// within n defines.
func walkReferences(n ast.Node, f func(*ast.TableRef, place)) {
	w := referenceWalk{f: f}
	w.walk(n, anyPlace)
}

type referenceWalk struct {
	f      func(*ast.TableRef, place)
	hidden []string // names that a WITH within defines
}

func (w *referenceWalk) walk(n any, p place) {
	visit(reflect.ValueOf(n), func(x any) bool { return w.node(x, p) })
}

// node handles what hides names or changes the place; it reports whether to look
// inside.
func (w *referenceWalk) node(x any, p place) bool {
	// A subquery or a part of a join counts on its own only where references may be.
	within := func(q place) place {
		if p == anyPlace {
			return q
		}
		return p
	}
	switch x := x.(type) {
	case *ast.TableRef:
		if len(x.Name) == 1 && !slices.Contains(w.hidden, x.Name[0].Value) {
			w.f(x, p)
		}
	case *ast.Query:
		w.query(x, p)
		return false
	case *ast.Subquery:
		w.walk(x.Query, inSubquery)
		return false
	case *ast.Exists:
		w.walk(x.Query, inSubquery)
		return false
	case *ast.In:
		if x.Query != nil {
			w.walk(x.X, p)
			w.walk(x.Query, inSubquery)
			return false
		}
	case *ast.Quantified:
		if x.Query != nil {
			w.walk(x.X, p)
			w.walk(x.Query, inSubquery)
			return false
		}
	case *ast.Join:
		left, right := p, p
		if x.Kind == "left" || x.Kind == "full" {
			right = within("an outer join")
		}
		if x.Kind == "right" || x.Kind == "full" {
			left = within("an outer join")
		}
		w.walk(x.L, left)
		w.walk(x.R, right)
		w.walk(x.On, p)
		return false
	case *ast.SetOp:
		left, right := p, p
		switch {
		case x.Op == "intersect" && x.All:
			left, right = within("INTERSECT"), within("INTERSECT")
		case x.Op == "except" && x.All:
			left, right = within("EXCEPT"), within("EXCEPT")
		case x.Op == "except":
			right = within("EXCEPT")
		}
		w.walk(x.L, left)
		w.walk(x.R, right)
		return false
	}
	return true
}

// query walks a query with its WITH queries, which hide names from what follows,
// and with RECURSIVE from each other.
func (w *referenceWalk) query(q *ast.Query, p place) {
	n := len(w.hidden)
	if q.With != nil {
		if q.With.Recursive {
			for _, c := range q.With.CTEs {
				w.hidden = append(w.hidden, c.Name.Value)
			}
		}
		for _, c := range q.With.CTEs {
			w.walk(c.Query, p)
			if !q.With.Recursive {
				w.hidden = append(w.hidden, c.Name.Value)
			}
		}
	}
	w.walk(q.Body, p)
	for _, it := range q.OrderBy {
		w.walk(it.X, p)
	}
	w.walk(q.Limit, p)
	w.walk(q.Skip, p)
	w.hidden = w.hidden[:n]
}
