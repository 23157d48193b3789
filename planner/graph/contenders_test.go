package graph

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

func TestContendersRefused(t *testing.T) {
	fields := []types.Field{{Name: "price", Type: types.Of(types.Int64)}, {Name: "ts", Type: types.Of(types.Timestamp)}, {Name: "name", Type: types.Of(types.Text)}}
	for _, c := range []struct {
		change func(in, o *Operator)
		want   string
	}{
		{func(*Operator, *Operator) {}, ""},
		{func(_, o *Operator) { o.Contenders.Bound = WindowEnd }, ""},
		{func(_, o *Operator) { o.Contenders.Value = 3 }, "no column 3"},
		{func(_, o *Operator) { o.Contenders.Time = -1 }, "no column -1"},
		{func(_, o *Operator) { o.Contenders.Time = 2 }, "no time"},
		{func(_, o *Operator) { o.Contenders.Bound = "middle" }, `"middle"`},
		{func(_, o *Operator) { o.Contenders.Spec.Size = 0 }, "window"},
		{func(_, o *Operator) { o.Contenders.Spec = logical.WindowSpec{Kind: logical.Hop, Size: 2, Slide: 1} }, "hop window"},
		{func(in, o *Operator) { in.Mode, o.Mode = Retract, Retract }, "taken back"},
		{func(_, o *Operator) { o.Fields = o.Fields[:2] }, "columns"},
		{func(_, o *Operator) { o.Contenders = nil }, "specs"},
	} {
		g := &Graph{Version: Version, Operators: []Operator{
			{ID: "v", Kind: ValuesKind, Mode: AppendOnly, Fields: fields, TimeColumn: -1, Values: &Values{}},
			{ID: "c", Kind: ContendersKind, Mode: AppendOnly, Fields: fields, TimeColumn: -1, Inputs: []Input{{Exchange: Exchange{Kind: Forward}}},
				Contenders: &Contenders{Time: 1, Spec: logical.WindowSpec{Kind: logical.Tumble, Size: 10}}},
		}}
		c.change(&g.Operators[0], &g.Operators[1])
		switch err := Validate(g); {
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
