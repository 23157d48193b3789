package bind

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// call binds a call: of a function, an aggregate, a set-returning function, or
// one of the forms that are written as calls.
func (l *level) call(x *ast.Call) (*scalar.Expr, error) {
	name, err := l.b.functionName(x.Name)
	if err != nil {
		return nil, err
	}
	pos := int(x.Pos)
	if x.Over != nil {
		return l.over(name, x)
	}
	if w, err := l.groupWindowCall(name, x); w != nil || err != nil {
		return w, err
	}
	if name == "grouping" {
		return l.grouping(x)
	}
	if isAggregate(name) {
		return l.aggregate(name, x)
	}
	if isHypothetical(name) && len(x.WithinGroup) > 0 {
		return l.hypothetical(name, x)
	}
	if isHypothetical(name) && len(x.Args) > 0 {
		return nil, pgerr.New(pgerr.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", name).At(pos)
	}
	if len(scalar.WindowFunctions(name)) > 0 {
		return nil, pgerr.New(pgerr.WrongObjectType, "window function %s requires an OVER clause", name).At(pos)
	}
	if isUnknown(name) && (x.Star || x.Distinct || x.Filter != nil) { // before what only aggregates may have
		args, err := l.exprs(x.Args)
		if err != nil {
			return nil, err
		}
		return nil, noSuchFunction(name, args, pos, slices.Concat(scalar.AggregateNames(), scalar.Names()))
	}
	if err := plainCall(name, x); err != nil {
		return nil, err
	}
	if isRecordFunction(name) {
		return l.recordValue(name, x)
	}
	if tableFunction(name) != nil && len(scalar.Functions(name)) == 0 {
		return l.setReturning(name, x)
	}
	if name == "coalesce" {
		defer l.withoutSRF("COALESCE")()
	}
	args, err := l.callArgs(name, x)
	if err != nil {
		return nil, err
	}
	if x.Variadic {
		return l.b.variadic(name, args, pos)
	}
	e, err := l.b.callFunction(name, x.Form, args, pos)
	if err == nil && name == "current_watermark" {
		err = l.checkWatermark(e)
	}
	return e, err
}

// variadic binds a call whose last argument has, as an array, the arguments from
// there on.
func (b *binder) variadic(name string, args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	last := args[len(args)-1]
	if last.Type.Kind != types.Array && last.Type.Kind != types.Unknown {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "VARIADIC argument must be an array").At(last.Pos)
	}
	plain := strings.Replace(name, "jsonb_", "json_", 1)
	switch {
	case name == "concat" && len(args) == 1:
		return b.callFunction("array_to_string", "", []*scalar.Expr{last, constantExpr(types.Text, types.Value{}, "''")}, pos)
	case name == "concat_ws" && len(args) == 2:
		return b.callFunction("array_to_string", "", []*scalar.Expr{last, args[0]}, pos)
	case len(scalar.Functions(plain+"_variadic")) > 0:
		return b.callFunction(plain+"_variadic", "", args, pos)
	}
	return nil, noSuchFunction(name, args, pos, nil)
}

// isUnknown reports whether nothing is called like that.
func isUnknown(name string) bool {
	return len(scalar.Functions(name)) == 0 && tableFunction(name) == nil && !isRecordFunction(name) && !isAggregate(name) && len(scalar.WindowFunctions(name)) == 0
}

// functionName checks a function's schema and gives its name alone.
func (b *binder) functionName(p ast.Path) (string, error) {
	name := strings.ToLower(p.Last().Value)
	if len(p) > 1 {
		switch schema := p[len(p)-2].Value; schema {
		case "pg_catalog", "information_schema", "millrace", "public":
		default:
			return "", pgerr.New(pgerr.InvalidSchemaName, "schema %q does not exist", schema).At(int(p.Offset()))
		}
	}
	return name, nil
}

// plainCall refuses what only aggregates may have.
func plainCall(name string, x *ast.Call) error {
	pos := int(x.Pos)
	what := ""
	switch {
	case x.Distinct:
		what = "DISTINCT"
	case x.Filter != nil:
		what = "FILTER"
	case len(x.OrderBy) > 0:
		what = "ORDER BY"
	case len(x.WithinGroup) > 0:
		what = "WITHIN GROUP"
	case x.Star:
		what = "(*)"
	default:
		return nil
	}
	return pgerr.New(pgerr.WrongObjectType, "%s specified, but %s is not an aggregate function", what, name).At(pos)
}

// parameters are the names of a function's parameters, and what those are that
// may be left out.
type parameters struct {
	names    []string
	defaults map[string]*scalar.Expr
}

