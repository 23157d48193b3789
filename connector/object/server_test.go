package object_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	connobject "github.com/millrace/millrace/connector/object"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

func kind() *connector.Kind {
	return connobject.Kind(connobject.Options{OpenStore: func(ctx context.Context, url string, c connobject.Credentials) (object.Store, error) {
		return object.OpenWith(ctx, url, object.Options{AccessKey: c.AccessKey, SecretKey: c.SecretKey})
	}})
}

// passThrough writes rows through a sink at a URL and reads them back as a
// source, with a second incarnation in between.
func passThrough(t *testing.T, url string, extra map[string]string) {
	t.Helper()
	ctx := context.Background()
	options := map[string]string{"path": url, "format": "csv", "compression": "zstd", "roll_bytes": "1kB", "follow": "false"}
	for k, v := range extra {
		options[k] = v
	}
	spec := connector.Spec{Relation: "public.f", Options: options, Columns: []connector.Column{{Name: "id", Type: types.Of(types.Int64)}}}
	{
		sink, err := kind().NewSink(ctx, spec, connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		id := connector.WriterID{JobID: "job", Operator: "sink(f)", Incarnation: "1"}
		next := int64(0)
		for round := range 3 {
			id.Incarnation = fmt.Sprint(round)
			w, err := sink.Open(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			write := func() []byte {
				var rows [][]types.Value
				for range 1000 {
					rows = append(rows, []types.Value{{Int: next}})
					next++
				}
				if err := w.Write(ctx, batch.FromValues([]types.Type{types.Of(types.Int64)}, rows)); err != nil {
					t.Fatal(err)
				}
				c, err := w.PreCommit(ctx, uint64(round))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			c := write()
			write() // dies before a checkpoint covers these
			next -= 1000
			if err := sink.Abort(ctx, id); err != nil { // own files stay
				t.Fatal(err)
			}
			for range 2 {
				if err := sink.Commit(ctx, [][]byte{c}); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
		}
		id.Incarnation = "last"
		if err := sink.Abort(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	options["compression"] = "auto"
	src, err := kind().NewSource(ctx, spec, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := src.Splits(ctx)
	if err != nil || len(splits) != 3 {
		t.Fatal(splits, err)
	}
	seen := map[int64]int{}
	for _, s := range splits {
		r, err := src.Open(ctx, s, nil, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		b := batch.New([]types.Phys{types.PhysInt}, 0)
		for {
			status, err := r.Read(ctx, b, 100)
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.N {
				seen[b.Cols[0].Int[i]]++
			}
			if status == connector.End {
				break
			}
		}
		if _, err := src.Open(ctx, s, []byte("x"), nil); err == nil {
			t.Fatal("bad offset taken")
		}
	}
	for i := range int64(3000) {
		if seen[i] != 1 {
			t.Fatalf("row %d is there %d times", i, seen[i])
		}
	}
}

func TestLocalFolder(t *testing.T) {
	passThrough(t, "file://"+filepath.Join(t.TempDir(), "out"), nil)
}

func TestMinIO(t *testing.T) {
	m := servers.StartMinIO(t, "files")
	passThrough(t, m.URL("files", "some/prefix"), map[string]string{"access_key": servers.MinIOUser, "secret_key": servers.MinIOPassword})
	spec := connector.Spec{Options: map[string]string{"path": m.URL("missing", ""), "format": "json", "access_key": servers.MinIOUser, "secret_key": servers.MinIOPassword}}
	if _, err := kind().NewSource(context.Background(), spec, connector.Env{}); err == nil {
		t.Fatal("a bucket that is missing was taken")
	}
}

func TestReadOnlyFolderAndLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "f.json"), []byte("{\"id\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, "f.json"), filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	spec := connector.Spec{Options: map[string]string{"path": "file://" + dir, "format": "json"}, Columns: []connector.Column{{Name: "id", Type: types.Of(types.Int64)}}}
	src, err := kind().NewSource(context.Background(), spec, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := src.Splits(context.Background())
	if err != nil || len(splits) != 1 || splits[0].ID != "link.json" {
		t.Fatal(splits, err)
	}
	r, err := src.Open(context.Background(), splits[0], nil, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	b := batch.New([]types.Phys{types.PhysInt}, 0)
	if _, err := r.Read(context.Background(), b, 10); err != nil || b.N != 1 {
		t.Fatal(b.N, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Fatal("a source wrote into its folder")
	}
}
