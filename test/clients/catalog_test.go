package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/millrace/millrace/server"
)

// schema is one relation of each kind, for catalogs to show.
const schema = `
CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12,2) DEFAULT 0, placed timestamptz, day date GENERATED ALWAYS AS (placed::date));
CREATE TABLE auction (id bigint, tags text[], seller bigint);
CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', events = 100);
CREATE VIEW v AS SELECT 1 AS one;
CREATE SINK hole (n bigint) WITH (connector = 'blackhole');
CREATE VIEW big AS SELECT * FROM orders WHERE amount > 100;
CREATE MATERIALIZED VIEW per_customer AS SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer;
INSERT INTO orders (id, customer, amount, placed) VALUES (1, 'a', 10, '2024-01-02 03:04:05Z'), (2, 'b', 200, NULL);
FLUSH`

// argument is a value for a parameter of a catalog query.
func argument(oid uint32, orders []byte) []byte {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.NameOID, pgtype.UnknownOID:
		return []byte("orders")
	case pgtype.TextArrayOID, pgtype.VarcharArrayOID, pgtype.NameArrayOID:
		return []byte("{orders,r}")
	case pgtype.OIDArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID:
		return append(append([]byte("{"), orders...), '}')
	case pgtype.OIDOID, pgtype.Int8OID:
		return orders
	case pgtype.Int2OID, pgtype.Int4OID:
		return []byte("1")
	case pgtype.BoolOID:
		return []byte("t")
	}
	return nil
}

// TestCatalogQueries runs what psql, pgJDBC and SQLAlchemy ask a server's
// catalogs. Each must be answered.
func TestCatalogQueries(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	if got := run(c, schema); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	orders := c.PgConn().ExecParams(bg(), "SELECT 'orders'::regclass::oid", nil, nil, nil, nil).Read().Rows[0][0]
	files, err := filepath.Glob("../../sql/parse/testdata/catalog/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no catalog queries: %v", err)
	}
	ran := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for sql := range strings.SplitSeq(string(data), "--;;") {
			p, err := c.PgConn().Prepare(bg(), "", sql, nil)
			if err == nil {
				var args [][]byte
				for _, oid := range p.ParamOIDs {
					args = append(args, argument(oid, orders))
				}
				r := c.PgConn().ExecPrepared(bg(), "", args, nil, nil).Read()
				err = r.Err
			}
			// A type and a function that the queries ask for by name.
			if err != nil && !strings.Contains(err.Error(), `"public.mood"`) && !strings.Contains(err.Error(), `function "f" does not exist`) {
				t.Errorf("%s: %v\n%s", filepath.Base(name), err, sql)
			}
			ran++
		}
	}
	if ran < 130 {
		t.Errorf("only %d queries", ran)
	}
}
