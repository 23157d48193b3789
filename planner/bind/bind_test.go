package bind

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// testCatalog are the relations that scripts start with.
func testCatalog() Relations {
	col := func(name string, t types.Type) catalog.Column { return catalog.Column{Name: name, Type: t} }
	of := types.Of
	money := types.Type{Kind: types.Numeric, HasPrecision: true, Precision: 12, Scale: 2}
	varchar := types.Type{Kind: types.Varchar, HasPrecision: true, Precision: 10}
	orders := &catalog.Relation{ID: "r1", Schema: "public", Name: "orders", Kind: catalog.Table, Columns: []catalog.Column{
		{Name: "id", Type: of(types.Int64), NotNull: true}, col("customer_id", of(types.Int64)), {Name: "amount", Type: money, NotNull: true},
		col("ts", of(types.Timestamp)), {Name: "day", Type: of(types.Date), Generated: "ts::date"}, {Name: "note", Type: of(types.Text), Default: "'none'"},
	}, PrimaryKey: []int{0}}
	bid := &catalog.Relation{ID: "r2", Schema: "public", Name: "bid", Kind: catalog.Source, Columns: []catalog.Column{
		col("auction", of(types.Int64)), col("bidder", of(types.Int64)), col("price", of(types.Int64)), col("channel", of(types.Text)),
		col("url", of(types.Text)), col("ts", of(types.Timestamp)), col("extra", of(types.Text)), {Name: "p", Type: of(types.TimestampTZ), Generated: "proctime()"},
	}, Watermark: &catalog.Watermark{Column: 5, X: "ts - interval '4' second"}, Options: map[string]string{"connector": "nexmark"}}
	every := &catalog.Relation{ID: "r3", Schema: "public", Name: "every", Kind: catalog.Table, Columns: []catalog.Column{
		col("b", of(types.Bool)), col("i2", of(types.Int16)), col("i4", of(types.Int32)), col("i8", of(types.Int64)), col("f4", of(types.Float32)),
		col("f8", of(types.Float64)), col("n", of(types.Numeric)), col("n2", money), col("t", of(types.Text)), col("v", varchar),
		col("c", types.Type{Kind: types.Char, HasPrecision: true, Precision: 3}), col("by", of(types.Bytea)), col("d", of(types.Date)),
		col("ti", of(types.Time)), col("ts", of(types.Timestamp)), col("tz", of(types.TimestampTZ)), col("iv", of(types.IntervalK)),
		col("u", of(types.UUID)), col("j", of(types.JSONB)), col("ai", types.ArrayOf(of(types.Int32))), col("at", types.ArrayOf(of(types.Text))),
		col("o", of(types.OID)), col("na", of(types.Name)),
	}}
	sink := &catalog.Relation{ID: "r4", Schema: "public", Name: "out", Kind: catalog.Sink, Columns: []catalog.Column{
		col("auction", of(types.Int64)), col("total", of(types.Int64)), col("label", varchar),
	}, Options: map[string]string{"connector": "blackhole"}}
	big := &catalog.Relation{ID: "r5", Schema: "public", Name: "big_bids", Kind: catalog.View, Query: "select auction, price as cost from bid where price > 100",
		Columns: []catalog.Column{col("auction", of(types.Int64)), col("cost", of(types.Int64))}}
	person := &catalog.Relation{ID: "r6", Schema: "public", Name: "person", Kind: catalog.Table, Columns: []catalog.Column{
		{Name: "id", Type: of(types.Int64), NotNull: true}, col("name", of(types.Text)), col("city", of(types.Text)), col("tags", types.ArrayOf(of(types.Text))),
		col("addr", types.Type{Kind: types.Row, Fields: []types.Field{{Name: "street", Type: of(types.Text)}, {Name: "zip", Type: of(types.Int32)}}}),
	}, PrimaryKey: []int{0}}
	class := &catalog.Relation{ID: "", Schema: "pg_catalog", Name: "pg_class", Kind: catalog.System, Columns: []catalog.Column{
		col("oid", of(types.OID)), col("relname", of(types.Name)), col("relnamespace", of(types.OID)), col("relkind", of(types.Text)), col("reltype", of(types.OID)),
	}}
	namespace := &catalog.Relation{ID: "", Schema: "pg_catalog", Name: "pg_namespace", Kind: catalog.System, Columns: []catalog.Column{
		col("oid", of(types.OID)), col("nspname", of(types.Name)),
	}}
	return Relations{orders, bid, every, sink, big, person, class, namespace}
}

