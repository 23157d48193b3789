package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func sample() *Metadata {
	table := &Table{Name: "", Columns: []Column{{Name: "auction", Type: json.RawMessage(`{"kind":5}`), Key: true}, {Name: "count(*)", Type: json.RawMessage(`{"kind":5}`)}},
		Groups: [2]int{0, 512}, Rows: 5, Bytes: 120, End: 5, RowBytes: 24, RowsPerPage: 4,
		Pages:    PageMap{{Segment: 0, Offset: 8, Length: 60, Bytes: 96, Checksum: 0x01020304}, {Segment: 1, Offset: 0, Length: 20, Bytes: 24, Checksum: 7}},
		Strings:  PageMap{{}, {Segment: 0, Offset: 68, Length: 32, Bytes: 40, Checksum: 9}},
		Segments: []Segment{{Name: "job/shared/r-3-0-0.seg", Size: 100, Checksum: 0xdeadbeef, Bytes: 92}, {Size: 20, Bytes: 20}},
		Inline:   bytes.Repeat([]byte{1, 2}, 10)}
	return &Metadata{Kind: Checkpoint, Format: Native, JobID: "j1b2c3d4", JobName: "bids per auction", Incarnation: "r", Engine: "0.1", Checkpoint: 3, Epoch: 17, Created: 1_700_000_000_000_000,
		Parallelism: 2, SQL: "SELECT auction, count(*) FROM bid GROUP BY auction -- <&>", Options: map[string]string{"checkpoint_interval": "5s"}, Graph: json.RawMessage(`{"version":1}`),
		Operators: []Operator{{ID: "source(bid)", Tasks: []Task{{Task: 0, Blobs: map[string][]byte{"splits": []byte("offset")}}}}, {ID: "aggregate(bid by auction)", Kind: "aggregate", Tasks: []Task{{Task: 0, Tables: []*Table{table}}, {Task: 1}}}}}
}

// TestGolden reads what version 1 wrote. The file is never rewritten.
func TestGolden(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "v1_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, sample()) {
		t.Errorf("it reads differently: %+v", m)
	}
}

func TestRoundTrip(t *testing.T) {
	data, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, sample()) {
		t.Errorf("got %+v", m)
	}
	if s := m.Segments(); len(s) != 1 || s[0].Name != "job/shared/r-3-0-0.seg" {
		t.Errorf("segments: %v", s)
	}
	if rows, bytes := m.Size(); rows != 5 || bytes != 112 {
		t.Errorf("%d rows, %d bytes", rows, bytes)
	}
	if op := m.Find("aggregate(bid by auction)"); op == nil || len(op.Tables("")) != 1 || m.Find("x") != nil {
		t.Error("the operator is not found")
	}
}

func TestRefusals(t *testing.T) {
	good, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 2
		if m, err := Decode(bad); err == nil && !reflect.DeepEqual(m, sample()) {
			t.Fatalf("byte %d changed unnoticed", i)
		}
		if _, err := Decode(good[:i]); i < len(good)-1 && !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	for what, change := range map[string]func(m *Metadata){
		"kind":             func(m *Metadata) { m.Kind = "x" },
		"operator twice":   func(m *Metadata) { m.Operators[1].ID = m.Operators[0].ID },
		"tasks out of row": func(m *Metadata) { m.Operators[1].Tasks[1].Task = 0 },
		"null table":       func(m *Metadata) { m.Operators[0].Tasks[0].Tables = []*Table{nil} },
		"segment missing":  func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].Pages[0].Segment = 2 },
		"beyond segment":   func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].Pages[0].Length = 99 },
		"page missing":     func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].End = 9 },
		"odd rows":         func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].RowBytes = 20 },
		"leads elsewhere":  func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].Segments[0].Name = "a/../../b" },
		"inline size":      func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].Inline = nil },
		"groups":           func(m *Metadata) { m.Operators[1].Tasks[0].Tables[0].Groups = [2]int{4, 4} },
	} {
		m := sample()
		change(m)
		if _, err := Encode(m); err == nil {
			t.Errorf("%s is not refused", what)
		}
	}
	newer := strings.Replace(string(good), `"millrace":1`, `"millrace":2`, 1)
	if _, err := Decode([]byte(newer)); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a newer format: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"millrace":1,"crc32c":"00000000","metadata":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Decode(again); err != nil || !reflect.DeepEqual(m, n) {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func FuzzPageMap(f *testing.F) {
	seed, err := json.Marshal(sample().Operators[1].Tasks[0].Tables[0].Pages)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`"AA=="`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, n PageMap
		if json.Unmarshal(data, &m) != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &n); err != nil || !reflect.DeepEqual(m, n) {
			t.Fatalf("round trip: %v", err)
		}
	})
}
