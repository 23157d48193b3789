package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
)

// take completes a checkpoint of one table of one page.
func take(t *testing.T, store object.Store, run string, n int64, keep *manifest.Segment) (*manifest.Metadata, error) {
	t.Helper()
	w := segment.NewWriter(store, gc.SegmentPrefix("job123456", run, n, "0"))
	table := &manifest.Table{Groups: [2]int{0, 1024}, Rows: 1, End: 1, RowBytes: 16, RowsPerPage: 4}
	place, err := w.Table(table, false).Add(t.Context(), bytes.Repeat([]byte{byte(n)}, 16), 16)
	if err == nil {
		err = w.Close(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	table.Pages = manifest.PageMap{place}
	if keep != nil {
		table.Segments = append(table.Segments, *keep)
	}
	m := &manifest.Metadata{Kind: manifest.Checkpoint, Format: manifest.Native, JobID: "job123456", Checkpoint: n, Incarnation: run,
		Operators: []manifest.Operator{{ID: "op", Tasks: []manifest.Task{{Tables: []*manifest.Table{table}}}}}}
	_, err = Complete(t.Context(), store, m)
	return m, err
}

func TestCheckpointsAreFoundAndCollected(t *testing.T) {
	ctx, store := t.Context(), object.NewMemory()
	first, err := take(t, store, "a", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := first.Segments()[0]
	for _, n := range []int64{2, 9, 10} {
		if _, err := take(t, store, "a", n, &old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := take(t, store, "b", 10, nil); !errors.Is(err, object.ErrExists) {
		t.Errorf("a second run completed a checkpoint again: %v", err)
	}
	if list, err := List(ctx, store, "job123456"); err != nil || !reflect.DeepEqual(list, []int64{1, 2, 9, 10}) {
		t.Errorf("list: %v, %v", list, err)
	}
	deleted, err := Collect(ctx, store, "job123456", 2, nil)
	want := []string{"job123456/chk-1/_metadata", "job123456/chk-2/_metadata", "job123456/shared/a-2-0-0.seg", "job123456/shared/b-10-0-0.seg"}
	if err != nil || !reflect.DeepEqual(deleted, want) {
		t.Errorf("deleted %v, %v", deleted, err)
	}
	m, skipped, err := Newest(ctx, store, "job123456", nil)
	if err != nil || len(skipped) != 0 || m.Checkpoint != 10 {
		t.Fatalf("newest: %v, %v, %v", m, skipped, err)
	}
	if faults, err := Verify(ctx, store, m); err != nil || len(faults) != 0 {
		t.Errorf("verify: %v, %v", faults, err)
	}
	if err := store.Put(ctx, gc.CheckpointName("job123456", 10), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	m, skipped, err = Newest(ctx, store, "job123456", nil)
	if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "checkpoint 10") || m.Checkpoint != 9 {
		t.Errorf("with the newest damaged: %v, %v, %v", m, skipped, err)
	}
	if err := Drop(ctx, store, "job123456"); err != nil {
		t.Fatal(err)
	}
	if list, _ := store.List(ctx, ""); len(list) != 0 {
		t.Errorf("left after drop: %v", list)
	}
	if m, _, err := Newest(ctx, store, "job123456", nil); m != nil || err != nil {
		t.Errorf("newest of nothing: %v, %v", m, err)
	}
}

// TestLostAnswer has the store complete a checkpoint and say that it failed.
func TestLostAnswer(t *testing.T) {
	store := object.NewFaulty(object.NewMemory(), object.Fault{Op: "create", Nth: 2, After: true, Err: object.ErrInjected})
	if _, err := take(t, store, "a", 1, nil); !errors.Is(err, object.ErrInjected) {
		t.Fatalf("got %v", err)
	}
	if list, err := List(t.Context(), store, "job123456"); err != nil || len(list) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestNativeSavepoint(t *testing.T) {
	ctx, store, elsewhere := t.Context(), object.NewMemory(), object.NewMemory()
	first, err := take(t, store, "a", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := first.Segments()[0]
	m, err := take(t, store, "a", 2, &old)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := SavepointFolder(m.JobID)
	if err != nil || len(folder) != len("savepoint-job123-0123456789ab") || !strings.HasPrefix(folder, "savepoint-job123-") {
		t.Fatalf("folder %q, %v", folder, err)
	}
	folder = "deep/" + folder
	if _, err := CopyToSavepoint(ctx, store, elsewhere, folder, m); err != nil {
		t.Fatal(err)
	}
	if err := Drop(ctx, store, m.JobID); err != nil {
		t.Fatal(err)
	}
	// Copied to another place, it is still whole.
	moved := object.NewMemory()
	list, _ := elsewhere.List(ctx, "")
	for _, o := range list {
		data, _, _ := elsewhere.Get(ctx, o.Name)
		if err := moved.Put(ctx, strings.Replace(o.Name, folder, "copied", 1), data); err != nil {
			t.Fatal(err)
		}
	}
	in := object.Sub(moved, "copied")
	sp, err := LoadFrom(ctx, in, gc.MetadataName)
	if err != nil {
		t.Fatal(err)
	}
	if sp.Kind != manifest.Savepoint || len(sp.Files) != 2 {
		t.Errorf("savepoint %+v", sp)
	}
	if faults, err := Verify(ctx, in, sp); err != nil || len(faults) != 0 {
		t.Errorf("verify: %v, %v", faults, err)
	}
	table := sp.Operators[0].Tasks[0].Tables[0]
	page := make([]byte, 16)
	if err := segment.Fetch(ctx, in, table, []segment.Request{{Place: table.Pages[0], Into: page}}); err != nil || page[0] != 2 {
		t.Errorf("page %v, %v", page, err)
	}
	if err := in.Put(ctx, sp.Files[0].Name, []byte("short")); err != nil {
		t.Fatal(err)
	}
	if err := in.Delete(ctx, sp.Files[1].Name); err != nil {
		t.Fatal(err)
	}
	if faults, _ := Verify(ctx, in, sp); len(faults) != 2 || !strings.Contains(fmt.Sprint(faults), sp.Files[1].Name) {
		t.Errorf("faults: %v", faults)
	}
	if err := DropSavepoint(ctx, elsewhere, folder); err != nil {
		t.Fatal(err)
	}
	if list, _ := elsewhere.List(ctx, ""); len(list) != 0 {
		t.Errorf("left after drop: %v", list)
	}
	if err := DropSavepoint(ctx, elsewhere, "deep"); err == nil {
		t.Error("a folder that is no savepoint may be dropped")
	}
}
