package table

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

// everyType is a definition with a column of each layout.
func everyType() Def {
	return Def{ID: "rel-1", Name: "public.every", Key: []int{1}, Columns: []connector.Column{
		{Name: "b", Type: types.Of(types.Bool)}, {Name: "i", Type: types.Of(types.Int64), NotNull: true}, {Name: "f", Type: types.Of(types.Float64)},
		{Name: "n", Type: types.Of(types.Numeric)}, {Name: "t", Type: types.Of(types.Text)}, {Name: "d", Type: types.Of(types.IntervalK)}, {Name: "u", Type: types.Of(types.UUID)}}}
}

func everyRow(n int64) []types.Value {
	return []types.Value{{Bool: n%2 == 1}, {Int: n}, {Float: float64(n) / 4}, {Dec: types.Decimal{Hi: -1, Lo: uint64(-n), Scale: 2}}, {Bytes: strings.Repeat("é", int(n))},
		{Interval: types.Interval{Micros: n, Days: 2, Months: -3}}, {UUID: [16]byte{15: byte(n)}}}
}

func everyBatch(rows ...[]types.Value) *batch.Batch {
	var ts []types.Type
	for _, c := range everyType().Columns {
		ts = append(ts, c.Type)
	}
	return batch.FromValues(ts, rows)
}

// TestGoldenLog holds the bytes of a log against a file that is never rewritten:
// logs of every earlier version must open.
func TestGoldenLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), everyType()))
	nulls := make([]types.Value, 7)
	for i := range nulls {
		nulls[i] = types.NullValue
	}
	nulls[1] = types.Value{Int: 3}
	_, err := s.Apply(bg(), []Change{{Table: "rel-1", Action: Insert, Rows: everyBatch(everyRow(1), everyRow(2), nulls)}})
	must(t, err)
	_, err = s.Apply(bg(), []Change{{Table: "rel-1", Action: Upsert, Rows: everyBatch(everyRow(2))}})
	must(t, err)
	gone := everyBatch(everyRow(1))
	gone.Ops = []batch.Op{batch.Delete}
	_, err = s.commit(bg(), &pendingTxn{changes: []Change{{Table: "rel-1", Action: Merge, Rows: gone}}, writers: []string{"a pending file"}})
	must(t, err)
	must(t, s.Drop(bg(), "rel-1"))
	must(t, s.Close())
	got, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	must(t, err)
	golden := filepath.Join("testdata", "golden.log")
	want, err := os.ReadFile(golden)
	if os.IsNotExist(err) {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, got, 0o644))
		t.Fatal("the golden log was missing and has been written; look at it and commit it")
	}
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Fatalf("the log has %d bytes that are not those of %s", len(got), golden)
	}
}

func TestRowLayoutRoundTrips(t *testing.T) {
	var ts []types.Type
	for _, c := range everyType().Columns {
		ts = append(ts, c.Type)
	}
	c := newRowCodec(ts)
	special := everyRow(5)
	special[2].Float = math.NaN()
	special[4].Bytes = ""
	special[5] = types.NullValue
	for _, row := range [][]types.Value{everyRow(0), everyRow(9), special} {
		data := c.encode([]byte("before"), everyBatch(row), 0)[6:]
		must(t, c.check(data))
		out := batch.New(c.phys, 1)
		for k := range row {
			c.decode(data, k, out.Cols[k], 0)
			if fmt.Sprint(out.Cols[k].Value(0)) != fmt.Sprint(row[k]) {
				t.Errorf("column %d: %v, want %v", k, out.Cols[k].Value(0), row[k])
			}
		}
	}
}

