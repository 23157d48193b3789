package handler

import (
	"context"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// explainOptions are what EXPLAIN binds a statement against: its WITH may change
// tables, since nothing is carried out.
func (h *Handler) explainOptions(s *session.Session, declared []types.Type) bind.Options {
	o := h.bindOptions(s, declared)
	o.Writes = true
	return o
}

// prepareExplainData describes EXPLAIN of a query, INSERT, UPDATE or DELETE, whose
// parameters are those of the statement, and EXPLAIN EXECUTE, which has their values
// in its arguments.
func (h *Handler) prepareExplainData(ctx context.Context, s *session.Session, p *session.Prepared, e *ast.Explain, declared []types.Type) error {
	p.Columns = session.TextColumns("QUERY PLAN")
	if e.State {
		p.Columns = session.TextColumns(explain.StateColumns...)
	}
	if x, ok := e.Statement.(*ast.Execute); ok {
		p.Plan = planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
			of, params, err := s.Executed(ctx, x)
			if err != nil {
				return nil, err
			}
			return h.explainData(ctx, s, e, of, params)
		})
		return nil
	}
	of := &session.Prepared{Statement: ast.Parsed{Statement: e.Statement}}
	if err := h.prepare(ctx, s, of, declared); err != nil {
		return err
	}
	p.Params = of.Params
	p.Plan = planFunc(func(ctx context.Context, s *session.Session, params []types.Value) (*session.Result, error) {
		return h.explainData(ctx, s, e, of, params)
	})
	return nil
}

// explainData tells the plan of a prepared statement for values of its parameters.
func (h *Handler) explainData(ctx context.Context, s *session.Session, e *ast.Explain, of *session.Prepared, params []types.Value) (*session.Result, error) {
	a := &analysis{}
	switch plan := of.Plan.(type) {
	case *queryPlan:
		if e.Analyze {
			return h.analyzeQuery(ctx, s, e, plan, params)
		}
		g, err := plan.plan(s, params)
		if err != nil {
			return nil, err
		}
		a.plans = append(a.plans, analyzed{graph: g})
	case *dataPlan:
		if e.Analyze {
			return h.analyzeData(ctx, s, e, of, params)
		}
		if err := h.planData(s, a, of, params); err != nil {
			return nil, err
		}
	default:
		return nil, pgerr.NotSupported(int(e.Statement.Offset()), "EXPLAIN of this statement")
	}
	if e.State {
		return session.Select(session.TextRows(session.TextColumns(explain.StateColumns...), explain.State(a.plans[len(a.plans)-1].graph))), nil
	}
	return planLines(a.lines(of.Statement.Statement, 0)), nil
}

func planLines(list []string) *session.Result {
	rows := make([][]string, len(list))
	for i, l := range list {
		rows[i] = []string{l}
	}
	return session.Select(session.TextRows(session.TextColumns("QUERY PLAN"), rows))
}

// planData notes the plans of a statement that changes rows, those of its WITH first,
// and carries nothing out.
func (h *Handler) planData(s *session.Session, a *analysis, of *session.Prepared, params []types.Value) error {
	root, writes, err := bindData(of.Statement.Statement, h.explainOptions(s, of.Params))
	if err != nil {
		return err
	}
	add := func(name string, root logical.Node) error {
		g, err := h.boundedGraph(s, root, params)
		a.plans = append(a.plans, analyzed{graph: g, name: name})
		return err
	}
	for _, w := range writes {
		in := logical.Node(nil)
		if w.Insert != nil {
			in = w.Insert.Input
		} else {
			in = w.Change.Input
		}
		if err := add(w.Name, in); err != nil {
			return err
		}
	}
	return add("", root)
}

// bindData binds a statement: the plan of its rows, and the INSERTs, UPDATEs and
// DELETEs of its WITH, which are carried out before it.
func bindData(st ast.Statement, o bind.Options) (root logical.Node, writes []bind.Write, err error) {
	var change *bind.BoundChange
	switch x := st.(type) {
	case *ast.Query:
		b, err := bind.Query(x, o)
		if err != nil {
			return nil, nil, err
		}
		return b.Root, b.Writes, nil
	case *ast.Insert:
		b, err := bind.Insert(x, o)
		if err != nil {
			return nil, nil, err
		}
		return b.Input, b.Writes, nil
	case *ast.Update:
		change, err = bind.Update(x, o)
	case *ast.Delete:
		change, err = bind.Delete(x, o)
	}
	if err != nil {
		return nil, nil, err
	}
	return change.Input, change.Writes, nil
}

// written says what a data statement does with the rows of its plan, "" for other
// statements.
func written(st ast.Statement) string {
	switch st := st.(type) {
	case *ast.Insert:
		text := "insert into " + st.Target.Last().Value
		if st.OnConflict != nil && st.OnConflict.DoUpdate {
			return text + "  [on conflict: update]"
		} else if st.OnConflict != nil {
			return text + "  [on conflict: nothing]"
		}
		return text
	case *ast.Update:
		return "update " + st.Target.Last().Value
	case *ast.Delete:
		return "delete from " + st.Target.Last().Value
	}
	return ""
}

// writtenIn says what the statement of that name in WITH does.
func writtenIn(with *ast.With, name string) string {
	for i := range with.CTEs {
		if c := &with.CTEs[i]; c.Name.Value == name {
			return "with " + name + ": " + written(c.Statement)
		}
	}
	return "with " + name
}
