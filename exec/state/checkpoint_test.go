package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// uploadTo writes a checkpoint of a table as a job would.
func uploadTo(t testing.TB, store object.Store, s *Snapshot, n int64, task int) (*manifest.Table, int64) {
	t.Helper()
	w := segment.NewWriter(store, fmt.Sprintf("job/shared/r1-%d-%d", n, task))
	m, err := s.Upload(t.Context(), w, n)
	if err == nil {
		err = w.Close(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return throughMetadata(t, m), w.Written()
}

// throughMetadata is the table as it comes back from _metadata.
func throughMetadata(t testing.TB, m *manifest.Table) *manifest.Table {
	t.Helper()
	meta := &manifest.Metadata{Kind: manifest.Checkpoint, Format: manifest.Native, Operators: []manifest.Operator{{ID: "x", Tasks: []manifest.Task{{Tables: []*manifest.Table{m}}}}}}
	data, err := manifest.Encode(meta)
	if err != nil {
		t.Fatal(err)
	}
	if meta, err = manifest.Decode(data); err != nil {
		t.Fatal(err)
	}
	return meta.Operators[0].Tasks[0].Tables[0]
}

// TestCheckpointsAgainstModel runs a table through checkpoints, some of which
// fail, restores it from each one that was completed, and goes on from some.
func TestCheckpointsAgainstModel(t *testing.T) {
	seed := random.Seed(t)
	for _, c := range keyCases {
		t.Run(c.name, func(t *testing.T) {
			slabs := NewSlabs(SlabOptions{})
			defer slabs.Close()
			opt := Options{Slabs: slabs, PageBytes: 4096}
			store := object.NewMemory()
			d := newDriver(t, seed, opt, c.kinds, c.draw)
			for n := int64(1); n <= 25; n++ {
				for range 4 {
					d.step()
				}
				s, want := d.table.Seal(uint64(n)), d.want.clone()
				d.step()
				m, _ := uploadTo(t, store, s, n, 0)
				s.Release()
				if d.rng.IntN(3) == 0 {
					continue // the checkpoint failed
				}
				d.table.Confirm(n)
				old := []*manifest.Table{m}
				r, err := Restore(t.Context(), store, old, d.table.Schema(), RestoreOptions{Options: opt, Continue: true})
				if err != nil {
					t.Fatal(err)
				}
				checkTable(t, r, want)
				if d.rng.IntN(3) == 0 {
					d.table.Close()
					d.table, d.want = r, want
					continue
				}
				r.Close()
				checkRescaled(t, store, old, d.table.Schema(), opt, want)
			}
			d.table.Close()
			if n := slabs.InUse(); n != 0 {
				t.Errorf("%d bytes are still in use", n)
			}
		})
	}
}

func checkTable(t testing.TB, table *Table, want model) {
	t.Helper()
	s := table.Seal(0)
	defer s.Release()
	checkSnapshot(t, s, want)
}

// checkRescaled splits a checkpoint to three tasks and puts theirs together again.
func checkRescaled(t *testing.T, store object.Store, old []*manifest.Table, schema graph.Table, opt Options, want model) {
	t.Helper()
	var parts []*manifest.Table
	rows := 0
	for task, r := range []GroupRange{{0, 341}, {341, 700}, {700, KeyGroups}} {
		opt.Groups = r
		table, err := Restore(t.Context(), store, old, schema, RestoreOptions{Options: opt})
		if err != nil {
			t.Fatal(err)
		}
		rows += table.Len()
		s := table.Seal(0)
		m, _ := uploadTo(t, object.Sub(store, fmt.Sprintf("rescaled%d-%d", task, rand.Uint64())), s, 1, task)
		if len(m.Inline) == 0 && m.Rows > 0 { // its segments are elsewhere: export where they are found
			w := segment.NewWriter(store, fmt.Sprintf("rescaled/%d-%d", task, rand.Uint64()))
			if m, err = s.Export(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		parts = append(parts, throughMetadata(t, m))
		s.Release()
		table.Close()
	}
	if rows != len(want) {
		t.Fatalf("three tasks have %d rows, want %d", rows, len(want))
	}
	opt.Groups = AllGroups
	whole, err := Restore(t.Context(), store, parts, schema, RestoreOptions{Options: opt})
	if err != nil {
		t.Fatal(err)
	}
	checkTable(t, whole, want)
	whole.Close()
}

func TestRestoreMatchesColumns(t *testing.T) {
	store := object.NewMemory()
	d := newDriver(t, 5, Options{}, []types.Kind{types.Int64, types.Text}, func(r *rand.Rand) int64 { return r.Int64N(500) })
	for range 20 {
		d.step()
	}
	s := d.table.Seal(1)
	m, _ := uploadTo(t, store, s, 1, 0)
	s.Release()
	schema := d.table.Schema()
	schema.Columns = []graph.Column{{Name: "new", Type: types.Of(types.Float64)}, {Name: "newest", Type: types.Of(types.Text)}, {Name: "sum", Type: types.Of(types.Int64)}}
	r, err := Restore(t.Context(), store, []*manifest.Table{m}, schema, RestoreOptions{Rename: map[string]string{"newest": "last"}})
	if err != nil {
		t.Fatal(err)
	}
	rs := r.Seal(1)
	rows, _ := rs.Rows(0, 1000, nil)
	keys := []*batch.Column{{Phys: types.PhysInt}, {Phys: types.PhysBytes}}
	sum, last := &batch.Column{Phys: types.PhysInt}, &batch.Column{Phys: types.PhysBytes}
	rs.ReadColumn(0, rows, keys[0])
	rs.ReadColumn(1, rows, keys[1])
	rs.ReadColumn(3, rows, last)
	rs.ReadColumn(4, rows, sum)
	for i, row := range rows {
		w := d.want[printKey(keys, i)]
		if !r.IsNull(row, 2) || sum.Int[i] != w.sum || last.IsNull(i) != w.null || !w.null && last.Str(i) != w.last {
			t.Fatalf("row %d: %v", i, w)
		}
	}
	if len(rows) != len(d.want) {
		t.Errorf("%d rows, want %d", len(rows), len(d.want))
	}
	schema.Keys = schema.Keys[:1]
	if _, err := Restore(t.Context(), store, []*manifest.Table{m}, schema, RestoreOptions{}); err == nil {
		t.Error("other keys are not refused")
	}
}

func TestDamageIsNamed(t *testing.T) {
	store := object.NewMemory()
	d := newDriver(t, 6, Options{PageBytes: 4096}, []types.Kind{types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(5000) })
	for range 40 {
		d.step()
	}
	s := d.table.Seal(1)
	defer s.Release()
	m, _ := uploadTo(t, store, s, 1, 0)
	name := m.Segments[0].Name
	good, _, err := store.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() error {
		r, err := Restore(t.Context(), store, []*manifest.Table{m}, d.table.Schema(), RestoreOptions{})
		if err == nil {
			r.Close()
		}
		return err
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"flipped": func() error {
			bad := append([]byte(nil), good...)
			bad[len(bad)/2] ^= 1
			return store.Put(t.Context(), name, bad)
		},
		"cut":  func() error { return store.Put(t.Context(), name, good[:len(good)-9]) },
		"gone": func() error { return store.Delete(t.Context(), name) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := restore(); !errors.Is(err, segment.ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestUploadsFollowChanges has a checkpoint cost what was changed, and old
// segments emptied.
func TestUploadsFollowChanges(t *testing.T) {
	store := object.NewMemory()
	table, err := NewTable(benchSchema(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, rows := make([]RowID, 1000), make([]unsafe.Pointer, 1000)
	touch := func(from, n int64) {
		col := batch.NewColumn(types.PhysInt, 1000)
		for at := from; at < from+n; at += 1000 {
			for i := range col.Int {
				col.Int[i] = at + int64(i)
			}
			addBatch(table, []*batch.Column{col}, 1000, uniformKeys(1000, 1e9), ids, rows, nil)
		}
	}
	var m *manifest.Table
	checkpoint := func(n int64) int64 {
		s := table.Seal(0)
		defer s.Release()
		var bytes int64
		m, bytes = uploadTo(t, store, s, n, 0)
		table.Confirm(n)
		return bytes
	}
	touch(0, 200_000)
	full := checkpoint(1)
	if none := checkpoint(2); none != 0 {
		t.Errorf("a checkpoint without changes wrote %d bytes", none)
	}
	touch(50_000, 1000)
	if some := checkpoint(3); some == 0 || some > full/20 {
		t.Errorf("a checkpoint of few changes wrote %d bytes, a full one %d", some, full)
	}
	for n := int64(4); n < 100; n++ {
		touch((n*10_000)%190_000, 10_000)
		checkpoint(n)
	}
	var size int64
	for _, s := range m.Segments {
		size += s.Size
	}
	if live := m.EncodedBytes(); len(m.Segments) > segmentsMax || size > 3*live {
		t.Errorf("%d segments of %d bytes hold %d bytes", len(m.Segments), size, live)
	}
}

// TestFullSegmentsStay has small segments of a table put together when there are many,
// and large ones, of which not fewer would come, left as they are.
func TestFullSegmentsStay(t *testing.T) {
	base := &manifest.Table{}
	for i := range 3 * segmentsMax {
		n := int64(30 << 20)
		if i%3 == 0 {
			n = 100 << 10
		}
		base.Segments = append(base.Segments, manifest.Segment{Name: fmt.Sprint(i), Size: n, Bytes: n})
		base.Pages = append(base.Pages, manifest.Place{Segment: i, Length: int(n), Bytes: int(n)})
	}
	drop := rewrite(base, func(bool, int) bool { return true })
	for i := range base.Segments {
		if small := i%3 == 0; drop[i] != small {
			t.Errorf("segment %d of %d bytes is rewritten: %v", i, base.Segments[i].Size, drop[i])
		}
	}
}
