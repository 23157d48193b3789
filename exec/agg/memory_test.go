package agg

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// alike are n rows with the same arguments.
type alike struct {
	n    int
	args []types.Value
}

func (a alike) Len() int                 { return a.n }
func (a alike) Copies(int) int64         { return 1 }
func (a alike) Arg(_, n int) types.Value { return a.args[n] }

// TestLargeResultsAskForMemory makes results for which there is room, and ones for which
// there is none: the account is stopped before they are made, and nothing stays counted.
func TestLargeResultsAskForMemory(t *testing.T) {
	const budget = 8 << 20
	text, array := types.Of(types.Text), types.Type{Kind: types.Array, Elem: &types.Type{Kind: types.Int64}}
	numbers := types.EncodeList(*array.Elem, make([]types.Value, 4))
	for _, c := range []struct {
		fn          string
		args        []types.Type
		out         types.Type
		values      []types.Value
		fits, large int // rows
	}{
		{"string_agg", []types.Type{text, text}, text, []types.Value{{Bytes: strings.Repeat("x", 1000)}, {Bytes: ", "}}, 5000, 10_000},
		{"json_agg", []types.Type{types.Of(types.JSONB)}, types.Of(types.JSONB), []types.Value{{Bytes: `"` + strings.Repeat("x", 1000) + `"`}}, 5000, 10_000},
		{"json_object_agg", []types.Type{text, types.Of(types.JSONB)}, types.Of(types.JSONB), []types.Value{{Bytes: "k"}, {Bytes: `"` + strings.Repeat("x", 1000) + `"`}}, 5000, 10_000},
		{"json_object_agg", []types.Type{text, types.Of(types.JSONB)}, types.Of(types.JSONB), []types.Value{{Bytes: "k"}, {Bytes: "1"}}, 10_000, 1_000_000},
		{"array_agg", []types.Type{*array.Elem}, array, []types.Value{{Int: 1}}, 10_000, 200_000},
		{"array_agg", []types.Type{array}, array, []types.Value{{Bytes: numbers}}, 5000, 100_000},
	} {
		pool := memory.NewPool(memory.Options{})
		account := pool.Open(memory.AccountOptions{Kind: "query", Budget: budget, Over: func(int64) *pgerr.Error { return pgerr.New(pgerr.OutOfMemory, "too much") }})
		share := account.Share("aggregate")
		f, err := NewOrdered(Call{Func: c.fn, Args: c.args, Type: c.out, Memory: share})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := f(alike{c.fits, c.values}); err != nil || v.Null {
			t.Errorf("%s of %d rows: %v", c.fn, c.fits, err)
		}
		if account.Peak() == 0 {
			t.Errorf("%s of %d rows counts nothing", c.fn, c.fits)
		}
		if _, err := f(alike{c.large, c.values}); pgerr.From(err).Code != pgerr.OutOfMemory {
			t.Errorf("%s of %d rows: %v", c.fn, c.large, err)
		}
		if account.Held() != 0 {
			t.Errorf("%s: %d bytes stay counted", c.fn, account.Held())
		}
		account.Close()
	}
}
