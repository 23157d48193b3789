package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// windowArgs are the interval parameters of a window function in the order they
// are written; those after the first optional one may be left out.
var windowArgs = map[logical.WindowKind]struct {
	names    []string
	required int
}{
	logical.Tumble:   {[]string{"size", "offset"}, 1},
	logical.Hop:      {[]string{"slide", "size", "offset"}, 2},
	logical.Cumulate: {[]string{"step", "size", "offset"}, 2},
	logical.Session:  {[]string{"gap"}, 1},
}

func windowKind(name string) (logical.WindowKind, bool) {
	k := logical.WindowKind(strings.ToLower(name))
	_, ok := windowArgs[k]
	return k, ok
}

// windowTable binds TUMBLE and its kin in FROM. It is nil for other functions.
func (l *level) windowTable(x *ast.TableFunc) (*fromItem, error) {
	c := x.Calls[0]
	kind, ok := windowKind(c.Name.Last().Value)
	if !ok || len(c.Name) > 1 {
		return nil, nil
	}
	if len(x.Calls) > 1 || x.Ordinality {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "%s cannot be combined with other functions or WITH ORDINALITY", upper(string(kind))).At(int(c.Pos))
	}
	args, err := arrangeWindow(kind, c)
	if err != nil {
		return nil, err
	}
	in, err := l.windowInput(kind, args.data)
	if err != nil {
		return nil, err
	}
	inner := &level{b: l.b, ctes: l.ctes, outer: l.outer, scope: in.scope, clause: "FROM"}
	t, err := inner.windowTime(kind, args.time)
	if err != nil {
		return nil, err
	}
	spec, err := inner.windowSpec(kind, c, args.intervals)
	if err != nil {
		return nil, err
	}
	node := windowNode(in.node, t, spec)
	node.Pos = int(c.Pos)
	if node.PartitionBy, err = inner.windowPartition(kind, args.data); err != nil {
		return nil, err
	}
	sc := &scope{rels: in.scope.rels, cols: append([]column(nil), in.scope.cols...)}
	name := ""
	if len(in.scope.rels) > 0 {
		name = in.scope.rels[0].name
	}
	for i := len(node.Input.Fields()); i < len(node.Out); i++ {
		f := node.Out[i]
		sc.cols = append(sc.cols, column{name: f.Name, relation: name, field: f, expr: columnExpr(i, f)})
	}
	if x.Alias != nil {
		for i := range sc.cols {
			sc.cols[i].relation, sc.cols[i].schema = x.Alias.Name.Value, ""
		}
		sc.rels = []scopeRelation{{name: x.Alias.Name.Value}}
		if err := l.b.columnAliases(sc, x.Alias); err != nil {
			return nil, err
		}
	}
	return &fromItem{node: node, scope: sc}, nil
}

// windowNode adds the window columns to a node, after a column for a time that is none.
func windowNode(in logical.Node, t *scalar.Expr, spec logical.WindowSpec) *logical.Window {
	at := t.Column
	if t.Op != scalar.OpColumn {
		p := &logical.Project{Input: in}
		for i, f := range in.Fields() {
			p.Exprs, p.Out = append(p.Exprs, columnExpr(i, f)), append(p.Out, f)
		}
		at = len(p.Out)
		project(p, t, t.Text)
		in = p
	}
	time := in.Fields()[at]
	w := &logical.Window{Input: in, TimeColumn: at, Spec: spec, Out: append([]logical.Field(nil), in.Fields()...)}
	add := func(name, side string, attr bool) {
		w.Out = append(w.Out, logical.Field{Name: name, Type: time.Type, Origin: name, WindowBound: side,
			TimeAttr: attr && time.Timed(), ProcTime: attr && time.ProcTime})
	}
	add("window_start", "start", false)
	add("window_end", "end", false)
	add("window_time", "time", true)
	return w
}

// arrangedWindow is a window call's arguments by what they are.
type arrangedWindow struct {
	data, time ast.Expr
	intervals  map[string]ast.Expr
}

