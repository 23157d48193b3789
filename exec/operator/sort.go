package operator

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// sorter orders finished data and emits it at the end, from Skip on, at most
// Limit rows. With a limit it keeps no more than a few times what it will emit;
// without keys it keeps nothing and counts. Strings order by their bytes
// (collation C). It has no state tables: finished data is read again, not
// restored. Changelog modes: inserts in, inserts out.
type sorter struct {
	exec.Stateless
	spec   *graph.Sort
	layout []types.Phys
	valued []*types.Type // of columns that do not order by their bytes, else nil
	rows   int           // per emitted batch

	chunks []*batch.Batch
	refs   []ref
	keep   int // rows that can still matter; -1: all
	seen   int64
	sel    []uint16
	held   memory.Meter
	full   int64 // bytes of all chunks but the last
}

// ref is a kept row and the start of its first key in a form that orders as an
// unsigned number does.
type ref struct {
	prefix     uint64
	chunk, row uint32
}

const refBytes = int64(unsafe.Sizeof(ref{}))

// Rows are kept in chunks, so that no arena outgrows a View.
const (
	chunkRows  = 1 << 15
	chunkBytes = 1 << 26
)

func newSort(op *graph.Operator, env *Env) (exec.Operator, error) {
	if !env.Bounded {
		return nil, pgerr.NotSupported(-1, "ORDER BY or LIMIT over endless data")
	}
	s := &sorter{spec: op.Sort, layout: layoutOf(op.Fields), valued: valuedTypes(op.Fields), rows: env.BatchRows, keep: -1, sel: []uint16{}, held: env.Memory.Meter()}
	if op.Sort.LimitBy != nil || op.Sort.SkipBy != nil {
		spec := *op.Sort
		var err error
		if spec.Limit, err = rowCount(spec.LimitBy, -1, "LIMIT", pgerr.InvalidRowCountInLimit, op, env); err != nil {
			return nil, err
		}
		if spec.Skip, err = rowCount(spec.SkipBy, 0, "OFFSET", pgerr.InvalidRowCountInOffset, op, env); err != nil {
			return nil, err
		}
		s.spec = &spec
	}
	if s.spec.Limit >= 0 && s.spec.Limit < math.MaxInt32 && s.spec.Skip < math.MaxInt32 {
		s.keep = int(s.spec.Limit + s.spec.Skip)
	}
	return s, nil
}

// rowCount is the value of LIMIT or OFFSET; null stands for absent.
func rowCount(x *scalar.Expr, absent int64, clause string, code pgerr.Code, op *graph.Operator, env *Env) (int64, error) {
	if x == nil {
		return absent, nil
	}
	p, err := compileProgram([]*scalar.Expr{x}, op.ID, env, nil)
	if err != nil {
		return 0, err
	}
	cols, _, err := p.run(&batch.Batch{N: 1})
	if err != nil {
		return 0, err
	}
	switch v := cols[0].Value(0); {
	case v.Null:
		return absent, nil
	case v.Int < 0:
		return 0, pgerr.New(code, "%s must not be negative", clause).At(x.Pos)
	default:
		return v.Int, nil
	}
}

// OnBatch implements exec.Operator.
func (s *sorter) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if err := insertsOnly(in); err != nil {
		return err
	}
	if len(s.spec.Keys) == 0 {
		return s.pass(in, out)
	}
	if s.keep == 0 {
		return nil
	}
	s.add(in)
	if s.keep > 0 && len(s.refs) > 4*s.keep+chunkRows {
		s.trim()
	}
	return s.count()
}

// count tells how much is kept.
func (s *sorter) count() error {
	n := s.full + int64(cap(s.refs))*refBytes
	if last := len(s.chunks) - 1; last >= 0 {
		n += int64(bytesOf(s.chunks[last]))
	}
	return s.held.Set(n)
}

// insertsOnly refuses changes in finished data.
func insertsOnly(in *batch.Batch) error {
	for k := range in.Live() {
		if in.Ops != nil && in.Ops[in.RowAt(k)] != batch.Insert {
			return fmt.Errorf("%s in finished data", in.Ops[in.RowAt(k)])
		}
	}
	return nil
}

// add keeps the rows of a batch.
func (s *sorter) add(in *batch.Batch) {
	c := len(s.chunks) - 1
	if c < 0 || s.chunks[c].N >= chunkRows || arenaBytes(s.chunks[c]) > chunkBytes {
		if c >= 0 {
			s.full += int64(bytesOf(s.chunks[c]))
		}
		c++
		s.chunks = append(s.chunks, batch.New(s.layout, 0))
	}
	chunk := s.chunks[c]
	from := chunk.N
	chunk.AppendSelected(in, in.Sel)
	if len(s.spec.Keys) == 0 { // there are no columns
		for i := from; i < chunk.N; i++ {
			s.refs = append(s.refs, ref{chunk: uint32(c), row: uint32(i)})
		}
		return
	}
	for i := from; i < chunk.N; i++ {
		k := s.spec.Keys[0]
		s.refs = append(s.refs, ref{prefix: columnPrefix(k, chunk.Cols[k.Column], i, s.valued[k.Column] != nil), chunk: uint32(c), row: uint32(i)})
	}
}

