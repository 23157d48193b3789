package handler_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/types"
)

// TestDDLAndRowsAreOne kills a transaction that makes a view, drops a table and
// inserts a row, at each step of its COMMIT: a server that starts on what is left
// has all of it or nothing.
func TestDDLAndRowsAreOne(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE kept (id bigint PRIMARY KEY)`, `CREATE TABLE gone (id bigint)`, `INSERT INTO kept VALUES (1)`, `INSERT INTO gone VALUES (1)`)
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
	snap := store.Snapshot()
	kept, gone := snap.Relation("public", "kept"), snap.Relation("public", "gone")
	names, rows := store.Begin(), tables.Begin(table.ReadCommitted)
	defer rows.Close()
	if _, err = names.CreateRelation(catalog.Relation{Schema: "public", Name: "v", Kind: catalog.View, SQL: "CREATE VIEW v AS SELECT id FROM kept",
		Query: "SELECT id FROM kept", Columns: kept.Columns, Depends: []string{kept.ID}}); err != nil {
		t.Fatal(err)
	}
	if _, err = names.DropRelation(gone.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err = rows.Add(table.Change{Table: kept.ID, Action: table.Insert, Rows: batch.FromValues([]types.Type{types.Of(types.Int64)}, [][]types.Value{{{Int: 2}}})}); err != nil {
		t.Fatal(err)
	}
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
		all := point == "committed" || point == "after"
		relations := `SELECT relname FROM pg_class WHERE relname IN ('v', 'gone') ORDER BY 1`
		if all {
			c.expect(`SELECT id FROM v ORDER BY 1`, "1", "2")
			c.expect(relations, "v")
		} else {
			c.expect(`SELECT id FROM kept ORDER BY 1`, "1")
			c.expect(relations, "gone")
		}
		c.exec(`BEGIN; CREATE TABLE more (id bigint); INSERT INTO kept VALUES (3); COMMIT`)
		c.restart()
		c.expect(`SELECT count(*) FROM kept`, map[bool]string{false: "2", true: "3"}[all])
		if t.Failed() {
			t.Fatalf("died: %s", point)
		}
	}
}
