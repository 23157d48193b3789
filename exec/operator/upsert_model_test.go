package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestUpsertModel runs random rows through upsert operators: what comes out adds up to
// the last row of each key, and where each row is to be seen, every one comes out.
func TestUpsertModel(t *testing.T) {
	seed := random.Seed(t)
	const one, two = "input v bigint, k text, n float\n", "input v bigint, k text, n bigint\n"
	for i, head := range []string{one + "upsert by k", one + "upsert each by k", two + "upsert by n, k", two + "upsert each by n, k", "bounded\n" + one + "upsert by k"} {
		t.Run(head, func(t *testing.T) {
			for round := range random.Rounds(20) {
				checkUpsert(t, head, rand.New(rand.NewPCG(seed, uint64(100*i+round))))
			}
		})
	}
}

func checkUpsert(t *testing.T, head string, rng *rand.Rand) {
	t.Helper()
	s, err := parseScript(head)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	changes := 0 // that must come out if each row is seen
	for range 20 + rng.IntN(200) {
		switch rng.IntN(12) {
		case 0:
			s.steps = append(s.steps, step{kind: "batch"})
			continue
		case 1:
			s.steps = append(s.steps, step{kind: "barrier"})
			continue
		}
		row := make([]types.Value, len(s.fields))
		for c, f := range s.fields {
			n := rng.IntN(3)
			row[c] = map[types.Kind]types.Value{types.Text: {Bytes: string(rune('a' + n))}, types.Int64: {Int: int64(n)}, types.Float64: {Float: float64(n) / 2}}[f.Type.Kind]
			if rng.IntN(8) == 0 {
				row[c] = types.NullValue
			}
		}
		s.add(0, batch.Insert, row)
		key, text := "", ""
		for c, f := range s.fields {
			word := showValue(f.Type, row[c]) + " "
			if text += word; slices.Contains(s.op.Upsert.Key, c) {
				key += word
			}
		}
		if was, ok := last[key]; !ok {
			changes++
		} else if was != text {
			changes += 2
		}
		last[key] = text
	}
	s.steps = append(s.steps, step{kind: "barrier"}, step{kind: "end"})
	want := map[string]int{}
	for _, text := range last {
		want[text[:len(text)-1]]++
	}
	for _, rows := range []int{1, 3, 1024} {
		for _, m := range []mode{{batch: rows, tasks: []int{1}}, {batch: rows, tasks: []int{1}, restart: true}, {batch: rows, tasks: []int{1, 3, 2}, restart: true}} {
			got := s.run(t, m)
			switch {
			case !maps.Equal(got.total, want):
				t.Fatalf("%+v: the output adds up to\n%v\nwant\n%v\nof\n%s", m, show(got.total), show(want), s)
			case got.state != len(want):
				t.Fatalf("%+v: %d rows of state, want %d of\n%s", m, got.state, len(want), s)
			case s.op.Upsert.Each && got.emitted != changes:
				t.Fatalf("%+v: %d rows came out, want %d of\n%s", m, got.emitted, changes, s)
			case got.emitted > changes:
				t.Fatalf("%+v: %d rows came out, of at most %d changes in\n%s", m, got.emitted, changes, s)
			}
		}
	}
}

// A key whose row is due begins anew, without anything being taken back.
func TestLifetimeModelUpsert(t *testing.T) {
	for _, op := range []string{"upsert by k", "upsert each by k"} {
		eachRun(t, 1, false, func(x ttlRun) {
			text := x.script("input k bigint, v bigint\n"+op, func(r ttlRow) string { return fmt.Sprintf("+ %d %d", r.k, r.v) })
			keys := newTTLModel[int](x.ttl)
			want := map[string]int{}
			for _, e := range x.epochs {
				for _, r := range e.rows {
					if v, ok := keys.get(fmt.Sprint(r.k), e.at); ok {
						want[fmt.Sprintf("%d %d", r.k, v)]--
					}
					keys.put(fmt.Sprint(r.k), e.at, r.v)
					want[fmt.Sprintf("%d %d", r.k, r.v)]++
				}
			}
			expectTotal(t, text, x.result(t, text), want)
		})
	}
}
