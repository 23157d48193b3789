package handler_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// orders makes the tables and the job that most tests work on: totals per
// customer of an own table, into another own table.
func orders(c *client, options string) {
	c.t.Helper()
	c.exec(`CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount numeric(12,2))`,
		`CREATE TABLE totals (customer text PRIMARY KEY, n bigint, total numeric)`,
		`CREATE JOB j `+options+` AS INSERT INTO totals SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer`,
		`INSERT INTO orders VALUES (1, 'ann', 10.00), (2, 'ben', 5.50), (3, 'ann', 2.25)`, `FLUSH`)
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50")
}

const totals = `SELECT customer, n, total FROM totals ORDER BY customer`

// formats runs a test with both formats of savepoints.
func formats(t *testing.T, test func(t *testing.T, format string)) {
	for _, f := range []string{"NATIVE", "CANONICAL"} {
		t.Run(f, func(t *testing.T) { test(t, f) })
	}
}

func TestSavepointAndRestore(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, `WITH (parallelism = 2)`)
		made := c.query(`SAVEPOINT JOB j AS sp FORMAT ` + format)
		contains(t, made[0], "sp | file://", "/savepoints/savepoint-")
		c.expect(`SELECT name, job, format, rows > 0, bytes > 0 FROM millrace.savepoints`, "sp | j | "+strings.ToLower(format)+" | t | t")
		contains(t, c.one(`VERIFY SAVEPOINT sp`), "ok | ")
		c.exec(`INSERT INTO orders VALUES (4, 'cid', 1), (5, 'ann', 1)`, `FLUSH`)
		before := c.one(`SELECT id FROM millrace.jobs`)
		n := c.one(`SELECT max(n) FROM millrace.checkpoints`)
		c.expect(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp`,
			"source(orders) | kept | 0 | 0 |  | source(orders) | ",
			"aggregate(orders by customer) | kept | 2 | "+stateBytes(c)+" |  | aggregate(orders by customer) | ",
			"sink(totals) | kept | 0 | 0 |  | sink(totals) | ")
		c.noticed()
		c.exec(`RESTORE JOB j FROM SAVEPOINT sp WITH (parallelism = 3)`, `FLUSH`)
		contains(t, c.noticed(), "what it wrote after that point was taken back from table public.totals")
		c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50", "cid | 1 | 1.00")
		c.exec(`INSERT INTO orders VALUES (6, 'ben', 0.50)`, `FLUSH`)
		c.expect(totals, "ann | 3 | 13.25", "ben | 2 | 6.00", "cid | 1 | 1.00")
		c.expect(`SELECT id <> '`+before+`', lineage = ARRAY['`+before+`'], name, state FROM millrace.jobs`, "t | t | j | running")
		// Numbers go on from the savepoint's checkpoint.
		c.expect(`SELECT min(n) <= `+n+` + 1, min(n) > 1 FROM millrace.checkpoints WHERE job_id = (SELECT id FROM millrace.jobs)`, "t | t")
		c.restart()
		c.exec(`INSERT INTO orders VALUES (7, 'cid', 9)`, `FLUSH`)
		c.expect(totals, "ann | 3 | 13.25", "ben | 2 | 6.00", "cid | 2 | 10.00")
		c.exec(`DROP SAVEPOINT sp`)
		c.expect(`SELECT count(*) FROM millrace.savepoints`, "0")
		if left, err := filepath.Glob(c.data + "/objects/savepoints/*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		c.fails("42704", `RESTORE JOB j FROM SAVEPOINT sp`)
	})
}

// stateBytes is what EXPLAIN RESTORE says of the aggregate's state in sp.
func stateBytes(c *client) string {
	return c.one(`SELECT bytes FROM savepoint('sp') WHERE kind = 'aggregate'`)
}

func TestReadSavepoint(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, "")
		url := strings.Split(c.one(`SAVEPOINT JOB j AS sp FORMAT `+format), " | ")[1]
		for _, name := range []string{"sp", url} {
			c.expect(`SELECT operator, kind, table_name, columns, rows FROM savepoint('`+name+`')`,
				"aggregate(orders by customer) | aggregate |  | {customer,count(*),sum(amount),count(amount)} | 2",
				"source(orders) | source |  | {} | 0")
			c.expect(`SELECT customer, "count(*)", "sum(amount)" FROM savepoint('`+name+`', 'aggregate(orders by customer)') ORDER BY 1`,
				"ann | 2 | 12.25", "ben | 1 | 5.50")
			c.expect(`SELECT sum("count(*)"), max(ordinality) FROM savepoint('`+name+`', 'aggregate(orders by customer)', '') WITH ORDINALITY`, "3 | 2")
			c.expect(`SELECT split, position LIKE 'log:%', rows, ended FROM savepoint('`+name+`', 'source(orders)')`, "table | t | 3 | f")
		}
		c.expect(`SELECT pg_typeof("sum(amount)"), pg_typeof("count(*)") FROM savepoint('sp', 'aggregate(orders by customer)') LIMIT 1`, "numeric | bigint")
		e := c.fails("42704", `SELECT * FROM savepoint('sp', 'aggregate(orders by custome)')`)
		contains(t, e.Hint, `Perhaps you meant "aggregate(orders by customer)".`)
		if e.Position != 15 {
			t.Errorf("position %d", e.Position)
		}
		c.fails("42704", `SELECT * FROM savepoint('nope')`)
		contains(t, c.fails("42704", `SELECT * FROM savepoint('nope', 'x')`).Message, `savepoint "nope" does not exist`)
		c.fails("42704", `SELECT * FROM savepoint('sp', 'aggregate(orders by customer)', 'x')`)
		c.fails("42704", `SELECT * FROM savepoint('sp', 'sink(totals)')`)
	})
}

// TestSavepointElsewhere takes a savepoint to a folder, copies it, and starts from
// the copy by URL.
func TestSavepointElsewhere(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, "")
		dir := t.TempDir()
		url := strings.Split(c.one(`SAVEPOINT JOB j AS away TO 'file://`+dir+`' FORMAT `+format), " | ")[1]
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(strings.TrimPrefix(url, "file://"))); err != nil {
			t.Fatal(err)
		}
		contains(t, c.one(`VERIFY SAVEPOINT 'file://`+copied+`'`), "ok | ")
		c.exec(`STOP JOB j`, `RESTORE JOB j FROM SAVEPOINT 'file://`+copied+`/_metadata'`, `INSERT INTO orders VALUES (9, 'ann', 1)`, `FLUSH`)
		c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
		// One byte of the copy is changed.
		damage(t, copied)
		contains(t, strings.Join(c.query(`VERIFY SAVEPOINT 'file://`+copied+`'`), "\n"), "damaged | ")
	})
}

// damage changes a byte of one file of a savepoint, or of its metadata when there
// is no other.
func damage(t *testing.T, dir string) {
	t.Helper()
	victim := filepath.Join(dir, "_metadata")
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && info.Name() != "_metadata" {
			victim = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x40
	if err := os.WriteFile(victim, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedSavepoints(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`)
	contains(t, c.fails("42710", `SAVEPOINT JOB j AS sp`).Message, `savepoint "sp" already exists`)
	e := c.fails("42704", `SAVEPOINT JOB k AS other`)
	contains(t, e.Message, `job "k" does not exist`)
	if e.Position != 15 {
		t.Errorf("position %d", e.Position)
	}
	c.fails("22023", `SAVEPOINT JOB j TO 'ftp://nowhere'`)
	c.exec(`DROP SAVEPOINT IF EXISTS nope`)
	contains(t, c.noticed(), `savepoint "nope" does not exist, skipping`)
	contains(t, c.fails("42704", `DROP SAVEPOINT spp`).Hint, `"sp"`)
	c.exec(`PAUSE JOB j`)
	e = c.fails("55000", `SAVEPOINT JOB j AS later`)
	contains(t, e.Detail+e.Hint, "paused", "RESUME JOB j")
	c.expect(`SHOW SAVEPOINTS FOR JOB k`)
}

