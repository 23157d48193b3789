package bind

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
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/test/servers"
)

var rewriteOracle = flag.Bool("rewrite-oracle", false, "ask PostgreSQL anew and write oracle/expressions.txt")

const (
	oracleFile  = "oracle/expressions.txt"
	oracleTable = `create table every (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(12,2), t text, v varchar(10),
		c char(3), by bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j jsonb, ai int[], at text[], o oid, na name)`
)

// oracleLine is an expression over the relation every, what PostgreSQL says to
// "select … from every", and, where Millrace differs on purpose, what it says.
type oracleLine struct{ expr, postgres, millrace string }

func readOracle(t *testing.T) []oracleLine {
	data, err := os.ReadFile(oracleFile)
	if err != nil {
		t.Fatal(err)
	}
	var out []oracleLine
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		f := strings.SplitN(line, "\t", 3)
		f = append(f, "", "")
		out = append(out, oracleLine{f[0], f[1], f[2]})
	}
	return out
}

func ours(expr string) string {
	sql := "select " + expr + " from every"
	st, err := parse.Statements(sql)
	if err == nil {
		var q *BoundQuery
		q, err = Query(st[0].Statement.(*ast.Query), Options{Catalog: testCatalog(), Now: 1_700_000_000_000_000})
		if err == nil {
			f := q.Columns[0]
			return f.Name + " " + f.Type.String()
		}
	}
	e := pgerr.From(err)
	s := fmt.Sprintf("%s at %d: %s", e.Code, e.Position, e.Message)
	if e.HintText != "" {
		s += " HINT: " + e.HintText
	}
	return s
}

// TestExpressionsAgainstRecordedPostgres compares names, types and errors with
// what PostgreSQL 15 said.
func TestExpressionsAgainstRecordedPostgres(t *testing.T) {
	for _, l := range readOracle(t) {
		want := l.postgres
		if l.millrace != "" {
			want = l.millrace
		}
		if got := ours(l.expr); got != want {
			t.Errorf("%s\n got  %s\n want %s", l.expr, got, want)
		}
	}
}

// TestRecordedPostgres checks the record against a real server, and renews it
// with -rewrite-oracle.
func TestRecordedPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	server := servers.StartPostgres(t)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, oracleTable); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, l := range readOracle(t) {
		said := theirs(ctx, conn, l.expr)
		if !*rewriteOracle && said != l.postgres {
			t.Errorf("%s\n recorded %s\n now      %s", l.expr, l.postgres, said)
		}
		out.WriteString(strings.TrimRight(l.expr+"\t"+said+"\t"+l.millrace, "\t") + "\n")
	}
	if *rewriteOracle {
		if err := os.WriteFile(oracleFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func theirs(ctx context.Context, conn *pgx.Conn, expr string) string {
	st, err := conn.Prepare(ctx, "", "select "+expr+" from every")
	var e *pgconn.PgError
	if errors.As(err, &e) {
		s := fmt.Sprintf("%s at %d: %s", e.Code, e.Position-1, e.Message)
		if e.Hint != "" {
			s += " HINT: " + e.Hint
		}
		return s
	}
	if err != nil {
		return "FAILED " + err.Error()
	}
	f := st.Fields[0]
	var name string
	if err := conn.QueryRow(ctx, "select format_type($1, $2)", f.DataTypeOID, f.TypeModifier).Scan(&name); err != nil {
		return "FAILED " + err.Error()
	}
	return f.Name + " " + name
}