func TestKeysAreEqualAsInSQL(t *testing.T) {
	one := func(kind types.Kind, v types.Value) string {
		c := newRowCodec([]types.Type{types.Of(kind)})
		return string(c.appendKey(nil, c.encode(nil, batch.FromValues([]types.Type{types.Of(kind)}, [][]types.Value{{v}}), 0), []int{0}))
	}
	dec := func(lo uint64, scale int32) types.Value { return types.Value{Dec: types.Decimal{Lo: lo, Scale: scale}} }
	equal := []struct {
		kind types.Kind
		a, b types.Value
	}{
		{types.Numeric, dec(10, 1), dec(1, 0)},
		{types.Numeric, dec(0, 5), dec(0, 0)},
		{types.Float64, types.Value{Float: 0}, types.Value{Float: math.Copysign(0, -1)}},
		{types.Float64, types.Value{Float: math.NaN()}, types.Value{Float: -math.NaN()}},
		{types.Char, types.Value{Bytes: "a"}, types.Value{Bytes: "a  "}},
		{types.IntervalK, types.Value{Interval: types.Interval{Months: 1}}, types.Value{Interval: types.Interval{Days: 29, Micros: 86_400_000_000}}},
		{types.IntervalK, types.Value{Interval: types.Interval{Days: 1, Micros: -1}}, types.Value{Interval: types.Interval{Micros: 86_399_999_999}}},
	}
	for _, tt := range equal {
		if one(tt.kind, tt.a) != one(tt.kind, tt.b) {
			t.Errorf("%s: %v and %v have different keys", tt.kind, tt.a, tt.b)
		}
	}
	if one(types.Text, types.Value{Bytes: "a"}) == one(types.Text, types.Value{Bytes: "a "}) || one(types.Numeric, dec(11, 1)) == one(types.Numeric, dec(1, 0)) ||
		one(types.Int64, types.Value{}) == one(types.Int64, types.NullValue) {
		t.Error("different values have one key")
	}
}

// FuzzLog opens a store on arbitrary log bytes: it must refuse or recover, and
// never panic.
func FuzzLog(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "golden.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden, 20, []byte{1})
	dir := f.TempDir()
	s, err := Open(dir, Options{NoSync: true})
	must(f, err)
	must(f, s.Create(bg(), keyed("a")))
	x := s.Begin(ReadCommitted)
	must(f, x.AddUnique("a", Unique{Name: "u", Columns: []int{1}}))
	must(f, x.Commit(bg()))
	must(f, s.Close())
	defined, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	must(f, err)
	f.Add(defined, 20, []byte{1})
	f.Fuzz(func(t *testing.T, data []byte, at int, patch []byte) {
		dir := t.TempDir()
		data = append([]byte(nil), data...)
		// Patch the content of the frames and seal them again, so that the fuzzer
		// gets past the checksum.
		for pos := fileHeader; pos < len(data); {
			payload, n, err := openFrame(data[pos:])
			if err != nil {
				break
			}
			if at >= 0 && at < len(payload) {
				copy(payload[at:], patch)
				sealFrame(data[pos:pos+n], 0)
			}
			pos += n
		}
		must(t, os.WriteFile(filepath.Join(dir, segmentName(1)), data, 0o600))
		s, err := Open(dir, Options{NoSync: true})
		if err != nil {
			return
		}
		for _, d := range s.Tables() {
			src, err := s.Source(d.ID)
			must(t, err)
			r, err := src.Open(bg(), connector.Split{ID: SplitID}, []byte("log:0"), []int{0})
			if err == nil {
				_, _ = r.Read(bg(), batch.New([]types.Phys{d.Columns[0].Type.Phys()}, 0), 100)
				r.Close()
			}
		}
		s.Close()
	})
}

// FuzzPayload walks over arbitrary frame contents.
func FuzzPayload(f *testing.F) {
	f.Add(appendTxn(nil, 1, 0))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c := newRowCodec([]types.Type{types.Of(types.Text), types.Of(types.Int64)})
		_ = eachTxn(payload, func(_ uint64, entries []entry) error {
			for _, e := range entries {
				_, _ = decodeTable(e.body)
				cursor, err := openChanges(e.body)
				for err == nil && cursor.left > 0 {
					var row []byte
					if _, _, row, err = cursor.next(); err == nil && c.check(row) == nil {
						c.appendKey(nil, row, []int{0, 1})
					}
				}
			}
			return nil
		})
	})
}
