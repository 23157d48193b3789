package eval

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

func randomText(r *rand.Rand, letters []rune, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// TestLoweredWords compares with making the lower case, characters beyond ASCII
// and broken ones included.
func TestLoweredWords(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200_000 {
		words := []string{randomText(r, []rune("abik"), 4), randomText(r, []rune("abik1"), 6)}
		s := randomText(r, []rune("aAbBiIkKİKß1"), 6)
		if r.IntN(9) == 0 && s != "" {
			s = s[:len(s)-1]
		}
		low := string(appendMapped(nil, s, false))
		if got, want := newLowered(words).has(s), low == words[0] || low == words[1]; got != want {
			t.Fatalf("seed %d: lower(%q) in %q: %v", seed, s, words, got)
		}
	}
	for _, w := range []string{"Apple", "é", strings.Repeat("x", 64)} {
		if newLowered([]string{w}) != nil {
			t.Errorf("took %q", w)
		}
	}
}

// TestPackedWords compares short words in a column with the same one by one: strings
// that differ in a bit or in their length, and at the end of the column's text.
func TestPackedWords(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		var words []string
		for range 1 + r.IntN(4) {
			words = append(words, randomText(r, []rune("abckz{@[`01 "), 8))
		}
		l := newLowered(words)
		if l == nil || l.packed == nil {
			t.Fatalf("seed %d: %q are not packed", seed, words)
		}
		col := &batch.Column{Phys: types.PhysBytes}
		for range 1 + r.IntN(40) {
			s := words[r.IntN(len(words))]
			switch r.IntN(6) {
			case 0:
				s = strings.ToUpper(s)
			case 1:
				if b := []byte(s); len(b) > 0 {
					b[r.IntN(len(b))] ^= 1 << r.IntN(8)
					s = string(b)
				}
			case 2:
				s += randomText(r, []rune("\x00aAKk"), 9)
			case 3:
				s = strings.Replace(s, "k", "\u212a", 1)
			case 4:
				s = randomText(r, []rune("aAbBkK\u212a\u0130"), 8)
			}
			col.Views = append(col.Views, col.AddStr(s))
		}
		n := len(col.Views)
		out := make([]bool, n)
		c := &call{cols: []*batch.Column{col}, out: batch.Column{Phys: types.PhysBool, Bool: out}}
		l.run(&frame{n: n}, c, nil)
		for i := range n {
			s := col.Str(i)
			low, want := string(appendMapped(nil, s, false)), false
			for _, w := range words {
				want = want || low == w
			}
			if out[i] != want {
				t.Fatalf("seed %d: lower(%q) in %q: %t, want %t", seed, s, words, out[i], want)
			}
		}
	}
}

// TestFindBytes compares the searches with those of package strings.
func TestFindBytes(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	letters := []rune("ab/=_\x80\x81\xff")
	for range 200_000 {
		s, n := randomText(r, letters, 40), 1+r.IntN(6)
		parts := strings.Split(s, "/")
		want := -1
		if n < len(parts) {
			want = len(strings.Join(parts[:n], "/"))
		}
		if got := nthByte(s, '/', n); got != want {
			t.Fatalf("seed %d: %d. / of %q: %d, not %d", seed, n, s, got, want)
		}
		lo, hi, ok := splitByte(s, '/', n)
		if ok != (n <= len(parts)) || ok && s[lo:hi] != parts[n-1] {
			t.Fatalf("seed %d: part %d of %q: %d, %d, %v", seed, n, s, lo, hi, ok)
		}
		literal := randomText(r, letters, 3) + "b"
		from := r.IntN(len(s) + 1)
		if want = strings.Index(s[from:], literal); want >= 0 {
			want += from
		}
		if got := newFinder(literal).in(s, from); got != want {
			t.Fatalf("seed %d: %q in %q from %d: %d, not %d", seed, literal, s, from, got, want)
		}
	}
}