func constantExpr(t types.Kind, v types.Value, text string) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(t), Value: &v, Text: text}
}

// namedParameters gives the parameters of the functions that take named arguments.
func namedParameters(name string) (p parameters, ok bool) {
	switch name {
	case "make_interval":
		p.names = []string{"years", "months", "weeks", "days", "hours", "mins", "secs"}
		p.defaults = map[string]*scalar.Expr{}
		for _, n := range p.names {
			p.defaults[n] = constantExpr(types.Int32, types.Value{}, "0")
		}
	case "jsonb_path_exists", "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first",
		"jsonb_path_exists_tz", "jsonb_path_match_tz", "jsonb_path_query_tz", "jsonb_path_query_array_tz", "jsonb_path_query_first_tz":
		p.names = []string{"target", "path", "vars", "silent"}
		p.defaults = map[string]*scalar.Expr{
			"vars": constantExpr(types.JSONB, types.Value{Bytes: "{}"}, "'{}'"), "silent": constantExpr(types.Bool, types.Value{}, "false")}
	default:
		return p, false
	}
	return p, true
}

// callArgs binds a call's arguments in the order of the parameters.
func (l *level) callArgs(name string, x *ast.Call) ([]*scalar.Expr, error) {
	named := false
	for _, n := range x.ArgNames {
		named = named || n != ""
	}
	if !named {
		return l.arguments(x.Args)
	}
	params, ok := namedParameters(name)
	if !ok {
		return nil, pgerr.NotSupported(int(x.Pos), "named arguments of "+name)
	}
	out := make([]*scalar.Expr, len(params.names))
	for i, a := range x.Args {
		at := i
		if n := x.ArgNames[i]; n != "" {
			at = slices.Index(params.names, n)
		}
		if at < 0 || at >= len(out) || out[at] != nil {
			return nil, pgerr.New(pgerr.UndefinedFunction, "function %s has no argument %q", name, x.ArgNames[i]).At(int(a.Offset()))
		}
		e, err := l.expr(a)
		if err != nil {
			return nil, err
		}
		out[at] = e
	}
	for i, n := range params.names {
		if out[i] != nil {
			continue
		}
		e := params.defaults[n]
		if e == nil {
			return nil, pgerr.New(pgerr.UndefinedFunction, "function %s needs the argument %q", name, n).At(int(x.Pos))
		}
		e.Pos = int(x.Pos)
		out[i] = e
	}
	return out, nil
}

// arguments binds the arguments of a function. A parameter of type void is none:
// JDBC sends one for what {? = call f(?)} returns.
func (l *level) arguments(list []ast.Expr) ([]*scalar.Expr, error) {
	args, err := l.exprs(list)
	return slices.DeleteFunc(args, func(x *scalar.Expr) bool { return x.Op == scalar.OpParam && x.Type.Kind == types.Void }), err
}

// callFunction resolves and applies an ordinary function.
func (b *binder) callFunction(name, form string, args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	if form == "floor to" {
		return b.truncTo(args, pos)
	}
	if err := b.checkAlike(name, args, pos); err != nil {
		return nil, err
	}
	if name == "nullif" && len(args) == 2 {
		return b.nullif(args, pos)
	}
	if name == "timestampadd" || name == "timestampdiff" {
		if err := b.timeUnit(args); err != nil {
			return nil, err
		}
	}
	overloads := scalar.Functions(name)
	c, ambiguous := choose(overloads, exprs2types(args), false)
	if c == nil {
		if ambiguous {
			return nil, pgerr.New(pgerr.AmbiguousFunction, "function %s(%s) is not unique", name, typeList(args)).At(pos).
				Hint("Could not choose a best candidate function. You might need to add explicit type casts.")
		}
		if e, err := b.castCall(name, args, pos); e != nil || err != nil {
			return e, err
		}
		var names []string
		if overloads == nil {
			names = scalar.Names()
		}
		return nil, noSuchFunction(name, args, pos, names)
	}
	if name == "extract" || name == "date_part" || name == "date_trunc" {
		if err := checkField(name, args[0], args[1]); err != nil {
			return nil, err
		}
	}
	e, err := b.applyCall(c, args, pos)
	if err != nil {
		return nil, err
	}
	if name == "current_timestamp" || name == "localtimestamp" {
		if len(args) == 1 && args[0].Op == scalar.OpConst {
			e.Type.HasPrecision, e.Type.Precision = true, int32(min(max(args[0].Value.Int, 0), 6))
		}
	}
	if name == "coalesce" && len(e.Args) == 1 {
		return e.Args[0], nil
	}
	return b.withText(e, callText(name, form, args), precAtom), nil
}

