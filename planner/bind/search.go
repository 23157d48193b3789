package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// searched is what SEARCH and CYCLE add to a recursive query: columns after its own,
// whose next values come from those of the row that a row was found from.
type searched struct {
	b      *binder
	search *ast.Search
	cycle  *ast.Cycle
	own    []logical.Field // columns of the query itself
	from   *ast.TableRef
}

// none reports whether there is nothing to add.
func (s *searched) none() bool { return s.search == nil && s.cycle == nil }

// names are the added columns.
func (s *searched) names() (out []ast.Name) {
	if s.search != nil {
		out = append(out, s.search.Set)
	}
	if s.cycle != nil {
		out = append(out, s.cycle.Mark, s.cycle.Path)
	}
	return out
}

// check tests the names against the query's own columns.
func (s *searched) check(fields []logical.Field) error {
	has := func(n ast.Name) bool {
		return slices.ContainsFunc(fields, func(f logical.Field) bool { return f.Name == n.Value })
	}
	listed := func(what string, names []ast.Name) error {
		seen := map[string]bool{}
		for _, n := range names {
			switch {
			case !has(n):
				return pgerr.New(pgerr.SyntaxError, "%s column %q not in WITH query column list", what, n.Value).At(int(n.Pos))
			case seen[n.Value]:
				return pgerr.New(pgerr.DuplicateColumn, "%s column %q specified more than once", what, n.Value).At(int(n.Pos))
			}
			seen[n.Value] = true
		}
		return nil
	}
	fresh := func(what string, n ast.Name) error {
		if has(n) {
			return pgerr.New(pgerr.SyntaxError, "%s column name %q already used in WITH query column list", what, n.Value).At(int(n.Pos))
		}
		return nil
	}
	if y := s.search; y != nil {
		if err := listed("search", y.Columns); err != nil {
			return err
		}
		if err := fresh("search sequence", y.Set); err != nil {
			return err
		}
	}
	y := s.cycle
	if y == nil {
		return nil
	}
	if err := listed("cycle", y.Columns); err != nil {
		return err
	}
	if err := fresh("cycle mark", y.Mark); err != nil {
		return err
	}
	if err := fresh("cycle path", y.Path); err != nil {
		return err
	}
	same := func(a, b, message string, pos ast.Pos) error {
		if a == b {
			return pgerr.New(pgerr.SyntaxError, "%s", message).At(int(pos))
		}
		return nil
	}
	if err := same(y.Mark.Value, y.Path.Value, "cycle mark column name and cycle path column name are the same", y.Pos); err != nil || s.search == nil {
		return err
	}
	if err := same(s.search.Set.Value, y.Mark.Value, "search sequence column name and cycle mark column name are the same", s.search.Pos); err != nil {
		return err
	}
	return same(s.search.Set.Value, y.Path.Value, "search sequence column name and cycle path column name are the same", s.search.Pos)
}

func reference(n ast.Name) ast.Expr { return &ast.ColumnRef{Path: ast.Path{n}} }

func rowOfNames(first ast.Expr, names []ast.Name) ast.Expr {
	r := &ast.RowExpr{Explicit: true}
	if first != nil {
		r.Elems = append(r.Elems, first)
	}
	for _, n := range names {
		r.Elems = append(r.Elems, reference(n))
	}
	return r
}

func boolLiteral(text string) ast.Expr { return &ast.Literal{Kind: ast.BoolLiteral, Text: text} }

// mark is the value of the mark column, by a condition.
func (s *searched) mark(found ast.Expr) ast.Expr {
	to, otherwise := s.cycle.To, s.cycle.Default
	if to == nil {
		to, otherwise = boolLiteral("true"), boolLiteral("false")
	}
	return &ast.Case{Whens: []ast.When{{Cond: found, Then: to}}, Else: otherwise}
}

// first adds the columns to the rows that recursion begins with.
func (s *searched) first(node logical.Node) (logical.Node, error) {
	s.own = node.Fields()
	if err := s.check(node.Fields()); err != nil {
		return nil, err
	}
	var add []ast.Expr
	if y := s.search; y != nil && y.Depth {
		add = append(add, &ast.ArrayExpr{Elems: []ast.Expr{rowOfNames(nil, y.Columns)}})
	} else if y != nil {
		zero := &ast.Cast{X: &ast.Literal{Kind: ast.IntegerLiteral, Text: "0"}, Type: ast.TypeName{Name: "int8"}}
		add = append(add, rowOfNames(zero, y.Columns))
	}
	if y := s.cycle; y != nil {
		add = append(add, s.mark(boolLiteral("false")), &ast.ArrayExpr{Elems: []ast.Expr{rowOfNames(nil, y.Columns)}})
	}
	return s.extended(node, nil, add)
}

