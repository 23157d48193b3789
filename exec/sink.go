package exec

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// sinkWriter is the operator that hands rows to a connector's writer.
type sinkWriter struct {
	Stateless
	ctx    context.Context
	writer connector.Writer
	shape  func(in *batch.Batch) *batch.Batch // to the relation's columns
}

// OnBatch writes the rows.
func (s *sinkWriter) OnBatch(_ int, in *batch.Batch, _ Output) error {
	return s.writer.Write(s.ctx, s.shape(in))
}

func (s *sinkWriter) preCommit(b Barrier) ([]byte, error) {
	return s.writer.PreCommit(s.ctx, b.Epoch)
}
