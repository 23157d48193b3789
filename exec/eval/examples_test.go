package eval

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "record what a real PostgreSQL answers in testdata/examples.txt")

// example is a line of testdata/examples.txt: key | argument | … => result. An
// argument of a pseudo-type is written type:value. Lines that start with own: are
// not PostgreSQL's: their result is our own word.
type example struct {
	line int
	own  bool
	fn   *scalar.Function
	args []exampleArg
	want string
}

type exampleArg struct {
	typ  types.Type
	text string
	null bool
}

func typeByName(name string) types.Type {
	if e, ok := strings.CutSuffix(name, "[]"); ok {
		return types.ArrayOf(typeByName(e))
	}
	var p, s int32
	if i := strings.IndexByte(name, '('); i > 0 {
		fmt.Sscanf(name[i:], "(%d,%d)", &p, &s)
		t := typeByName(name[:i])
		t.Precision, t.Scale, t.HasPrecision = p, s, true
		return t
	}
	for k := types.Bool; k <= types.Void; k++ {
		if k.String() == name {
			return types.Of(k)
		}
	}
	switch name {
	case "timestamp":
		return types.Of(types.Timestamp)
	case "timestamptz":
		return types.Of(types.TimestampTZ)
	case "time":
		return types.Of(types.Time)
	case "varchar":
		return types.Of(types.Varchar)
	case "char":
		return types.Of(types.Char)
	}
	panic("unknown type " + name)
}

