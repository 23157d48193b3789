package pgcatalog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// function is the body of a catalog function. Arguments are not null if the
// function is strict.
type function func(q *query, args []types.Value) (types.Value, error)

func text(s string) types.Value   { return types.Value{Bytes: s} }
func number8(n int64) types.Value { return types.Value{Int: n} }
func boolean(b bool) types.Value  { return types.Value{Bool: b} }

// constant always answers the same.
func constant(v types.Value) function {
	return func(*query, []types.Value) (types.Value, error) { return v, nil }
}

// catalogFunctions are the bodies, by the key of planner/scalar's table.
func catalogFunctions() map[string]function {
	f := map[string]function{}
	null, yes := constant(types.NullValue), constant(boolean(true))
	for key, body := range map[string]function{
		"current_schemas(boolean)":                     currentSchemas,
		"current_setting(text)":                        currentSetting,
		"current_setting(text,boolean)":                currentSetting,
		"set_config(text,text,boolean)":                setConfig,
		"col_description(oid,integer)":                 colDescription,
		"obj_description(oid)":                         objDescription,
		"obj_description(oid,name)":                    objDescription,
		"format_type(oid,integer)":                     formatType,
		"pg_get_expr(text,oid)":                        first,
		"pg_get_expr(text,oid,boolean)":                first,
		"pg_get_userbyid(oid)":                         userByID,
		"pg_get_constraintdef(oid)":                    constraintDef,
		"pg_get_constraintdef(oid,boolean)":            constraintDef,
		"pg_get_indexdef(oid)":                         indexDef,
		"pg_get_indexdef(oid,integer,boolean)":         indexDef,
		"pg_get_viewdef(oid)":                          viewDef,
		"pg_get_viewdef(oid,boolean)":                  viewDef,
		"pg_get_function_arguments(oid)":               functionArguments,
		"pg_get_function_identity_arguments(oid)":      functionArguments,
		"pg_get_function_result(oid)":                  functionResult,
		"pg_get_functiondef(oid)":                      functionDef,
		"pg_table_is_visible(oid)":                     tableIsVisible,
		"pg_type_is_visible(oid)":                      typeIsVisible,
		"pg_relation_size(oid)":                        relationSize,
		"pg_table_size(oid)":                           relationSize,
		"pg_total_relation_size(oid)":                  relationSize,
		"pg_indexes_size(oid)":                         constant(number8(0)),
		"pg_relation_size(oid,text)":                   relationSize,
		"pg_column_is_updatable(oid,smallint,boolean)": columnIsUpdatable,
		"pg_relation_is_updatable(oid,boolean)":        relationIsUpdatable,
		"pg_stat_get_numscans(oid)":                    constant(number8(0)),
		"pg_is_wal_replay_paused()":                    constant(boolean(false)),
		"pg_database_size(name)":                       databaseSize,
		"pg_database_size(oid)":                        databaseSize,
		"pg_tablespace_size(oid)":                      databaseSize,
		"pg_tablespace_location(oid)":                  constant(text("")),
		"pg_encoding_to_char(integer)":                 encodingToChar,
		"pg_char_to_encoding(name)":                    charToEncoding,
		"getdatabaseencoding()":                        constant(text("UTF8")),
		"pg_is_in_recovery()":                          constant(boolean(false)),
		"pg_is_other_temp_schema(oid)":                 constant(boolean(false)),
		"pg_my_temp_schema()":                          constant(number8(0)),
		"pg_postmaster_start_time()":                   startTime,
		"pg_conf_load_time()":                          startTime,
		"pg_partition_root(oid)":                       null,
		"pg_describe_object(oid,oid,integer)":          describeObject,
		"pg_cancel_backend(integer)":                   cancelBackend,
		"pg_sleep(double precision)":                   sleep,
		"pg_terminate_backend(integer)":                terminateBackend,
		"pg_advisory_lock(bigint)":                     constant(text("")),
		"pg_advisory_xact_lock(bigint)":                constant(text("")),
		"pg_advisory_unlock(bigint)":                   yes,
		"pg_try_advisory_lock(bigint)":                 yes,
		"pg_advisory_lock(integer,integer)":            constant(text("")),
		"pg_advisory_xact_lock(integer,integer)":       constant(text("")),
		"pg_advisory_unlock_all()":                     constant(text("")),
		"pg_advisory_unlock(integer,integer)":          yes,
		"pg_try_advisory_lock(integer,integer)":        yes,
		"pg_try_advisory_xact_lock(bigint)":            yes,
		"pg_try_advisory_xact_lock(integer,integer)":   yes,
		"pg_jit_available()":                           constant(boolean(false)),
		"pg_current_xact_id()":                         transactionID,
		"txid_current()":                               transactionID,
		"to_regclass(text)":                            toRegclass,
		"to_regtype(text)":                             toRegtype,
		"to_regnamespace(text)":                        toRegnamespace,
		"to_regrole(text)":                             toRegrole,
		"to_regproc(text)":                             toRegproc,
		"regclass_in(text)":                            orError(toRegclass, pgerr.UndefinedTable, "relation %q does not exist"),
		"regtype_in(text)":                             orError(toRegtype, pgerr.UndefinedObject, "type %q does not exist"),
		"regnamespace_in(text)":                        orError(toRegnamespace, pgerr.InvalidSchemaName, "schema %q does not exist"),
		"regproc_in(text)":                             orError(toRegproc, pgerr.UndefinedFunction, "function %q does not exist"),
		"regrole_in(text)":                             orError(toRegrole, pgerr.UndefinedObject, "role %q does not exist"),
		"regclass_text(oid)":                           regclassText,
		"regproc_text(oid)":                            regprocText,
		"regnamespace_text(oid)":                       regnamespaceText,
		"inet_client_addr()":                           null,
		"inet_client_port()":                           null,
		"inet_server_addr()":                           null,
		"inet_server_port()":                           null,
	} {
		f[key] = body
	}
	sequenceFunctions(f)
	for _, key := range []string{"pg_relation_size(oid)", "pg_relation_size(oid,text)", "pg_table_size(oid)", "pg_total_relation_size(oid)", "pg_indexes_size(oid)",
		"pg_get_viewdef(oid)", "pg_get_viewdef(oid,boolean)", "pg_column_is_updatable(oid,smallint,boolean)", "pg_relation_is_updatable(oid,boolean)"} {
		f[strings.Replace(key, "(oid", "(text", 1)] = ofRelation(f[key])
	}
	scalar.All(func(x *scalar.Function) {
		if !x.External || f[x.Key] != nil {
			return
		}
		switch { // one role that may do everything; kinds of objects that there are none of
		case strings.HasPrefix(x.Name, "has_") && strings.HasSuffix(x.Name, "_privilege"), x.Name == "pg_has_role":
			f[x.Key] = privilege
		case strings.HasSuffix(x.Name, "_is_visible"), x.Name == "pg_relation_is_publishable":
			f[x.Key] = yes
		default:
			f[x.Key] = null
		}
	})
	return f
}