// step gives the second part the added columns of the rows that it goes on from, as
// columns after its own. What closes a cycle is not gone on from.
func (s *searched) step(r ast.SetExpr, name string) (ast.SetExpr, error) {
	sel, ok := r.(*ast.Select)
	if !ok {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT").At(int(r.Offset()))
	}
	for _, te := range sel.From {
		s.find(te, name)
	}
	if s.from == nil {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "with a SEARCH or CYCLE clause, the recursive reference to WITH query %q must be at the top level of its right-hand SELECT", name).At(int(sel.Pos))
	}
	of := s.from.Name.Last()
	if s.from.Alias != nil {
		of = s.from.Alias.Name
	}
	previous := func(n ast.Name) ast.Expr { return &ast.ColumnRef{Path: ast.Path{of, n}} }
	out := *sel
	out.Items = slices.Clone(sel.Items)
	for _, n := range s.names() {
		out.Items = append(out.Items, ast.SelectItem{X: previous(n)})
	}
	if y := s.cycle; y != nil {
		to := y.To
		if to == nil {
			to = boolLiteral("true")
		}
		var open ast.Expr = &ast.Binary{Op: "<>", L: previous(y.Mark), R: to}
		if sel.Where != nil {
			open = &ast.Binary{Op: "and", L: sel.Where, R: open}
		}
		out.Where = open
	}
	return &out, nil
}

// find looks for the reference to the query itself in FROM.
func (s *searched) find(te ast.TableExpr, name string) {
	switch te := te.(type) {
	case *ast.TableRef:
		if len(te.Name) == 1 && te.Name[0].Value == name {
			s.from = te
		}
	case *ast.Join:
		s.find(te.L, name)
		s.find(te.R, name)
	}
}

// next computes the added columns of rows that have those of the rows before them.
func (s *searched) next(node logical.Node) (logical.Node, error) {
	previous := s.previous()
	var add []ast.Expr
	if y := s.search; y != nil && y.Depth {
		add = append(add, &ast.Binary{Op: "||", L: reference(previous[0]), R: rowOfNames(nil, y.Columns)})
	} else if y != nil {
		depth := &ast.FieldAccess{X: reference(previous[0]), Field: ast.Name{Value: "f1"}}
		add = append(add, rowOfNames(&ast.Binary{Op: "+", L: depth, R: &ast.Literal{Kind: ast.IntegerLiteral, Text: "1"}}, y.Columns))
	}
	if y := s.cycle; y != nil {
		path := reference(previous[len(previous)-1])
		row := rowOfNames(nil, y.Columns)
		add = append(add, s.mark(&ast.Quantified{Op: "=", X: row, Array: path}), &ast.Binary{Op: "||", L: path, R: row})
	}
	return s.extended(node, previous, add)
}

// previous are names that nobody else can use for the added columns of the row before.
func (s *searched) previous() (out []ast.Name) {
	for _, n := range s.names() {
		out = append(out, ast.Name{Value: "\x01" + n.Value})
	}
	return out
}

// extended is node's own columns and what the expressions over them come to.
// previous names the columns after its own.
func (s *searched) extended(node logical.Node, previous []ast.Name, add []ast.Expr) (logical.Node, error) {
	fields, width := slices.Clone(node.Fields()), len(s.own)
	for i := range s.own {
		fields[i].Name = s.own[i].Name // the second part has others
	}
	for i, n := range previous {
		fields[width+i].Name = n.Value
	}
	l := &level{b: s.b, scope: relationScope(fields), clause: "SEARCH and CYCLE"}
	p := &logical.Project{Input: node}
	for i, f := range fields[:width] {
		p.Exprs, p.Out = append(p.Exprs, columnExpr(i, f)), append(p.Out, f)
	}
	names := s.names()
	for i, x := range add {
		e, err := l.expr(x)
		if err != nil {
			return nil, err
		}
		if e.Type.Kind == types.Unknown {
			if e, err = s.b.coerce(e, types.Of(types.Text), implicit); err != nil {
				return nil, err
			}
		}
		p.Exprs = append(p.Exprs, e)
		p.Out = append(p.Out, logical.Field{Name: names[i].Value, Type: e.Type, Origin: names[i].Value})
	}
	return p, nil
}

// typed casts what was computed to the types that the first rows have.
func (s *searched) typed(node logical.Node, want []logical.Field) (logical.Node, error) {
	to := make([]types.Type, len(want))
	for i, f := range want {
		to[i] = f.Type
	}
	return s.b.coerceOutput(node, to, implicit, func(i int, e *scalar.Expr, _ types.Type) error {
		return pgerr.New(pgerr.DatatypeMismatch, "column %q has type %s in the non-recursive term but type %s in the recursive one", want[i].Name, want[i].Type, e.Type)
	})
}
