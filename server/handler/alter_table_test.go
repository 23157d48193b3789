package handler_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/types"
)

// TestAlterTableIsOne kills ALTER TABLE at each step of its COMMIT, once where the
// rows stay and once where another table takes the place: a server that starts on
// what is left has the old table with its rows or the new one with them.
func TestAlterTableIsOne(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE named (id int, b text)`, `CREATE TABLE grown (id int)`, `INSERT INTO named VALUES (1, 'x'), (2, NULL)`, `INSERT INTO grown VALUES (1), (2)`)
	c.stop()
	ctx := context.Background()
	images := map[string]string{}
	crash := func(point string) {
		images[point] = t.TempDir()
		if err := os.CopyFS(images[point], os.DirFS(c.data)); err != nil {
			t.Fatal(err)
		}
	}
	store, err := catalog.Open(ctx, "sqlite://"+filepath.Join(c.data, "metadata.db"), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := table.Open(filepath.Join(c.data, "tables"), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	named, grown := *store.Snapshot().Relation("public", "named"), *store.Snapshot().Relation("public", "grown")
	names, rows := store.Begin(), tables.Begin(table.ReadCommitted)
	defer rows.Close()
	// ALTER TABLE named RENAME COLUMN b TO c
	named.Columns = append([]catalog.Column(nil), named.Columns...)
	named.Columns[1].Name = "c"
	named.SQL = `CREATE TABLE named (id integer, c text)`
	must(names.ReplaceRelation(named))
	def, err := tables.Def(named.ID)
	must(err)
	def.Columns = append([]table.Column(nil), def.Columns...)
	def.Columns[1].Name = "c"
	must(rows.Alter(def))
	// ALTER TABLE grown ADD COLUMN c text DEFAULT 'new'
	must(names.RenameRelation(grown.ID, "hidden"))
	made := grown
	made.ID, made.SQL = "", `CREATE TABLE grown (id integer, c text DEFAULT 'new')`
	made.Columns = append([]catalog.Column{grown.Columns[0]}, catalog.Column{Name: "c", Type: types.Of(types.Text), Default: "'new'"})
	at, err := names.CreateRelation(made)
	must(err)
	must(rows.Create(table.Def{ID: at.ID, Name: "grown", Columns: []table.Column{{Name: "id", Type: types.Of(types.Int32)}, {Name: "c", Type: types.Of(types.Text)}}}))
	_, err = rows.Add(table.Change{Table: at.ID, Action: table.Insert, Rows: batch.FromValues([]types.Type{types.Of(types.Int32), types.Of(types.Text)},
		[][]types.Value{{{Int: 1}, {Bytes: "new"}}, {{Int: 2}, {Bytes: "new"}}})})
	must(err)
	_, err = names.DropRelation(grown.ID, false)
	must(err)
	must(rows.Replace(grown.ID))
	crash("before")
	err = names.CommitWith(ctx, func(commit catalog.JointCommit) error {
		crash("metadata written")
		return rows.CommitWith(ctx, "0123456789abcdef0123456789abcdef", func(forget string) error {
			crash("rows durable")
			err := commit("0123456789abcdef0123456789abcdef", forget)
			crash("committed")
			return err
		})
	})
	crash("after")
	if err = errors.Join(err, store.Close(), tables.Close()); err != nil {
		t.Fatal(err)
	}
	for point, data := range images {
		c := start(t, data)
		for range 2 { // as it was left, and from what it has written itself
			if point == "committed" || point == "after" {
				c.expect(`SELECT id, c FROM named ORDER BY 1`, "1 | x", "2 | -")
				c.expect(`SELECT id, c FROM grown ORDER BY 1`, "1 | new", "2 | new")
				c.fails("42703", `SELECT b FROM named`)
				c.exec(`INSERT INTO grown VALUES (3)`, `DELETE FROM grown WHERE id = 3`)
			} else {
				c.expect(`SELECT id, b FROM named ORDER BY 1`, "1 | x", "2 | -")
				c.expect(`SELECT * FROM grown ORDER BY 1`, "1", "2")
				c.fails("42703", `SELECT c FROM named`)
			}
			c.restart()
		}
		c.stop()
	}
}

// TestAlterTableConflicts checks that nothing that was begun before a table was
// altered is carried out on it afterwards, and that nothing that others commit
// meanwhile is lost.
func TestAlterTableConflicts(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int, b int)`, `INSERT INTO t VALUES (1, 1)`)
	conn, err := pgx.ConnectConfig(c.ctx, c.conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(c.ctx)
	other := &client{t: t, ctx: c.ctx, conn: conn}
	for i, alter := range []string{`ALTER TABLE t ADD CHECK (b < 100)`, `ALTER TABLE t ALTER b SET NOT NULL`, `ALTER TABLE t ADD COLUMN c int`, `ALTER TABLE t DROP COLUMN c`} {
		c.exec(`BEGIN`, fmt.Sprintf(`INSERT INTO t VALUES (%d, 1)`, 10+i))
		other.exec(alter)
		c.fails("40001", `COMMIT`)
		c.exec(`BEGIN`, alter2(i))
		other.exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, 2)`, 20+i))
		c.fails("40001", `COMMIT`)
	}
	c.expect(`SELECT id FROM t ORDER BY 1`, "1", "20", "21", "22", "23")
}

// alter2 are changes that need to look at all rows.
func alter2(i int) string {
	return []string{`ALTER TABLE t ADD CHECK (b < 99)`, `ALTER TABLE t ALTER id SET NOT NULL`, `ALTER TABLE t ADD COLUMN z int`, `ALTER TABLE t DROP COLUMN b`}[i]
}
