package eval

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

const benchRows = 1024

func benchBatch() *batch.Batch {
	a, b, s, d := batch.NewColumn(types.PhysInt, 0), batch.NewColumn(types.PhysInt, 0), batch.NewColumn(types.PhysBytes, 0), batch.NewColumn(types.PhysDecimal, 0)
	for i := range benchRows {
		a.Append(types.Value{Int: int64(i * 7919 % 1000)})
		b.Append(types.Value{Int: 1_700_000_000_000_000 + int64(i)*997_000_000})
		s.Append(types.Value{Bytes: fmt.Sprintf("https://www.nexmark.com/abc/%d/item.htm?query=1&channel_id=%d", i, i*31)})
		d.Append(types.Value{Dec: types.Decimal{Lo: uint64(i * 13), Scale: 2}})
	}
	return &batch.Batch{N: benchRows, Cols: []*batch.Column{a, b, s, d}}
}

func benchEval(b *testing.B, e *scalar.Expr) {
	in := benchBatch()
	p, err := Compile(e, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Eval(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

func BenchmarkAdd(b *testing.B) {
	benchEval(b, fn("+(bigint,bigint)", col(0, types.Int64), num(1)))
}

func BenchmarkMultiply(b *testing.B) {
	benchEval(b, fn("*(bigint,bigint)", col(0, types.Int64), num(89)))
}

func BenchmarkDecimalMultiply(b *testing.B) {
	benchEval(b, fn("*(numeric,numeric)", col(3, types.Numeric), lit(types.Numeric, types.Value{Dec: types.Decimal{Lo: 908, Scale: 3}})))
}

func BenchmarkLike(b *testing.B) {
	benchEval(b, fn("~~(text,text)", col(2, types.Text), lit(types.Text, types.Value{Bytes: "%channel_id=3%"})))
}

func BenchmarkExtractHour(b *testing.B) {
	benchEval(b, fn("extract(text,timestamp)", lit(types.Text, types.Value{Bytes: "hour"}), col(1, types.Timestamp)))
}

func BenchmarkSplitIndex(b *testing.B) {
	benchEval(b, fn("split_index(text,text,integer)", col(2, types.Text), lit(types.Text, types.Value{Bytes: "/"}), lit(types.Int32, types.Value{Int: 3})))
}

func BenchmarkRegexpExtract(b *testing.B) {
	benchEval(b, fn("regexp_extract(text,text,integer)", col(2, types.Text), lit(types.Text, types.Value{Bytes: `(&|^)channel_id=([^&]*)`}), lit(types.Int32, types.Value{Int: 2})))
}

func BenchmarkLower(b *testing.B) { benchEval(b, fn("lower(text)", col(2, types.Text))) }

func BenchmarkCountChar(b *testing.B) {
	benchEval(b, fn("count_char(text,text)", col(2, types.Text), lit(types.Text, types.Value{Bytes: "c"})))
}

func BenchmarkSelectConst(b *testing.B) {
	in := benchBatch()
	p, err := CompilePredicate(fn("<(bigint,bigint)", col(0, types.Int64), num(500)), Options{})
	if err != nil {
		b.Fatal(err)
	}
	var sel []uint16
	b.ReportAllocs()
	for b.Loop() {
		if sel, err = p.Select(in, sel); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}
