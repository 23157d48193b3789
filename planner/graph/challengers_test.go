package graph

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/types"
)

func TestChallengersRefused(t *testing.T) {
	fields := []types.Field{{Name: "price", Type: types.Of(types.Int64)}, {Name: "ts", Type: types.Of(types.Timestamp)}, {Name: "name", Type: types.Of(types.Text)}}
	for _, c := range []struct {
		change func(in, o *Operator)
		want   string
	}{
		{func(*Operator, *Operator) {}, ""},
		{func(_, o *Operator) { o.Challengers.Each = true }, ""},
		{func(_, o *Operator) { o.Challengers.Alike = []int{3} }, "no column 3"},
		{func(_, o *Operator) { o.Challengers.Alike = nil }, "without columns"},
		{func(_, o *Operator) { o.Challengers.Order[0].Column = -1 }, "no column -1"},
		{func(_, o *Operator) { o.Challengers.Order[0].Column = 2 }, "type text"},
		{func(_, o *Operator) { o.Challengers.Order = nil }, "without columns"},
		{func(_, o *Operator) { o.Challengers.Late.Column = 2 }, "no time"},
		{func(_, o *Operator) { o.Challengers.Late = nil }, ""},
		{func(in, o *Operator) { in.Mode, o.Mode = Retract, Retract }, "taken back"},
		{func(_, o *Operator) { o.Fields = o.Fields[:2] }, "columns"},
		{func(_, o *Operator) { o.Challengers = nil }, "specs"},
	} {
		g := &Graph{Version: Version, Operators: []Operator{
			{ID: "v", Kind: ValuesKind, Mode: AppendOnly, Fields: fields, TimeColumn: -1, Values: &Values{}},
			{ID: "c", Kind: ChallengersKind, Mode: AppendOnly, Fields: fields, TimeColumn: -1, Inputs: []Input{{Exchange: Exchange{Kind: Forward}}},
				Challengers: &Challengers{Alike: []int{1, 2}, Order: []SortKey{{Column: 0, Desc: true}}, Late: &Expiry{Column: 1}}},
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