// arrangeWindow sorts positional and named arguments.
func arrangeWindow(kind logical.WindowKind, c *ast.Call) (*arrangedWindow, error) {
	spec := windowArgs[kind]
	order := append([]string{"data", "timecol"}, spec.names...)
	got := map[string]ast.Expr{}
	for i, a := range c.Args {
		name := ""
		if i < len(c.ArgNames) {
			name = strings.ToLower(c.ArgNames[i])
		}
		switch {
		case name == "":
			if i >= len(order) {
				return nil, pgerr.New(pgerr.UndefinedFunction, "%s takes at most %d arguments", upper(string(kind)), len(order)).At(int(a.Offset())).
					Hint("%s", windowUsage(kind))
			}
			name = order[i]
		default:
			known := false
			for _, n := range order {
				known = known || n == name
			}
			if !known {
				return nil, pgerr.New(pgerr.UndefinedFunction, "%s has no argument named %q", upper(string(kind)), c.ArgNames[i]).At(int(a.Offset())).
					Hint("Its arguments are %s.", strings.Join(order, ", "))
			}
		}
		if got[name] != nil {
			return nil, pgerr.New(pgerr.SyntaxError, "argument name %q used more than once", name).At(int(a.Offset()))
		}
		got[name] = a
	}
	for _, n := range order[:2+spec.required] {
		if got[n] == nil {
			return nil, pgerr.New(pgerr.UndefinedFunction, "%s lacks its %s argument", upper(string(kind)), n).At(int(c.Pos)).Hint("%s", windowUsage(kind))
		}
	}
	return &arrangedWindow{data: got["data"], time: got["timecol"], intervals: got}, nil
}

func windowUsage(kind logical.WindowKind) string {
	return "Write " + upper(string(kind)) + "(relation, time column, " + strings.Join(windowArgs[kind].names[:windowArgs[kind].required], ", ") + ")."
}

// windowInput binds the first argument: a name, TABLE name, or a subquery.
func (l *level) windowInput(kind logical.WindowKind, x ast.Expr) (*bound, error) {
	var f *fromItem
	var err error
	switch x := x.(type) {
	case *ast.ColumnRef:
		ref := &ast.TableRef{Name: x.Path}
		ref.Pos = x.Pos
		f, err = l.tableRef(ref)
	case *ast.TableArg:
		if x.Query == nil {
			ref := &ast.TableRef{Name: x.Relation}
			ref.Pos = x.Relation.Offset()
			f, err = l.tableRef(ref)
		} else {
			f, err = l.derived(&ast.Derived{Query: x.Query}, nil)
		}
	case *ast.Subquery:
		f, err = l.derived(&ast.Derived{Query: x.Query}, nil)
	case *ast.Call:
		tf := &ast.TableFunc{Calls: []*ast.Call{x}}
		tf.Pos = x.Pos
		f, err = l.tableFunc(tf, nil)
	default:
		return nil, pgerr.New(pgerr.SyntaxError, "the first argument of %s must be a relation or a subquery", upper(string(kind))).At(int(x.Offset())).Hint("%s", windowUsage(kind))
	}
	if err != nil {
		return nil, err
	}
	return f.bound(), nil
}

// windowPartition binds the columns that sessions are told apart by.
func (l *level) windowPartition(kind logical.WindowKind, data ast.Expr) ([]int, error) {
	t, ok := data.(*ast.TableArg)
	if !ok || len(t.PartitionBy) == 0 {
		return nil, nil
	}
	if kind != logical.Session {
		return nil, pgerr.New(pgerr.SyntaxError, "%s takes no PARTITION BY", upper(string(kind))).At(int(t.PartitionBy[0].Offset())).
			Hint("SESSION alone depends on how rows are partitioned.")
	}
	var out []int
	for _, x := range t.PartitionBy {
		e, err := l.expr(x)
		if err != nil {
			return nil, err
		}
		if e.Op != scalar.OpColumn {
			return nil, pgerr.New(pgerr.SyntaxError, "PARTITION BY of SESSION must name columns of its input").At(int(x.Offset())).
				Hint("Compute the value in a subquery.")
		}
		out = append(out, e.Column)
	}
	return out, nil
}

// windowTime binds the time that a window goes by: a column, or what is computed from
// columns.
func (l *level) windowTime(kind logical.WindowKind, x ast.Expr) (*scalar.Expr, error) {
	if d, is := x.(*ast.Descriptor); is {
		if len(d.Columns) != 1 {
			return nil, pgerr.New(pgerr.SyntaxError, "DESCRIPTOR of a window must name one column").At(int(d.Pos))
		}
		ref := &ast.ColumnRef{Path: d.Columns[0]}
		ref.Pos = d.Columns[0].Offset()
		x = ref
	}
	e, err := l.typed(x)
	if err != nil {
		return nil, err
	}
	if k := e.Type.Kind; k != types.Timestamp && k != types.TimestampTZ {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "the time column of %s must be a timestamp, not of type %s", upper(string(kind)), bare(e.Type)).At(int(x.Offset())).
			Hint("%s", windowUsage(kind))
	}
	plain := true
	scalar.Walk(e, func(e *scalar.Expr) {
		plain = plain && e.Op != scalar.OpOuter && !strings.HasPrefix(string(e.Op), "bind.")
	})
	if !plain {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "the time of %s must be computed from columns of its input alone", upper(string(kind))).At(int(x.Offset())).
			Hint("Compute it in a subquery in FROM.")
	}
	return e, nil
}

