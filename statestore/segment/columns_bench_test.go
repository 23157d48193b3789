package segment

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// BenchmarkPack tells what it takes to pack a page of 1024 rows of eight words, many
// pages in turn so that they come from memory, and to leave it at that: the least of
// all rounds.
func BenchmarkPack(b *testing.B) {
	const rows, words, pages = 1024, 8, 512
	r, all := rand.New(rand.NewPCG(1, 5)), make([][]byte, pages)
	for k := range all {
		for i := range rows {
			for c := range words {
				all[k] = binary.LittleEndian.AppendUint64(all[k], uint64(k*rows+i)+r.Uint64()>>(64-8*c))
			}
		}
	}
	var e encoder
	var block []byte
	var took []time.Duration
	for b.Loop() {
		for k := 0; k < pages; k += 8 {
			start := time.Now()
			for _, page := range all[k : k+8] {
				e.rows.skip = 1
				block, _ = e.appendBlock(block[:0], page, words*wordBytes)
			}
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0].Nanoseconds())/(8*rows), "ns/row")
	b.ReportMetric(float64(took[len(took)/4].Nanoseconds())/(8*rows), "quarter-ns/row")
}
