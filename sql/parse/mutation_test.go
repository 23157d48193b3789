package parse

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pgquery "github.com/wasilibs/go-pgquery"
	pgparser "github.com/wasilibs/go-pgquery/parser"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/test/random"
)

// postgresVerdict is nil when PostgreSQL's grammar takes sql, else its message
// and the byte offset of the fault.
func postgresVerdict(sql string) (message string, offset int, ok bool) {
	_, err := pgquery.ParseToJSON(sql)
	var e *pgparser.Error
	if !errors.As(err, &e) {
		return "", 0, err == nil
	}
	return e.Message, e.Cursorpos - 1, false
}

// TestMutations breaks queries by one token and compares verdict, message and
// position with PostgreSQL's.
func TestMutations(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	queries := catalogQueries(t)
	same, differ, refused := 0, 0, 0
	for range 2000 {
		sql := mutate(r, queries[r.IntN(len(queries))])
		if strings.Contains(sql, "$") {
			continue // the oracle takes parameters where PostgreSQL does not
		}
		message, offset, ok := postgresVerdict(sql)
		_, err := Statements(sql)
		var e *pgerr.Error
		errors.As(err, &e)
		switch {
		case ok && err != nil:
			refused++
			t.Logf("PostgreSQL takes it, Millrace says %v at %d:\n%s", err, e.Position, sql)
		case ok || err == nil:
		case e.Position == offset && e.Message == message:
			same++
		default:
			differ++
			t.Logf("PostgreSQL: %s at %d, Millrace: %s at %d:\n%s", message, offset, e.Message, e.Position, sql)
		}
	}
	t.Logf("%d errors are the same, %d differ, %d refusals", same, differ, refused)
	if refused > 5 { // PostgreSQL takes f(x) 'text' and expressions as type modifiers; it refuses them later
		t.Errorf("%d statements that PostgreSQL takes are refused", refused)
	}
	if differ*20 > same {
		t.Errorf("%d of %d errors differ", differ, same+differ)
	}
}

func catalogQueries(t *testing.T) []string {
	files, _ := filepath.Glob("testdata/catalog/*.sql")
	var queries []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range strings.Split(string(content), "--;;") {
			if _, _, ok := postgresVerdict(sql); ok && len(sql) < 1500 {
				queries = append(queries, sql)
			}
		}
	}
	return queries
}

// mutate drops, doubles, swaps or replaces one token.
func mutate(r *rand.Rand, sql string) string {
	toks, err := lex(sql)
	if err != nil || len(toks) < 4 {
		return sql
	}
	i := r.IntN(len(toks) - 2)
	a, b := toks[i], toks[i+1]
	switch r.IntN(4) {
	case 0:
		return sql[:a.pos] + sql[a.end:]
	case 1:
		return sql[:a.end] + " " + sql[a.pos:]
	case 2:
		return sql[:a.pos] + sql[b.pos:b.end] + " " + sql[a.pos:a.end] + sql[b.end:]
	default:
		words := []string{"select", "from", "(", ")", ",", "and", "=", "1", "x", ".", "::", "order", "by", "in", "as", "not", "[", "*"}
		return sql[:a.pos] + words[r.IntN(len(words))] + " " + sql[a.end:]
	}
}
