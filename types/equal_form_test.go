package types

import "testing"

func TestEqualForm(t *testing.T) {
	numerics, intervals := ArrayOf(Of(Numeric)), ArrayOf(Of(IntervalK))
	for _, c := range []struct {
		t     Type
		a, b  string
		equal bool
	}{
		{Of(JSONB), `1`, `1.0`, true},
		{Of(JSONB), `[0.0, -1.50, 10]`, `[0, -1.5, 10.00]`, true},
		{Of(JSONB), `{"1.0": "1.0", "b": 1.0}`, `{"1.0": "1.0", "b": 1}`, true},
		{Of(JSONB), `{"a\\\"": 2.0}`, `{"a\\\"": 2}`, true},
		{Of(JSONB), `"1.0"`, `"1"`, false},
		{Of(JSONB), `"\"1.0"`, `"\"1"`, false},
		{Of(JSONB), `100`, `1`, false},
		{Of(JSONB), `0.01`, `0.1`, false},
		{numerics, `{1.0,NULL,100}`, `{1,NULL,100.00}`, true},
		{numerics, `{1,2}`, `{{1,2}}`, false},
		{numerics, `{1,2}`, `[0:1]={1,2}`, false},
		{ArrayOf(Of(Float64)), `{0,NaN}`, `{-0,NaN}`, true},
		{intervals, `{1 mon}`, `{720:00:00}`, true},
		{intervals, `{1 mon}`, `{31 days}`, false},
		{ArrayOf(Of(JSONB)), `{1.0,"[2.0]"}`, `{1,"[2]"}`, true},
		{Of(Char), `a`, `a  `, true},
		{Of(Char), ` a`, `a`, false},
	} {
		if !c.t.Loose() {
			t.Errorf("%s is not loose", c.t)
		}
		a, err1 := ParseText(c.t, c.a, &ParseOptions{})
		b, err2 := ParseText(c.t, c.b, &ParseOptions{})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		same := string(AppendEqualForm(nil, c.t, a.Bytes)) == string(AppendEqualForm(nil, c.t, b.Bytes))
		if same != c.equal || c.equal != (Compare(c.t, &a, &b) == 0) {
			t.Errorf("%s %s and %s: one form %v, compared %d, want equal %v", c.t, c.a, c.b, same, Compare(c.t, &a, &b), c.equal)
		}
	}
	for _, exact := range []Type{Of(Text), {Kind: Char, Precision: 3, HasPrecision: true}, Of(Bytea), ArrayOf(Of(Int64)), ArrayOf(Of(Text))} {
		if exact.Loose() {
			t.Errorf("%s is loose", exact)
		}
	}
}

// The form is what key groups come from, so it stays as it is.
func TestEqualFormStays(t *testing.T) {
	const from, to = `{"a.0": [1.00, -0.50, 10, "2.0", 0.0]}`, `{"a.0": [1, -0.5, 10, "2.0", 0]}`
	if got := string(AppendEqualForm(nil, Of(JSONB), from)); got != to {
		t.Errorf("%s became %s, not %s", from, got, to)
	}
	one := Decimal{Lo: 1}
	list := EncodeList(Of(Numeric), []Value{{Dec: Decimal{Lo: 100, Scale: 2}}, NullValue})
	if got := string(AppendEqualForm(nil, ArrayOf(Of(Numeric)), list)); got != EncodeList(Of(Numeric), []Value{{Dec: one}, NullValue}) {
		t.Errorf("the form of {1.00,NULL} is %x", got)
	}
}
