package session

import (
	"context"
	"sort"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// namedStatement is a prepared statement in the session's namespace, which SQL
// and protocol share.
type namedStatement struct {
	prepared *Prepared
	sql      string
	fromSQL  bool
	at       time.Time
}

// PreparedInfo is a row of pg_prepared_statements.
type PreparedInfo struct {
	Name    string
	SQL     string
	Params  []types.Type
	FromSQL bool
	At      time.Time
}

// PreparedStatements lists the session's prepared statements by name.
func (s *Session) PreparedStatements() []PreparedInfo {
	var out []PreparedInfo
	for name, n := range s.prepared {
		if name != "" {
			out = append(out, PreparedInfo{name, n.sql, n.prepared.Params, n.fromSQL, n.at})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// SetPrepared is the protocol's Parse: it names a statement. The unnamed one
// ("") may be replaced.
func (s *Session) SetPrepared(name, sql string, p *Prepared) error {
	if _, dup := s.prepared[name]; dup && name != "" {
		return pgerr.New(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", name)
	}
	s.prepared[name] = &namedStatement{prepared: p, sql: sql, at: s.clock.Now()}
	return nil
}

// Prepared finds a prepared statement.
func (s *Session) Prepared(name string) (*Prepared, error) {
	if n := s.prepared[name]; n != nil {
		return n.prepared, nil
	}
	if name == "" {
		return nil, pgerr.New(pgerr.InvalidSQLStatementName, "unnamed prepared statement does not exist")
	}
	return nil, pgerr.New(pgerr.InvalidSQLStatementName, "prepared statement %q does not exist", name)
}

// ForgetPrepared is the protocol's Close of a statement; no error if there is
// none.
func (s *Session) ForgetPrepared(name string) { delete(s.prepared, name) }

// prepare runs PREPARE.
func (s *Session) prepare(ctx context.Context, st *ast.Prepare, text ast.Parsed) (*Result, error) {
	if _, dup := s.prepared[st.Name.Value]; dup {
		return nil, pgerr.New(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", st.Name.Value).At(int(st.Name.Pos))
	}
	var declared []types.Type
	for _, n := range st.Types {
		t, err := typeOf(n)
		if err != nil {
			return nil, err
		}
		declared = append(declared, t)
	}
	inner := ast.Parsed{Statement: st.Statement, Text: text.Text, Start: text.Start, Params: max(text.Params, len(declared))}
	p, err := s.handler.Prepare(ctx, s, inner, declared)
	if err != nil {
		return nil, err
	}
	s.prepared[st.Name.Value] = &namedStatement{prepared: p, sql: text.Text, fromSQL: true, at: s.clock.Now()}
	return Command("PREPARE"), nil
}

// execute runs EXECUTE: the result is the inner statement's.
func (s *Session) execute(r *Run, st *ast.Execute) (*Result, error) {
	p, params, err := s.Executed(r.ctx, st)
	if err != nil {
		return nil, err
	}
	r.Columns, r.Live = p.Columns, p.Live
	return s.handler.Execute(r.ctx, s, p, params)
}

// Executed is the statement that EXECUTE names, with the values of its arguments.
func (s *Session) Executed(ctx context.Context, st *ast.Execute) (*Prepared, []types.Value, error) {
	p, err := s.named(st)
	if err != nil {
		return nil, nil, err
	}
	if len(st.Args) != len(p.Params) {
		return nil, nil, pgerr.New(pgerr.SyntaxError, "wrong number of parameters for prepared statement %q", st.Name.Value).
			WithDetail("Expected %d parameters but got %d.", len(p.Params), len(st.Args)).At(int(st.Pos))
	}
	params, err := s.handler.Evaluate(ctx, s, st.Args, p.Params)
	return p, params, err
}

func (s *Session) named(st *ast.Execute) (*Prepared, error) {
	p, err := s.Prepared(st.Name.Value)
	if err != nil {
		return nil, pgerr.From(err).At(int(st.Name.Pos))
	}
	return p, nil
}

// deallocate runs DEALLOCATE.
func (s *Session) deallocate(st *ast.Deallocate) (*Result, error) {
	if st.All {
		clear(s.prepared)
		return Command("DEALLOCATE ALL"), nil
	}
	if _, err := s.Prepared(st.Name.Value); err != nil {
		return nil, pgerr.From(err).At(int(st.Name.Pos))
	}
	delete(s.prepared, st.Name.Value)
	return Command("DEALLOCATE"), nil
}

// typeOf gives the types that PREPARE's list may name.
func typeOf(n ast.TypeName) (types.Type, error) {
	kinds := map[string]types.Kind{
		"bool": types.Bool, "int2": types.Int16, "int4": types.Int32, "int8": types.Int64, "float4": types.Float32,
		"float8": types.Float64, "numeric": types.Numeric, "text": types.Text, "varchar": types.Varchar, "bpchar": types.Char,
		"bytea": types.Bytea, "date": types.Date, "time": types.Time, "timestamp": types.Timestamp, "timestamptz": types.TimestampTZ,
		"interval": types.IntervalK, "uuid": types.UUID, "jsonb": types.JSONB, "name": types.Name, "oid": types.OID, "unknown": types.Invalid,
	}
	k, ok := kinds[n.Name]
	if !ok {
		return types.Type{}, pgerr.New(pgerr.UndefinedObject, "type %q does not exist", n.Name).At(int(n.Pos))
	}
	t := types.Of(k)
	if n.ArrayDims > 0 {
		t = types.ArrayOf(t)
	}
	return t, nil
}
