package logical

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Print writes a tree, one node a line, inputs indented below. It is for tests
// and for people who look for a mistake: columns appear as #n.
func Print(n Node) string {
	var b strings.Builder
	printNode(&b, n, 0)
	return b.String()
}

func printNode(b *strings.Builder, n Node, depth int) {
	b.WriteString(strings.Repeat("  ", depth))
	b.WriteString(Describe(n))
	b.WriteByte('\n')
	for _, in := range n.Inputs() {
		printNode(b, in, depth+1)
	}
}

// Describe is one node's line of Print.
func Describe(n Node) string {
	switch n := n.(type) {
	case *Scan:
		return describeScan(n)
	case *Values:
		rows := make([]string, len(n.Rows))
		for i, r := range n.Rows {
			rows[i] = "(" + exprs(r) + ")"
		}
		return "values " + strings.Join(rows, ", ") + fields(n.Out)
	case *Filter:
		return "filter " + ExprString(n.Predicate)
	case *Project:
		return "project " + exprs(n.Exprs) + fields(n.Out)
	case *Window:
		return fmt.Sprintf("window %s(#%d, size %d, slide %d, offset %d)", n.Spec.Kind, n.TimeColumn, n.Spec.Size, n.Spec.Slide, n.Spec.Offset) +
			fields(n.Out[max(len(n.Out)-3, 0):])
	case *Aggregate:
		return describeAggregate(n)
	case *Union:
		return "union all" + fields(n.Out)
	case *SetOp:
		all := ""
		if n.All {
			all = " all"
		}
		return string(n.Kind) + all + fields(n.Out)
	case *Sort:
		return describeSort(n)
	case *Over:
		return describeOver(n)
	case *TopN:
		return describeTopN(n)
	case *Join:
		s := string(n.Kind) + " join"
		if n.Condition != nil {
			s += " on " + ExprString(n.Condition)
		}
		return s + pinned(n.ID)
	case *TemporalJoin:
		return describeTemporalJoin(n)
	case *AsofJoin:
		s := "asof join"
		if n.Outer {
			s = "left asof join"
		}
		if n.Condition != nil {
			s += " on " + ExprString(n.Condition)
		}
		return s + " match " + ExprString(n.Match) + pinned(n.ID)
	case *Apply:
		s := "apply " + string(n.Kind) + " [" + exprs(n.Args) + "]"
		if n.Compare != nil {
			s += " compare " + ExprString(n.Compare)
		}
		if n.When != nil {
			s += " when " + ExprString(n.When)
		}
		if n.Condition != nil {
			s += " on " + ExprString(n.Condition)
		}
		return s
	case *FunctionScan:
		return "function " + functionText(n) + fields(n.Out)
	case *Expand:
		s := "expand " + functionText(n.Function)
		if n.Left {
			s += " left"
		}
		return s + fields(n.Function.Out)
	case *Recursive:
		s := "recursive " + n.Name + " (" + strconv.Itoa(n.Number) + ")"
		if n.Distinct {
			s += " distinct"
		}
		return s + fields(n.Out)
	case *Working:
		return "working " + n.Name + " (" + strconv.Itoa(n.Number) + ")" + fields(n.Out)
	case *Sink:
		return fmt.Sprintf("sink %s %v", n.Relation.Name, n.Columns)
	case *Materialize:
		s := "materialize " + n.Relation.Name
		if n.EmitOnWindowClose {
			s += " emit on window close"
		}
		return s
	}
	return fmt.Sprintf("%T", n)
}

func functionText(n *FunctionScan) string {
	s := n.Func + "(" + exprs(n.Args) + ")"
	for _, f := range n.Beside {
		s += ", " + functionText(f)
	}
	if n.Ordinality {
		s += " with ordinality"
	}
	return s
}

func describeTemporalJoin(n *TemporalJoin) string {
	s := "temporal join"
	if n.Outer {
		s = "left temporal join"
	}
	if n.Processing() {
		s += " as of processing time"
	} else {
		s += fmt.Sprintf(" as of #%d from #%d", n.LeftTime, len(n.Left.Fields())+n.RightTime)
	}
	return s + " on " + ExprString(n.Condition) + pinned(n.ID)
}

func pinned(id string) string {
	if id == "" {
		return ""
	}
	return " id=" + strconv.Quote(id)
}

func describeScan(n *Scan) string {
	s := "scan " + n.Relation.Name
	if n.Alias != "" && n.Alias != n.Relation.Name {
		s += " as " + n.Alias
	}
	s += fields(n.Out)
	for i, g := range n.Generated {
		if g != nil {
			s += " " + n.Relation.Columns[i].Name + "=" + ExprString(g)
		}
	}
	if n.Watermark != nil {
		s += " watermark(" + n.Relation.Columns[n.WatermarkColumn].Name + ")=" + ExprString(n.Watermark)
	}
	return s + pinned(n.ID)
}

func describeAggregate(n *Aggregate) string {
	parts := make([]string, len(n.Aggregates))
	for i := range n.Aggregates {
		parts[i] = AggregateString(&n.Aggregates[i])
	}
	return "aggregate keys [" + exprs(n.Keys) + "] [" + strings.Join(parts, ", ") + "]" + fields(n.Out) + pinned(n.ID)
}

