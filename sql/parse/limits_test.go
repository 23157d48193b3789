package parse

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// TestLimits checks that what is too deep is refused, that what is only long is
// not, and that text which is no text is refused clearly.
func TestLimits(t *testing.T) {
	nested := func(open, core, closing string, n int) string {
		return strings.Repeat(open, n) + core + strings.Repeat(closing, n)
	}
	long := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item, n), ",") }
	for name, c := range map[string]struct {
		sql  string
		code pgerr.Code
	}{
		"parentheses":           {"SELECT " + nested("(", "1", ")", 100000), pgerr.StatementTooComplex},
		"open parentheses":      {"SELECT " + strings.Repeat("(", 100000), pgerr.StatementTooComplex},
		"calls":                 {"SELECT " + nested("f(", "1", ")", 100000), pgerr.StatementTooComplex},
		"not":                   {"SELECT " + strings.Repeat("NOT ", 100000) + "a", pgerr.StatementTooComplex},
		"signs":                 {"SELECT " + strings.Repeat("- ", 100000) + "a", pgerr.StatementTooComplex},
		"case":                  {"SELECT " + nested("CASE WHEN a THEN ", "1", " END", 20000), pgerr.StatementTooComplex},
		"subqueries":            {nested("SELECT (", "SELECT 1", ")", 20000), pgerr.StatementTooComplex},
		"derived tables":        {nested("SELECT * FROM (", "SELECT 1", ") AS t", 20000), pgerr.StatementTooComplex},
		"joins in parentheses":  {"SELECT * FROM " + nested("(", "a CROSS JOIN b", ")", 20000), pgerr.StatementTooComplex},
		"query parentheses":     {nested("(", "SELECT 1", ")", 20000), pgerr.StatementTooComplex},
		"arrays":                {"SELECT ARRAY" + nested("[", "1", "]", 20000), pgerr.StatementTooComplex},
		"array dimensions":      {"SELECT a" + strings.Repeat("[1]", 100000), pgerr.StatementTooComplex},
		"casts":                 {"SELECT a" + strings.Repeat("::int", 100000), pgerr.StatementTooComplex},
		"row types":             {"SELECT a::" + nested("row(a ", "int", ")", 20000), pgerr.StatementTooComplex},
		"grouping sets":         {"SELECT 1 GROUP BY " + nested("GROUPING SETS (", "a", ")", 20000), pgerr.StatementTooComplex},
		"explain":               {strings.Repeat("EXPLAIN ", 20000) + "SELECT 1", pgerr.StatementTooComplex},
		"chain":                 {"SELECT a" + strings.Repeat(" + a", 100000), pgerr.StatementTooComplex},
		"chains in chains":      {"SELECT " + nested("(", "a", strings.Repeat(" + a", 500)+")", 500), pgerr.StatementTooComplex},
		"unions":                {"SELECT 1" + strings.Repeat(" UNION SELECT 1", 20000), pgerr.StatementTooComplex},
		"joins":                 {"SELECT * FROM a" + strings.Repeat(" CROSS JOIN a", 20000), pgerr.StatementTooComplex},
		"joins to the right":    {"SELECT * FROM a" + strings.Repeat(" JOIN a", 20000), pgerr.StatementTooComplex},
		"long chain":            {"SELECT a" + strings.Repeat(" OR a = 1", 5000), ""},
		"long list":             {"SELECT 1 WHERE a IN (" + long("1,", 100000) + ")", ""},
		"many rows":             {"INSERT INTO t VALUES " + long("(1, 'a', -2.5, NULL),", 20000), ""},
		"many tables":           {"SELECT * FROM " + long("a,", 900), ""},
		"many columns":          {"SELECT " + long("a,", 20000), ""},
		"deep":                  {"SELECT " + nested("(", "1", ")", 900), ""},
		"nul":                   {"SELECT '\x00'", pgerr.CharacterNotInRepertoire},
		"invalid utf-8":         {"SELECT '\xff'", pgerr.CharacterNotInRepertoire},
		"cut utf-8":             {"SELECT '\xe2\x82'", pgerr.CharacterNotInRepertoire},
		"surrogate":             {"SELECT '\xed\xa0\x80'", pgerr.CharacterNotInRepertoire},
		"nested comments":       {"SELECT 1 " + nested("/*", "", "*/", 100000), ""},
		"long operator":         {"SELECT a " + strings.Repeat("+", 10000) + " b", pgerr.StatementTooComplex},
		"too long operator":     {"SELECT a " + strings.Repeat("<", 10000) + " b", pgerr.SyntaxError},
		"semicolons":            {strings.Repeat(";", 100000), ""},
		"long string":           {"SELECT '" + strings.Repeat("x", 1<<20) + "'", ""},
		"numeric with exponent": {"SELECT 1e999999999", ""},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := Statements(c.sql)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range parsed {
					ast.Print(p.Statement)
				}
				return
			}
			if err == nil || pgerr.From(err).Code != c.code {
				t.Fatalf("error %v, want %s", err, c.code)
			}
		})
	}
}

