package job

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// TestLookupWhilePublishing reads rows of cuts by key and by value while epochs
// are published, and now and then another table as after a restart.
func TestLookupWhilePublishing(t *testing.T) {
	const keys, epochs = 500, 200
	column := func(name string) []graph.Column { return []graph.Column{{Name: name, Type: types.Of(types.Int64)}} }
	v := newView()
	v.setSpec(&graph.Materialize{Key: []int{0}})
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for _, name := range []int{0, 1} { // the column that is looked up
		readers.Add(1)
		go func() {
			defer readers.Done()
			looked := 0
			for {
				select {
				case <-stop:
					if looked == 0 {
						t.Errorf("no lookup by column %d", name)
					}
					return
				default:
				}
				c, err := v.Read(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				checkCut(t, c, name)
				looked++
				c.Release()
			}
		}()
	}
	var table *state.Table
	var err error
	for epoch := range uint64(epochs) {
		if epoch%50 == 0 {
			if table, err = state.NewTable(graph.Table{Keys: column("k"), Columns: column("n")}, state.Options{PageBytes: 1024}); err != nil {
				t.Fatal(err)
			}
		}
		n := 20
		in := []*batch.Column{batch.NewColumn(types.PhysInt, n), batch.NewColumn(types.PhysInt, n)}
		for i := range n {
			in[0].Int[i], in[1].Int[i] = int64(rand.IntN(keys)), int64(rand.IntN(20))
		}
		rows := make([]unsafe.Pointer, n)
		table.FindOrInsert(in[:1], n, nil, make([]state.RowID, n), rows, nil)
		for i, row := range rows {
			*(*int64)(unsafe.Add(row, table.Column(0))) = in[1].Int[i]
		}
		v.publish(epoch+1, []*state.Snapshot{table.Seal(epoch + 1)}, false)
		time.Sleep(100 * time.Microsecond)
	}
	close(stop)
	readers.Wait()
	v.close(nil)
}

// checkCut looks a value of the column up and compares with a scan of the cut.
func checkCut(t *testing.T, c *Cut, column int) {
	part := c.Parts[0]
	out := batch.NewColumn(types.PhysInt, 0)
	var values []int64
	var rows []unsafe.Pointer
	all, _ := part.Rows(0, part.Len(), nil)
	part.ReadColumn(column, all, out)
	values = append(values, out.Int[:len(all)]...)
	want := values[rand.IntN(len(values))]
	low := types.Ordered{}.AppendInt(nil, want)
	scan := c.Lookup([]state.LookupColumn{{Column: column}}, []state.LookupRange{{Low: low, High: types.OrderedAfter(slices.Clone(low))}}, false)
	places := scan.Next(len(values)+1, nil)
	var ids []state.RowID
	for _, p := range places {
		ids = append(ids, p.ID)
	}
	rows = part.At(ids, rows)
	for i, row := range all {
		if values[i] == want && !slices.Contains(rows, row) {
			t.Errorf("a row with %d in column %d is not found", want, column)
		}
	}
	if n := len(places); n != len(slices.DeleteFunc(values, func(v int64) bool { return v != want })) {
		t.Errorf("%d rows with %d in column %d are found, which is not all there are", n, want, column)
	}
}

// TestIndexesThatNobodyReadsAreGivenUp drops an index whose entries have changed many
// times since somebody read it, and no other.
func TestIndexesThatNobodyReadsAreGivenUp(t *testing.T) {
	const rows = indexUnusedMin / indexUnusedMax
	column := func(name string) []graph.Column { return []graph.Column{{Name: name, Type: types.Of(types.Int64)}} }
	table, err := state.NewTable(graph.Table{Keys: column("k"), Columns: column("n")}, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := newView()
	v.setSpec(&graph.Materialize{Key: []int{0}})
	epoch := uint64(0)
	publish := func() {
		epoch++
		key := batch.NewColumn(types.PhysInt, batch.RowsDefault)
		ids, at := make([]state.RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
		for from := 0; from < rows; from += batch.RowsDefault {
			n := min(batch.RowsDefault, rows-from)
			for i := range n {
				key.Int[i] = int64(from + i)
			}
			table.FindOrInsert([]*batch.Column{key}, n, nil, ids, at, nil)
			for i, row := range at[:n] {
				*(*int64)(unsafe.Add(row, table.Column(0))) = int64(epoch)<<32 + int64(i)
			}
		}
		v.publish(epoch, []*state.Snapshot{table.Seal(epoch)}, false)
	}
	publish()
	c, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	read := func(column int) {
		c.Lookup([]state.LookupColumn{{Column: column}}, []state.LookupRange{{}}, false)
	}
	read(0)
	read(1)
	for range indexUnusedMax + 2 {
		publish()
	}
	if _, other := v.indexes["[{1 {false false false}}]"]; len(v.indexes) != 1 || other {
		t.Fatalf("indexes %v are kept", v.indexes)
	}
	read(1)
	for range indexUnusedMax {
		publish()
		read(1)
	}
	if len(v.indexes) != 2 {
		t.Fatal("an index that is read is given up")
	}
	v.close(nil)
}

// TestIndexStaysWhicheverTaskReportsFirst publishes epochs whose tasks report in turns:
// an index that was made for one order must be brought forward in the other.
func TestIndexStaysWhicheverTaskReportsFirst(t *testing.T) {
	column := func(name string) []graph.Column { return []graph.Column{{Name: name, Type: types.Of(types.Int64)}} }
	v := newView()
	v.setSpec(&graph.Materialize{Key: []int{0}})
	defer v.close(nil)
	var tables [3]*state.Table
	for i := range tables {
		var err error
		if tables[i], err = state.NewTable(graph.Table{Keys: column("k"), Columns: column("n")}, state.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	by := []state.LookupColumn{{Column: 0}}
	var made *viewIndex
	for epoch := range uint64(20) {
		var reports []exec.Report
		for _, task := range rand.Perm(len(tables)) {
			op := exec.OperatorSnapshot{Task: task, View: true, Tables: map[string]*state.Snapshot{"": tables[task].Seal(epoch + 1)}}
			reports = append(reports, exec.Report{Task: task, Operators: []exec.OperatorSnapshot{{}, op}})
		}
		v.publish(epoch+1, viewParts(reports), false)
		for i := range reports {
			reports[i].Release()
		}
		x := v.index(by)
		if made != nil && x != made {
			t.Fatalf("the index was made again for epoch %d", epoch+1)
		}
		made = x
	}
}