func describeSort(n *Sort) string {
	s := "sort [" + sortKeys(n.Keys) + "]"
	if n.Limit != nil {
		s += " limit " + ExprString(n.Limit)
	}
	if n.Skip != nil {
		s += " skip " + ExprString(n.Skip)
	}
	if n.WithTies {
		s += " with ties"
	}
	return s
}

func partitioned(by []*scalar.Expr, order []scalar.SortKey) string {
	s := "by [" + exprs(by) + "]"
	if len(order) > 0 {
		s += " order [" + sortKeys(order) + "]"
	}
	return s
}

func describeOver(n *Over) string {
	parts := make([]string, len(n.Calls))
	for i := range n.Calls {
		parts[i] = windowCall(&n.Calls[i])
	}
	return "over " + partitioned(n.PartitionBy, n.OrderBy) + " [" + strings.Join(parts, ", ") + "]" +
		fields(n.Out[max(len(n.Out)-len(n.Calls), 0):]) + pinned(n.ID)
}

func windowCall(c *scalar.WindowCall) string {
	name, _, _ := strings.Cut(c.Func, "(")
	s := name + "(" + exprs(c.Args) + ")"
	if c.Filter != nil {
		s += " filter " + ExprString(c.Filter)
	}
	if f := c.Frame; f.Unit != "" {
		s += " " + string(f.Unit) + " " + bound(f.Start) + " to " + bound(f.End)
		if f.Exclude != "" {
			s += " exclude " + f.Exclude
		}
	}
	return s
}

func bound(b scalar.Bound) string {
	if b.Offset != nil {
		return ExprString(b.Offset) + " " + string(b.Kind)
	}
	return string(b.Kind)
}

func describeTopN(n *TopN) string {
	s := fmt.Sprintf("top_n %s %s %d to ", partitioned(n.PartitionBy, n.OrderBy), n.Func, n.From)
	if n.To == Unlimited {
		s += "the last"
	} else {
		s += strconv.FormatInt(n.To, 10)
	}
	if n.WithTies {
		s += " with ties"
	}
	if n.Numbered {
		s += fields(n.Out[len(n.Out)-1:])
	}
	return s + pinned(n.ID)
}

func sortKeys(keys []scalar.SortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = ExprString(k.X)
		if k.Desc {
			parts[i] += " desc"
		}
		if k.NullsFirst != k.Desc {
			parts[i] += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
	}
	return strings.Join(parts, ", ")
}

func fields(list []Field) string {
	parts := make([]string, len(list))
	for i, f := range list {
		s := f.Name + " " + f.Type.String()
		if f.Origin != f.Name && f.Origin != "" {
			s += " {" + f.Origin + "}"
		}
		if f.TimeAttr {
			s += " time"
		}
		if f.ProcTime {
			s += " proctime"
		}
		if f.WindowBound == "start" || f.WindowBound == "end" { // that it is window_time shows already
			s += " " + f.WindowBound
		}
		parts[i] = s
	}
	return " -> (" + strings.Join(parts, ", ") + ")"
}

func exprs(list []*scalar.Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = ExprString(e)
	}
	return strings.Join(parts, ", ")
}

// AggregateString prints an aggregate call.
func AggregateString(a *scalar.Aggregate) string {
	s := a.Func
	if i := strings.IndexByte(s, '('); i > 0 {
		s = s[:i]
	}
	s += "("
	if a.Distinct {
		s += "distinct "
	}
	s += exprs(a.Args)
	if len(a.OrderBy) > 0 {
		s += " order by " + sortKeys(a.OrderBy)
	}
	s += ")"
	if a.Filter != nil {
		s += " filter " + ExprString(a.Filter)
	}
	return s
}

// ExprString prints an expression with columns as #n, outer references as ^n,
// casts and the types of constants as ::type.
func ExprString(e *scalar.Expr) string {
	if e == nil {
		return "<nil>"
	}
	switch e.Op {
	case scalar.OpColumn:
		return "#" + strconv.Itoa(e.Column)
	case scalar.OpOuter:
		return "^" + strconv.Itoa(e.Column)
	case scalar.OpParam:
		return "$" + strconv.Itoa(e.Column+1) + "::" + e.Type.String()
	case scalar.OpConst:
		return constString(e)
	case scalar.OpCast:
		if e.Func == "try" {
			return "try_cast(" + ExprString(e.Args[0]) + " as " + e.Type.String() + ")"
		}
		return ExprString(e.Args[0]) + "::" + e.Type.String()
	case scalar.OpCall:
		name := e.Func
		if i := strings.LastIndexByte(name, '('); i > 0 {
			name = name[:i]
		}
		return name + "(" + exprs(e.Args) + ")"
	}
	return string(e.Op) + "(" + exprs(e.Args) + ")"
}

func constString(e *scalar.Expr) string {
	if e.Value == nil || e.Value.Null {
		return "null::" + e.Type.String()
	}
	text := string(types.AppendText(nil, e.Type, e.Value, nil))
	switch e.Type.Kind {
	case types.Int32, types.Bool:
		return text
	case types.Text:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return "'" + text + "'::" + e.Type.String()
}