// checkAlike words the errors of the functions that are syntax in PostgreSQL and
// whose arguments must have a common type.
func (b *binder) checkAlike(name string, args []*scalar.Expr, pos int) error {
	switch name {
	case "coalesce", "greatest", "least":
		_, err := b.commonType(args, upper(name))
		return err
	}
	return nil
}

// nullif compares as = does, and is of the type that its first argument has there.
func (b *binder) nullif(args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	eq, err := b.operator("=", "=", args, pos)
	if err != nil {
		return nil, err
	}
	e := &scalar.Expr{Op: scalar.OpCall, Func: scalar.Functions("nullif")[0].Key, Args: eq.Args, Type: eq.Args[0].Type, Pos: pos}
	return b.withText(e, callText("nullif", "", args), precAtom), nil
}

func callText(name, form string, args []*scalar.Expr) string {
	if form == "keyword" && len(args) == 0 {
		return name
	}
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.Text
	}
	if name == "extract" && len(args) == 2 && args[0].Op == scalar.OpConst {
		return "extract(" + args[0].Value.Bytes + " from " + parts[1] + ")"
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}

// truncTo is Flink's FLOOR(ts TO unit).
func (b *binder) truncTo(args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	unit := args[1]
	e, err := b.callFunction("date_trunc", "", []*scalar.Expr{unit, args[0]}, pos)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// timeUnit checks the unit of TIMESTAMPADD and TIMESTAMPDIFF, and reads dates as
// timestamps where it is less than a day.
func (b *binder) timeUnit(args []*scalar.Expr) error {
	if len(args) != 3 || args[0].Op != scalar.OpConst || args[0].Value.Null {
		return nil
	}
	unit, ok := types.ParseTimeUnit(args[0].Value.Bytes)
	if !ok {
		return pgerr.New(pgerr.InvalidParameterValue, "unit %q not recognized", args[0].Value.Bytes).At(args[0].Pos).
			Hint("The units are SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER and YEAR.")
	}
	for i := 1; i < len(args) && unit.Months == 0 && unit.Days == 0; i++ {
		if args[i].Type.Kind != types.Date {
			continue
		}
		e, err := b.coerce(args[i], types.Of(types.Timestamp), implicit)
		if err != nil {
			return err
		}
		args[i] = e
	}
	return nil
}

// castCall reads f(x) with a type's name as a cast, as PostgreSQL does.
func (b *binder) castCall(name string, args []*scalar.Expr, pos int) (*scalar.Expr, error) {
	if len(args) != 1 {
		return nil, nil
	}
	k, ok := typeKinds[name]
	if !ok || name == "row" || name == "record" {
		return nil, nil
	}
	t := types.Of(k)
	if args[0].Type.Kind != types.Unknown && !b.canCoerce(args[0].Type, t, explicit) {
		return nil, nil
	}
	e, err := b.coerce(args[0], t, explicit)
	if err != nil {
		return nil, err
	}
	c := *e
	return b.withText(&c, b.inner(args[0], precPostfix)+"::"+shortType(t), precPostfix), nil
}

var timeFields = map[string]bool{
	"century": true, "day": true, "days": true, "decade": true, "dow": true, "doy": true, "epoch": true, "hour": true, "hours": true,
	"isodow": true, "isoyear": true, "julian": true, "microsecond": true, "microseconds": true, "millennium": true, "millisecond": true,
	"milliseconds": true, "minute": true, "minutes": true, "month": true, "months": true, "quarter": true, "second": true, "seconds": true,
	"timezone": true, "timezone_hour": true, "timezone_minute": true, "week": true, "weeks": true, "year": true, "years": true,
	"min": true, "mins": true, "sec": true, "secs": true, "mon": true, "mons": true, "hr": true, "hrs": true, "h": true, "m": true,
	"s": true, "d": true, "w": true, "y": true, "yr": true, "yrs": true, "us": true, "usec": true, "usecs": true, "ms": true, "msec": true,
	"msecs": true, "c": true, "cent": true, "centuries": true, "decades": true, "dec": true, "decs": true, "millennia": true, "mil": true,
	"mils": true, "qtr": true, "useconds": true, "mseconds": true, "j": true,
}

// checkField refuses a constant field that no time value has, early and with its
// place.
func checkField(name string, field, value *scalar.Expr) error {
	if field.Op != scalar.OpConst || field.Value.Null || timeFields[strings.ToLower(field.Value.Bytes)] {
		return nil
	}
	t := bare(value.Type)
	if t.Kind == types.Unknown {
		return nil
	}
	return pgerr.New(pgerr.InvalidParameterValue, "unit %q not recognized for type %s", field.Value.Bytes, t).At(field.Pos)
}