func first(_ *query, args []types.Value) (types.Value, error) { return args[0], nil }

// searchPath is the schemas of the session, with pg_catalog where it belongs.
func (q *query) searchPath(implicit bool) []string {
	path := []string{"public"}
	if q.s != nil {
		path = q.s.SearchPath()
	}
	var out []string
	hasCatalog := false
	for _, s := range path {
		hasCatalog = hasCatalog || s == "pg_catalog"
		if namespaceOID(s) != 0 {
			out = append(out, s)
		}
	}
	if implicit && !hasCatalog {
		out = append([]string{"pg_catalog"}, out...)
	}
	return out
}

func currentSchemas(q *query, args []types.Value) (types.Value, error) {
	return toValue(types.ArrayOf(types.Of(types.Name)), q.searchPath(args[0].Bool)), nil
}

func currentSetting(q *query, args []types.Value) (types.Value, error) {
	if q.s == nil {
		return types.NullValue, nil
	}
	v, err := q.s.Variable(args[0].Bytes)
	if err != nil && len(args) > 1 && args[1].Bool {
		return types.NullValue, nil
	}
	return text(v), err
}

func setConfig(q *query, args []types.Value) (types.Value, error) {
	if args[0].Null {
		return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "SET requires parameter name")
	}
	if q.s == nil {
		return types.NullValue, nil
	}
	if err := q.s.SetVariable(args[0].Bytes, args[1].Bytes, args[2].Bool); err != nil {
		return types.NullValue, err
	}
	v, err := q.s.Variable(args[0].Bytes)
	return text(v), err
}

