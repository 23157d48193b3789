package lower

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// text prints x in the canonical form that ids and state columns use: names
// stands for the columns, so that it depends on no alias and on no projection in
// between. The form is frozen: it is in every savepoint.
func text(x *scalar.Expr, name func(int) string) string {
	args := func(sep string, wrap bool) string {
		var out []string
		for _, a := range x.Args {
			t := text(a, name)
			if wrap {
				t = operand(t)
			}
			out = append(out, t)
		}
		return strings.Join(out, sep)
	}
	switch x.Op {
	case scalar.OpColumn:
		return name(x.Column)
	case scalar.OpConst:
		return constant(x)
	case scalar.OpAnd:
		return args(" and ", true)
	case scalar.OpOr:
		return args(" or ", true)
	case scalar.OpNot:
		if a := x.Args[0]; a.Op == scalar.OpIsNull {
			return operand(text(a.Args[0], name)) + " is not null"
		}
		return "not " + args("", true)
	case scalar.OpIsNull:
		return args("", true) + " is null"
	case scalar.OpIn:
		var list []string
		for _, a := range x.Args[1:] {
			list = append(list, text(a, name))
		}
		return operand(text(x.Args[0], name)) + " in (" + strings.Join(list, ", ") + ")"
	case scalar.OpCast:
		if x.Text == "" || x.Text == x.Args[0].Text {
			return text(x.Args[0], name) // an implicit cast
		}
		if x.Func == "try" {
			return "try_cast(" + args("", false) + " as " + x.Type.String() + ")"
		}
		return args("", true) + "::" + shortType(x.Type)
	case scalar.OpCase:
		s := "case"
		for i := 0; i+1 < len(x.Args); i += 2 {
			s += " when " + text(x.Args[i], name) + " then " + text(x.Args[i+1], name)
		}
		if e := x.Args[len(x.Args)-1]; e.Op != scalar.OpConst || e.Value == nil || !e.Value.Null {
			s += " else " + text(e, name)
		}
		return s + " end"
	case scalar.OpParam:
		return "$" + strconv.Itoa(x.Column+1)
	case scalar.OpOuter:
		return "outer " + strconv.Itoa(x.Column)
	}
	return call(x, args)
}

func call(x *scalar.Expr, args func(string, bool) string) string {
	fn, _, _ := strings.Cut(x.Func, "(")
	if x.Text == "window_time" || x.Text == "window_start" {
		return x.Text
	}
	if f := scalar.ByKey(x.Func); f != nil && f.Operator {
		op := f.Name
		switch op {
		case "~~":
			op = "like"
		case "!~~":
			op = "not like"
		case "~~*":
			op = "ilike"
		case "!~~*":
			op = "not ilike"
		}
		switch len(x.Args) {
		case 1:
			return op + args("", true)
		case 2:
			return args(" "+op+" ", true)
		}
	}
	return fn + "(" + args(", ", false) + ")"
}

// operand puts parentheses around what is not one word or one call.
func operand(s string) string {
	depth, quoted := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ' ' && depth == 0:
			return "(" + s + ")"
		}
	}
	return s
}

func constant(x *scalar.Expr) string {
	v := x.Value
	switch {
	case (v == nil || v.Null) && x.Text == "":
		return "null"
	case x.Text != "":
		return x.Text // of a folded constant: what was folded
	case x.Type.Kind == types.Bool:
		return strconv.FormatBool(v.Bool)
	case x.Type.IsInteger() || x.Type.Phys() == types.PhysInt:
		return strconv.FormatInt(v.Int, 10)
	case x.Type.Phys() == types.PhysFloat:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case x.Type.Phys() == types.PhysBytes:
		return "'" + strings.ReplaceAll(v.Bytes, "'", "''") + "'"
	}
	return x.Type.String()
}

func shortType(t types.Type) string {
	s := t.String()
	s = strings.Replace(s, " without time zone", "", 1)
	if t.Kind == types.TimestampTZ {
		s = strings.Replace(s, "timestamp", "timestamptz", 1)
		s = strings.Replace(s, " with time zone", "", 1)
	}
	return s
}

// windowText is how an id names a window over the time column called time.
func windowText(spec logical.WindowSpec, time string) string {
	s := string(spec.Kind) + " " + time + " " + duration(spec.Size)
	switch spec.Kind {
	case logical.Hop:
		s += " slide " + duration(spec.Slide)
	case logical.Cumulate:
		s += " step " + duration(spec.Slide)
	}
	if spec.Offset != 0 {
		s += " offset " + duration(spec.Offset)
	}
	return s
}

// duration prints microseconds in the largest unit that divides them.
func duration(us int64) string {
	for _, u := range []struct {
		name string
		us   int64
	}{{"d", 86_400_000_000}, {"h", 3_600_000_000}, {"min", 60_000_000}, {"s", 1_000_000}, {"ms", 1000}} {
		if us != 0 && us%u.us == 0 {
			return strconv.FormatInt(us/u.us, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(us, 10) + " us"
}