func readExamples(t testing.TB) (lines []string, examples []example) {
	data, err := os.ReadFile("testdata/examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	for n, l := range lines {
		if l == "" || l[0] == '#' {
			continue
		}
		e := example{line: n}
		l, e.own = strings.CutPrefix(l, "own: ")
		call, want, _ := strings.Cut(l, " => ")
		call = strings.TrimSuffix(call, " =>")
		e.want = want
		parts := strings.Split(call, " | ")
		if e.fn = scalar.ByKey(parts[0]); e.fn == nil {
			t.Fatalf("line %d: no function %s", n+1, parts[0])
		}
		for i, p := range parts[1:] {
			a := exampleArg{typ: e.fn.Args[min(i, len(e.fn.Args)-1)], text: p}
			if scalar.IsPseudo(a.typ.Kind) {
				name, text, ok := strings.Cut(p, ":")
				if !ok {
					t.Fatalf("line %d: argument %s needs a type", n+1, p)
				}
				a.typ, a.text = typeByName(name), text
			}
			a.text = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\e`, "").Replace(a.text)
			a.null = a.text == "NULL"
			e.args = append(e.args, a)
		}
		examples = append(examples, e)
	}
	return lines, examples
}

func exampleContext(t testing.TB) *Context {
	z, err := types.LoadZone("America/New_York", true)
	if err != nil {
		t.Fatal(err)
	}
	return &Context{Zone: z, Now: 1_700_000_000_123_456}
}

// run evaluates an example on constants; columns makes the arguments columns.
func (e *example) run(ctx *Context) string {
	x := &scalar.Expr{Op: scalar.OpCall, Func: e.fn.Key, Pos: -1}
	var argTypes []types.Type
	for _, a := range e.args {
		v := types.NullValue
		if !a.null {
			var err error
			if v, err = types.ParseText(a.typ, a.text, ctx.parse()); err != nil {
				return showError(err)
			}
		}
		x.Args = append(x.Args, &scalar.Expr{Op: scalar.OpConst, Type: a.typ, Value: &v, Pos: -1})
		argTypes = append(argTypes, a.typ)
	}
	x.Type = e.fn.Return(argTypes)
	v, err := Constant(x, Options{Context: ctx})
	if err != nil {
		return showError(err)
	}
	if v.Null {
		return "NULL"
	}
	return escape(string(types.AppendText(nil, x.Type, &v, ctx.Zone)))
}

func escape(s string) string {
	if t, ok := strings.CutSuffix(s, " "); ok {
		s = t + `\s` // a blank at the end of a line does not last
	}
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s)
}

func showError(err error) string {
	var pe *pgerr.Error
	if errors.As(err, &pe) {
		return "ERROR " + string(pe.Code) + " " + pe.Message
	}
	return "ERROR " + err.Error()
}

// sql writes the example as PostgreSQL would be asked.
func (e *example) sql() string {
	var args []string
	for _, a := range e.args {
		lit := "NULL"
		if !a.null {
			lit = "'" + strings.ReplaceAll(a.text, "'", "''") + "'"
		}
		args = append(args, "CAST("+lit+" AS "+a.typ.String()+")")
	}
	name := e.fn.Name
	switch {
	case e.fn.Operator && strings.HasPrefix(name, "any "), e.fn.Operator && strings.HasPrefix(name, "all "):
		return fmt.Sprintf("%s %s %s (%s)", args[0], name[4:], name[:3], args[1])
	case strings.Contains(name, "similar to") && len(args) == 3:
		return fmt.Sprintf("%s %s %s ESCAPE %s", args[0], name, args[1], args[2])
	case e.fn.Operator && len(args) == 2:
		return args[0] + " " + name + " " + args[1]
	case e.fn.Operator:
		return name + " " + args[0]
	}
	switch name {
	case "array":
		return "ARRAY[" + strings.Join(args, ",") + "]"
	case "subscript":
		return "(" + args[0] + ")[" + args[1] + "]"
	case "slice":
		return "(" + args[0] + ")[" + args[1] + ":" + args[2] + "]"
	case "row", "coalesce", "nullif", "greatest", "least", "trim":
		return name + "(" + strings.Join(args, ",") + ")"
	case "position":
		return "position(" + args[1] + " in " + args[0] + ")"
	}
	return `"` + name + `"(` + strings.Join(args, ",") + ")"
}

func (e *example) ask(conn *pgx.Conn) string {
	rows := conn.PgConn().Exec(context.Background(), "SELECT "+e.sql())
	res, err := rows.ReadAll()
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe):
		return "ERROR " + pe.Code + " " + pe.Message
	case err != nil:
		return "ERROR " + err.Error()
	case res[0].Rows[0][0] == nil:
		return "NULL"
	}
	return escape(string(res[0].Rows[0][0]))
}

func connect(t testing.TB) *pgx.Conn {
	pg := servers.StartPostgres(t)
	conn, err := pgx.Connect(context.Background(), pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), "SET timezone = 'America/New_York'"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// same compares results; of an error only the code counts.
func same(got, want string) bool {
	if strings.HasPrefix(want, "ERROR ") {
		return len(got) >= 11 && len(want) >= 11 && got[:11] == want[:11]
	}
	return got == want
}

func TestExamples(t *testing.T) {
	lines, examples := readExamples(t)
	if *rewrite {
		conn := connect(t)
		for i := range examples {
			e := &examples[i]
			if !e.own {
				call, _, _ := strings.Cut(lines[e.line], " =>")
				e.want = e.ask(conn)
				lines[e.line] = strings.TrimRight(call+" => "+e.want, " ")
			}
		}
		if err := os.WriteFile("testdata/examples.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx := exampleContext(t)
	for i := range examples {
		if got := examples[i].run(ctx); !same(got, examples[i].want) {
			t.Errorf("line %d: %s\n got %s", examples[i].line+1, lines[examples[i].line], got)
		}
	}
}

// TestExamplesAgainstPostgres asks a real server, if there is one, whether the
// recorded answers still hold.
func TestExamplesAgainstPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("short: starts a server")
	}
	conn := connect(t)
	lines, examples := readExamples(t)
	for i := range examples {
		if e := &examples[i]; !e.own {
			if got := e.ask(conn); !same(got, e.want) {
				t.Errorf("line %d: %s\n PostgreSQL says %s", e.line+1, lines[e.line], got)
			}
		}
	}
}

// TestEveryEntryHasAKernel compiles each function and operator of the table.
func TestEveryEntryHasAKernel(t *testing.T) {
	scalar.All(func(fn *scalar.Function) {
		x := &scalar.Expr{Op: scalar.OpCall, Func: fn.Key, Pos: -1}
		var argTypes []types.Type
		for i, a := range fn.Args {
			switch a.Kind {
			case scalar.Any, scalar.AnyElement, scalar.AnyCompatible:
				a = types.Of(types.Int64)
			case scalar.AnyArray, scalar.AnyCompatibleArray:
				a = types.ArrayOf(types.Of(types.Int64))
			}
			argTypes = append(argTypes, a)
			x.Args = append(x.Args, &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: a, Pos: -1})
		}
		x.Type = fn.Return(argTypes)
		if _, err := Compile(x, Options{}); err != nil {
			t.Errorf("%s: %v", fn.Key, err)
		}
	})
}