// windowSpec reads and checks the intervals.
func (l *level) windowSpec(kind logical.WindowKind, c *ast.Call, args map[string]ast.Expr) (logical.WindowSpec, error) {
	spec := logical.WindowSpec{Kind: kind}
	for _, name := range windowArgs[kind].names {
		x := args[name]
		if x == nil {
			continue
		}
		us, err := l.constantMicros(kind, name, x)
		if err != nil {
			return spec, err
		}
		if us <= 0 && name != "offset" {
			return spec, pgerr.New(pgerr.InvalidParameterValue, "the %s of %s must be greater than zero", name, upper(string(kind))).At(int(x.Offset()))
		}
		switch name {
		case "size", "gap":
			spec.Size = us
		case "slide", "step":
			spec.Slide = us
		case "offset":
			spec.Offset = us
		}
	}
	pos := int(c.Pos)
	if x := args["slide"]; x != nil {
		pos = int(x.Offset())
	} else if x := args["step"]; x != nil {
		pos = int(x.Offset())
	}
	const windowsMax = 10_000 // windows that one row may fall in
	switch kind {
	case logical.Hop:
		if spec.Slide > spec.Size {
			return spec, pgerr.New(pgerr.InvalidParameterValue, "the slide of HOP must not be greater than its size").At(pos).
				Hint("HOP takes the slide first, then the size.")
		}
		if (spec.Size+spec.Slide-1)/spec.Slide > windowsMax {
			return spec, pgerr.New(pgerr.InvalidParameterValue, "the size of HOP is more than %d times its slide", windowsMax).At(pos)
		}
	case logical.Cumulate:
		if spec.Slide > spec.Size || spec.Size%spec.Slide != 0 {
			return spec, pgerr.New(pgerr.InvalidParameterValue, "the size of CUMULATE must be a multiple of its step").At(pos).
				Hint("CUMULATE takes the step first, then the maximum size.")
		}
		if spec.Size/spec.Slide > windowsMax {
			return spec, pgerr.New(pgerr.InvalidParameterValue, "the size of CUMULATE is more than %d times its step", windowsMax).At(pos)
		}
	}
	if x := args["offset"]; x != nil && (spec.Offset <= -spec.Size || spec.Offset >= spec.Size) {
		return spec, pgerr.New(pgerr.InvalidParameterValue, "the offset of %s must be smaller than its size", upper(string(kind))).At(int(x.Offset()))
	}
	return spec, nil
}

// constantMicros evaluates a constant interval without months.
func (l *level) constantMicros(kind logical.WindowKind, name string, x ast.Expr) (int64, error) {
	negative := false
	inner := x
	if u, ok := x.(*ast.Unary); ok && u.Op == "-" {
		inner, negative = u.X, true
	}
	at := &level{b: l.b, clause: "FROM"}
	e, err := at.expr(inner)
	if err != nil {
		return 0, err
	}
	e, err = l.b.coerceConst(e, types.Of(types.IntervalK))
	if err != nil {
		return 0, err
	}
	if e == nil || e.Value.Null {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "the %s of %s must be a constant interval", name, upper(string(kind))).At(int(x.Offset())).
			Hint("Write it as INTERVAL '10' SECOND.")
	}
	v := e.Value.Interval
	if v.Months != 0 {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "the %s of %s must not have months or years, whose lengths differ", name, upper(string(kind))).At(int(x.Offset()))
	}
	const dayMicros = 86_400_000_000
	us := v.Micros + int64(v.Days)*dayMicros
	if negative {
		us = -us
	}
	return us, nil
}

// coerceConst is coerce for a value that must be constant; nil when it is not.
func (b *binder) coerceConst(e *scalar.Expr, t types.Type) (*scalar.Expr, error) {
	if e.Op != scalar.OpConst || e.Type.Kind != types.Unknown && e.Type.Kind != t.Kind {
		return nil, nil
	}
	return b.coerce(e, t, implicit)
}

// groupWindow is the window of GROUP BY TUMBLE(…).
type groupWindow struct {
	kind  logical.WindowKind
	time  *scalar.Expr
	spec  logical.WindowSpec
	first int // window_start's column; window_end and window_time follow
	pos   ast.Pos
	// rowtime says that window_time is asked for and has to be a group key.
	rowtime bool
}

// bindWindow finds a window function among the group keys and puts its Window
// below the aggregation.
func (s *selection) bindWindow() error {
	s.clause = "GROUP BY"
	for i := range s.sel.GroupBy {
		c := s.groupWindowOf(s.sel.GroupBy[i].X)
		if c == nil {
			continue
		}
		kind, _ := windowKind(c.Name.Last().Value)
		w, err := s.groupSpec(kind, c)
		if err != nil {
			return err
		}
		if s.window != nil {
			return pgerr.New(pgerr.FeatureNotSupported, "only one window function is allowed in GROUP BY").At(int(c.Pos))
		}
		node := windowNode(s.node, w.time, w.spec)
		w.first = len(node.Input.Fields())
		node.ByGroup, node.Pos = true, int(c.Pos)
		for k := w.first; k < len(node.Out); k++ {
			s.scope.cols = append(s.scope.cols, column{field: node.Out[k], expr: columnExpr(k, node.Out[k])})
		}
		s.node, s.window = node, w
	}
	return nil
}

