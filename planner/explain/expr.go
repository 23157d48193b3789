package explain

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Expr prints an expression over columns as its author wrote it, where that is
// known, else in the form of a call.
func Expr(x *scalar.Expr, columns []types.Field) string {
	switch {
	case x.Op == scalar.OpColumn:
		if x.Column < len(columns) && columns[x.Column].Name != "" {
			return columns[x.Column].Name
		}
		return "column " + strconv.Itoa(x.Column+1)
	case x.Text != "":
		return x.Text
	case x.Op == scalar.OpConst && (x.Value == nil || x.Value.Null):
		return "null"
	case x.Op == scalar.OpConst && x.Type.Phys() == types.PhysBytes:
		return "'" + strings.ReplaceAll(x.Value.Bytes, "'", "''") + "'"
	case x.Op == scalar.OpConst && x.Type.Phys() == types.PhysInt:
		return strconv.FormatInt(x.Value.Int, 10)
	case x.Op == scalar.OpConst && x.Type.Kind == types.Bool:
		return strconv.FormatBool(x.Value.Bool)
	}
	var args []string
	for _, a := range x.Args {
		args = append(args, Expr(a, columns))
	}
	switch x.Op {
	case scalar.OpAnd:
		return strings.Join(args, " and ")
	case scalar.OpOr:
		return "(" + strings.Join(args, " or ") + ")"
	case scalar.OpNot:
		return "not (" + args[0] + ")"
	case scalar.OpIsNull:
		return args[0] + " is null"
	case scalar.OpCast:
		return args[0] + "::" + x.Type.String()
	case scalar.OpCall:
		name, _, _ := strings.Cut(x.Func, "(")
		if f := scalar.ByKey(x.Func); f != nil && f.Operator && len(args) == 2 {
			return args[0] + " " + f.Name + " " + args[1]
		}
		return name + "(" + strings.Join(args, ", ") + ")"
	}
	return string(x.Op) + "(" + strings.Join(args, ", ") + ")"
}

// withoutText is x as it is printed by the names of its columns, not as its author
// wrote it.
func withoutText(x *scalar.Expr) *scalar.Expr {
	return scalar.Map(x, func(e *scalar.Expr) *scalar.Expr {
		if e.Op == scalar.OpConst {
			return e
		}
		c := *e
		c.Text = ""
		return &c
	})
}

// exprs prints a projection's columns, each with its name where that differs.
func exprs(xs []*scalar.Expr, out, in []types.Field) string {
	var list []string
	for i, x := range xs {
		s := Expr(x, in)
		if name := out[i].Name; name != "" && name != s {
			s += " as " + name
		}
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}

func window(w logical.WindowSpec, time string) string {
	s := string(w.Kind) + " " + duration(w.Size)
	switch w.Kind {
	case logical.Hop:
		s += " slide " + duration(w.Slide)
	case logical.Cumulate:
		s += " step " + duration(w.Slide)
	}
	if w.Offset != 0 {
		s += " offset " + duration(w.Offset)
	}
	return s + " on " + time
}

// duration prints microseconds in the largest unit that divides them.
func duration(us int64) string {
	units := []struct {
		name string
		us   int64
	}{{"d", 86_400_000_000}, {"h", 3_600_000_000}, {"min", 60_000_000}, {"s", 1_000_000}, {"ms", 1000}}
	for _, u := range units {
		if us != 0 && us%u.us == 0 {
			return strconv.FormatInt(us/u.us, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(us, 10) + " us"
}
