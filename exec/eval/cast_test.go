package eval

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// castType reads a type name with or without one or two modifiers.
func castType(name string) types.Type {
	base, mods, ok := strings.Cut(name, "(")
	if !ok {
		return typeByName(name)
	}
	mods, rest, _ := strings.Cut(mods, ")")
	t := typeByName(base)
	p, s, _ := strings.Cut(mods, ",")
	n, _ := types.ParseInt(p, types.Int32)
	t.Precision, t.HasPrecision = int32(n), true
	if s != "" {
		n, _ = types.ParseInt(s, types.Int32)
		t.Scale = int32(n)
	}
	if rest == "[]" {
		return types.ArrayOf(t)
	}
	return t
}

func castResult(ctx *Context, from, to types.Type, text string) string {
	v, err := types.ParseText(from, text, ctx.parse())
	if err != nil {
		return showError(err)
	}
	c := batch.NewColumn(from.Phys(), 0)
	c.Append(v)
	x := &scalar.Expr{Op: scalar.OpCast, Type: to, Pos: -1, Args: []*scalar.Expr{{Op: scalar.OpColumn, Type: from, Pos: -1}}}
	p, err := Compile(x, Options{Context: ctx})
	if err != nil {
		return showError(err)
	}
	out, err := p.Eval(&batch.Batch{N: 1, Cols: []*batch.Column{c}})
	switch {
	case err != nil:
		return showError(err)
	case out.IsNull(0):
		return "NULL"
	}
	return escape(string(out.AppendText(nil, 0, to, ctx.Zone)))
}

func TestCasts(t *testing.T) {
	data, err := os.ReadFile("testdata/casts.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	ask := func(string) string { return "" }
	if *rewrite {
		conn := connect(t)
		ask = func(sql string) string {
			res, err := conn.PgConn().Exec(context.Background(), "SELECT "+sql).ReadAll()
			var pe *pgconn.PgError
			if errors.As(err, &pe) {
				return "ERROR " + pe.Code + " " + pe.Message
			}
			if res[0].Rows[0][0] == nil {
				return "NULL"
			}
			return escape(string(res[0].Rows[0][0]))
		}
	}
	ctx := exampleContext(t)
	for n, l := range lines {
		in, want, _ := strings.Cut(l, " => ")
		parts := strings.Split(in, " | ")
		if strings.HasPrefix(l, "#") || len(parts) != 3 {
			continue
		}
		if *rewrite {
			want = ask("CAST(CAST('" + parts[1] + "' AS " + parts[0] + ") AS " + parts[2] + ")")
			lines[n] = in + " => " + want
		}
		if got := castResult(ctx, castType(parts[0]), castType(parts[2]), parts[1]); !same(got, want) {
			t.Errorf("line %d: %s\n got %s", n+1, lines[n], got)
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/casts.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
