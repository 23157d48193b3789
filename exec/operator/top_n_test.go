package operator

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// parseTopN reads "k, j; v desc, s; rank 1 3 numbered ties key i retract arrival".
func (s *script) parseTopN(op *graph.Operator, text string) error {
	parts := strings.Split(text, ";")
	if len(parts) != 3 {
		return fmt.Errorf("top_n %q", text)
	}
	spec := &graph.TopN{Keys: s.parseColumns(parts[0]), Order: s.parseOrder(parts[1])}
	op.TopN, op.Fields = spec, slices.Clone(s.fields)
	words := strings.Fields(parts[2])
	spec.Func = words[0]
	spec.From, _ = strconv.ParseInt(words[1], 10, 64)
	spec.To, _ = strconv.ParseInt(words[2], 10, 64)
	spec.Copies = true
	for i, w := range words {
		switch w {
		case "numbered":
			spec.Numbered = true
			op.Fields = append(op.Fields, types.Field{Name: spec.Func, Type: types.Of(types.Int64)})
		case "ties":
			spec.WithTies = true
		case "retract":
			spec.Retractable = true
		case "key":
			spec.RowKey, spec.Copies = s.parseColumns(words[i+1]), false
		case "window", "onclose":
			spec.Window = &graph.TopNWindow{End: s.column(words[i+1]), OnClose: w == "onclose"}
		case "arrival":
			spec.Arrival = true
		}
	}
	if spec.Copies = spec.Copies && spec.Retractable; spec.Copies {
		spec.RowKey = identityInts(len(s.fields))
	}
	var in []graph.Column
	for _, f := range s.fields {
		in = append(in, graph.Column{Name: f.Name, Type: f.Type})
	}
	op.Tables = spec.Tables(in)
	return nil
}

func (s *script) parseColumns(text string) (cols []int) {
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			cols = append(cols, s.column(w))
		}
	}
	return cols
}

func (s *script) parseOrder(text string) (order []graph.SortKey) {
	for _, k := range strings.Split(text, ",") {
		if words := strings.Fields(k); len(words) > 0 {
			order = append(order, graph.SortKey{Column: s.column(words[0]), Desc: slices.Contains(words, "desc"), NullsFirst: slices.Contains(words, "nulls_first")})
		}
	}
	return order
}

const topNInput = "input id bigint, k text, j bigint, v bigint, d numeric, s text, f float\n"

// TestTopNModel runs random changelogs through top-N and deduplication and
// compares what their output adds up to with the rows that are left, sorted.
func TestTopNModel(t *testing.T) {
	seed := random.Seed(t)
	for i, op := range []string{
		"k; v desc; row_number 1 3 numbered", "k; v desc; row_number 1 3", "k, j; v; row_number 1 1", "j; s desc, v; row_number 1 1", "; v nulls_first; row_number 2 5",
		"k; v; rank 1 2 numbered", "k; v; dense_rank 2 3 numbered", "k; d desc; row_number 1 2 ties", "k; f desc; dense_rank 1 2", "; s; row_number 1 0",
		"k; v desc; row_number 1 40", "; v, s; row_number 1 400", "k; v; rank 1 40", "k; d desc; row_number 1 30 ties",
		"k; v desc; row_number 1 3 numbered retract", "k; v desc; row_number 1 3 retract", "k; v; row_number 2 4 retract key id", "k, j; v; row_number 1 1 retract key id",
		"; v, s; row_number 1 9223372036854775807 numbered retract key id", "k; v; rank 1 2 numbered retract key id", "k; v; dense_rank 2 3 numbered retract",
		"k; d desc; row_number 1 2 ties retract", "j; s; rank 1 3 retract", "; f; row_number 3 3 retract key id", "k; ; row_number 1 2 retract",
	} {
		t.Run(op, func(t *testing.T) {
			for round := range random.Rounds(6) {
				checkTopN(t, op, rand.New(rand.NewPCG(seed, uint64(100*i+round))), 40+round*150)
			}
		})
	}
}

func checkTopN(t *testing.T, op string, rng *rand.Rand, n int) {
	s, err := parseScript(topNInput + "top_n " + op)
	if err != nil {
		t.Fatal(err)
	}
	live := s.randomTopN(rng, n)
	want := s.modelTopN(live)
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 7, tasks: []int{1}, restart: true, coalesce: 20}, {batch: 3, tasks: []int{1}, coalesce: 1}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}, {batch: 1024, tasks: []int{1}}} {
		if len(s.op.TopN.Keys) == 0 {
			m.tasks = []int{1}
		}
		if got := s.run(t, m); !maps.Equal(got.total, want) {
			t.Fatalf("%+v: the output adds up to\n%v\nwant\n%v", m, show(got.total), show(want))
		}
	}
}

