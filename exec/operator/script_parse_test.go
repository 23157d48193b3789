package operator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

var scriptTypes = map[string]types.Kind{"text": types.Text, "bigint": types.Int64, "int": types.Int32, "numeric": types.Numeric,
	"float": types.Float64, "real": types.Float32, "bool": types.Bool, "ts": types.Timestamp, "interval": types.IntervalK, "uuid": types.UUID}

func parseScript(text string) (*script, error) {
	s := &script{}
	for _, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "bounded":
			s.bounded = true
		case "input", "left", "right":
			var err error
			to := &s.fields
			if word == "right" {
				to = &s.right
			}
			if *to, err = parseFields(rest); err != nil {
				return nil, err
			}
		case "+", "-", "<", ">", "l+", "l-", "l<", "l>", "r+", "r-", "r<", "r>":
			port := 0
			if word[0] == 'r' {
				port = 1
			}
			if err := s.addRow(port, word[len(word)-1:], strings.Fields(rest)); err != nil {
				return nil, err
			}
		case "watermark":
			w := int64(exec.WatermarkMax)
			if rest != "max" {
				var err error
				if w, err = strconv.ParseInt(rest, 10, 64); err != nil {
					return nil, err
				}
			}
			s.steps = append(s.steps, step{kind: word, watermark: w})
		case "barrier":
			at := int64(0)
			if rest != "" {
				var err error
				if at, err = strconv.ParseInt(rest, 10, 64); err != nil {
					return nil, err
				}
			}
			s.steps = append(s.steps, step{kind: word, time: at})
		case "ttl":
			var err error
			if s.ttl, err = strconv.ParseInt(rest, 10, 64); err != nil {
				return nil, err
			}
		case "end", "batch":
			s.steps = append(s.steps, step{kind: word})
		default:
			op, err := s.parseOperator(word, rest)
			if err != nil {
				return nil, err
			}
			s.op = op
		}
	}
	return s, nil
}

func parseFields(text string) (fields []types.Field, err error) {
	for _, f := range strings.Split(text, ",") {
		name, typ, _ := strings.Cut(strings.TrimSpace(f), " ")
		kind, ok := scriptTypes[typ]
		if !ok {
			return nil, fmt.Errorf("unknown type %q", typ)
		}
		fields = append(fields, types.Field{Name: name, Type: types.Of(kind)})
	}
	return fields, nil
}

// inputs are the columns of each input.
func (s *script) inputs() [][]types.Field {
	if s.right != nil {
		return [][]types.Field{s.fields, s.right}
	}
	return [][]types.Field{s.fields}
}

func (s *script) addRow(port int, op string, words []string) error {
	fields := s.inputs()[port]
	if len(words) != len(fields) {
		return fmt.Errorf("%d values for %d columns: %v", len(words), len(fields), words)
	}
	row := make([]types.Value, len(words))
	for i, w := range words {
		v, err := parseValue(fields[i].Type, w)
		if err != nil {
			return err
		}
		row[i] = v
	}
	s.add(port, map[string]batch.Op{"+": batch.Insert, "-": batch.Delete, "<": batch.UpdateBefore, ">": batch.UpdateAfter}[op], row)
	return nil
}

// add adds a row to the last batch, if that is of the same port.
func (s *script) add(port int, op batch.Op, row []types.Value) {
	if n := len(s.steps); n == 0 || s.steps[n-1].kind != "rows" || s.steps[n-1].port != port {
		s.steps = append(s.steps, step{kind: "rows", port: port})
	}
	last := &s.steps[len(s.steps)-1]
	last.rows, last.ops = append(last.rows, row), append(last.ops, op)
}