// TestLogicOrder compares AND and OR that may be reordered or flat with what
// three-valued logic says, as filters and as values.
func TestLogicOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	text := func(s string) *scalar.Expr { return lit(types.Text, types.Value{Bytes: s}) }
	args := []*scalar.Expr{
		fn("=(text,text)", fn("lower(text)", col(1, types.Text)), text("ab")),
		fn("<(bigint,bigint)", col(0, types.Int64), num(3)),
		fn("~~(text,text)", col(1, types.Text), text("%a%")),
		fn(">=(bigint,bigint)", col(0, types.Int64), num(2)),
		{Op: scalar.OpIn, Type: types.Of(types.Bool), Args: []*scalar.Expr{fn("lower(text)", col(1, types.Text)), text("a"), text("ab"), text("b")}},
		fn("<>(bigint,bigint)", col(0, types.Int64), num(1)),
	}
	for round := range 400 {
		in := &batch.Batch{N: 1 + r.IntN(60), Cols: []*batch.Column{batch.NewColumn(types.PhysInt, 0), batch.NewColumn(types.PhysBytes, 0)}}
		for range in.N {
			v, s := types.Value{Int: r.Int64N(5)}, types.Value{Bytes: randomText(r, []rune("aAbB"), 3)}
			if round%2 == 1 && r.IntN(4) == 0 {
				v = types.NullValue
			}
			if round%4 == 3 && r.IntN(4) == 0 {
				s = types.NullValue
			}
			in.Cols[0].Append(v)
			in.Cols[1].Append(s)
		}
		if round%3 == 0 {
			in.Sel = []uint16{}
			for i := range in.N {
				if r.IntN(2) == 0 {
					in.Sel = append(in.Sel, uint16(i))
				}
			}
		}
		e := &scalar.Expr{Op: scalar.OpAnd, Type: types.Of(types.Bool)}
		if round%5 < 2 {
			e.Op = scalar.OpOr
		}
		for range 2 + r.IntN(2) {
			e.Args = append(e.Args, args[r.IntN(len(args))])
		}
		checkLogic(t, e, in)
	}
}

func checkLogic(t *testing.T, e *scalar.Expr, in *batch.Batch) {
	t.Helper()
	p, err := Compile(e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Eval(in)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := CompilePredicate(e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := filter.Select(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	passes := map[int]bool{}
	for _, i := range kept {
		passes[int(i)] = true
	}
	or := e.Op == scalar.OpOr
	for k := range in.Live() {
		i := in.RowAt(k)
		null, decided := false, false
		for _, a := range e.Args {
			one := &batch.Batch{N: in.N, Cols: in.Cols, Sel: []uint16{uint16(i)}}
			pa, err := Compile(a, Options{})
			if err != nil {
				t.Fatal(err)
			}
			v, err := pa.Eval(one)
			if err != nil {
				t.Fatal(err)
			}
			null = null || v.IsNull(i)
			decided = decided || !v.IsNull(i) && v.Bool[i] == or
		}
		want := !or
		if decided {
			want, null = or, false
		}
		if c.IsNull(i) != null || !null && c.Bool[i] != want || passes[i] != (want && !null) {
			t.Fatalf("row %d: %v, null %v, passes %v; want %v, null %v", i, c.Bool[i], c.IsNull(i), passes[i], want, null)
		}
	}
}

// TestDecimalConstants compares products and comparisons with a constant with
// those of single numbers.
func TestDecimalConstants(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	number := func() types.Decimal {
		d := types.DecimalFromInt(r.Int64N(1<<(1+r.IntN(62))) - 1<<r.IntN(20))
		d.Scale = int32(r.IntN(4))
		switch r.IntN(30) {
		case 0:
			return types.NaN
		case 1:
			return types.Decimal{Special: types.DecimalNegInf}
		case 2:
			d.Hi, d.Scale = r.Int64N(1<<40)-1<<39, int32(r.IntN(20))
		}
		return d
	}
	for range 2000 {
		k, c := number(), batch.NewColumn(types.PhysDecimal, 0)
		n := 1 + r.IntN(20)
		for range n {
			v := types.Value{Dec: number()}
			switch r.IntN(9) {
			case 0:
				v = types.NullValue
			case 1:
				v.Dec = k
			}
			c.Append(v)
		}
		in := &batch.Batch{N: n, Cols: []*batch.Column{c}}
		constant := lit(types.Numeric, types.Value{Dec: k})
		p, err := Compile(fn("*(numeric,numeric)", constant, col(0, types.Numeric)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		product, errs := p.Eval(in)
		failed := map[int]bool{}
		for _, e := range BadRows(errs) {
			failed[e.Row] = true
		}
		for i := range n {
			want, err := c.Dec[i].Mul(k)
			if failed[i] != (err != nil && !c.IsNull(i)) || !failed[i] && !c.IsNull(i) && product.Dec[i] != want {
				t.Fatalf("seed %d: %v × %v = %v, want %v", seed, c.Dec[i], k, product.Dec[i], want)
			}
		}
		for op, is := range map[string]func(int) bool{"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 }, "<": func(c int) bool { return c < 0 },
			"<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 }} {
			s, err := CompilePredicate(fn(op+"(numeric,numeric)", col(0, types.Numeric), constant), Options{})
			if err != nil {
				t.Fatal(err)
			}
			kept, err := s.Select(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				passed := len(kept) > 0 && int(kept[0]) == i
				if passed {
					kept = kept[1:]
				}
				if want := !c.IsNull(i) && is(c.Dec[i].Cmp(k)); passed != want {
					t.Fatalf("seed %d: %v %s %v: %v", seed, c.Dec[i], op, k, passed)
				}
			}
		}
	}
}