// pass emits rows as they come, within skip and limit.
func (s *sorter) pass(in *batch.Batch, out exec.Output) error {
	s.sel = s.sel[:0]
	for k := range in.Live() {
		if s.seen >= s.spec.Skip && (s.spec.Limit < 0 || s.seen-s.spec.Skip < s.spec.Limit) {
			s.sel = append(s.sel, uint16(in.RowAt(k)))
		}
		s.seen++
	}
	if len(s.sel) == 0 {
		return nil
	}
	return out.Emit(&batch.Batch{N: in.N, Sel: s.sel, Cols: in.Cols})
}

func arenaBytes(b *batch.Batch) (n int) {
	for _, c := range b.Cols {
		n = max(n, len(c.Arena))
	}
	return n
}

// trim sorts what there is and copies the rows that can still be among the
// answer to fresh chunks.
func (s *sorter) trim() {
	s.sortRefs()
	n := s.answerEnd()
	old := s.chunks
	s.chunks, s.full = nil, 0
	var c *batch.Batch
	for i, r := range s.refs[:n] {
		if c == nil || c.N >= chunkRows || arenaBytes(c) > chunkBytes {
			if c != nil {
				s.full += int64(bytesOf(c))
			}
			c = batch.New(s.layout, 0)
			s.chunks = append(s.chunks, c)
		}
		c.AppendSelected(old[r.chunk], []uint16{uint16(r.row)})
		s.refs[i].chunk, s.refs[i].row = uint32(len(s.chunks)-1), uint32(c.N-1)
	}
	s.refs = s.refs[:n]
}

// answerEnd is where the rows that count end in sorted refs.
func (s *sorter) answerEnd() int {
	if s.keep < 0 || s.keep >= len(s.refs) {
		return len(s.refs)
	}
	n := s.keep
	if s.spec.WithTies && n > 0 {
		for n < len(s.refs) && s.compare(s.refs[s.keep-1], s.refs[n]) == 0 {
			n++
		}
	}
	return n
}

func (s *sorter) sortRefs() { slices.SortStableFunc(s.refs, s.compare) }

// OnEnd implements exec.Operator.
func (s *sorter) OnEnd(out exec.Output) error {
	s.sortRefs()
	refs := s.refs[min(int64(len(s.refs)), s.spec.Skip):max(s.answerEnd(), int(min(int64(len(s.refs)), s.spec.Skip)))]
	b := batch.New(s.layout, 0)
	for i, r := range refs {
		s.sel = append(s.sel[:0], uint16(r.row))
		b.AppendSelected(s.chunks[r.chunk], s.sel)
		if b.N == s.rows || i == len(refs)-1 {
			if err := out.Emit(b); err != nil {
				return err
			}
			b.Reset()
		}
	}
	s.chunks, s.refs, s.full = nil, nil, 0
	return s.held.Set(0)
}

func (s *sorter) compare(a, b ref) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return s.compareBy(s.spec.Keys, a, b)
}

// compareBy orders two rows by some keys.
func (s *sorter) compareBy(keys []graph.SortKey, a, b ref) int {
	x, y := s.chunks[a.chunk], s.chunks[b.chunk]
	for _, k := range keys {
		if c := compareKey(k, s.valued[k.Column], x.Cols[k.Column], int(a.row), y.Cols[k.Column], int(b.row)); c != 0 {
			return c
		}
	}
	return 0
}

func compareKey(k graph.SortKey, valued *types.Type, x *batch.Column, i int, y *batch.Column, j int) int {
	nx, ny := x.IsNull(i), y.IsNull(j)
	if nx || ny {
		switch {
		case nx && ny:
			return 0
		case nx == k.NullsFirst:
			return -1
		}
		return 1
	}
	var c int
	if valued != nil {
		c = types.CompareBytes(*valued, string(x.BytesAt(i)), string(y.BytesAt(j)))
	} else {
		c = compareValues(x, i, y, j)
	}
	if k.Desc {
		return -c
	}
	return c
}

// valuedTypes are the types of the fields whose values do not order as their bytes
// do: JSON, arrays and rows.
func valuedTypes(fields []types.Field) []*types.Type {
	out := make([]*types.Type, len(fields))
	for i := range fields {
		out[i] = valuedType(fields[i].Type)
	}
	return out
}

func valuedType(t types.Type) *types.Type {
	switch t.Kind {
	case types.JSONB, types.Array, types.Row:
		return &t
	}
	return nil
}

// compareValues orders two values of one layout as PostgreSQL orders their type,
// under collation C, unless valuedType says that it is otherwise.
func compareValues(x *batch.Column, i int, y *batch.Column, j int) int {
	switch x.Phys {
	case types.PhysInt:
		return cmp.Compare(x.Int[i], y.Int[j])
	case types.PhysFloat:
		return types.CompareFloat(x.Float[i], y.Float[j])
	case types.PhysDecimal:
		return x.Dec[i].Cmp(y.Dec[j])
	case types.PhysBytes:
		return bytes.Compare(x.BytesAt(i), y.BytesAt(j))
	case types.PhysInterval:
		return x.Interval[i].Cmp(y.Interval[j])
	case types.PhysUUID:
		return bytes.Compare(x.UUID[i][:], y.UUID[j][:])
	case types.PhysBool:
		switch {
		case x.Bool[i] == y.Bool[j]:
			return 0
		case y.Bool[j]:
			return -1
		}
		return 1
	}
	return 0
}
