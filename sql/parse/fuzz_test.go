package parse

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/test/random"
)

// seeds adds the statements of the test data to a fuzz target's corpus.
func seeds(f *testing.F) {
	for _, sql := range statementData(f) {
		f.Add(sql)
	}
}

// FuzzLex checks that tokens lie in the text, in order, and cover all but space
// and comments.
func FuzzLex(f *testing.F) {
	seeds(f)
	for _, s := range []string{"E'\\377\\u0041\\U0001F600'", `U&"d\0061t\+000061" UESCAPE '!'`, "1_000.5e-3 0x1f_f 0b1 1..2", "a@-b--c\n'x'\n'y'", "$a$ $b$ $a$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		toks, err := lex(sql)
		if err != nil {
			if err.Position < 0 || err.Position > len(sql) {
				t.Fatalf("position %d of %d", err.Position, len(sql))
			}
			return
		}
		end := 0
		for i, tok := range toks {
			if tok.pos < end || tok.end < tok.pos || tok.end > len(sql) || tok.match >= len(toks) {
				t.Fatalf("token %d is %+v after %d", i, tok, end)
			}
			end = tok.end
		}
		if toks[len(toks)-1].kind != endOfInput {
			t.Fatal("no end of input")
		}
	})
}

// FuzzStatements checks that any text gives statements that print and parse back
// to the same print, or one error with a place in the text that our own rules
// found: an error from TiDB would mean that the rewriter wrote what it must not.
func FuzzStatements(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) { checkStatements(t, sql) })
}

func checkStatements(t *testing.T, sql string) {
	t.Helper()
	parsed, err := Statements(sql)
	if err != nil {
		var e *pgerr.Error
		if !errors.As(err, &e) || e.Position < 0 || e.Position > len(sql) {
			t.Fatalf("error %#v of %q", err, sql)
		}
		if errors.Unwrap(e) != nil && !errors.Is(e, ast.ErrOpenSet) {
			t.Fatalf("TiDB refused: %v\n%s", errors.Unwrap(e), sql)
		}
		return
	}
	for _, p := range parsed {
		if sql[p.Start:p.Start+len(p.Text)] != p.Text {
			t.Fatalf("text %q is not at %d", p.Text, p.Start)
		}
		text := ast.Print(p.Statement)
		again, err := Statements(text)
		if err != nil {
			if pgerr.From(err).Code == pgerr.StatementTooComplex {
				return
			}
			t.Fatalf("print does not parse: %v\n%s\n%s", err, sql, text)
		}
		if len(again) != 1 || ast.Print(again[0].Statement) != text {
			t.Fatalf("print changes:\n%s\n%s\n%s", sql, text, ast.Print(again[0].Statement))
		}
	}
}

// TestBrokenStatements makes the same checks on statements of the test data with
// a few tokens changed, which reaches further than bytes do.
func TestBrokenStatements(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 3))
	statements := statementData(t)
	for range 4000 {
		sql := statements[r.IntN(len(statements))]
		for range 1 + r.IntN(4) {
			sql = mutate(r, sql)
		}
		checkStatements(t, sql)
	}
}

// statementData is the input of every case in testdata/statements.
func statementData(t testing.TB) []string {
	files, err := filepath.Glob("testdata/statements/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("test data: %v", err)
	}
	var list []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(content), "parse\n") {
			sql, _, _ := strings.Cut(part, "\n----")
			list = append(list, sql)
		}
	}
	return list
}
