package bind

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
)

// systemRelations reads the columns of pg_catalog and information_schema from the
// file that the server makes those relations from.
func systemRelations(t *testing.T) Relations {
	const file = "../../server/pgcatalog/columns.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("no list of catalog columns: %v", err)
	}
	var out Relations
	for line := range strings.Lines(string(data)) {
		head, columns, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		path, _, _ := strings.Cut(head, " ")
		schema, name, _ := strings.Cut(path, ".")
		r := &catalog.Relation{Schema: schema, Name: name, Kind: catalog.System}
		for c := range strings.SplitSeq(columns, ", ") {
			n, typ, _ := strings.Cut(c, " ")
			typ = strings.TrimSuffix(typ, "!")
			if typ == "char" {
				typ = `"char"`
			}
			ty, err := ResolveType(ast.TypeName{Name: typ})
			if err != nil {
				t.Fatalf("%s.%s: %v", name, n, err)
			}
			r.Columns = append(r.Columns, catalog.Column{Name: n, Type: ty})
		}
		out = append(out, r)
	}
	return out
}

// TestCatalogQueries binds what psql, pgJDBC and SQLAlchemy ask a server's
// catalogs, all but what needs relations or types of its own.
func TestCatalogQueries(t *testing.T) {
	allowed := []string{
		`relation "public.auction" does not exist`,
		`type "public.mood" does not exist`,
	}
	relations := append(systemRelations(t), testCatalog()[:6]...)
	files, err := filepath.Glob("../../sql/parse/testdata/catalog/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no catalog queries: %v", err)
	}
	bound := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for sql := range strings.SplitSeq(string(data), "--;;") {
			list, err := parse.Statements(sql)
			if err != nil {
				t.Fatalf("%v\n%s", err, sql)
			}
			for _, p := range list {
				q, ok := p.Statement.(*ast.Query)
				if !ok {
					continue
				}
				b, err := Query(q, Options{Catalog: relations})
				if err == nil {
					checkTree(t, b.Root)
					bound++
					continue
				}
				var e *pgerr.Error
				if !errors.As(err, &e) || !contains(allowed, e.Message) {
					t.Errorf("%v\n%s", errorText(err, p.Text), sql)
				}
			}
		}
	}
	if bound < 150 {
		t.Errorf("only %d queries were bound", bound)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
