package optimize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/sql/parse"
)

// TestOrderOfMany orders many joins, which has to come to an end.
func TestOrderOfMany(t *testing.T) {
	var from, where, left []string
	for i := range 300 {
		from = append(from, fmt.Sprintf("notes n%d", i))
		where = append(where, fmt.Sprintf("n%d.k = o.id + %d", i, i))
		if i < 60 {
			left = append(left, fmt.Sprintf("LEFT JOIN returns r%d ON r%d.id = o.id", i, i))
		}
	}
	for _, sql := range []string{
		"SELECT count(*) FROM " + strings.Join(from, ", "),
		"SELECT count(*) FROM " + strings.Join(from, ", ") + ", orders o WHERE " + strings.Join(where, " AND "),
		"SELECT count(*) FROM orders o " + strings.Join(left, " ") + ", notes n, log l WHERE o.id = 5",
	} {
		q, err := parse.Query(sql)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bind.Query(q, bind.Options{Catalog: fixture.Catalog()})
		if err != nil {
			t.Fatal(err)
		}
		sameFields(t, sql[:40], b.Root.Fields(), optimize.Node(b.Root, optimize.Options{}).Fields())
	}
}
