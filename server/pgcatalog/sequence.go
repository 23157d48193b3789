package pgcatalog

import (
	"context"
	"strconv"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Sequences counts for identity columns.
type Sequences interface {
	// NextValue gives the next number of a column, to nobody else.
	NextValue(r *catalog.Relation, column int) (int64, error)
	// SetValue says which number was given last or, unless called, comes next.
	SetValue(ctx context.Context, r *catalog.Relation, column int, v int64, called bool) error
}

// sequence is what an identity column counts by.
type sequence struct {
	oid    uint32
	base   *class
	column int
}

func (s *sequence) identity() *catalog.Identity { return s.base.columns[s.column].Identity }

// path is the name as SQL text.
func (s *sequence) path() string { return quote(s.base.schema) + "." + quote(s.identity().Sequence) }

func (m *model) addSequences(k *class) {
	for i, c := range k.columns {
		if c.Identity != nil {
			oid := stableOID("sequence", k.relation.ID+" "+strconv.Itoa(i), m.taken)
			m.sequences = append(m.sequences, &sequence{oid, k, i})
			m.add(&class{oid: oid, name: c.Identity.Sequence, schema: k.schema, kind: "S", columns: sequenceColumns})
		}
	}
}

// sequenceColumns are those of every sequence.
var sequenceColumns = []catalog.Column{
	{Name: "last_value", Type: types.Of(types.Int64), NotNull: true},
	{Name: "log_cnt", Type: types.Of(types.Int64), NotNull: true},
	{Name: "is_called", Type: types.Of(types.Bool), NotNull: true},
}

// sequenceProducers are the relations about sequences.
func sequenceProducers(p map[string]producer) {
	p["pg_catalog.pg_sequence"] = pgSequence
	p["pg_catalog.pg_sequences"] = pgSequences
	p["information_schema.sequences"] = infoSequences
}

func (s *sequence) typ() types.Type { return s.base.columns[s.column].Type }

func pgSequence(q *query, out *Rows) error {
	out.Columns("seqrelid", "seqtypid", "seqstart", "seqincrement", "seqmax", "seqmin", "seqcache", "seqcycle")
	for _, s := range q.sequences {
		i := s.identity()
		out.Add(s.oid, s.typ().OID(), i.Start, i.Increment, i.Max, i.Min, 1, i.Cycle)
	}
	return nil
}

func pgSequences(q *query, out *Rows) error {
	out.Columns("schemaname", "sequencename", "sequenceowner", "data_type", "start_value", "min_value", "max_value", "increment_by", "cycle", "cache_size")
	for _, s := range q.sequences {
		i := s.identity()
		out.Add(s.base.schema, i.Sequence, q.role(), s.typ().OID(), i.Start, i.Min, i.Max, i.Increment, i.Cycle, 1)
	}
	return nil
}

// infoSequences leaves out what is internal to identity columns, as PostgreSQL does.
func infoSequences(q *query, out *Rows) error {
	out.Columns("sequence_catalog", "sequence_schema", "sequence_name", "data_type", "numeric_precision", "numeric_precision_radix", "numeric_scale",
		"start_value", "minimum_value", "maximum_value", "increment", "cycle_option")
	for _, s := range q.sequences {
		i := s.identity()
		if i.Kind != "serial" {
			continue
		}
		n := numbersOf(s.typ())
		out.Add(q.database(), s.base.schema, i.Sequence, s.typ().String(), n.precision, n.radix, n.scale,
			strconv.FormatInt(i.Start, 10), strconv.FormatInt(i.Min, 10), strconv.FormatInt(i.Max, 10), strconv.FormatInt(i.Increment, 10), yesNo(i.Cycle))
	}
	return nil
}

// dependence is how pg_depend says that a sequence belongs to its column.
func (s *sequence) dependence() string {
	if s.identity().Kind == "serial" {
		return "a"
	}
	return "i"
}

// sequenceNamed finds a sequence by its name as SQL text, nil for none.
func (q *query) sequenceNamed(text string) *sequence {
	schema, name := splitName(text)
	for _, s := range q.sequences {
		if s.identity().Sequence == name && (schema == s.base.schema || schema == "") {
			return s
		}
	}
	return nil
}

func (q *query) sequenceByOID(oid int64) *sequence {
	for _, s := range q.sequences {
		if int64(s.oid) == oid {
			return s
		}
	}
	return nil
}

// sequenceOf finds the sequence that a function's first argument names.
func (q *query) sequenceOf(arg types.Value, byName bool) (*sequence, error) {
	if !byName {
		if s := q.sequenceByOID(arg.Int); s != nil {
			return s, nil
		}
		return nil, pgerr.New(pgerr.UndefinedTable, "could not open relation with OID %d", arg.Int)
	}
	if s := q.sequenceNamed(arg.Bytes); s != nil {
		return s, nil
	}
	if q.class(arg.Bytes) != nil {
		_, name := splitName(arg.Bytes)
		return nil, pgerr.New(pgerr.WrongObjectType, "%q is not a sequence", name)
	}
	return nil, pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", arg.Bytes)
}

// onSequence makes a function over a sequence.
func onSequence(byName bool, f func(q *query, s *sequence, args []types.Value) (int64, error)) function {
	return func(q *query, args []types.Value) (types.Value, error) {
		s, err := q.sequenceOf(args[0], byName)
		if err != nil {
			return types.NullValue, err
		}
		if q.c.options.Sequences == nil {
			return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, "nothing counts here")
		}
		v, err := f(q, s, args)
		return number8(v), err
	}
}

