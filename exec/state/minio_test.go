package state

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

// BenchmarkRestoreFromMinIO uploads a table of rows and restores it.
func BenchmarkRestoreFromMinIO(b *testing.B) {
	const keys = 18 << 20 // 1 GB with its index
	m := servers.StartMinIO(b, "bucket")
	for _, e := range m.Env() {
		name, value, _ := strings.Cut(e, "=")
		b.Setenv(name, value)
	}
	store, err := object.Open(b.Context(), m.URL("bucket", "p"))
	if err != nil {
		b.Fatal(err)
	}
	slabs := NewSlabs(SlabOptions{})
	defer slabs.Close()
	t, err := NewTable(benchSchema(1), Options{Slabs: slabs})
	if err != nil {
		b.Fatal(err)
	}
	ids, rows := make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
	col := batch.NewColumn(types.PhysInt, batch.RowsDefault)
	prices := uniformKeys(keys, 1e8)
	var fresh []uint16
	for at := 0; at < keys; at += batch.RowsDefault {
		for i := range col.Int {
			col.Int[i] = int64(at + i)
		}
		fresh = addBatch(t, []*batch.Column{col}, batch.RowsDefault, prices[at:], ids, rows, fresh)
	}
	s := t.Seal(1)
	start := time.Now()
	w := segment.NewWriter(store, "job/shared/r-1-0")
	part, err := s.Upload(b.Context(), w, 1)
	if err == nil {
		err = w.Close(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	uploaded := time.Since(start)
	s.Release()
	schema := t.Schema()
	t.Close()
	b.ResetTimer()
	for range b.N {
		r, err := Restore(b.Context(), store, []*manifest.Table{part}, schema, RestoreOptions{Options: Options{Slabs: slabs}})
		if err != nil || r.Len() != keys {
			b.Fatal(err)
		}
		r.Close()
	}
	b.ReportMetric(uploaded.Seconds(), "s/upload")
	b.ReportMetric(float64(w.Written())/(1<<20), "MB-written")
	b.ReportMetric(float64(part.Bytes)/(1<<20), "MB-rows")
}
