package parse

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	pgquery "github.com/wasilibs/go-pgquery"

	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/test/random"
)

var (
	infixes = []string{"+", "-", "*", "/", "%", "^", "||", "&", "|", "#", "<<", "->", "->>", "#>", "~", "!~*", "@>", "?|", "=", "<", ">=",
		"<>", "!=", "AND", "OR", "AND", "OR", "LIKE", "NOT ILIKE", "SIMILAR TO", "IS DISTINCT FROM", "IS NOT DISTINCT FROM",
		"OPERATOR(pg_catalog.+)", "AT TIME ZONE"}
	operands = []string{"a", "b", "c.d", "1", "2.5", "'x'", "f(a)", "(a)", "a::int", "b[1]", "-c", "INTERVAL '1 day'", "c AT TIME ZONE 'UTC'",
		"-a::text", "(a + b)", "(a OR b)", "CASE WHEN a THEN b ELSE c END", "ARRAY[a, b]", "(a, b)", "EXISTS (SELECT 1)", "(SELECT 1)",
		"DATE '2024-01-01'", "NULL", "TRUE", "$1", "(r).f", "a COLLATE \"C\"", "count(*)", "+ 1", "- 2 ^ 2", "@ a", "b[1:2]", "(a)[1]"}
	suffixes = []string{" IS NULL", " IS NOT TRUE", " IN (1, b)", " NOT IN (SELECT 1)", " BETWEEN 1 AND c", " NOT BETWEEN SYMMETRIC a AND b + 1",
		"::text", " ISNULL", " = ANY (ARRAY[1])", " + ANY (b)", " IS NULL::text", " IN (1)::text", " <> ALL (SELECT 1)", " ILIKE ANY (b)", " ESCAPE 'x'", " IS NOT UNKNOWN"}
)

func randomExpression(r *rand.Rand) string {
	var s strings.Builder
	for i := range 1 + r.IntN(5) {
		if i > 0 {
			s.WriteString(" " + infixes[r.IntN(len(infixes))] + " ")
		}
		switch r.IntN(14) {
		case 0:
			s.WriteString("NOT ")
		case 1:
			s.WriteString("~ ")
		case 2:
			s.WriteString("- ")
		}
		s.WriteString(operands[r.IntN(len(operands))])
		if r.IntN(5) == 0 {
			s.WriteString(suffixes[r.IntN(len(suffixes))])
		}
	}
	return s.String()
}

var location = regexp.MustCompile(`"(location|stmt_location|stmt_len|list_start|list_end|rexpr_list_start|rexpr_list_end)":-?\d+,?`)

// postgresTree is PostgreSQL's own parse of SELECT expression, without locations.
func postgresTree(expression string) (string, error) {
	tree, err := pgquery.ParseToJSON("SELECT " + expression)
	tree = strings.ReplaceAll(tree, `{"String":{"sval":"pg_catalog"}},`, "") // OPERATOR(pg_catalog.+) is kept as +
	return strings.ReplaceAll(location.ReplaceAllString(tree, ""), ",}", "}"), err
}

// TestPrecedence compares the grouping of random expressions with PostgreSQL's
// grammar: what PostgreSQL reads in the expression, it must also read in our tree
// written with every parenthesis, and in its canonical print.
func TestPrecedence(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	accepted := 0
	for range 3000 {
		expression := randomExpression(r)
		want, pgErr := postgresTree(expression)
		x, err := Expr(expression)
		if (pgErr == nil) != (err == nil) {
			t.Errorf("%s\nPostgreSQL: %v\nMillrace: %v", expression, pgErr, err)
			continue
		}
		if err != nil {
			continue
		}
		accepted++
		for _, text := range []string{fullyParenthesized(x), ast.PrintExpr(x)} {
			got, err := postgresTree(text)
			if err != nil || got != want {
				t.Errorf("%s\nis read as %s\nerror %v", expression, text, err)
			}
		}
	}
	t.Logf("%d accepted by both", accepted)
	if accepted < 500 {
		t.Errorf("only %d expressions were valid", accepted)
	}
}

// fullyParenthesized writes an expression with parentheses around each operator.
func fullyParenthesized(x ast.Expr) string {
	full := fullyParenthesized
	list := func(xs []ast.Expr) string {
		var parts []string
		for _, x := range xs {
			parts = append(parts, full(x))
		}
		return strings.Join(parts, ", ")
	}
	not := func(n bool) string {
		if n {
			return "NOT "
		}
		return ""
	}
	switch x := x.(type) {
	case *ast.Binary:
		return fmt.Sprintf("(%s %s %s)", full(x.L), strings.ToUpper(x.Op), full(x.R))
	case *ast.Unary:
		return fmt.Sprintf("(%s %s)", strings.ToUpper(x.Op), full(x.X))
	case *ast.IsTest:
		return fmt.Sprintf("(%s IS %s%s)", full(x.X), not(x.Not), x.Test)
	case *ast.Like:
		kind := x.Kind
		if kind == "similar" {
			kind = "similar to"
		}
		escape := ""
		if x.Escape != nil {
			escape = " ESCAPE " + full(x.Escape)
		}
		return fmt.Sprintf("(%s %s%s %s%s)", full(x.X), not(x.Not), kind, full(x.Pattern), escape)
	case *ast.Between:
		symmetric := ""
		if x.Symmetric {
			symmetric = "SYMMETRIC "
		}
		return fmt.Sprintf("(%s %sBETWEEN %s%s AND %s)", full(x.X), not(x.Not), symmetric, full(x.Lo), full(x.Hi))
	case *ast.In:
		if x.Query != nil {
			return fmt.Sprintf("(%s %sIN (%s))", full(x.X), not(x.Not), ast.PrintQuery(x.Query))
		}
		return fmt.Sprintf("(%s %sIN (%s))", full(x.X), not(x.Not), list(x.List))
	case *ast.Quantified:
		quantifier := "ANY"
		if x.All {
			quantifier = "ALL"
		}
		array := ""
		if x.Query != nil {
			array = ast.PrintQuery(x.Query)
		} else {
			array = full(x.Array)
		}
		return fmt.Sprintf("(%s %s %s (%s))", full(x.X), x.Op, quantifier, array)
	case *ast.Cast:
		if x.Typed {
			return ast.PrintExpr(x)
		}
		return fmt.Sprintf("((%s)::%s)", full(x.X), ast.PrintType(x.Type))
	case *ast.Collate:
		return fmt.Sprintf("(%s COLLATE %s)", full(x.X), ast.PrintPath(x.Collation))
	case *ast.Subscript:
		if x.Slice {
			return fmt.Sprintf("((%s)[%s:%s])", full(x.X), full(x.Index), full(x.Upper))
		}
		return fmt.Sprintf("((%s)[%s])", full(x.X), full(x.Index))
	case *ast.RowExpr:
		return "(" + list(x.Elems) + ")"
	case *ast.ArrayExpr:
		return "ARRAY[" + list(x.Elems) + "]"
	}
	return ast.PrintExpr(x)
}