func parseValue(t types.Type, w string) (v types.Value, err error) {
	if w == "null" {
		return types.NullValue, nil
	}
	switch t.Kind {
	case types.Text:
		v.Bytes = strings.Trim(w, "'")
	case types.Int32, types.Int64, types.Timestamp:
		v.Int, err = strconv.ParseInt(w, 10, 64)
	case types.Float64, types.Float32:
		v.Float, err = strconv.ParseFloat(w, 64)
	case types.Bool:
		v.Bool = w == "t"
	case types.Numeric:
		v.Dec, err = types.ParseDecimal(w)
	case types.IntervalK:
		v.Interval, err = types.ParseInterval(strings.ReplaceAll(w, "_", " "), "", 6)
	case types.UUID:
		v.UUID, err = types.ParseUUID(w)
	}
	return v, err
}

func showValue(t types.Type, v types.Value) string {
	if v.Null {
		return "null"
	}
	if t.Kind == types.Timestamp {
		return strconv.FormatInt(v.Int, 10)
	}
	s := string(types.AppendText(nil, t, &v, nil))
	if s == "" {
		return "''"
	}
	return strings.ReplaceAll(s, " ", "_")
}

func (s *script) column(name string) int {
	return slices.IndexFunc(s.fields, func(f types.Field) bool { return f.Name == name })
}

// parseOperator reads "aggregate by a, b: count(*), sum(c) filter f" and the
// like.
func (s *script) parseOperator(kind, rest string) (*graph.Operator, error) {
	op := &graph.Operator{ID: kind, Kind: graph.Kind(kind), Mode: graph.Retract, TimeColumn: -1}
	switch op.Kind {
	case graph.AggregateKind:
		op.Aggregate = &graph.Aggregate{}
		return op, lowerAggregate(op, op.Aggregate, s, rest)
	case graph.WindowAggregateKind:
		op.WindowAggregate = &graph.WindowAggregate{}
		rest, op.WindowAggregate.OnClose = strings.CutPrefix(rest, "on close ")
		rest, retract := strings.CutPrefix(rest, "retract ")
		window, rest, _ := strings.Cut(rest, ") ")
		spec, col, err := s.parseWindow(window)
		if err != nil {
			return nil, err
		}
		op.WindowAggregate.Spec, op.WindowAggregate.TimeColumn = spec, col
		op.WindowAggregate.Retractable = retract
		return op, lowerAggregate(op, &op.WindowAggregate.Aggregate, s, rest)
	case graph.WindowKind:
		spec, col, err := s.parseWindow(strings.TrimSuffix(rest, ")"))
		op.Window = &graph.Window{Spec: spec, TimeColumn: col}
		op.Fields = slices.Clone(s.fields)
		for range 3 {
			op.Fields = append(op.Fields, types.Field{Type: types.Of(types.Timestamp)})
		}
		return op, err
	case graph.SortKind:
		return op, s.parseSort(op, rest)
	case graph.TopNKind:
		return op, s.parseTopN(op, rest)
	case graph.OverKind:
		return op, s.parseOver(op, rest)
	case graph.MaterializeKind:
		return op, s.parseMaterialize(op, rest)
	case graph.UnionKind:
		op.Fields = s.fields
		return op, nil
	case graph.JoinKind:
		return op, s.parseJoin(op, rest)
	case graph.TemporalJoinKind, graph.LookupJoinKind, graph.AsofJoinKind:
		return op, s.parseNearest(op, rest)
	case graph.SetOpKind:
		return op, s.parseSetOp(op, rest)
	case graph.UpsertKind:
		spec := &graph.KeyedRows{AtEnd: s.bounded}
		rest, spec.Each = strings.CutPrefix(rest, "each ")
		for _, k := range strings.Split(strings.TrimPrefix(rest, "by "), ", ") {
			spec.Key = append(spec.Key, s.column(k))
		}
		var columns []graph.Column
		for _, f := range s.fields {
			columns = append(columns, graph.Column{Name: f.Name, Type: f.Type})
		}
		op.Upsert, op.Fields, op.Tables, op.UpsertKey = spec, s.fields, spec.Tables(columns), spec.Key
		return op, nil
	case graph.ConsolidateKind:
		op.Consolidate, op.Fields = &graph.Consolidate{}, s.fields
		for _, k := range strings.Split(strings.TrimPrefix(rest, "by "), ", ") {
			op.Consolidate.Key = append(op.Consolidate.Key, s.column(k))
		}
		return op, nil
	}
	return nil, fmt.Errorf("unknown operator %q", kind)
}

