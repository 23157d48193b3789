package parse

import (
	"sync"
	"testing"

	"github.com/millrace/millrace/sql/ast"
)

// TestConcurrentParsing: parsers are used again, and none may touch the tree of
// another statement. The race detector tells.
func TestConcurrentParsing(t *testing.T) {
	texts := []string{"UPDATE a SET n = n - $1 WHERE id = $2", "SELECT sum(n), count(*) FROM a WHERE (n + 1) * 2 > 3 OR v = 'x'", "DELETE FROM a WHERE ((n)) = 1", "SELECT (1 + (2 * 3))"}
	want := make([]string, len(texts))
	for i, text := range texts {
		p, err := Statements(text)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = ast.Print(p[0].Statement)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				k := i % len(texts)
				p, err := Statements(texts[k])
				if err != nil || ast.Print(p[0].Statement) != want[k] {
					t.Errorf("%s: %v", texts[k], err)
					return
				}
			}
		})
	}
	wg.Wait()
}
