package bind

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/test/random"
)

var mutateCount = flag.Int("mutate-count", 4000, "statements of TestMutatedStatements")

// TestMutatedStatements swaps words and expressions between statements that are
// right and binds what still parses: errors are for people, trees are sound.
func TestMutatedStatements(t *testing.T) {
	r := random.New(t)
	var statements, words []string
	files, _ := filepath.Glob("testdata/*")
	more, _ := filepath.Glob("../../sql/parse/testdata/*/*")
	for _, name := range append(files, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for part := range strings.SplitSeq(string(data), "\n\n") {
			if _, sql, ok := strings.Cut(part, "\n"); ok {
				sql, _, _ = strings.Cut(sql, "\n----")
				statements = append(statements, sql)
				words = append(words, strings.Fields(sql)...)
			}
		}
	}
	for _, l := range readOracle(t) {
		words = append(words, "("+l.expr+")", l.expr)
		statements = append(statements, "select "+l.expr+" from every where b group by i4 order by "+l.expr)
	}
	cat := testCatalog()
	bound := 0
	for range *mutateCount {
		f := strings.Fields(statements[r.IntN(len(statements))])
		for range 1 + r.IntN(3) {
			if len(f) == 0 {
				break
			}
			i := r.IntN(len(f))
			switch r.IntN(4) {
			case 0:
				f = append(f[:i:i], f[i+1:]...)
			case 1:
				f = append(f[:i:i], append([]string{words[r.IntN(len(words))]}, f[i:]...)...)
			default:
				f[i] = words[r.IntN(len(words))]
			}
		}
		sql := strings.Join(f, " ")
		list, err := parse.Statements(sql)
		if err != nil {
			continue
		}
		for _, p := range list {
			func() {
				defer func() {
					if e := recover(); e != nil {
						t.Errorf("%s\npanics: %v", sql, e)
					}
				}()
				bound++
				err := bindAny(t, p.Statement, Options{Catalog: cat, Continuous: r.IntN(3) == 0})
				var e *pgerr.Error
				if err != nil && (!errors.As(err, &e) || e.Code == pgerr.InternalError || e.Position > len(p.Text)) {
					t.Errorf("%v", err)
				}
			}()
			if t.Failed() {
				t.Fatal(sql)
			}
		}
	}
	t.Logf("%d statements were bound", bound)
}