// TestSavepointMetadata reads a savepoint's _metadata as another program would.
func TestSavepointMetadata(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, "WITH (checkpoint_interval = '9s')")
		url := strings.Split(c.one(`SAVEPOINT JOB j AS sp FORMAT `+format), " | ")[1]
		dir := strings.TrimPrefix(url, "file://")
		data, err := os.ReadFile(dir + "/_metadata")
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Metadata struct {
				Kind, Format, SQL, Engine string
				Options                   map[string]string
				Graph                     json.RawMessage
				Catalog                   struct {
					Relations []struct{ Schema, Name, Kind, SQL string }
				}
				Operators []struct {
					ID, Kind string
					Tasks    []struct {
						Tables []struct {
							Columns []struct{ Name string }
							File    string
						}
						Blobs map[string][]byte
					}
				}
				Files []struct {
					Name string
					Size int64
					Sum  *uint32 `json:"crc32c"`
				}
			}
		}
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		s := m.Metadata
		if s.Kind != "savepoint" || s.Format != strings.ToLower(format) || s.Engine == "" || !strings.HasPrefix(s.SQL, "CREATE JOB j") || s.Options["checkpoint_interval"] != "9s" || len(s.Graph) == 0 {
			t.Errorf("its head is %+v", s)
		}
		var names []string
		for _, r := range s.Catalog.Relations {
			names = append(names, r.Kind+" "+r.Schema+"."+r.Name)
			if !strings.HasPrefix(r.SQL, "CREATE TABLE "+r.Name) {
				t.Errorf("%s was made by %q", r.Name, r.SQL)
			}
		}
		slices.Sort(names)
		if strings.Join(names, ", ") != "table public.orders, table public.totals" {
			t.Errorf("it refers to %v", names)
		}
		kinds := map[string]string{}
		for _, o := range s.Operators {
			kinds[o.ID] = o.Kind
			for _, task := range o.Tasks {
				if task.Blobs["commit"] != nil {
					t.Errorf("%s has a commit, which only the job itself may finish", o.ID)
				}
				for _, table := range task.Tables {
					if table.Columns[0].Name != "customer" || (table.File != "") != (format == "CANONICAL") {
						t.Errorf("a table of %s is %+v", o.ID, table)
					}
				}
			}
		}
		if kinds["source(orders)"] != "source" || kinds["aggregate(orders by customer)"] != "aggregate" || kinds["sink(totals)"] != "sink" {
			t.Errorf("operators are %v", kinds)
		}
		if format == "CANONICAL" && len(s.Files) != 2 {
			t.Errorf("files are %+v", s.Files)
		}
		for _, f := range s.Files {
			if info, err := os.Stat(dir + "/" + f.Name); err != nil || info.Size() != f.Size || f.Sum == nil {
				t.Errorf("file %+v: %v", f, err)
			}
		}
	})
}
