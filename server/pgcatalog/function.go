package pgcatalog

import (
	"strings"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// functionProducers are the relations about functions and operators.
func functionProducers(p map[string]producer) {
	p["pg_catalog.pg_proc"] = pgProc
	p["pg_catalog.pg_operator"] = pgOperator
	p["pg_catalog.pg_language"] = pgLanguage
	p["pg_catalog.pg_description"] = pgDescription
}

// pseudoOIDs are PostgreSQL's types for the pseudo-types of signatures.
var pseudoOIDs = map[types.Kind]uint32{
	scalar.Any: 2276, scalar.AnyElement: 2283, scalar.AnyArray: 2277, scalar.AnyCompatible: 2283, scalar.AnyCompatibleArray: 2277,
}

func signatureOID(t types.Type) uint32 {
	if oid, ok := pseudoOIDs[t.Kind]; ok {
		return oid
	}
	return t.OID()
}

func pgProc(q *query, out *Rows) error {
	out.Columns("oid", "proname", "pronamespace", "proowner", "prolang", "procost", "provariadic", "prokind", "proisstrict", "provolatile",
		"proparallel", "pronargs", "prorettype", "proargtypes", "prosrc")
	for _, p := range q.procs {
		args := make(lowerZero, len(p.f.Args))
		for i, a := range p.f.Args {
			args[i] = int64(signatureOID(a))
		}
		variadic := uint32(0)
		if p.f.Variadic && len(args) > 0 {
			variadic = uint32(args[len(args)-1])
		}
		out.Add(p.oid, p.f.Name, oidCatalogNamespace, oidRole, 12, 1, variadic, "f", p.f.Strict, volatility(p.f), "s", len(args),
			signatureOID(p.f.Ret), args, p.f.Name)
	}
	for _, f := range q.c.typeFuncs {
		out.Add(f.oid, f.name, oidCatalogNamespace, oidRole, 12, 1, 0, "f", f.strict, f.volatility, "s", len(f.args), f.result, f.args, f.name)
	}
	return nil
}

func volatility(f *scalar.Function) string {
	return map[scalar.Volatility]string{scalar.Immutable: "i", scalar.Stable: "s", scalar.Volatile: "v"}[f.Volatility]
}

func pgOperator(q *query, out *Rows) error {
	out.Columns("oid", "oprname", "oprnamespace", "oprowner", "oprkind", "oprleft", "oprright", "oprresult")
	seen := map[uint32]bool{}
	scalar.All(func(f *scalar.Function) {
		if !f.Operator || len(f.Args) == 0 || len(f.Args) > 2 {
			return
		}
		oid := stableOID("operator", f.Key, func(oid uint32) bool { return seen[oid] })
		seen[oid] = true
		kind, left, right := "l", uint32(0), signatureOID(f.Args[0])
		if len(f.Args) == 2 {
			kind, left, right = "b", right, signatureOID(f.Args[1])
		}
		out.Add(oid, f.Name, oidCatalogNamespace, oidRole, kind, left, right, signatureOID(f.Ret))
	})
	return nil
}

func pgLanguage(_ *query, out *Rows) error {
	out.Columns("oid", "lanname", "lanowner")
	out.Add(12, "internal", oidRole)
	return nil
}

func pgDescription(q *query, out *Rows) error {
	out.Columns("objoid", "classoid", "objsubid", "description")
	for _, p := range q.procs {
		if p.f.Doc != "" {
			out.Add(p.oid, oidClassProc, 0, p.f.Doc)
		}
	}
	for _, k := range q.classes {
		if k.relation == nil {
			continue
		}
		if k.relation.Comment != "" {
			out.Add(k.oid, oidClassClass, 0, k.relation.Comment)
		}
		for i, c := range k.columns {
			if c.Comment != "" {
				out.Add(k.oid, oidClassClass, i+1, c.Comment)
			}
		}
	}
	return nil
}

// signature writes a function's arguments as psql's \df shows them.
func signature(f *scalar.Function) string {
	parts := make([]string, len(f.Args))
	for i, a := range f.Args {
		parts[i] = signatureName(a)
	}
	if f.Variadic && len(parts) > 0 {
		parts[len(parts)-1] = "VARIADIC " + parts[len(parts)-1]
	}
	return strings.Join(parts, ", ")
}

func signatureName(t types.Type) string {
	switch t.Kind {
	case scalar.Any:
		return `"any"`
	case scalar.AnyElement:
		return "anyelement"
	case scalar.AnyArray:
		return "anyarray"
	case scalar.AnyCompatible:
		return "anycompatible"
	case scalar.AnyCompatibleArray:
		return "anycompatiblearray"
	}
	return t.String()
}
