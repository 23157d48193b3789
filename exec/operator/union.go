package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
)

// union passes on the rows of all its ports; the runtime merges watermarks and
// barriers. It keeps no state. Changelog modes: any in, the same out.
type union struct{ exec.Stateless }

// OnBatch implements exec.Operator.
func (union) OnBatch(_ int, in *batch.Batch, out exec.Output) error { return out.Emit(in) }