// TestStatementsParts checks where each statement of a string is and what it needs.
func TestStatementsParts(t *testing.T) {
	sql := " ; SELECT $2 ; /* c */ INSERT INTO t VALUES (1) -- end\n;\nSELECT 'ä', b ;"
	parsed, err := Statements(sql)
	if err != nil || len(parsed) != 3 {
		t.Fatalf("%d statements, error %v", len(parsed), err)
	}
	for i, want := range []string{"SELECT $2", "INSERT INTO t VALUES (1)", "SELECT 'ä', b"} {
		if parsed[i].Text != want || sql[parsed[i].Start:parsed[i].Start+len(want)] != want {
			t.Errorf("statement %d is %q at %d", i, parsed[i].Text, parsed[i].Start)
		}
	}
	if parsed[0].Params != 2 || parsed[1].Params != 0 {
		t.Errorf("parameters %d and %d", parsed[0].Params, parsed[1].Params)
	}
	query := parsed[2].Statement.(*ast.Query)
	column := query.Body.(*ast.Select).Items[1].X
	if at := column.Offset(); parsed[2].Text[at:] != "b" {
		t.Errorf("column is at %d of %q", at, parsed[2].Text)
	}
	for _, empty := range []string{"", " ", ";", "-- nothing", "/* nothing */;;"} {
		if parsed, err := Statements(empty); err != nil || len(parsed) != 0 {
			t.Errorf("%q: %d statements, error %v", empty, len(parsed), err)
		}
	}
	_, err = Statements("SELECT 1; SELECT a b c")
	if e := pgerr.From(err); e.Position != 21 {
		t.Errorf("position %d", e.Position)
	}
}

// TestPositions checks the offsets that errors of later layers will point at, as
// PostgreSQL points: an operator at itself, a call at its name, a cast at ::.
func TestPositions(t *testing.T) {
	for sql, want := range map[string]string{
		"a + b":                             "+ b",
		"a.b":                               "a.b",
		"f(x) ":                             "f(x) ",
		"x::int":                            "::int",
		"CAST(x AS int)":                    "CAST(x AS int)",
		"a AND b OR c":                      "OR c",
		"NOT a":                             "NOT a",
		"(a || b) || c":                     "|| c",
		"a IS NULL":                         "IS NULL",
		"a NOT IN (1)":                      "NOT IN (1)",
		"a IN (SELECT 1)":                   "IN (SELECT 1)",
		"a BETWEEN 1 AND 2":                 "BETWEEN 1 AND 2",
		"a NOT LIKE b":                      "NOT LIKE b",
		"  CASE WHEN a THEN b END":          "CASE WHEN a THEN b END",
		"(SELECT 1)":                        "(SELECT 1)",
		"EXISTS (SELECT 1)":                 "EXISTS (SELECT 1)",
		"ts AT TIME ZONE 'UTC'":             "AT TIME ZONE 'UTC'",
		"INTERVAL '1' DAY":                  "INTERVAL '1' DAY",
		"DATE '2024-01-01'":                 "DATE '2024-01-01'",
		"count(*) FILTER (WHERE a) OVER ()": "count(*) FILTER (WHERE a) OVER ()",
		"-a":                                "-a",
		"a[1]":                              "[1]",
		"(a, b) = (c, d)":                   "= (c, d)",
		"a = ANY (b)":                       "= ANY (b)",
		"$1":                                "$1",
		"CURRENT_DATE":                      "CURRENT_DATE",
		"EXTRACT(day FROM a)":               "EXTRACT(day FROM a)",
		"ARRAY[1]":                          "ARRAY[1]",
		"((a)) - ((b))":                     "- ((b))",
	} {
		x, err := Expr(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		} else if at := x.Offset(); int(at) > len(sql) || sql[at:] != want {
			t.Errorf("%s is at %d", sql, at)
		}
	}
}

// TestLiterals checks the values of the forms of literal.
func TestLiterals(t *testing.T) {
	for sql, want := range map[string]string{
		`'it''s'`:                          "it's",
		`'a\nb'`:                           `a\nb`,
		`E'a\nb\t\\\'\x41\101\u00e9'`:      "a\nb\t\\'AAé",
		`E'\xe2\x82\xac'`:                  "€",
		`U&'d\0061t\+000061'`:              "data",
		`U&'d!0061' UESCAPE '!'`:           "da",
		`U&'\D83D\DE00'`:                   "😀",
		`$$a'b$$`:                          "a'b",
		`$x$ $$ $x$`:                       " $$ ",
		"'a'\n 'b'":                        "ab",
		`B'101'`:                           "101",
		`X'1f'`:                            "00011111",
		`1_000`:                            "1000",
		`0x1F`:                             "31",
		`0b101`:                            "5",
		`0o17`:                             "15",
		`1.50`:                             "1.50",
		`.5`:                               ".5",
		`1e10`:                             "1e10",
		`5.`:                               "5.",
		`18446744073709551616`:             "18446744073709551616",
		`0xffffffffffffffffffffffffffffff`: "1329227995784915872903807060280344575",
	} {
		x, err := Expr(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		} else if lit, ok := x.(*ast.Literal); !ok || lit.Text != want {
			t.Errorf("%s is %#v", sql, x)
		}
	}
}
