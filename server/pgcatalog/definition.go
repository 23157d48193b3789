package pgcatalog

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/types"
)

// columnsText lists the relations of pg_catalog and information_schema that
// clients look at, one a line: schema.name, relkind, OID, columns with
// PostgreSQL's type names; ! is NOT NULL.
//
//go:embed columns.txt
var columnsText string

// millraceText is the schema millrace in the same form.
const millraceText = `
millrace.jobs v 0: id text!, name text!, kind text!, state text!, wanted text!, failure text, sql text!, options jsonb, restore_from text, lineage _text, last_checkpoint int8, last_checkpoint_at timestamptz, created timestamptz!, updated timestamptz!
millrace.job_events v 0: job_id text!, job text, at timestamptz!, kind text!, message text!
millrace.operators v 0: job_id text!, job text!, ordinal int4!, id text!, kind text!, parallelism int4, input_rows int8, output_rows int8, late_rows int8, bad_rows int8, expired_rows int8, unmatched_rows int8, state_rows int8, state_bytes int8, watermark timestamp, state_columns _text
millrace.checkpoints v 0: job_id text!, job text, n int8!, state text!, url text, bytes int8, full_bytes int8, rows int8, started timestamptz, ended timestamptz, duration interval, failure text
millrace.checkpoint_operators v 0: job_id text!, job text, n int8!, operator text!, state_table text, rows int8, bytes int8
millrace.savepoints v 0: id text!, name text!, job_id text!, job text!, url text!, format text!, bytes int8, rows int8, created timestamptz!
millrace.savepoint_operators v 0: savepoint text!, operator text!, kind text, state_table text, columns _text, rows int8, bytes int8
millrace.source_splits v 0: job_id text!, job text!, operator text!, relation text, split text!, position text, watermark timestamp, rows int8, finished bool
millrace.dead_letters v 0: id int8!, at timestamptz!, job_id text, job text, operator text, relation text, code text!, error text, raw bytea, partition text, position text
millrace.memory v 0: kind text!, job text, pid int8, operator text, bytes int8!, peak_bytes int8, limit_bytes int8
millrace.settings v 0: name text!, value text!, updated timestamptz
`

// definition is a system relation.
type definition struct {
	relation *catalog.Relation
	relkind  string
	oid      uint32 // PostgreSQL's, or 0
	rows     producer
	zero     []types.Value
}

// typeNames are the names that the definitions use.
var typeNames = map[string]types.Type{
	"bool": types.Of(types.Bool), "int2": types.Of(types.Int16), "int4": types.Of(types.Int32), "int8": types.Of(types.Int64),
	"float4": types.Of(types.Float32), "float8": types.Of(types.Float64), "numeric": types.Of(types.Numeric),
	"text": types.Of(types.Text), "name": types.Of(types.Name), "char": types.Of(types.Text), "oid": types.Of(types.OID),
	"regproc": types.Of(types.OID), "timestamptz": types.Of(types.TimestampTZ), "timestamp": types.Of(types.Timestamp),
	"interval": types.Of(types.IntervalK), "jsonb": types.Of(types.JSONB), "bytea": types.Of(types.Bytea),
	"int2vector": types.VectorOf(types.Of(types.Int16)), "oidvector": types.VectorOf(types.Of(types.OID)),
}

func typeNamed(name string) types.Type {
	if t, ok := typeNames[name]; ok {
		return t
	}
	elem, ok := typeNames[strings.TrimPrefix(name, "_")]
	invariant.Assert(ok, "system relations know no type %s", name)
	return types.ArrayOf(elem)
}

// definitions reads the lists.
func definitions() []*definition {
	var out []*definition
	for _, line := range strings.Split(columnsText+millraceText, "\n") {
		head, columns, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		var name, kind string
		var oid uint32
		_, err := fmt.Sscan(head, &name, &kind, &oid)
		invariant.Assert(err == nil, "system relations: bad line %q", head)
		out = append(out, define(name, kind, oid, columns))
	}
	return out
}

func define(name, kind string, oid uint32, columns string) *definition {
	schema, name, _ := strings.Cut(name, ".")
	r := &catalog.Relation{ID: catalog.SystemID(schema, name), Schema: schema, Name: name, Kind: catalog.System}
	if kind == "r" {
		r.OID = oid
	}
	d := &definition{relation: r, relkind: kind, oid: oid}
	for _, c := range strings.Split(columns, ", ") {
		column, typ, _ := strings.Cut(c, " ")
		typ, notNull := strings.CutSuffix(typ, "!")
		t := typeNamed(typ)
		c := catalog.Column{Name: column, Type: t, NotNull: notNull}
		if typ == "regproc" {
			c.Registered = typ
		}
		r.Columns = append(r.Columns, c)
		d.zero = append(d.zero, zeroOf(t, notNull))
	}
	return d
}

// zeroOf is what a column holds that a producer does not set.
func zeroOf(t types.Type, notNull bool) types.Value {
	switch {
	case !notNull:
		return types.NullValue
	case t.Kind == types.Array:
		return types.Value{Bytes: types.EncodeArray(*t.Elem, types.ArrayValue{})}
	}
	return types.Value{}
}

// typeLine is a line of types.txt.
type typeLine struct {
	oid                                 uint32
	name, typ, category, align, storage string
	len                                 int64
	byval, preferred                    bool
	elem, array, collation, relid       int64
	input, output, receive, send        int64 // functions
}

//go:embed types.txt
var typesText string

func typeLines() []typeLine {
	var out []typeLine
	for _, line := range strings.Split(typesText, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		var l typeLine
		_, err := fmt.Sscan(line, &l.oid, &l.name, &l.len, &l.byval, &l.typ, &l.category, &l.preferred, &l.elem, &l.array,
			&l.align, &l.storage, &l.collation, &l.input, &l.output, &l.receive, &l.send, &l.relid)
		invariant.Assert(err == nil, "system types: bad line %q: %v", line, err)
		out = append(out, l)
	}
	return out
}

// typeFunction is a line of typefunctions.txt: a function by which PostgreSQL reads or
// writes values of a type. Nobody can call it here, but clients tell types by theirs.
type typeFunction struct {
	oid        uint32
	name       string
	result     uint32
	volatility string
	strict     bool
	args       lowerZero
}

//go:embed typefunctions.txt
var typeFunctionsText string

func typeFunctions() []typeFunction {
	var out []typeFunction
	for line := range strings.Lines(typeFunctionsText) {
		if line[0] == '#' {
			continue
		}
		var f typeFunction
		words := strings.Fields(line)
		_, err := fmt.Sscan(strings.Join(words[:5], " "), &f.oid, &f.name, &f.result, &f.volatility, &f.strict)
		invariant.Assert(err == nil, "functions of types: bad line %q: %v", line, err)
		for _, word := range words[5:] {
			n, err := strconv.ParseInt(word, 10, 64)
			invariant.Assert(err == nil, "functions of types: bad line %q: %v", line, err)
			f.args = append(f.args, n)
		}
		out = append(out, f)
	}
	return out
}

func oidText(oid uint32) string { return strconv.FormatUint(uint64(oid), 10) }
