package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// clockCalls are the stable functions, with how many arguments, that give another
// value at another time: what a statement sees as one value changes while a
// continuous query runs.
var clockCalls = map[string]int{"now": 0, "current_timestamp": 0, "transaction_timestamp": 0, "statement_timestamp": 0, "localtimestamp": 0,
	"current_date": 0, "current_time": 0, "localtime": 0, "proctime": 0, "unix_timestamp": 0, "age": 1}

// volatileCalls refuses, in a continuous query, calls that give a row another value
// when it goes than it had when it came: what it had given could not be taken back.
// It also refuses what only a session can answer.
func (b *builder) volatileCalls() error {
	if b.bounded {
		return nil
	}
	for _, o := range b.ops {
		changing := ""
		for _, in := range o.Inputs {
			if b.modeOf(in.Operator) != graph.AppendOnly {
				changing = b.ops[in.Operator].called
			}
		}
		for _, x := range exprsOf(&o.Operator) {
			if err := volatileCall(x, len(o.Inputs) > 0 && changing != "", changing); err != nil {
				return err
			}
		}
	}
	return nil
}

// exprsOf are the expressions that an operator computes for rows of its inputs. All
// else reads columns.
func exprsOf(o *graph.Operator) []*scalar.Expr {
	switch {
	case o.Filter != nil:
		return []*scalar.Expr{o.Filter.Predicate}
	case o.Project != nil:
		return o.Project.Exprs
	case o.Expand != nil:
		out := slices.Clone(o.Expand.Function.Args)
		for _, f := range o.Expand.Function.Beside {
			out = append(out, f.Args...)
		}
		return out
	case o.Join != nil:
		return append(append([]*scalar.Expr{o.Join.Residual}, o.Join.LeftKeys...), o.Join.RightKeys...)
	case o.LookupJoin != nil:
		return []*scalar.Expr{o.LookupJoin.Residual}
	case o.TemporalJoin != nil:
		return []*scalar.Expr{o.TemporalJoin.Residual}
	}
	return nil
}

func volatileCall(x *scalar.Expr, changes bool, changing string) (err error) {
	scalar.Walk(x, func(e *scalar.Expr) {
		if err != nil || e.Op != scalar.OpCall {
			return
		}
		f := scalar.ByKey(e.Func)
		name, _, _ := strings.Cut(e.Func, "(")
		args, clock := clockCalls[name]
		switch {
		case f == nil || scalar.IsCurrentWatermark(e):
		case name == "check_constraint": // the same row passes or fails: it is volatile so as not to be left out
		case f.External || strings.HasPrefix(name, "pg_sleep"):
			err = pgerr.New(pgerr.FeatureNotSupported, "function %s is not possible in a continuous query", name).At(e.Pos).Hint("Only a session can answer it. Compute it where rows are written, or in a SELECT.")
		case changes && (f.Volatility == scalar.Volatile || clock && len(e.Args) <= args):
			err = pgerr.New(pgerr.FeatureNotSupported, "%s is not possible over rows that change", e.Text).At(e.Pos).
				WithDetail("%s changes: a row that goes would have another value than it had when it came, and what it gave could not be taken back.", changing).
				Hint("Keep the value in a column of the table, with DEFAULT, use it over a relation that is APPEND ONLY before rows are aggregated or joined, or compute it in a SELECT of the view.")
		}
	})
	return err
}
