package handler

import (
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
)

// explainOptions are what EXPLAIN binds a statement against: its WITH may change
// tables, since nothing is carried out.
func (h *Handler) explainOptions(s *session.Session) bind.Options {
	o := h.bindOptions(s, nil)
	o.Writes = true
	return o
}

// explainWrites are the plans of the INSERTs, UPDATEs and DELETEs in a statement's
// WITH, which are carried out before it.
func (h *Handler) explainWrites(s *session.Session, st ast.Statement) ([]string, error) {
	var with *ast.With
	var writes []bind.Write
	switch x := st.(type) {
	case *ast.Query:
		b, err := bind.Query(x, h.explainOptions(s))
		if err != nil {
			return nil, err
		}
		with, writes = x.With, b.Writes
	case *ast.Insert:
		b, err := bind.Insert(x, h.explainOptions(s))
		if err != nil {
			return nil, err
		}
		with, writes = x.With, b.Writes
	case *ast.Update:
		b, err := bind.Update(x, h.explainOptions(s))
		if err != nil {
			return nil, err
		}
		with, writes = x.With, b.Writes
	case *ast.Delete:
		b, err := bind.Delete(x, h.explainOptions(s))
		if err != nil {
			return nil, err
		}
		with, writes = x.With, b.Writes
	}
	var out []string
	for _, w := range writes {
		root := logical.Node(nil)
		if w.Insert != nil {
			root = w.Insert.Input
		} else {
			root = w.Change.Input
		}
		g, err := h.boundedGraph(s, root, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, explain.Under(writtenIn(with, w.Name), explain.Job(g, 0, nil))...)
	}
	return out, nil
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
