package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// systemTime takes FOR SYSTEM_TIME AS OF off a joined relation.
func systemTime(te ast.TableExpr) (ast.TableExpr, ast.Expr) {
	ref, ok := te.(*ast.TableRef)
	if !ok || ref.SystemAt == nil {
		return te, nil
	}
	c := *ref
	c.SystemAt = nil
	return &c, ref.SystemAt
}

// refuseSystemTime is for a relation that nothing is joined with.
func refuseSystemTime(at ast.Expr) error {
	return pgerr.NotSupported(int(at.Offset()), "FOR SYSTEM_TIME AS OF outside of a join's right side").
		WithDetail("A relation has its current rows only. Their past versions are known to a join that has followed them.").
		Hint("Leave it out to read the rows as they are now, or write FROM a JOIN b FOR SYSTEM_TIME AS OF a.ts ON ….")
}

// temporalNode makes the node of a join with a relation as of a time.
func (l *level) temporalNode(left *bound, right *fromItem, x *ast.Join, asOf ast.Expr, cond *scalar.Expr, out []logical.Field) (logical.Node, error) {
	pos := int(asOf.Offset())
	switch {
	case x.Kind != "inner" && x.Kind != "left":
		return nil, pgerr.NotSupported(pos, "FOR SYSTEM_TIME AS OF with "+joinWord(x)).Hint("Write JOIN or LEFT JOIN, with ON or USING.")
	case cond == nil:
		return nil, pgerr.New(pgerr.SyntaxError, "a join with FOR SYSTEM_TIME AS OF needs a condition").At(pos)
	}
	at := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: left.scope, clause: "FOR SYSTEM_TIME AS OF"}
	t, err := at.expr(asOf)
	if err != nil {
		return nil, err
	}
	if len(at.pending) > 0 || hasQuery(cond) {
		return nil, pgerr.NotSupported(pos, "a subquery in the condition of a join with FOR SYSTEM_TIME AS OF")
	}
	n := &logical.TemporalJoin{Outer: x.Kind == "left", Left: left.node, Right: right.node, Condition: cond, LeftTime: -1, RightTime: -1, Out: out, Pos: pos,
		TTL: [2]int64{l.ttlOf(left.scope), l.ttlOf(right.scope)}}
	for i := len(left.node.Fields()); i < len(out); i++ {
		out[i].KeepTime(false) // its rows come at other times
		out[i].ProcTime = false
	}
	switch {
	case t.Op == scalar.OpCall && strings.HasPrefix(t.Func, "proctime("):
		return n, nil
	case t.Op != scalar.OpColumn:
		return nil, errNoVersions(pos)
	case left.node.Fields()[t.Column].ProcTime:
		return n, nil
	case !left.node.Fields()[t.Column].TimeAttr:
		return nil, pgerr.NotSupported(pos, "FOR SYSTEM_TIME AS OF column "+t.Text+", which is no event time").
			Hint("Name a column that has a WATERMARK, or proctime() for the rows as they are when a row comes.")
	}
	n.LeftTime = t.Column
	for i, f := range right.node.Fields() {
		if f.TimeAttr {
			n.RightTime = i
			break
		}
	}
	if n.RightTime < 0 {
		return nil, pgerr.NotSupported(int(x.R.Offset()), "versions by event time of a relation without one").
			WithDetail("None of its columns has a WATERMARK, so that nothing says from when on its rows count.").
			Hint("Declare WATERMARK FOR a column of it, or join AS OF proctime().")
	}
	return n, nil
}

func errNoVersions(pos int) error {
	return pgerr.NotSupported(pos, "FOR SYSTEM_TIME AS OF this expression").
		WithDetail("Versions are kept by event time while a join follows them: a time that does not come with the rows on its left cannot be looked up.").
		Hint("Name an event time column of the left side, or proctime().")
}

func joinWord(x *ast.Join) string {
	switch {
	case isAsof(x):
		return "ASOF JOIN"
	case x.Kind == "cross":
		return "a join without a condition"
	}
	return upper(x.Kind) + " JOIN"
}
