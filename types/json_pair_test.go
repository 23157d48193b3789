package types

import "testing"

// TestAppendJSONObject makes objects as they print that were read with all their fields.
func TestAppendJSONObject(t *testing.T) {
	for _, c := range []struct {
		fields []JSONPair
		text   string
	}{
		{nil, `{}`},
		{[]JSONPair{{"b", "1"}, {"a", `[1, {"x": null}]`}, {"", `"s"`}}, `{"b":1,"a":[1,{"x":null}],"":"s"}`},
		{[]JSONPair{{"b", "1"}, {"aa", "2"}, {"b", "3"}, {"é\"\n", "4"}, {"b", "null"}}, `{"b":1,"aa":2,"b":3,"é\"\n":4,"b":null}`},
	} {
		whole, err := ParseJSON(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendJSONObject(nil, c.fields)); got != whole.String() {
			t.Errorf("%s, want %s", got, whole)
		}
	}
}
