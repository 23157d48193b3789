package pgwire

import (
	"context"
	"testing"

	"github.com/millrace/millrace/server/session"
)

// BenchmarkEncode is the cost of DataRows alone: (bigint, text).
func BenchmarkEncode(b *testing.B) {
	batch, err := (&counter{n: 1000}).Next(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	s, err := session.NewManager(session.Options{Handler: &fakeHandler{}, Parse: fakeParse}).Open(session.Start{}, &conn{})
	if err != nil {
		b.Fatal(err)
	}
	for _, format := range []int16{textFormat, binaryFormat} {
		b.Run([]string{"text", "binary"}[format], func(b *testing.B) {
			var e rowEncoder
			if err := e.prepare(pairColumns, []int16{format}, s); err != nil {
				b.Fatal(err)
			}
			out := make([]byte, 0, 2*flushBytes)
			rows := 0
			for b.Loop() {
				for k := 0; k < batch.Live(); {
					if out, k, err = e.append(out[:0], batch, k); err != nil {
						b.Fatal(err)
					}
				}
				rows += batch.Live()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
