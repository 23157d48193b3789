package agg

import (
	"strings"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Rows are the rows of one group in the order that an aggregate asks for. Rows
// that are the same in all that the aggregate and its order read are one row
// with several copies.
type Rows interface {
	Len() int
	// Copies is how often row i is there: once at the least.
	Copies(i int) int64
	// Arg is argument n of row i. A string in it lives as long as the
	// table is not written to.
	Arg(i, n int) types.Value
}

// Ordered computes an aggregate from all rows of a group. It runs once for each
// group that has changed when changes are emitted, not per row.
type Ordered func(rows Rows) (types.Value, error)

// Call is an aggregate that reads rows in order.
type Call struct {
	Func   string
	Args   []types.Type
	Params []types.Value     // constant arguments
	Many   bool              // of a percentile: Params are several fractions, the result is an array
	Dims   []types.Dimension // of that array, if it has more than one
	Type   types.Type        // of the result
	// Memory counts what is kept while the result is made; nil: nobody does.
	Memory *memory.Share
}

// errTooLong refuses a result that is longer than any value may be.
func errTooLong(name string) error {
	return pgerr.New(pgerr.ProgramLimitExceeded, "the result of %s is longer than %d bytes", name, types.ValueBytesMax)
}

// text is what a result is written into that is made of strings. Row i adds at most
// bytes(i) for each of its copies. What it takes is counted until give is called.
func (c *Call) text(rows Rows, bytes func(i int) int) (out *strings.Builder, give func(), err error) {
	n := int64(0)
	for i := range rows.Len() {
		one := int64(bytes(i))
		if one > 0 && rows.Copies(i) > (types.ValueBytesMax-n)/one {
			return nil, nil, errTooLong(c.Func)
		}
		n += one * rows.Copies(i)
	}
	if give, err = c.Memory.Hold(n); err != nil {
		return nil, nil, err
	}
	out = &strings.Builder{}
	out.Grow(int(n))
	return out, give, nil
}

// NewOrdered returns what computes the call.
func NewOrdered(c Call) (Ordered, error) {
	switch c.Func {
	case "string_agg":
		return newStringAgg(c), nil
	case "array_agg":
		return newArrayAgg(c), nil
	case "json_agg":
		return newJSONAgg(c), nil
	case "json_object_agg":
		return newJSONObjectAgg(c), nil
	case "percentile_cont":
		return newPercentile(c, percentileCont), nil
	case "percentile_disc":
		return newPercentile(c, percentileDisc), nil
	case "mode":
		return mode, nil
	case "any_value":
		return anyValue, nil
	case "first_value":
		return firstValue, nil
	case "last_value":
		return lastValue, nil
	case "bit_and", "bit_or":
		return newBits(c.Func == "bit_or"), nil
	}
	return nil, pgerr.NotSupported(-1, "aggregate function "+c.Func)
}

// total is how many values there are, nulls not counted.
func total(rows Rows) (n int64) {
	for i := range rows.Len() {
		if v := rows.Arg(i, 0); !v.Null {
			n += rows.Copies(i)
		}
	}
	return n
}
