package scalar_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/scalar"
)

//go:generate go test -run TestFunctionsPage -count=1 . -rewrite

var rewrite = flag.Bool("rewrite", false, "write docs/functions.md anew")

const functionsPage = "../../docs/functions.md"

const functionsIntro = `# Functions and operators

Made from the tables of signatures in ` + "`planner/scalar`" + ` by ` + "`go generate ./planner/scalar`" + `; do not edit it by hand. [sql.md](sql.md) has the rest
of the language.

A name means what it means in PostgreSQL, unless its remark says otherwise; those that come from Flink say so. Three dots stand for any number of
arguments of the last type, ` + "`any`" + ` for any type, ` + "`anyelement`" + ` and ` + "`anyarray`" + ` for a type that is the same wherever it occurs in the signature,
` + "`anycompatible`" + ` for one that all its arguments are cast to. Functions give null for a null argument, except where the remark says *takes nulls*.
`

// TestFunctionsPage holds docs/functions.md against the tables.
func TestFunctionsPage(t *testing.T) {
	want := page()
	if *rewrite {
		if err := os.WriteFile(functionsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(functionsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/functions.md is out of date: run go generate ./planner/scalar")
	}
}

func page() string {
	var b strings.Builder
	b.WriteString(functionsIntro)
	for _, g := range scalar.SignatureGroups {
		section(&b, g.Title, "", scalar.ParseSignatures(g.Signatures))
	}
	operatorSection(&b)
	aggregateSections(&b)
	setReturningSection(&b)
	catalogSection(&b)
	return b.String()
}

// section is a table with a row for each name, in the order of the signatures.
func section(b *strings.Builder, title, intro string, list []scalar.Function) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if intro != "" {
		b.WriteString(intro + "\n\n")
	}
	b.WriteString("| name | arguments and result | remarks |\n|---|---|---|\n")
	var names []string
	byName := map[string][]scalar.Function{}
	for _, f := range list {
		if byName[f.Name] == nil {
			names = append(names, f.Name)
		}
		byName[f.Name] = append(byName[f.Name], f)
	}
	for _, name := range names {
		var signatures, remarks []string
		for _, f := range byName[name] {
			signatures = append(signatures, cell("("+arguments(f.Key)+") → "+typeText(f)))
			if f.Doc != "" && !slices.Contains(remarks, f.Doc) {
				remarks = append(remarks, f.Doc)
			}
		}
		if !byName[name][0].Strict {
			remarks = append(remarks, "*takes nulls*")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", cell(name), strings.Join(signatures, "<br>"), strings.ReplaceAll(strings.Join(remarks, "; "), "|", `\|`))
	}
}

// cell is code in a cell of a table.
func cell(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

// arguments are what stands in a key's parentheses.
func arguments(key string) string {
	return strings.ReplaceAll(key[strings.LastIndex(key, "(")+1:len(key)-1], ",", ", ")
}

// typeText names the result, pseudo-types included.
func typeText(f scalar.Function) string {
	if !scalar.IsPseudo(f.Ret.Kind) {
		return f.Ret.String()
	}
	switch f.Ret.Kind {
	case scalar.AnyElement:
		return "anyelement"
	case scalar.AnyArray:
		return "anyarray"
	case scalar.AnyCompatible:
		return "anycompatible"
	case scalar.AnyCompatibleArray:
		return "anycompatiblearray"
	}
	return "any"
}

func operatorSection(b *strings.Builder) {
	section(b, "Operators", "`+ - * /` take all number types, of one kind or mixed; `% & | # << >>` integers, `^` powers. "+
		"`= <> != < <= > >=`, `IS [NOT] DISTINCT FROM`, `BETWEEN`, `IN` and `op ANY|ALL (array)` compare\nvalues of one type, numbers of any, and dates with timestamps. "+
		"`AND`, `OR`, `NOT`, `IS [NOT] NULL`, `IS [NOT] TRUE|FALSE|UNKNOWN` and `CASE` are part of the grammar. "+
		"`~~` is `LIKE` and\n`~~*` is `ILIKE`. Beside those:", scalar.ParseSignatures(scalar.OperatorSignatures))
}

// aggregateSections lists the aggregates, after planning each in a continuous
// query.
func aggregateSections(b *strings.Builder) {
	var continuous, refused []scalar.Function
	all := scalar.Aggregates()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if plans(all[name][0], "CREATE MATERIALIZED VIEW m AS SELECT k, %s FROM log GROUP BY k") {
			continuous = append(continuous, all[name]...)
		} else {
			refused = append(refused, all[name]...)
		}
	}
	section(b, "Aggregates", "In continuous queries and in `SELECT`, with `DISTINCT`, `ORDER BY` in the call and `FILTER (WHERE …)`; `GROUPING(…)` beside them with grouping sets.\n"+
		"Without an order in the call, rows are in that of their arrival over append-only input and finished data, and in that of their values over rows that change.\n"+
		"`count()` is `count(*)`; `min` and `max` take `varchar` as `text`, and also `uuid` and `bytea`, which PostgreSQL 15 does not; `json` is `jsonb`.", continuous)
	section(b, "Window functions", "With `OVER`, in continuous queries and in `SELECT`; so may all aggregates but `approx_count_distinct`, `mode` and the percentiles, with any frame and with `FILTER (WHERE …)`, but without `DISTINCT` and `ORDER BY` of their own, as in PostgreSQL. `rank`, `dense_rank`, `percent_rank` and `cume_dist` are aggregates with `WITHIN GROUP (ORDER BY …)`, for a row that may not be there: `rank(100) WITHIN GROUP (ORDER BY amount)`.",
		scalar.ParseSignatures(scalar.WindowSignatures))
	if len(refused) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Known, but not carried out yet\n\nThese are recognized and refused with 0A000: the aggregates %s.\n", nameList(refused))
}

// plans reports whether a query with the aggregate can be planned.
func plans(f scalar.Function, query string) bool {
	var args []string
	ordered := ""
	for _, a := range strings.Split(arguments(f.Key), ", ") {
		switch a {
		case "":
			args = append(args, "*")
		case "any", "anyelement":
			args = append(args, "v")
		case "anyarray":
			args = append(args, "NULL::text[]")
		default:
			args = append(args, "NULL::"+a)
		}
	}
	if f.Name == "mode" || strings.HasPrefix(f.Name, "percentile_") {
		last := len(args) - 1
		args, ordered = args[:last], " WITHIN GROUP (ORDER BY "+args[last]+")"
	}
	_, err := fixture.Graph(fmt.Sprintf(query, f.Name+"("+strings.Join(args, ", ")+")"+ordered))
	return err == nil
}

func nameList(list []scalar.Function) string {
	var names []string
	for _, f := range list {
		if n := "`" + f.Name + "`"; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

func setReturningSection(b *strings.Builder) {
	b.WriteString("\n## Functions in FROM\n\nOver finished data, with `WITH ORDINALITY` and column aliases:")
	for i, name := range bind.SetReturning() {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(" `" + name + "`")
	}
	b.WriteString(".\n[sql.md](sql.md#windows) has the window functions `TUMBLE`, `HOP`, `CUMULATE` and `SESSION`.\n")
}

func catalogSection(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Catalog functions\n\nFor psql, drivers and BI tools, as in PostgreSQL: %s.\n", nameList(scalar.ParseSignatures(scalar.CatalogSignatures)))
}