func (s *script) randomTopN(rng *rand.Rand, n int) (live [][]types.Value) {
	null := func(v types.Value) types.Value {
		if rng.IntN(8) == 0 {
			return types.NullValue
		}
		return v
	}
	keyed := !s.op.TopN.Copies
	next := int64(0)
	row := func() []types.Value {
		id := int64(rng.IntN(3))
		if keyed {
			next++
			id = next
		}
		return []types.Value{{Int: id}, null(types.Value{Bytes: string(rune('a' + rng.IntN(3)))}), null(types.Value{Int: int64(rng.IntN(3))}), null(types.Value{Int: int64(rng.IntN(9)) - 4}),
			null(types.Value{Dec: types.Decimal{Lo: uint64(rng.IntN(9)), Scale: 2}}), null(types.Value{Bytes: strings.Repeat("x", rng.IntN(3)*5) + string(rune('p'+rng.IntN(4)))}),
			null(types.Value{Float: float64(rng.IntN(5)) - 2})}
	}
	add := func(op batch.Op, row []types.Value) {
		if k := len(s.steps); k == 0 || s.steps[k-1].kind != "rows" {
			s.steps = append(s.steps, step{kind: "rows"})
		}
		last := &s.steps[len(s.steps)-1]
		last.rows, last.ops = append(last.rows, row), append(last.ops, op)
	}
	for range n {
		switch what := rng.IntN(20); {
		case what < 2:
			s.steps = append(s.steps, step{kind: "batch"})
		case what == 2:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what < 12 && s.op.TopN.Retractable && len(live) > 0:
			i := rng.IntN(len(live))
			old := live[i]
			live = slices.Delete(live, i, i+1)
			if rng.IntN(2) == 0 {
				add(batch.Delete, old)
				break
			}
			changed := row()
			changed[0] = old[0]
			live = append(live, changed)
			add(batch.UpdateBefore, old)
			add(batch.UpdateAfter, changed)
		default:
			r := row()
			if !s.op.TopN.Retractable && len(live) > 0 && rng.IntN(4) == 0 {
				r = live[rng.IntN(len(live))] // a stream may bring the same row again
			}
			live = append(live, r)
			add(batch.Insert, r)
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"}, step{kind: "end"})
	return live
}

// modelTopN sorts the rows of each group and numbers them.
func (s *script) modelTopN(rows [][]types.Value) map[string]int {
	spec := s.op.TopN
	text := func(row []types.Value, cols []int) string {
		var words []string
		for _, c := range cols {
			words = append(words, showValue(s.fields[c].Type, row[c]))
		}
		return strings.Join(words, " ")
	}
	groups := map[string][][]types.Value{}
	for _, r := range rows {
		key := text(r, spec.Keys)
		groups[key] = append(groups[key], r)
	}
	var all []graph.SortKey
	for c := range s.fields {
		all = append(all, graph.SortKey{Column: c})
	}
	out := map[string]int{}
	for _, rows := range groups {
		slices.SortFunc(rows, func(a, b []types.Value) int { return cmp.Or(s.compareRows(spec.Order, a, b), s.compareRows(all, a, b)) })
		rank, dense := 0, 0
		for i, r := range rows {
			if i == 0 || s.compareRows(spec.Order, rows[i-1], r) != 0 {
				rank, dense = i+1, dense+1
			}
			number := map[string]int{"row_number": i + 1, "rank": rank, "dense_rank": dense}[spec.Func]
			past := int64(number) > spec.To
			if past && spec.WithTies && spec.To > 0 && s.compareRows(spec.Order, rows[spec.To-1], r) == 0 {
				past = false
			}
			if past || int64(number) < spec.From {
				continue
			}
			line := text(r, identityInts(len(s.fields)))
			if spec.Numbered {
				line += fmt.Sprint(" ", number)
			}
			out[line]++
		}
	}
	return out
}

func (s *script) compareRows(order []graph.SortKey, a, b []types.Value) int {
	for _, k := range order {
		x, y := a[k.Column], b[k.Column]
		switch {
		case x.Null && y.Null:
		case x.Null || y.Null:
			if x.Null == k.NullsFirst {
				return -1
			}
			return 1
		default:
			c := types.Compare(s.fields[k.Column].Type, &x, &y)
			if k.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
	}
	return 0
}