// groupWindowOf is the window call that a group key is or stands for, else nil.
func (s *selection) groupWindowOf(x ast.Expr) *ast.Call {
	switch x := x.(type) {
	case *ast.Call:
		if _, ok := windowKind(x.Name.Last().Value); ok && len(x.Name) == 1 {
			return x
		}
	case *ast.Literal:
		if i, err := ordinal(x, len(s.sel.Items), "GROUP BY"); err == nil {
			if c, ok := s.sel.Items[i].X.(*ast.Call); ok {
				return s.groupWindowOf(c)
			}
		}
	case *ast.ColumnRef:
		if len(x.Path) != 1 {
			return nil
		}
		if c, _ := s.scope.find("", "", x.Path[0].Value); c != nil {
			return nil
		}
		for _, it := range s.sel.Items {
			if c, ok := it.X.(*ast.Call); ok && it.Alias != nil && it.Alias.Value == x.Path[0].Value {
				return s.groupWindowOf(c)
			}
		}
	}
	return nil
}

// groupSpec binds the arguments of a group window: the time column, then the
// intervals.
func (l *level) groupSpec(kind logical.WindowKind, c *ast.Call) (*groupWindow, error) {
	whole := *c
	whole.Args = append([]ast.Expr{&ast.TableArg{}}, c.Args...)
	if c.ArgNames != nil {
		whole.ArgNames = append([]string{"data"}, c.ArgNames...)
	}
	args, err := arrangeWindow(kind, &whole)
	if err != nil {
		e := pgerr.From(err)
		return nil, e.Hint("Write %s(time column, %s).", upper(string(kind)), strings.Join(windowArgs[kind].names[:windowArgs[kind].required], ", "))
	}
	t, err := l.windowTime(kind, args.time)
	if err != nil {
		return nil, err
	}
	spec, err := l.windowSpec(kind, c, args.intervals)
	if err != nil {
		return nil, err
	}
	return &groupWindow{kind: kind, time: t, spec: spec, pos: c.Pos}, nil
}

// windowKeys are the group keys that a window function stands for, nil for other
// calls.
func (s *selection) windowKeys(c *ast.Call) []*scalar.Expr {
	if s.window == nil || s.groupWindowOf(c) == nil {
		return nil
	}
	return []*scalar.Expr{s.windowColumn(0, c.Pos), s.windowColumn(1, c.Pos)}
}

func (l *level) windowColumn(i int, pos ast.Pos) *scalar.Expr {
	k := l.window.first + i
	for j := range l.scope.cols {
		c := &l.scope.cols[j]
		if c.name == "" && c.expr.Op == scalar.OpColumn && c.expr.Column == k {
			return c.at(pos)
		}
	}
	return nil
}

// groupWindowCall binds TUMBLE_START and its kin, and TUMBLE itself, which is the
// window's start. It is nil for other calls.
func (l *level) groupWindowCall(name string, x *ast.Call) (*scalar.Expr, error) {
	base, part := name, ""
	if i := strings.LastIndexByte(name, '_'); i > 0 {
		base, part = name[:i], name[i+1:]
	}
	kind, ok := windowKind(base)
	if !ok || len(x.Name) != 1 {
		return nil, nil
	}
	i := 0
	switch part {
	case "", "start":
	case "end":
		i = 1
	case "rowtime", "proctime":
		i = 2
	default:
		return nil, nil
	}
	if l.window == nil || l.inAgg {
		if part == "" {
			return nil, pgerr.New(pgerr.GroupingError, "%s is allowed in GROUP BY and FROM only", upper(name)).At(int(x.Pos))
		}
		return nil, pgerr.New(pgerr.GroupingError, "%s needs %s in GROUP BY", upper(name), upper(base)).At(int(x.Pos)).
			Hint("Write GROUP BY %s(…) with the same arguments.", upper(base))
	}
	w, err := l.groupSpec(kind, x)
	if err != nil {
		return nil, err
	}
	if !exprEqual(w.time, l.window.time) || w.spec != l.window.spec {
		return nil, pgerr.New(pgerr.GroupingError, "%s must have the arguments of the window in GROUP BY", upper(name)).At(int(x.Pos))
	}
	if i < 2 {
		return l.windowColumn(i, x.Pos), nil
	}
	l.window.rowtime = true
	return l.windowColumn(2, x.Pos), nil
}
