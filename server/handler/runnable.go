package handler

import (
	"errors"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// runnable refuses a continuous query that could not start, or of which every row
// would fail, before anything is created: it builds each operator once, over empty
// tables, and computes what does not depend on rows.
func runnable(g *graph.Graph) error {
	for i := range g.Operators {
		op := &g.Operators[i]
		if op.Kind == graph.SourceKind || op.Kind == graph.SinkKind {
			continue
		}
		for _, x := range rowExprs(op) {
			if err := neverFails(x); err != nil {
				return err
			}
		}
		if err := buildOnce(g, op); err != nil {
			return err
		}
		f := op.FunctionScan
		if op.Expand != nil {
			f = &op.Expand.Function
		}
		if f == nil {
			continue
		}
		if err := operator.FirstRow(f); err != nil {
			return err
		}
	}
	return nil
}

// buildOnce builds an operator and throws it away. What it complains of is told
// without the operator's name: the place in the statement says more.
func buildOnce(g *graph.Graph, op *graph.Operator) error {
	tables := map[string]*state.Table{}
	for _, schema := range op.Tables {
		t, err := state.NewTable(schema, state.Options{})
		if err != nil {
			return err
		}
		tables[schema.Name] = t
	}
	env := operator.Env{Table: func(name string) *state.Table { return tables[name] }, Parallelism: 1,
		Collect: func(*batch.Batch) error { return nil }, Counters: &exec.Counters{}}
	for _, in := range op.Inputs {
		env.Inputs = append(env.Inputs, g.Operators[in.Operator].Fields)
	}
	_, err := operator.New(op, env)
	if of := (*pgerr.Error)(nil); errors.As(err, &of) {
		return of
	}
	return err
}

// rowExprs are the expressions that an operator computes for each row.
func rowExprs(op *graph.Operator) []*scalar.Expr {
	switch {
	case op.Filter != nil:
		return []*scalar.Expr{op.Filter.Predicate}
	case op.Project != nil:
		return op.Project.Exprs
	case op.Values != nil:
		var out []*scalar.Expr
		for _, row := range op.Values.Rows {
			out = append(out, row...)
		}
		return out
	case op.Expand != nil:
		return op.Expand.Function.Args
	case op.FunctionScan != nil:
		return op.FunctionScan.Args
	case op.Join != nil && op.Join.Residual != nil:
		return []*scalar.Expr{op.Join.Residual}
	}
	return nil
}

// neverFails looks for what fails whatever the row is: the optimizer has folded all
// constants that have a value. What CASE, coalesce, AND and OR may pass by is left
// to the rows that meet it.
func neverFails(x *scalar.Expr) error {
	args := x.Args
	switch x.Op {
	case scalar.OpCase, scalar.OpAnd, scalar.OpOr:
		args = args[:1]
	case scalar.OpCall:
		if passesBy(x) {
			args = args[:min(1, len(args))]
		}
	}
	for _, a := range args {
		if err := neverFails(a); err != nil {
			return err
		}
	}
	if x.Op != scalar.OpCall && x.Op != scalar.OpCast || scalar.VolatilityOf(x) != scalar.Immutable {
		return nil
	}
	sample, rows := *x, false
	sample.Args = nil
	for _, a := range x.Args {
		if a.Op != scalar.OpConst {
			a, rows = &scalar.Expr{Op: scalar.OpConst, Type: a.Type, Value: &types.Value{}, Pos: a.Pos, Text: a.Text}, true
		}
		sample.Args = append(sample.Args, a)
	}
	if rows && !goesByConstants(x) {
		return nil
	}
	_, err := eval.Constant(&sample, eval.Options{})
	of := (*pgerr.Error)(nil)
	switch {
	case err == nil || !errors.As(err, &of):
		return nil
	case of.Position < 0:
		return of.At(x.Pos)
	}
	return of
}

// patterns are functions of text and a pattern, by whose pattern and options alone
// they fail.
var patterns = map[string]bool{"~": true, "~*": true, "!~": true, "!~*": true, "regexp_match": true, "regexp_matches": true, "regexp_replace": true,
	"regexp_like": true, "regexp_count": true, "regexp_substr": true, "regexp_instr": true, "regexp_split_to_array": true, "regexp_extract": true}

// goesByConstants reports whether x can only fail by its constant arguments, which
// any row shows then: those that tell a pattern or a time zone.
func goesByConstants(x *scalar.Expr) bool {
	name, _, _ := strings.Cut(x.Func, "(")
	switch name {
	case "timezone":
		return x.Args[0].Op == scalar.OpConst
	case "at time zone":
		return x.Args[1].Op == scalar.OpConst
	}
	if !patterns[name] || x.Args[0].Type.Phys() != types.PhysBytes {
		return false
	}
	for _, a := range x.Args[1:] {
		if a.Op != scalar.OpConst {
			return false
		}
	}
	return true
}

// passesBy reports whether x may leave out its arguments after the first.
func passesBy(x *scalar.Expr) bool {
	name, _, _ := strings.Cut(x.Func, "(")
	return name == "coalesce" || name == "if" || name == "nullif"
}
