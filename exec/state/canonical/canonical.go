// Package canonical is state tables as Parquet files, with a typed column for
// each column of the table and one for the key group: what canonical savepoints
// consist of, for other programs to read and for Millrace to restore.
// docs/formats/savepoint.md has the mapping of types. It decides nothing about
// which tables belong to a savepoint.
package canonical

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// GroupColumn is the column that has a row's key group.
const GroupColumn = "key_group"

// column is a column of the table and its place in the file.
type column struct {
	graph.Column
	name  string // in the file
	index int
}

// columnsOf lays a table's columns out in a file. Names that occur twice get a
// number; Parquet orders columns by name.
func columnsOf(schema graph.Table) ([]column, *parquet.Schema) {
	used := map[string]bool{GroupColumn: true}
	group := parquet.Group{GroupColumn: parquet.Int(32)}
	var cols []column
	for _, c := range append(append([]graph.Column(nil), schema.Keys...), schema.Columns...) {
		name := c.Name
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s %d", c.Name, n)
		}
		used[name] = true
		group[name] = parquet.Optional(nodeOf(c.Type))
		cols = append(cols, column{Column: c, name: name})
	}
	s := parquet.NewSchema("state", group)
	for i := range cols {
		leaf, _ := s.Lookup(cols[i].name)
		cols[i].index = leaf.ColumnIndex
	}
	return cols, s
}

func nodeOf(t types.Type) parquet.Node {
	switch t.Kind {
	case types.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case types.Int16:
		return parquet.Int(16)
	case types.Int32:
		return parquet.Int(32)
	case types.Int64, types.OID:
		return parquet.Int(64)
	case types.Float32:
		return parquet.Leaf(parquet.FloatType)
	case types.Float64:
		return parquet.Leaf(parquet.DoubleType)
	case types.Date:
		return parquet.Date()
	case types.Time:
		return parquet.TimeAdjusted(parquet.Microsecond, false)
	case types.Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, false)
	case types.TimestampTZ:
		return parquet.Timestamp(parquet.Microsecond)
	case types.UUID:
		return parquet.UUID()
	case types.JSONB:
		return parquet.JSON()
	case types.Bytea, types.Array, types.Row:
		return parquet.Leaf(parquet.ByteArrayType)
	}
	return parquet.String() // text; numeric and interval as text
}

// valueOf is row i of c for the file. Bytes are of c's arena.
func valueOf(t types.Type, c *batch.Column, i int) parquet.Value {
	switch c.Phys {
	case types.PhysBool:
		return parquet.BooleanValue(c.Bool[i])
	case types.PhysInt:
		switch t.Kind {
		case types.Date:
			return parquet.Int32Value(narrow(c.Int[i]))
		case types.Int16, types.Int32:
			return parquet.Int32Value(int32(c.Int[i]))
		}
		return parquet.Int64Value(c.Int[i])
	case types.PhysFloat:
		if t.Kind == types.Float32 {
			return parquet.FloatValue(float32(c.Float[i]))
		}
		return parquet.DoubleValue(c.Float[i])
	case types.PhysDecimal:
		return parquet.ByteArrayValue(c.Dec[i].AppendSum(nil))
	case types.PhysInterval:
		v := c.Interval[i]
		return parquet.ByteArrayValue(fmt.Appendf(nil, "%d mons %d days %d us", v.Months, v.Days, v.Micros))
	case types.PhysUUID:
		return parquet.FixedLenByteArrayValue(c.UUID[i][:])
	}
	return parquet.ByteArrayValue(c.BytesAt(i))
}

// narrow keeps the infinities of dates.
func narrow(days int64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, days))) }

func widen(days int32) int64 {
	switch days {
	case math.MaxInt32:
		return math.MaxInt64
	case math.MinInt32:
		return math.MinInt64
	}
	return int64(days)
}

// setValue puts a value of the file, which is not null, into row i of c.
func setValue(t types.Type, c *batch.Column, i int, v parquet.Value) error {
	kind := nodeOf(t).Type().Kind()
	if v.Kind() != kind {
		return fmt.Errorf("a value of kind %s where %s is expected", v.Kind(), kind)
	}
	switch c.Phys {
	case types.PhysBool:
		c.Bool[i] = v.Boolean()
	case types.PhysInt:
		switch {
		case t.Kind == types.Date:
			c.Int[i] = widen(v.Int32())
		case kind == parquet.Int32:
			c.Int[i] = int64(v.Int32())
		default:
			c.Int[i] = v.Int64()
		}
	case types.PhysFloat:
		if kind == parquet.Float {
			c.Float[i] = float64(v.Float())
		} else {
			c.Float[i] = v.Double()
		}
	case types.PhysDecimal:
		d, err := types.ParseSum(string(v.ByteArray()))
		if err != nil {
			return err
		}
		c.Dec[i] = d
	case types.PhysInterval:
		iv, err := parseInterval(string(v.ByteArray()))
		if err != nil {
			return err
		}
		c.Interval[i] = iv
	case types.PhysUUID:
		if copy(c.UUID[i][:], v.ByteArray()) != 16 {
			return fmt.Errorf("a uuid of %d bytes", len(v.ByteArray()))
		}
	default:
		c.Views[i] = c.AddStr(string(v.ByteArray()))
	}
	return nil
}

func parseInterval(s string) (v types.Interval, err error) {
	f := strings.Fields(s)
	if len(f) != 6 || f[1] != "mons" || f[3] != "days" || f[5] != "us" {
		return v, fmt.Errorf("interval %q", s)
	}
	months, err1 := strconv.ParseInt(f[0], 10, 32)
	days, err2 := strconv.ParseInt(f[2], 10, 32)
	micros, err3 := strconv.ParseInt(f[4], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return v, fmt.Errorf("interval %q", s)
	}
	return types.Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}