// parseWindow reads "hop(ts, size, slide, offset" in microseconds.
func (s *script) parseWindow(text string) (spec logical.WindowSpec, col int, err error) {
	name, args, _ := strings.Cut(text, "(")
	spec.Kind = logical.WindowKind(name)
	parts := strings.Split(args, ",")
	nums := []*int64{&spec.Size, &spec.Slide, &spec.Offset}
	if spec.Kind == logical.Session {
		nums = []*int64{&spec.Size}
	}
	if spec.Kind == logical.Tumble {
		nums = []*int64{&spec.Size, &spec.Offset}
	}
	for i, p := range parts[1:] {
		if *nums[i], err = strconv.ParseInt(strings.TrimSpace(p), 10, 64); err != nil {
			return
		}
	}
	return spec, s.column(parts[0]), nil
}

func (s *script) parseSort(op *graph.Operator, text string) error {
	spec := &graph.Sort{Limit: -1}
	op.Sort, op.Fields = spec, s.fields
	keys, opts, _ := strings.Cut(text, ";")
	spec.Keys = s.parseOrder(keys)
	words := strings.Fields(opts)
	for i, w := range words {
		switch w {
		case "limit":
			spec.Limit, _ = strconv.ParseInt(words[i+1], 10, 64)
		case "skip":
			spec.Skip, _ = strconv.ParseInt(words[i+1], 10, 64)
		case "ties":
			spec.WithTies = true
		}
	}
	return nil
}

func (s *script) parseMaterialize(op *graph.Operator, text string) error {
	op.Materialize, op.Fields = &graph.Materialize{}, s.fields
	table := graph.Table{}
	if by, ok := strings.CutPrefix(text, "by "); ok {
		for _, k := range strings.Split(by, ",") {
			op.Materialize.Key = append(op.Materialize.Key, s.column(strings.TrimSpace(k)))
		}
	}
	for i, f := range s.fields {
		c := graph.Column{Name: f.Name, Type: f.Type}
		if op.Materialize.Key == nil || slices.Contains(op.Materialize.Key, i) {
			table.Keys = append(table.Keys, c)
		} else {
			table.Columns = append(table.Columns, c)
		}
	}
	if op.Materialize.Key == nil {
		table.Columns = []graph.Column{{Name: "count(*)", Type: types.Of(types.Int64)}}
	}
	op.Tables = []graph.Table{table}
	return nil
}

// keys are the columns that rows are spread over tasks by.
func (s *script) keys() []int {
	switch {
	case s.op.Aggregate != nil:
		return s.op.Aggregate.Keys
	case s.op.WindowAggregate != nil:
		return s.op.WindowAggregate.Keys
	case s.op.Over != nil:
		return s.op.Over.Keys
	case s.op.Upsert != nil:
		return s.op.Upsert.Key
	case s.op.TopN != nil:
		return s.op.TopN.Keys
	case s.op.Materialize != nil && s.op.Materialize.Key != nil:
		return s.op.Materialize.Key
	case s.op.Materialize != nil:
		return identityInts(len(s.fields))
	case s.op.Consolidate != nil:
		return s.op.Consolidate.Key
	case s.op.SetOp != nil:
		return identityInts(len(s.fields))
	case s.op.Join != nil:
		return identityInts(len(s.op.Join.LeftKeys))
	case s.op.TemporalJoin != nil:
		return identityInts(s.op.TemporalJoin.Keys)
	case s.op.LookupJoin != nil:
		return identityInts(s.op.LookupJoin.Keys)
	case s.op.AsofJoin != nil:
		return identityInts(s.op.AsofJoin.Keys)
	}
	return nil
}

func identityInts(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