func objDescription(q *query, args []types.Value) (types.Value, error) {
	of := ""
	if len(args) > 1 {
		of = args[1].Bytes
	}
	if k := q.byOID[uint32(args[0].Int)]; k != nil && k.relation != nil && k.relation.Comment != "" && (of == "" || of == "pg_class") {
		return text(k.relation.Comment), nil
	}
	if of != "" && of != "pg_proc" {
		return types.NullValue, nil
	}
	if p := q.procOID[uint32(args[0].Int)]; p != nil && p.f.Doc != "" {
		return text(p.f.Doc), nil
	}
	return types.NullValue, nil
}

func colDescription(q *query, args []types.Value) (types.Value, error) {
	k, n := q.byOID[uint32(args[0].Int)], args[1].Int
	comment := ""
	switch {
	case k == nil:
	case n == 0 && k.relation != nil: // as in pg_description
		comment = k.relation.Comment
	case n > 0 && n <= int64(len(k.columns)):
		comment = k.columns[n-1].Comment
	}
	if comment == "" {
		return types.NullValue, nil
	}
	return text(comment), nil
}

// typeName is format_type for OIDs of all kinds.
func (q *query) typeName(oid uint32, typmod int32) string {
	switch oid {
	case 0:
		return "-"
	case 705:
		return "unknown"
	case 114:
		return "json"
	case 18:
		return `"char"`
	}
	for _, l := range q.c.types() {
		if l.oid != oid {
			continue
		}
		if l.elem != 0 && l.category == "A" && strings.HasPrefix(l.name, "_") {
			return q.typeName(uint32(l.elem), typmod) + "[]"
		}
		if t, ok := types.TypeOfOID(oid); ok && t.OID() == oid {
			if t.Kind == types.Array && !t.Vector {
				break
			}
			return t.WithTypmod(typmod).String()
		}
		return l.name
	}
	for _, k := range q.classes {
		if k.typeOID == oid {
			return q.visibleName(k)
		}
	}
	return "???"
}

func formatType(q *query, args []types.Value) (types.Value, error) {
	if args[0].Null {
		return types.NullValue, nil
	}
	typmod := int32(-1)
	if !args[1].Null {
		typmod = int32(args[1].Int)
	}
	name := q.typeName(uint32(args[0].Int), typmod)
	if typmod < 0 && !args[1].Null && (name == "character" || name == "character[]") {
		name = "bpchar" + name[len("character"):] // of any length, where character would say of length 1
	}
	return text(name), nil
}

func userByID(q *query, args []types.Value) (types.Value, error) {
	if args[0].Int == oidRole {
		return text(q.role()), nil
	}
	return text(fmt.Sprintf("unknown (OID=%d)", args[0].Int)), nil
}

// columnList writes an index's columns.
func columnList(k *class) string {
	parts := make([]string, len(k.columns))
	for i, c := range k.columns {
		parts[i] = quote(c.Name)
		if k.relation != nil && k.kind == "i" {
			parts[i] += orderText(k.relation.IndexOrder(i))
		}
	}
	return strings.Join(parts, ", ")
}

// orderText is an order as an index definition has it.
func orderText(o catalog.Order) string {
	out := ""
	if o.Desc {
		out = " DESC"
	}
	switch {
	case o.NullsFirst && !o.Desc:
		out += " NULLS FIRST"
	case o.Desc && !o.NullsFirst:
		out += " NULLS LAST"
	}
	return out
}

func indexDef(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[0].Int)]
	if k == nil || k.kind != "i" {
		return types.NullValue, nil
	}
	if len(args) == 3 && args[1].Int > 0 {
		if int(args[1].Int) > len(k.columns) {
			return text(""), nil
		}
		return text(quote(k.columns[args[1].Int-1].Name)), nil
	}
	return text(indexDefinition(k)), nil
}

func viewDef(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[0].Int)]
	if k == nil {
		return types.NullValue, nil
	}
	return text(viewDefinition(k)), nil
}

func functionArguments(q *query, args []types.Value) (types.Value, error) {
	if p := q.procOID[uint32(args[0].Int)]; p != nil {
		return text(signature(p.f)), nil
	}
	return types.NullValue, nil
}

func functionResult(q *query, args []types.Value) (types.Value, error) {
	if p := q.procOID[uint32(args[0].Int)]; p != nil {
		return text(signatureName(p.f.Ret)), nil
	}
	return types.NullValue, nil
}

func functionDef(q *query, args []types.Value) (types.Value, error) {
	if p := q.procOID[uint32(args[0].Int)]; p != nil {
		return text(fmt.Sprintf("CREATE OR REPLACE FUNCTION pg_catalog.%s(%s)\n RETURNS %s\n LANGUAGE internal\nAS $function$%s$function$\n",
			quote(p.f.Name), signature(p.f), signatureName(p.f.Ret), p.f.Name)), nil
	}
	return types.NullValue, nil
}

