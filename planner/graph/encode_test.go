package graph

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// golden are graphs as the first release writes them. Those in it are never
// rewritten: they stand for what is in users' buckets. New kinds come at the end.
func golden(t testing.TB) []json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGolden(t *testing.T) {
	for i, raw := range golden(t) {
		g, err := Decode(raw)
		if err != nil {
			t.Errorf("graph %d: %v", i, err)
			continue
		}
		back, err := Encode(g)
		if err != nil {
			t.Errorf("graph %d: %v", i, err)
			continue
		}
		var was, is any
		if json.Unmarshal(raw, &was) != nil || json.Unmarshal(back, &is) != nil || !reflect.DeepEqual(was, is) {
			t.Errorf("graph %d loses something in reading", i)
		}
	}
}

func TestRefused(t *testing.T) {
	good := string(golden(t)[2])
	for _, c := range []struct{ name, data, want string }{
		{"nothing", "", "unexpected end"},
		{"no JSON", "{", "unexpected end"},
		{"no version", "{}", "version 0"},
		{"a later version", `{"version":2,"operators":[]}`, "version 2"},
		{"cut off", good[:len(good)/2], "unexpected end"},
		{"unknown kind", strings.Replace(good, `"kind":"union"`, `"kind":"onion"`, 1), "onion"},
		{"a column that is not there", strings.Replace(good, `"keys":[0]`, `"keys":[70]`, 1), "no column 70"},
		{"a loop", strings.Replace(good, `"inputs":[{"operator":0`, `"inputs":[{"operator":9`, 1), "does not come before"},
		{"an unknown function", strings.Replace(good, `"func":"max"`, `"func":"mix"`, 1), `"mix"`},
		{"the same id twice", strings.Replace(good, `"id":"sink(b)"`, `"id":"sink(a)"`, 1), "not unique"},
		{"no table", strings.Replace(good, `"tables":`, `"stables":`, 1), "state table"},
		{"an impossible type", strings.Replace(good, `"type":{"kind":5}`, `"type":{"kind":99}`, 1), "unusable type"},
	} {
		if c.data == good {
			t.Errorf("%s: nothing was changed", c.name)
		}
		_, err := Decode([]byte(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzDecode: whatever is in a bucket, Decode answers with a graph that encodes
// again, or with an error.
func FuzzDecode(f *testing.F) {
	for _, raw := range golden(f) {
		f.Add([]byte(raw))
	}
	f.Add([]byte(`{"version":1,"operators":[{"id":"x","kind":"apply","apply":{"sub":null}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := Decode(data)
		if err != nil {
			return
		}
		if _, err := Encode(g); err != nil {
			t.Fatalf("a decoded graph does not encode: %v", err)
		}
	})
}
