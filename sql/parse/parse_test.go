package parse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// TestStatements parses what stands in testdata/statements and compares the
// canonical print, or the error. The 259 statements that streaming users write
// are among them; -rewrite accepts the output.
func TestStatements(t *testing.T) {
	count := 0
	datadriven.Walk(t, "testdata/statements", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			count++
			parsed, err := Statements(d.Input)
			if err != nil {
				return describeError(t, err)
			}
			var out strings.Builder
			for _, p := range parsed {
				out.WriteString(roundTrip(t, p.Statement))
				out.WriteString("\n")
			}
			return out.String()
		})
	})
	if count < 259 {
		t.Errorf("only %d statements", count)
	}
}

func describeError(t *testing.T, err error) string {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is a %T: %v", err, err)
	}
	out := fmt.Sprintf("%s at %d: %s\n", e.Code, e.Position, e.Message)
	if e.HintText != "" {
		out += "hint: " + e.HintText + "\n"
	}
	if e.Detail != "" {
		out += "detail: " + e.Detail + "\n"
	}
	return out
}

// roundTrip prints a statement, and checks that the print parses back to the same.
func roundTrip(t testing.TB, s ast.Statement) string {
	t.Helper()
	text := ast.Print(s)
	again, err := Statements(text)
	if err != nil {
		t.Errorf("print does not parse: %v\n%s", err, text)
		return text
	}
	if len(again) != 1 {
		t.Errorf("print parses as %d statements:\n%s", len(again), text)
		return text
	}
	if second := ast.Print(again[0].Statement); second != text {
		t.Errorf("print changes:\n%s\n%s", text, second)
	}
	return text
}

// TestCatalogQueries parses what psql, pgJDBC and SQLAlchemy ask a server's catalogs.
func TestCatalogQueries(t *testing.T) {
	files, err := filepath.Glob("testdata/catalog/*.sql")
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, error %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range strings.Split(string(content), "--;;") {
			parsed, err := Statements(sql)
			if err != nil {
				t.Errorf("%s: %s\n%s", file, describeError(t, err), sql)
				continue
			}
			for _, p := range parsed {
				roundTrip(t, p.Statement)
			}
		}
	}
}
