package over

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
)

// ranking is the functions of a row's place in its partition.
type ranking struct{ fn string }

func (r *ranking) run(p *Partition, l *layout, dst *batch.Column) error {
	switch r.fn {
	case "row_number":
		for i := range p.N {
			dst.Int[i] = int64(i + 1)
		}
	case "rank":
		for i := range p.N {
			dst.Int[i] = int64(l.first(i) + 1)
		}
	case "dense_rank":
		for i := range p.N {
			dst.Int[i] = int64(l.group[i] + 1)
		}
	case "percent_rank":
		for i := range p.N {
			dst.Float[i] = 0
			if p.N > 1 {
				dst.Float[i] = float64(l.first(i)) / float64(p.N-1)
			}
		}
	case "cume_dist":
		for i := range p.N {
			dst.Float[i] = float64(l.end(i)) / float64(p.N)
		}
	}
	return nil
}

// ntile deals the rows out to as many buckets as the argument of the first row
// says, the larger buckets first.
type ntile struct{ arg int }

func (t *ntile) run(p *Partition, _ *layout, dst *batch.Column) error {
	arg := p.Cols[t.arg]
	if arg.IsNull(0) {
		for i := range p.N {
			setNull(dst, i, p.N)
		}
		return nil
	}
	buckets := int(arg.Int[0])
	if buckets <= 0 {
		return pgerr.New(pgerr.InvalidArgumentForNtile, "argument of ntile must be greater than zero")
	}
	size, larger := p.N/buckets, p.N%buckets
	for i := range p.N {
		if at := i - larger*(size+1); at < 0 {
			dst.Int[i] = int64(i/(size+1) + 1)
		} else {
			dst.Int[i] = int64(larger + at/size + 1)
		}
	}
	return nil
}
