package operator

import (
	"errors"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/eval"
)

// inParts is how an operator without state evaluates its expressions: a batch whose
// strings take too much room is evaluated in halves. One row may come to hundreds of
// megabytes, a batch of such rows to more than there is.
type inParts struct {
	set   func(parts bool) // of the expressions
	whole bool             // the batch is to be evaluated as it is
}

// may says that batches may be cut, or not.
func (p *inParts) may(set func(parts bool), cut bool) {
	p.set, p.whole = set, !cut
	set(cut)
}

// cuts reports whether an evaluation's error is about a batch that may be cut.
func (p *inParts) cuts(err error) bool {
	return err != nil && !p.whole && errors.Is(err, eval.ErrTooLarge)
}

// each calls one for the halves of a batch.
func (p *inParts) each(in *batch.Batch, one func(in *batch.Batch) error) error {
	first, second, ok := halves(in)
	if !ok {
		p.may(p.set, false)
		defer p.may(p.set, true)
		return one(in)
	}
	if err := one(first); err != nil {
		return err
	}
	return one(second)
}

// halves cuts a batch in two, not between the halves of an update.
func halves(in *batch.Batch) (first, second *batch.Batch, ok bool) {
	live := in.Live()
	cut := live / 2
	if cut > 0 && in.Op(in.RowAt(cut)) == batch.UpdateAfter && in.Op(in.RowAt(cut-1)) == batch.UpdateBefore {
		if cut--; cut == 0 {
			cut = 2
		}
	}
	if cut == 0 || cut >= live {
		return nil, nil, false
	}
	sel := make([]uint16, live)
	for k := range sel {
		sel[k] = uint16(in.RowAt(k))
	}
	a, b := *in, *in
	a.Sel, b.Sel = sel[:cut:cut], sel[cut:]
	a.Derived, b.Derived = nil, nil
	return &a, &b, true
}
