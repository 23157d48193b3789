package handler

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// analysis is what EXPLAIN tells of a statement: its plans, those of its WITH first,
// and, of ANALYZE, what they did. A nil one takes note of nothing.
type analysis struct {
	planning time.Duration
	plans    []analyzed
}

// analyzed is a plan; name is that of a statement in WITH.
type analyzed struct {
	graph    *graph.Graph
	counters map[string]exec.Counters // nil: it was not run
	name     string
	affected int64
}

type analysisKey struct{}

// analysisOf is the one under which a statement is carried out, nil for none.
func analysisOf(ctx context.Context) *analysis {
	a, _ := ctx.Value(analysisKey{}).(*analysis)
	return a
}

func (a *analysis) planned(d time.Duration) {
	if a != nil {
		a.planning += d
	}
}

// ran notes that all rows of a plan were read.
func (a *analysis) ran(r *rows) {
	if a != nil {
		a.plans = append(a.plans, analyzed{graph: r.graph, counters: r.run.Counters()})
	}
}

// wrote says that the last plan was that of a statement in WITH.
func (a *analysis) wrote(name string, affected int64) {
	if a != nil && len(a.plans) > 0 {
		last := &a.plans[len(a.plans)-1]
		last.name, last.affected = name, affected
	}
}

// analyzeData carries out a statement that changes rows, as PostgreSQL does, and tells
// its plan instead of what it returns.
func (h *Handler) analyzeData(ctx context.Context, s *session.Session, e *ast.Explain, of *session.Prepared, params []types.Value) (*session.Result, error) {
	a, d := &analysis{}, of.Plan.(*dataPlan)
	one := *d
	one.do = func(ctx context.Context, s *session.Session, x *table.Txn, params []types.Value) (*outcome, error) {
		*a = analysis{} // a conflict lets it begin anew
		return d.do(context.WithValue(ctx, analysisKey{}, a), s, x, params)
	}
	began := h.opt.Clock.Now()
	r, err := one.carryOut(ctx, s, params)
	if err != nil {
		return nil, err
	}
	took := h.opt.Clock.Now().Sub(began)
	result := planLines(append(a.lines(of.Statement.Statement, r.affected), times(e, a.planning, took-a.planning)...))
	result.Told = r.result.Told
	return result, nil
}

// lines prints the plans.
func (a *analysis) lines(st ast.Statement, affected int64) []string {
	var out []string
	for _, p := range a.plans {
		notes := map[string][]string{}
		for id, c := range p.counters {
			notes[id] = []string{counted(c)}
		}
		plan := explain.Job(p.graph, 0, notes)
		head, n := written(st), affected
		if p.name != "" {
			head, n = writtenIn(withOf(st), p.name), p.affected
		}
		if head != "" {
			if p.counters != nil {
				head += fmt.Sprintf("  (rows: %d)", n)
			}
			plan = explain.Under(head, plan)
		}
		out = append(out, plan...)
	}
	for i, l := range out {
		out[i] = strings.ReplaceAll(l, "\x01", "") // of the hidden columns
	}
	return out
}

// times are the last lines of EXPLAIN ANALYZE; SUMMARY off leaves them out.
func times(st *ast.Explain, planning, execution time.Duration) []string {
	for _, o := range st.Options {
		if on, _ := ast.Switch(o.Value); o.Name == "summary" && !on {
			return nil
		}
	}
	return []string{"Planning Time: " + milliseconds(planning), "Execution Time: " + milliseconds(execution)}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000)
}

// withOf is a statement's WITH.
func withOf(st ast.Statement) *ast.With {
	switch x := st.(type) {
	case *ast.Query:
		return x.With
	case *ast.Insert:
		return x.With
	case *ast.Update:
		return x.With
	case *ast.Delete:
		return x.With
	}
	return nil
}