// visible reports whether a relation is the one its bare name finds.
func (q *query) visible(k *class) bool {
	for _, s := range q.searchPath(true) {
		if other := q.byName[[2]string{s, k.name}]; other != nil {
			return other == k
		}
	}
	return false
}

func (q *query) visibleName(k *class) string {
	if q.visible(k) {
		return quote(k.name)
	}
	return quote(k.schema) + "." + quote(k.name)
}

func tableIsVisible(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[0].Int)]
	if k == nil {
		return types.NullValue, nil
	}
	return boolean(q.visible(k)), nil
}

func typeIsVisible(q *query, args []types.Value) (types.Value, error) {
	for _, k := range q.classes {
		if int64(k.typeOID) == args[0].Int {
			return boolean(q.visible(k)), nil
		}
	}
	return boolean(true), nil
}

func relationSize(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[0].Int)]
	if k == nil {
		return types.NullValue, nil
	}
	_, bytes := q.size(k.relation)
	return number8(max(bytes, 0)), nil
}

// updatable is what pg_relation_is_updatable says of relations that take UPDATE, INSERT
// and DELETE.
const updatable = 1<<2 | 1<<3 | 1<<4

func relationIsUpdatable(q *query, args []types.Value) (types.Value, error) {
	if k := q.byOID[uint32(args[0].Int)]; k != nil && writable(k) {
		return number8(updatable), nil
	}
	return number8(0), nil
}

func columnIsUpdatable(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[0].Int)]
	return boolean(k != nil && writable(k) && args[1].Int > 0 && int(args[1].Int) <= len(k.columns)), nil
}

func databaseSize(q *query, _ []types.Value) (types.Value, error) {
	total := int64(0)
	for _, k := range q.classes {
		_, bytes := q.size(k.relation)
		total += max(bytes, 0)
	}
	return number8(total), nil
}

func encodingToChar(_ *query, args []types.Value) (types.Value, error) {
	if args[0].Int == 6 {
		return text("UTF8"), nil
	}
	return text(""), nil
}

func charToEncoding(_ *query, args []types.Value) (types.Value, error) {
	if strings.EqualFold(strings.ReplaceAll(args[0].Bytes, "-", ""), "utf8") {
		return number8(6), nil
	}
	return number8(-1), nil
}

func startTime(q *query, _ []types.Value) (types.Value, error) {
	return number8(q.c.options.Started.UnixMicro()), nil
}

func describeObject(q *query, args []types.Value) (types.Value, error) {
	k := q.byOID[uint32(args[1].Int)]
	if args[0].Int != oidClassClass || k == nil {
		return types.NullValue, nil
	}
	kind := map[string]string{"r": "table", "v": "view", "m": "materialized view", "i": "index"}[k.kind]
	return text(kind + " " + q.visibleName(k)), nil
}

func privilege(_ *query, args []types.Value) (types.Value, error) {
	for _, a := range args {
		if a.Null {
			return types.NullValue, nil
		}
	}
	return boolean(true), nil
}

// splitName splits a qualified name as it is written in SQL.
func splitName(s string) (schema, name string) {
	var parts []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case ch == '"':
			quoted = !quoted
		case ch == '.' && !quoted:
			parts = append(parts, b.String())
			b.Reset()
		case !quoted && ch >= 'A' && ch <= 'Z':
			b.WriteByte(ch + 'a' - 'A')
		default:
			b.WriteByte(ch)
		}
	}
	parts = append(parts, b.String())
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	return schema, parts[len(parts)-1]
}

// class finds a relation by a name as written.
func (q *query) class(s string) *class {
	schema, name := splitName(strings.TrimSpace(s))
	if schema != "" {
		return q.byName[[2]string{schema, name}]
	}
	for _, schema := range q.searchPath(true) {
		if k := q.byName[[2]string{schema, name}]; k != nil {
			return k
		}
	}
	return nil
}

// quote writes an identifier as SQL needs it.
func quote(name string) string {
	plain := name != ""
	for i, r := range name {
		if !(r == '_' || r >= 'a' && r <= 'z' || i > 0 && (r >= '0' && r <= '9' || r == '$')) {
			plain = false
		}
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func itoa(n int) string { return strconv.Itoa(n) }
