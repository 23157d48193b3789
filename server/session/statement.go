package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// prepareOwn describes the statements that the session itself runs; ok is false
// for all others. They have no use for parameters: those that a client declares
// are read and that is all, as in PostgreSQL.
func (s *Session) prepareOwn(stmt ast.Parsed, declared []types.Type) (p *Prepared, ok bool, err error) {
	p = &Prepared{Statement: stmt}
	switch st := stmt.Statement.(type) {
	case *ast.Show:
		if p.Columns = s.showColumns(st); p.Columns == nil {
			return nil, false, nil
		}
	case *ast.Execute:
		inner, err := s.named(st)
		if err != nil {
			return nil, true, err
		}
		p.Columns, p.Live = inner.Columns, inner.Live
	case *ast.Fetch:
		c, err := s.cursor(st.Cursor)
		if err != nil {
			return nil, true, err
		}
		if !st.Move {
			p.Columns, p.Live = c.Prepared.Columns, c.Prepared.Live
		}
	case *ast.Transaction, *ast.TransactionSavepoint, *ast.Set, *ast.Reset, *ast.Prepare, *ast.Deallocate,
		*ast.CloseCursor, *ast.Discard, *ast.Use, *ast.Listen:
	case *ast.DeclareCursor:
		return p, stmt.Params == 0, nil // the handler knows the parameters of its query
	default:
		return nil, false, nil
	}
	for i, t := range declared {
		if t.Kind == types.Invalid {
			return nil, true, pgerr.New(pgerr.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
		}
	}
	p.Params = declared
	return p, true, nil
}

// runOwn runs the statements that concern the session alone. The result is nil
// for all others.
func (s *Session) runOwn(r *Run, p *Prepared, params []types.Value) (*Result, error) {
	ctx := r.ctx
	switch st := p.Statement.Statement.(type) {
	case *ast.Transaction:
		return s.transaction(ctx, st)
	case *ast.TransactionSavepoint:
		return s.savepoint(st)
	case *ast.Set:
		return s.set(st)
	case *ast.Reset:
		return s.reset(st)
	case *ast.Show:
		return s.show(st)
	case *ast.Prepare:
		return s.prepare(ctx, st, p.Statement)
	case *ast.Execute:
		return s.execute(r, st)
	case *ast.Deallocate:
		return s.deallocate(st)
	case *ast.DeclareCursor:
		return s.declare(ctx, st, p, params)
	case *ast.Fetch:
		return s.fetch(r, st)
	case *ast.CloseCursor:
		return s.closeCursor(st)
	case *ast.Discard:
		return s.discard(ctx, st)
	case *ast.Use:
		return nil, s.use(st)
	case *ast.Listen:
		return s.listen(st)
	}
	return nil, nil
}

// discard runs DISCARD.
func (s *Session) discard(ctx context.Context, st *ast.Discard) (*Result, error) {
	what := strings.ToUpper(st.What)
	if what == "ALL" {
		if err := s.RequireNoTransaction(ctx, "DISCARD ALL"); err != nil {
			return nil, err
		}
		s.closePortals(func(p *Portal) bool { return p.cursor })
		clear(s.prepared)
		s.vars.resetAll(s.report)
	}
	return Command("DISCARD " + what), nil
}

// use runs USE: there is one database.
func (s *Session) use(st *ast.Use) error {
	return pgerr.NotSupported(int(st.Pos), "USE").Hint("Set search_path to change the schema, or connect to another database.")
}

// listen runs LISTEN, UNLISTEN and NOTIFY. Pools send UNLISTEN * when they take
// a connection back.
func (s *Session) listen(st *ast.Listen) (*Result, error) {
	verb := strings.ToUpper(st.Verb)
	if verb == "UNLISTEN" {
		return Command(verb), nil
	}
	return nil, pgerr.NotSupported(int(st.Pos), verb)
}

// isolationIn finds the level in the text of transaction modes, "" if there is
// none.
func isolationIn(modes string) string {
	for _, level := range isolation {
		if strings.Contains(modes, level) {
			return level
		}
	}
	return ""
}

// setIsolation changes the level of the transaction, before it has read.
func (s *Session) setIsolation(level string) error {
	if s.tx.Work != nil && level != s.tx.Isolation {
		return pgerr.New(pgerr.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
	}
	s.tx.Isolation = level
	return nil
}

// setModes applies BEGIN's and SET TRANSACTION's modes.
func (s *Session) setModes(modes string) error {
	m := strings.ToLower(modes)
	if level := isolationIn(m); level != "" {
		if err := s.setIsolation(level); err != nil {
			return err
		}
	}
	switch {
	case strings.Contains(m, "read only"):
		s.tx.ReadOnly = true
	case strings.Contains(m, "read write"):
		s.tx.ReadOnly = false
	}
	return nil
}

// set runs SET.
func (s *Session) set(st *ast.Set) (*Result, error) {
	if st.System {
		return nil, pgerr.NotSupported(int(st.Pos), "ALTER SYSTEM").Hint("Settings of the server are flags and environment variables.")
	}
	name := canonicalVariable(st.Name)
	texts := make([]string, len(st.Values))
	for i, x := range st.Values {
		t, err := valueText(x)
		if err != nil {
			return nil, err
		}
		texts[i] = t
	}
	switch name {
	case "transaction", "session characteristics":
		modes := strings.Join(texts, " ")
		if name != "transaction" {
			return Command("SET"), s.setDefaultModes(strings.ToLower(modes))
		}
		if !s.tx.Explicit {
			s.Notice("WARNING", pgerr.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
		}
		return Command("SET"), s.setModes(modes)
	}
	if st.Local && !s.tx.Explicit {
		s.Notice("WARNING", pgerr.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
		return Command("SET"), nil
	}
	if st.Default || len(texts) == 0 {
		if err := s.vars.checkSettable(name); err != nil {
			return nil, pgerr.From(err).At(int(st.Pos))
		}
		s.vars.reset(name, st.Local, s.report)
		return Command("SET"), nil
	}
	value := strings.Join(texts, ", ")
	if name == "search_path" {
		for i := range texts {
			texts[i] = quoteIdentifier(texts[i])
		}
		value = strings.Join(texts, ", ")
	} else if len(texts) > 1 && name != "datestyle" {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "SET %s takes only one argument", st.Name).At(int(st.Pos))
	}
	if err := s.assign(name, value, st.Local); err != nil {
		return nil, pgerr.From(err).At(int(st.Pos))
	}
	return Command("SET"), nil
}

// setDefaultModes runs SET SESSION CHARACTERISTICS AS TRANSACTION.
func (s *Session) setDefaultModes(modes string) error {
	if level := isolationIn(modes); level != "" {
		if err := s.assign("default_transaction_isolation", level, false); err != nil {
			return err
		}
	}
	for text, value := range map[string]string{"read only": "on", "read write": "off"} {
		if strings.Contains(modes, text) {
			return s.assign("default_transaction_read_only", value, false)
		}
	}
	return nil
}

// reset runs RESET.
func (s *Session) reset(st *ast.Reset) (*Result, error) {
	name := canonicalVariable(st.Name)
	if name == "all" {
		s.vars.resetAll(s.report)
		return Command("RESET"), nil
	}
	if err := s.vars.checkSettable(name); err != nil {
		return nil, pgerr.From(err).At(int(st.Pos))
	}
	s.vars.reset(name, false, s.report)
	return Command("RESET"), nil
}

// showColumns describes SHOW name and SHOW ALL; nil for the other SHOWs.
func (s *Session) showColumns(st *ast.Show) []Column {
	switch st.Kind {
	case "all":
		return TextColumns("name", "setting", "description")
	case "variable":
		name := canonicalVariable(st.Variable)
		if d := s.vars.find(name); d != nil {
			name = d.Name
		}
		return TextColumns(name)
	}
	return nil
}

// show runs SHOW name and SHOW ALL.
func (s *Session) show(st *ast.Show) (*Result, error) {
	columns := s.showColumns(st)
	if columns == nil {
		return nil, nil
	}
	result := &Result{Tag: "SHOW"}
	if st.Kind == "all" {
		var rows [][]string
		for _, v := range s.Variables() {
			rows = append(rows, []string{v.Name, v.Value, v.Doc})
		}
		result.Rows = TextRows(columns, rows)
		return result, nil
	}
	value, err := s.Variable(st.Variable)
	if err != nil {
		e := pgerr.From(err).At(int(st.Pos))
		names := parse.ShowLists()
		for _, v := range s.Variables() {
			names = append(names, v.Name)
		}
		if near := catalog.Near(st.Variable, names); near != "" {
			e.Hint("Perhaps you meant SHOW %s.", near)
		}
		return nil, e
	}
	result.Rows = TextRows(columns, [][]string{{value}})
	return result, nil
}

// valueText reads a SET value as text.
func valueText(x ast.Expr) (string, error) {
	switch x := x.(type) {
	case *ast.Literal:
		return x.Text, nil
	case *ast.ColumnRef:
		parts := make([]string, len(x.Path))
		for i, n := range x.Path {
			parts[i] = n.Value
		}
		return strings.Join(parts, "."), nil
	case *ast.Unary:
		if t, err := valueText(x.X); err == nil && (x.Op == "-" || x.Op == "+") {
			return strings.TrimPrefix(x.Op, "+") + t, nil
		}
	case *ast.Cast:
		return valueText(x.X)
	case *ast.IntervalLiteral: // SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE counts to the east
		return "<" + x.Text + ">", nil
	case *ast.Default:
		return "", nil
	}
	return "", pgerr.New(pgerr.SyntaxError, "a SET value must be a literal or a name").At(int(x.Offset()))
}

// quoteIdentifier writes a name as SQL needs it.
func quoteIdentifier(name string) string {
	plain := name != ""
	for i, r := range name {
		if !(r == '_' || r >= 'a' && r <= 'z' || i > 0 && (r >= '0' && r <= '9' || r == '$')) {
			plain = false
		}
	}
	if plain {
		return name
	}
	return fmt.Sprintf(`"%s"`, strings.ReplaceAll(name, `"`, `""`))
}
