// Package datagen makes up rows by simple rules per column. Every value is a
// function of the seed, the column's name and the row's number alone, so that a
// run can be repeated, and resumed anywhere, exactly. It does not know time:
// pacing is the runtime's.
//
// A sequence counts from min in steps of 1 (one second for times, one day for
// dates) and starts again when it has passed max. Random numbers and times are
// even between min and max, texts are lower-case letters.
package datagen

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Splits is the number of splits: split s has the rows s, s+4, s+8, …. It is
// part of what offsets mean and never changes.
const Splits = 4

// Kind returns the connector.
func Kind() *connector.Kind {
	k := &connector.Kind{
		Name: "datagen",
		Options: []connector.Option{
			{Name: "rows", Default: "0", Doc: "how many rows, 0 for no end"},
			{Name: "seed", Default: "0", Doc: "another seed gives other random values"},
			{Name: "fields.<column>.kind", Default: "random", Values: []string{"sequence", "random"}, Doc: "how the column's values follow each other"},
			{Name: "fields.<column>.min", Doc: "least value of a number, date or time"},
			{Name: "fields.<column>.max", Doc: "greatest value of a number, date or time"},
			{Name: "fields.<column>.length", Default: "10", Doc: "characters of a text, bytes of a bytea, elements of an array (3)"},
			{Name: "fields.<column>.null_rate", Default: "0", Doc: "share of nulls, from 0 to 1"},
		},
	}
	k.NewSource = func(_ context.Context, spec connector.Spec, _ connector.Env) (connector.Source, error) {
		s, err := k.Check(spec)
		if err != nil {
			return nil, err
		}
		return newSource(s, spec)
	}
	return k
}

type source struct {
	rows   uint64
	fields []field
}

func newSource(s *connector.Settings, spec connector.Spec) (connector.Source, error) {
	rows, err := s.Int("rows", 0, math.MaxInt64/2)
	if err != nil {
		return nil, err
	}
	seed, err := s.Int("seed", 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if err := checkNames(spec); err != nil {
		return nil, err
	}
	src := &source{rows: uint64(rows)}
	for _, c := range spec.Columns {
		if c.Generated { // nobody asks for it
			src.fields = append(src.fields, field{})
			continue
		}
		if c.Metadata != "" {
			return nil, pgerr.New(pgerr.UndefinedColumn, "connector \"datagen\" has no metadata %q", c.Metadata)
		}
		if c.Type.Phys() == types.PhysNone {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "column %q has type %s, which cannot be generated", c.Name, c.Type)
		}
		f, err := newField(s, c, uint64(seed))
		if err != nil {
			return nil, err
		}
		src.fields = append(src.fields, f)
	}
	return src, nil
}

// checkNames finds field options that name no column or no property.
func checkNames(spec connector.Spec) error {
	columns := map[string]bool{}
	var names []string
	for _, c := range spec.Columns {
		if c.Generated {
			continue
		}
		columns[c.Name] = true
		names = append(names, c.Name)
	}
	for name := range spec.Options {
		rest, ok := strings.CutPrefix(name, "fields.")
		if !ok {
			continue
		}
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 || !columns[rest[:dot]] {
			return pgerr.New(pgerr.InvalidParameterValue, "option %q names no column", name).Hint("The columns are %s.", strings.Join(names, ", "))
		}
		switch rest[dot+1:] {
		case "kind", "min", "max", "length", "null_rate":
		default:
			return pgerr.New(pgerr.InvalidParameterValue, "connector \"datagen\" has no option %q", name).Hint("Valid are kind, min, max, length and null_rate.")
		}
	}
	return nil
}

// Schema is nil: the declaration lists the columns.
func (s *source) Schema() []connector.Column { return nil }

// Follows is false: the splits are fixed.
func (s *source) Follows() bool { return false }

// Splits lists the four splits.
func (s *source) Splits(context.Context) ([]connector.Split, error) {
	out := make([]connector.Split, Splits)
	for i := range out {
		out[i].ID = strconv.Itoa(i)
	}
	return out, nil
}

// Open starts a reader; the offset is how many rows of the split were delivered.
func (s *source) Open(_ context.Context, split connector.Split, offset []byte, want []int) (connector.Reader, error) {
	n, err := strconv.ParseUint(split.ID, 10, 8)
	if err != nil || n >= Splits {
		return nil, fmt.Errorf("open datagen: no split %q", split.ID)
	}
	r := &reader{source: s, split: n, want: want}
	if offset != nil {
		if r.done, err = strconv.ParseUint(string(offset), 10, 62); err != nil {
			return nil, fmt.Errorf("open datagen split %s: bad offset %q", split.ID, offset)
		}
	}
	return r, nil
}

type reader struct {
	source *source
	split  uint64
	done   uint64
	want   []int
}

// Read implements connector.Reader.
func (r *reader) Read(_ context.Context, out *batch.Batch, max int) (connector.Status, error) {
	out.Sel, out.Ops = nil, nil
	n := uint64(max)
	if rows := r.source.rows; rows > 0 {
		all := (rows + Splits - 1 - r.split) / Splits // of this split
		n = min(n, all-min(all, r.done))
	}
	for k, w := range r.want {
		c, f := out.Cols[k], &r.source.fields[w]
		c.Reset()
		c.Resize(int(n))
		for i := range int(n) {
			v := f.value((r.done+uint64(i))*Splits + r.split)
			c.SetValue(i, v)
			if v.Null {
				c.SetNull(i, int(n))
			}
		}
	}
	out.N = int(n)
	r.done += n
	if n < uint64(max) {
		return connector.End, nil
	}
	return connector.More, nil
}

// Ready is nil: a generator never idles.
func (r *reader) Ready() <-chan struct{} { return nil }

// Offset is the number of rows of the split that were delivered.
func (r *reader) Offset() []byte { return strconv.AppendUint(nil, r.done, 10) }

// Close does nothing.
func (r *reader) Close() error { return nil }

// Endless implements connector.Endless.
func (s *source) Endless() bool { return s.rows == 0 }
