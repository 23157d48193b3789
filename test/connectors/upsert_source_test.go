package connectors

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// upsertQueries are asked of files with a primary key and, where the files' rows
// came in with ON CONFLICT DO UPDATE, of PostgreSQL.
var upsertQueries = map[string]string{
	"all_rows": `SELECT * FROM files`,
	"large":    `SELECT id, k FROM files WHERE n > 5`,
	"groups":   `SELECT k, count(*) AS rows, count(n) AS numbers, sum(n) AS total, max(n) AS greatest FROM files GROUP BY k`,
	"pairs":    `SELECT a.id, b.id AS other FROM files a JOIN files b ON a.k = b.k AND a.n < b.n`,
	"alone":    `SELECT id FROM files a WHERE NOT EXISTS (SELECT FROM files b WHERE b.n = a.id)`,
	"first":    `SELECT k, id FROM (SELECT k, id, row_number() OVER (PARTITION BY k ORDER BY n DESC NULLS LAST, id) AS r FROM files) WHERE r <= 2`,
}

// TestFilesWithPrimaryKey reads files of which the last row of each key counts,
// in views and by SELECT, through kills.
func TestFilesWithPrimaryKey(t *testing.T) {
	pg := servers.StartPostgres(t)
	rng := random.New(t)
	ctx := context.Background()
	oracle, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close(ctx)
	if _, err := oracle.Exec(ctx, `CREATE TABLE files (id bigint PRIMARY KEY, k text, n bigint)`); err != nil {
		t.Fatal(err)
	}
	s := start(t)
	dir := t.TempDir()
	more := func(name string, rows int) {
		t.Helper()
		var file strings.Builder
		var all pgx.Batch
		for range rows {
			id, k, n := rng.IntN(200), "null", "null"
			if rng.IntN(5) > 0 {
				k = fmt.Sprintf("k%d", rng.IntN(8))
			}
			if rng.IntN(5) > 0 {
				n = itoa(rng.IntN(12))
			}
			quoted, literal := k, k
			if k != "null" {
				quoted, literal = `"`+k+`"`, `'`+k+`'`
			}
			fmt.Fprintf(&file, "{\"id\":%d,\"k\":%s,\"n\":%s}\n", id, quoted, n)
			all.Queue(fmt.Sprintf(`INSERT INTO files VALUES (%d, %s, %s) ON CONFLICT (id) DO UPDATE SET k = excluded.k, n = excluded.n`, id, literal, n))
		}
		write(t, dir, name, file.String())
		if err := oracle.SendBatch(ctx, &all).Close(); err != nil {
			t.Fatal(err)
		}
	}
	more("a.json", 3000)
	with := `(connector = 'object', path = 'file://` + dir + `', format = 'json'`
	s.query(`CREATE TABLE files (id bigint PRIMARY KEY, k text, n bigint) WITH ` + with + `, rows_per_second = '2000')`)
	s.query(`CREATE SOURCE now (id bigint, k text, n bigint, PRIMARY KEY (id)) WITH ` + with + `, follow = 'false')`)
	for name, q := range upsertQueries {
		s.query(`CREATE MATERIALIZED VIEW ` + name + ` WITH (checkpoint_interval = '100ms') AS ` + q)
	}
	check := func(rows string) {
		t.Helper()
		s.eventually(`SELECT DISTINCT position FROM (SELECT sum(rows) AS position FROM millrace.source_splits GROUP BY job)`, rows)
		for name, q := range upsertQueries {
			want := askPostgres(t, oracle, q)
			s.eventually(`SELECT * FROM `+name, want...)
			same(t, "a query like "+name, s.query(strings.ReplaceAll(q, "files", "now")), want...)
		}
	}
	s.checkpoint("groups")
	s.restart()
	check("3000")
	more("b.json", 1500)
	s.checkpoint("groups")
	s.restart()
	check("4500")
	same(t, "state", s.query(`SELECT DISTINCT operator, state_rows FROM (SELECT id AS operator, state_rows FROM millrace.operators WHERE kind = 'upsert')`),
		"upsert(files by id)|"+s.query(`SELECT count(*) FROM now`)[0])
	// A job that comes later reads the files in the order of their names.
	s.query(`CREATE MATERIALIZED VIEW late AS SELECT * FROM now`)
	s.eventually(`SELECT * FROM late`, askPostgres(t, oracle, `SELECT * FROM files`)...)
	s.refuse(`SELECT 1 FROM now WHERE nope`, "42703", "nope")
}

// TestGeneratedRowsWithPrimaryKey replaces rows of a generator by key.
func TestGeneratedRowsWithPrimaryKey(t *testing.T) {
	s := start(t)
	s.query(`CREATE SOURCE g (id bigint PRIMARY KEY, v bigint) WITH (connector = 'datagen', rows = '5000', "fields.id.kind" = 'random', "fields.id.min" = '1', "fields.id.max" = '50', "fields.v.kind" = 'random', "fields.v.min" = '1', "fields.v.max" = '1000000')`)
	s.query(`CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(v) > 0 AS some FROM g`)
	s.eventually(`SELECT * FROM m`, "50|50|t")
	same(t, "a query", s.query(`SELECT count(*), count(DISTINCT id) FROM g`), "50|50")
}

// askPostgres returns rows as s.query does.
func askPostgres(t *testing.T, conn *pgx.Conn, q string) (rows []string) {
	t.Helper()
	if strings.Contains(q, ") WHERE") { // 15 wants a name
		q = strings.Replace(q, ") WHERE", ") x WHERE", 1)
	}
	r, err := conn.Query(context.Background(), q, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer r.Close()
	for r.Next() {
		var cells []string
		for _, v := range r.RawValues() {
			if v == nil {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, string(v))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	if r.Err() != nil {
		t.Fatalf("%s: %v", q, r.Err())
	}
	return rows
}
