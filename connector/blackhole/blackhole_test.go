package blackhole

import (
	"context"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

func TestCountsLiveRows(t *testing.T) {
	ctx := context.Background()
	counts := &Counts{}
	sink, err := Kind(counts).NewSink(ctx, connector.Spec{Relation: "public.hole", Options: map[string]string{"connector": "blackhole", "delivery": "at_least_once"}}, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := sink.Open(ctx, connector.WriterID{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*batch.Batch{{N: 5}, {N: 5, Sel: []uint16{1, 3}}, {}} {
		if err := w.Write(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := w.PreCommit(ctx, 1); c != nil || err != nil {
		t.Fatal(c, err)
	}
	if counts.Rows("public.hole") != 7 || counts.Rows("public.other") != 0 {
		t.Fatal(counts.Rows("public.hole"))
	}
	if _, err := Kind(nil).NewSink(ctx, connector.Spec{Options: map[string]string{"path": "x"}}, connector.Env{}); err == nil {
		t.Fatal("an unknown option was taken")
	}
}
