package pgcatalog

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// What regclass and its kin do: names become object ids, object ids names.

// ofRelation makes a function of a relation's object id one of its name, as regclass is
// both.
func ofRelation(f function) function {
	find := orError(toRegclass, pgerr.UndefinedTable, "relation %q does not exist")
	return func(q *query, args []types.Value) (types.Value, error) {
		oid, err := find(q, args[:1])
		if err != nil {
			return oid, err
		}
		return f(q, append([]types.Value{oid}, args[1:]...))
	}
}

// asOID reads a name that is an OID in digits.
func asOID(s string) (types.Value, bool) {
	if s == "-" {
		return number8(0), true
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	return number8(int64(n)), err == nil
}

// orError makes a look-up that answers null for what there is not one that fails.
func orError(look function, code pgerr.Code, message string) function {
	return func(q *query, args []types.Value) (types.Value, error) {
		v, err := look(q, args)
		if err == nil && v.Null {
			err = pgerr.New(code, message, args[0].Bytes)
		}
		return v, err
	}
}

func toRegclass(q *query, args []types.Value) (types.Value, error) {
	if v, ok := asOID(args[0].Bytes); ok {
		return v, nil
	}
	if k := q.class(args[0].Bytes); k != nil {
		return number8(int64(k.oid)), nil
	}
	return types.NullValue, nil
}

func toRegtype(q *query, args []types.Value) (types.Value, error) {
	if v, ok := asOID(args[0].Bytes); ok {
		return v, nil
	}
	schema, name := splitName(strings.TrimSpace(args[0].Bytes))
	elem, array := strings.CutSuffix(name, "[]")
	if t, err := parse.Type(name); err == nil { // it may have another spelling, as int has
		elem, array = t.Name, t.ArrayDims > 0
	}
	for _, l := range q.c.types() {
		if (schema == "" || schema == "pg_catalog") && (l.name == elem || q.typeName(l.oid, -1) == elem) {
			if array {
				return number8(l.array), nil
			}
			return number8(int64(l.oid)), nil
		}
	}
	if k := q.class(args[0].Bytes); k != nil && k.typeOID != 0 {
		return number8(int64(k.typeOID)), nil
	}
	return types.NullValue, nil
}

func toRegnamespace(_ *query, args []types.Value) (types.Value, error) {
	if v, ok := asOID(args[0].Bytes); ok {
		return v, nil
	}
	_, name := splitName(args[0].Bytes)
	if oid := namespaceOID(name); oid != 0 {
		return number8(int64(oid)), nil
	}
	return types.NullValue, nil
}

func toRegrole(q *query, args []types.Value) (types.Value, error) {
	if v, ok := asOID(args[0].Bytes); ok {
		return v, nil
	}
	if _, name := splitName(args[0].Bytes); name == q.role() {
		return number8(oidRole), nil
	}
	return types.NullValue, nil
}

func toRegproc(q *query, args []types.Value) (types.Value, error) {
	if v, ok := asOID(args[0].Bytes); ok {
		return v, nil
	}
	_, name := splitName(args[0].Bytes)
	name, _, _ = strings.Cut(name, "(")
	for _, f := range q.c.typeFuncs {
		if f.name == name {
			return number8(int64(f.oid)), nil
		}
	}
	for _, p := range q.procs {
		if p.f.Name == name {
			return number8(int64(p.oid)), nil
		}
	}
	return types.NullValue, nil
}

func regclassText(q *query, args []types.Value) (types.Value, error) {
	if args[0].Int == 0 {
		return text("-"), nil
	}
	if k := q.byOID[uint32(args[0].Int)]; k != nil {
		return text(q.visibleName(k)), nil
	}
	return text(strconv.FormatInt(args[0].Int, 10)), nil
}

func regprocText(q *query, args []types.Value) (types.Value, error) {
	if args[0].Int == 0 {
		return text("-"), nil
	}
	for _, f := range q.c.typeFuncs {
		if int64(f.oid) == args[0].Int {
			return text(f.name), nil
		}
	}
	if p := q.procOID[uint32(args[0].Int)]; p != nil {
		return text(p.f.Name), nil
	}
	return text(strconv.FormatInt(args[0].Int, 10)), nil
}

func regnamespaceText(_ *query, args []types.Value) (types.Value, error) {
	for _, n := range namespaces {
		if int64(n.oid) == args[0].Int {
			return text(n.name), nil
		}
	}
	return text(strconv.FormatInt(args[0].Int, 10)), nil
}