// TestScripts runs testdata/*: SQL in, the logical tree or the error out. The
// commands are "bind" for queries and data statements, "continuous" for the same
// in a job, and "expr" for one line per expression over the relation every.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		cat := testCatalog()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			opts := Options{Catalog: cat, Now: 1_700_000_000_000_000, Continuous: d.Cmd == "continuous"}
			switch d.Cmd {
			case "bind", "continuous":
				return bindScript(opts, d.Input)
			case "create":
				out, r := createScript(opts, d.Input)
				if r != nil {
					r.ID = "new" + r.Name
					cat = append(cat, r)
				}
				return out
			case "job":
				return jobScript(opts, d.Input)
			case "expr":
				return exprScript(opts, d.Input)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// errorText shows an error with the place it points at.
func errorText(err error, sql string) string {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return "INTERNAL " + err.Error() + "\n"
	}
	s := fmt.Sprintf("ERROR %s: %s\n", e.Code, e.Message)
	if e.Position >= 0 && e.Position <= len(sql) {
		line := sql[strings.LastIndexByte(sql[:e.Position], '\n')+1:]
		column := e.Position - (len(sql) - len(line))
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		s += "  " + line + "\n  " + strings.Repeat(" ", column) + "^\n"
	} else {
		s += "  (no position)\n"
	}
	if e.Detail != "" {
		s += "DETAIL: " + e.Detail + "\n"
	}
	if e.HintText != "" {
		s += "HINT: " + e.HintText + "\n"
	}
	return s
}

func bindScript(opts Options, sql string) string {
	list, err := parse.Statements(sql)
	if err != nil {
		return errorText(err, sql)
	}
	var out strings.Builder
	for _, p := range list {
		out.WriteString(bindOne(opts, p.Statement, p.Text))
	}
	return out.String()
}

func bindOne(opts Options, st ast.Statement, sql string) string {
	switch st := st.(type) {
	case *ast.Query:
		q, err := Query(st, opts)
		if err != nil {
			return errorText(err, sql)
		}
		return notices(q.Notices) + params(q.Params) + ttls(q.StateTTL) + logical.Print(q.Root)
	}
	return changeText(st, opts, sql)
}

func ttls(list []StateTTL) string {
	s := ""
	for _, t := range list {
		s += "state_ttl " + t.Alias + "=" + t.Duration + "\n"
	}
	return s
}

func notices(list []Notice) string {
	s := ""
	for _, n := range list {
		s += n.Severity + ": " + n.Message + "\n"
	}
	return s
}

func params(list []types.Type) string {
	if len(list) == 0 {
		return ""
	}
	s := "params"
	for _, t := range list {
		s += " " + t.String()
	}
	return s + "\n"
}

// exprScript binds each line as a select item over the relation every and shows
// its type, name, canonical text and form.
func exprScript(opts Options, input string) string {
	var out strings.Builder
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		sql := "select " + line + " from every"
		st, err := parse.Statements(sql)
		if err != nil {
			out.WriteString(line + "\n" + errorText(err, sql))
			continue
		}
		q, err := Query(st[0].Statement.(*ast.Query), opts)
		if err != nil {
			out.WriteString(line + "\n" + errorText(err, sql))
			continue
		}
		f := q.Columns[0]
		p, ok := q.Root.(*logical.Project)
		if !ok {
			out.WriteString(line + "\n" + logical.Print(q.Root))
			continue
		}
		fmt.Fprintf(&out, "%s\n  %s %s {%s} %s%s\n", line, f.Name, f.Type, f.Origin, logical.ExprString(p.Exprs[0]), strings.TrimSuffix(" "+params(q.Params), "\n"))
	}
	return out.String()
}
