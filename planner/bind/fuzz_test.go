package bind

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
)

// FuzzBind binds whatever parses: it must end in a well-formed tree or in an
// error for a person.
func FuzzBind(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	more, _ := filepath.Glob("../../sql/parse/testdata/*/*")
	for _, name := range append(files, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, part := range strings.Split(string(data), "\n\n") {
			if _, sql, ok := strings.Cut(part, "\n"); ok {
				sql, _, _ = strings.Cut(sql, "\n----")
				f.Add(sql)
			}
		}
	}
	if data, err := os.ReadFile(oracleFile); err == nil {
		for line := range strings.Lines(string(data)) {
			expr, _, _ := strings.Cut(line, "\t")
			f.Add("select " + expr + " from every group by 1 order by 1")
		}
	}
	cat := testCatalog()
	f.Fuzz(func(t *testing.T, sql string) {
		list, err := parse.Statements(sql)
		if err != nil {
			return
		}
		for _, p := range list {
			for _, continuous := range []bool{false, true} {
				err := bindAny(t, p.Statement, Options{Catalog: cat, Continuous: continuous})
				var e *pgerr.Error
				if err != nil && !errors.As(err, &e) {
					t.Errorf("no error for a person: %v", err)
				}
				if e != nil && (e.Position > len(p.Text) || e.Code == pgerr.InternalError) {
					t.Errorf("position %d of %d, %s: %v", e.Position, len(p.Text), e.Code, err)
				}
			}
		}
	})
}

func bindAny(t *testing.T, st ast.Statement, opts Options) error {
	switch st := st.(type) {
	case *ast.Query:
		q, err := Query(st, opts)
		if err == nil {
			checkTree(t, q.Root)
		}
		return err
	case *ast.Insert:
		i, err := Insert(st, opts)
		if err == nil {
			checkTree(t, i.Input)
		}
		return err
	case *ast.Update:
		u, err := Update(st, opts)
		if err == nil {
			checkTree(t, u.Input)
		}
		return err
	case *ast.Delete:
		d, err := Delete(st, opts)
		if err == nil {
			checkTree(t, d.Input)
		}
		return err
	case *ast.CreateRelation:
		_, err := CreateRelation(st, opts)
		return err
	case *ast.CreateView:
		v, err := View(st, opts)
		if err == nil && v.Root != nil {
			checkTree(t, v.Root)
		}
		return err
	case *ast.CreateJob:
		j, err := Job(st.Inserts, opts)
		if err == nil {
			for _, s := range j.Sinks {
				checkTree(t, s)
			}
		}
		return err
	}
	return nil
}

// checkTree checks that columns are in range, that no placeholder is left, that
// types agree with the fields below, and that calls exist.
func checkTree(t *testing.T, n logical.Node) {
	t.Helper()
	for _, in := range n.Inputs() {
		checkTree(t, in)
	}
	check := func(e *scalar.Expr, fields []logical.Field) { checkExpr(t, n, e, fields) }
	switch n := n.(type) {
	case *logical.Values:
		for _, r := range n.Rows {
			if len(r) != len(n.Out) {
				t.Errorf("values has %d cells and %d fields", len(r), len(n.Out))
			}
			for _, e := range r {
				check(e, nil)
			}
		}
	case *logical.Filter:
		check(n.Predicate, n.Input.Fields())
	case *logical.Project:
		if len(n.Exprs) != len(n.Out) {
			t.Errorf("project has %d expressions and %d fields", len(n.Exprs), len(n.Out))
		}
		for i, e := range n.Exprs {
			check(e, n.Input.Fields())
			if e.Type.Kind != n.Out[i].Type.Kind {
				t.Errorf("project column %d is %s, its field %s", i, e.Type, n.Out[i].Type)
			}
		}
	case *logical.Aggregate:
		if len(n.Out) != len(n.Keys)+len(n.Aggregates) {
			t.Errorf("aggregate has %d fields", len(n.Out))
		}
		for _, k := range n.Keys {
			check(k, n.Input.Fields())
		}
		for _, a := range n.Aggregates {
			for _, e := range a.Args {
				check(e, n.Input.Fields())
			}
			if a.Filter != nil {
				check(a.Filter, n.Input.Fields())
			}
		}
	case *logical.Sort:
		for _, k := range n.Keys {
			check(k.X, n.Input.Fields())
		}
	case *logical.Join:
		if n.Condition != nil {
			check(n.Condition, n.Out)
		}
	case *logical.Apply:
		both := append(append([]logical.Field(nil), n.Input.Fields()...), n.Sub.Fields()...)
		for _, a := range n.Args {
			check(a, n.Input.Fields())
		}
		if n.Compare != nil {
			check(n.Compare, both)
		}
		if n.Condition != nil {
			check(n.Condition, both)
		}
	}
}

func checkExpr(t *testing.T, n logical.Node, e *scalar.Expr, fields []logical.Field) {
	t.Helper()
	walk(e, func(x *scalar.Expr) bool {
		switch x.Op {
		case scalar.OpColumn:
			if x.Column < 0 || x.Column >= len(fields) {
				t.Errorf("%s: column %d of %d", logical.Describe(n), x.Column, len(fields))
			} else if x.Type.Kind != fields[x.Column].Type.Kind {
				t.Errorf("%s: column %d is %s, its field %s", logical.Describe(n), x.Column, x.Type, fields[x.Column].Type)
			}
		case scalar.OpCall:
			if scalar.ByKey(x.Func) == nil {
				t.Errorf("%s: no function %s", logical.Describe(n), x.Func)
			}
		case opAggregate, opQuery, opSub, opFunction, opOver:
			t.Errorf("%s: %s is left", logical.Describe(n), x.Op)
		}
		if x.Type.Kind == 0 || x.Type.Kind == 1 || scalar.IsPseudo(x.Type.Kind) {
			t.Errorf("%s: %s has the type %s", logical.Describe(n), logical.ExprString(x), x.Type)
		}
		return true
	})
}
