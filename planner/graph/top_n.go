package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/types"
)

// TopN keeps, of the rows with equal Keys, those that number From to To, from 1,
// in Order; where Order does not decide, the other columns do, in their order,
// ascending, nulls last. Func says how rows are numbered: row_number, rank or
// dense_rank. Output: the input's columns and, when Numbered, the number.
//
// State: one table without a name. Its keys are Keys and, marked Local, what tells
// a group's rows apart; its columns are the input columns that are no keys:
//
//   - Retractable: all rows of the input, told apart by RowKey; with Copies, rows
//     have no key: RowKey is all columns but Keys, and the one column of the
//     table, "count(*)", is the number of copies;
//   - else the rows that number up to To, told apart by "row", a bigint that means
//     nothing else;
//   - else, for the first row alone (see Single), nothing but Keys: the one row.
type TopN struct {
	Keys     []int     `json:"keys,omitempty"`
	Order    []SortKey `json:"order,omitempty"`
	Func     string    `json:"func"`
	From     int64     `json:"from"`
	To       int64     `json:"to"`
	WithTies bool      `json:"with_ties,omitempty"` // and the rows that Order does not tell apart from the last
	Numbered bool      `json:"numbered,omitempty"`
	// Retractable is set when the input is not append-only.
	Retractable bool  `json:"retractable,omitempty"`
	RowKey      []int `json:"row_key,omitempty"`
	Copies      bool  `json:"copies,omitempty"`
	// Arrival is set when the order is that of arrival and the first row alone
	// counts: it then never changes, and the table has no columns.
	Arrival bool `json:"arrival,omitempty"`
	// Window is set when each group is of one window.
	Window *TopNWindow `json:"window,omitempty"`
}

// TopNWindow says that groups are done with when the watermark reaches the value
// of End, one of the keys, or, if it is After, when it has passed that. OnClose rows
// are emitted then and not before. Late rows, those of closed windows, are counted.
type TopNWindow struct {
	End     int  `json:"end"`
	After   bool `json:"after,omitempty"`
	OnClose bool `json:"on_close,omitempty"`
}

// Single reports whether the state is one row per group.
func (t *TopN) Single() bool {
	return t.Window == nil && !t.Retractable && t.Func == "row_number" && t.From == 1 && t.To == 1 && !t.WithTies
}

var bigint = types.Of(types.Int64)

// rowName is the state key that tells apart the rows of a group that have no key.
const rowName = "row"

// Tables is the operator's state over input columns with these names, as
// described above.
func (t *TopN) Tables(in []Column) []Table {
	out := rowTable(in, t.Keys, t.RowKey, t.Copies)
	switch {
	case t.Single():
		out.Keys, out.Local = out.Keys[:len(t.Keys):len(t.Keys)], 0
		if t.Arrival {
			out.Columns = []Column{}
		}
	case !t.Retractable:
		out.Keys, out.Local = append(out.Keys, Column{Name: unusedName(out.Keys, rowName), Type: bigint}), 1
		out.Unindexed = true // rows are found by their group's list
	}
	return []Table{out}
}

// rowTable is the schema of a table of input rows: the columns keys, then, Local,
// those that tell the rows of one group apart, then the others.
func rowTable(in []Column, keys, rowKey []int, copies bool) Table {
	t := Table{Columns: []Column{}, Keys: []Column{}}
	isKey := make([]bool, len(in))
	add := func(c int) {
		t.Keys = append(t.Keys, Column{Name: unusedName(t.Keys, in[c].Name), Type: in[c].Type})
		isKey[c] = true
	}
	for _, c := range keys {
		add(c)
	}
	for _, c := range rowKey {
		if !isKey[c] {
			add(c)
			t.Local++
		}
	}
	if copies {
		t.Columns, t.Exact = append(t.Columns, Column{Name: "count(*)", Type: bigint}), true
		return t
	}
	for c := range in {
		if !isKey[c] {
			t.Columns = append(t.Columns, Column{Name: unusedName(t.Columns, in[c].Name), Type: in[c].Type})
		}
	}
	return t
}

func unusedName(have []Column, name string) string {
	for i := 0; i < len(have); i++ {
		if have[i].Name == name {
			name, i = name+"'", -1
		}
	}
	return name
}

func (c *checker) topN(t *TopN) error {
	width := c.width(0)
	if err := errors.Join(columns(t.Keys, width), columns(t.RowKey, width), c.order(t.Order)); err != nil {
		return err
	}
	switch {
	case t.Func != "row_number" && t.Func != "rank" && t.Func != "dense_rank":
		return fmt.Errorf("unknown numbering %q", t.Func)
	case t.From < 1 || t.To < 0:
		return fmt.Errorf("rows %d to %d", t.From, t.To)
	case t.Window != nil && !slices.Contains(t.Keys, t.Window.End):
		return errors.New("the end of a window is no key")
	case t.Arrival && !t.Single():
		return errors.New("more than the first row to arrive")
	}
	want := width
	if t.Numbered {
		want++
	}
	if len(c.o.Fields) != want {
		return fmt.Errorf("%d columns for %d", len(c.o.Fields), want)
	}
	return c.tablesLike(t.Tables(c.inputColumns()))
}

func (c *checker) order(keys []SortKey) error {
	for _, k := range keys {
		if err := columns([]int{k.Column}, c.width(0)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) inputColumns() []Column {
	var out []Column
	for _, f := range c.fields(0) {
		out = append(out, Column{Name: f.Name, Type: f.Type})
	}
	return out
}

// tablesLike checks the layout of the state tables, not their names.
func (c *checker) tablesLike(want []Table) error {
	if err := c.tableCount(len(want)); err != nil {
		return err
	}
	for i, w := range want {
		t := c.o.Tables[i]
		if t.Local != w.Local || !sameLayout(t.Keys, w.Keys) || !sameLayout(t.Columns, w.Columns) {
			return fmt.Errorf("the state table %q does not fit", t.Name)
		}
	}
	return nil
}

func sameLayout(a, b []Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type.Phys() != b[i].Type.Phys() {
			return false
		}
	}
	return true
}