func nextValue(q *query, s *sequence, _ []types.Value) (int64, error) {
	v, err := q.c.options.Sequences.NextValue(s.base.relation, s.column)
	if err == nil && q.s != nil {
		q.s.Counted(s.path(), s.base.relation.ID, v)
	}
	return v, err
}

func currentValue(q *query, s *sequence, _ []types.Value) (int64, error) {
	if q.s != nil {
		if v, ok := q.s.Count(s.path()); ok {
			return v, nil
		}
	}
	return 0, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "currval of sequence %q is not yet defined in this session", s.identity().Sequence)
}

func setValue(q *query, s *sequence, args []types.Value) (int64, error) {
	v, called, i := args[1].Int, len(args) < 3 || args[2].Bool, s.identity()
	if v < i.Min || v > i.Max {
		return 0, pgerr.New(pgerr.NumericValueOutOfRange, "setval: value %d is out of bounds for sequence %q (%d..%d)", v, i.Sequence, i.Min, i.Max)
	}
	if err := q.c.options.Sequences.SetValue(q.ctx, s.base.relation, s.column, v, called); err != nil {
		return 0, err
	}
	if called && q.s != nil {
		q.s.Counted(s.path(), s.base.relation.ID, v)
	}
	return v, nil
}

func lastValue(q *query, _ []types.Value) (types.Value, error) {
	if q.s != nil {
		if v, ok := q.s.Count(""); ok {
			return number8(v), nil
		}
	}
	return types.NullValue, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "lastval is not yet defined in this session")
}

// serialSequence is pg_get_serial_sequence(table, column).
func serialSequence(q *query, args []types.Value) (types.Value, error) {
	k := q.class(args[0].Bytes)
	if k == nil {
		return types.NullValue, pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", args[0].Bytes)
	}
	for i, c := range k.columns {
		if c.Name != args[1].Bytes {
			continue
		}
		for _, s := range q.sequences {
			if s.base == k && s.column == i {
				return text(s.path()), nil
			}
		}
		return types.NullValue, nil
	}
	return types.NullValue, pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", args[1].Bytes, k.name)
}

// sequenceFunctions are nextval and its kin.
func sequenceFunctions(f map[string]function) {
	f["nextval(text)"], f["nextval(oid)"] = onSequence(true, nextValue), onSequence(false, nextValue)
	f["currval(text)"], f["currval(oid)"] = onSequence(true, currentValue), onSequence(false, currentValue)
	f["setval(text,bigint)"], f["setval(oid,bigint)"] = onSequence(true, setValue), onSequence(false, setValue)
	f["setval(text,bigint,boolean)"], f["setval(oid,bigint,boolean)"] = onSequence(true, setValue), onSequence(false, setValue)
	f["lastval()"] = lastValue
	f["pg_get_serial_sequence(text,text)"] = serialSequence
}
