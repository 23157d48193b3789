package pgwire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/pgcopy"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// fakeHandler answers a toy language, so that the wire is tested without the
// engine: each statement is an *ast.Do whose body is its text.
//
//	rows N            N rows of (bigint, text)
//	types             one row of every layout
//	echo T            $1 of type T, back
//	fail TEXT         an error 42703 at the word TEXT
//	wait              until cancelled
//	live              one row at once, then until cancelled
//	put X             keeps X in the transaction, visible at commit
//	putfail           makes the commit fail
//	list              what was put
//	copyin, copyout N COPY of (bigint, text)
//	notice            sends a notice
type fakeHandler struct {
	mu   sync.Mutex
	put  []string
	ends int
}

type work struct {
	puts []string
	fail bool
}

var pairColumns = []session.Column{{Name: "n", Type: types.Of(types.Int64)}, {Name: "s", Type: types.Of(types.Text)}}

var everyColumn = []session.Column{
	{Name: "b", Type: types.Of(types.Bool)}, {Name: "i2", Type: types.Of(types.Int16)}, {Name: "i4", Type: types.Of(types.Int32)},
	{Name: "i8", Type: types.Of(types.Int64)}, {Name: "f4", Type: types.Of(types.Float32)}, {Name: "f8", Type: types.Of(types.Float64)},
	{Name: "num", Type: types.Of(types.Numeric)}, {Name: "txt", Type: types.Of(types.Text)}, {Name: "by", Type: types.Of(types.Bytea)},
	{Name: "d", Type: types.Of(types.Date)}, {Name: "ts", Type: types.Of(types.Timestamp)}, {Name: "tz", Type: types.Of(types.TimestampTZ)},
	{Name: "iv", Type: types.Of(types.IntervalK)}, {Name: "u", Type: types.Of(types.UUID)}, {Name: "j", Type: types.Of(types.JSONB)},
	{Name: "a", Type: types.ArrayOf(types.Of(types.Int32))}, {Name: "nul", Type: types.Of(types.Int32)},
}

var everyText = []string{"t", "-2", "4", "8000000000", "1.5", "0.1", "12.50", "héllo", `\x00ff`, "2024-02-29", "2024-02-29 12:34:56.789",
	"2024-02-29 12:34:56+00", "1 day 02:03:04", "00112233-4455-6677-8899-aabbccddeeff", `{"a": 1}`, "{1,2,NULL}", ""}

func (h *fakeHandler) Prepare(_ context.Context, _ *session.Session, st ast.Parsed, declared []types.Type) (*session.Prepared, error) {
	p := &session.Prepared{Statement: st}
	body := st.Statement.(*ast.Do).Body
	word, rest, _ := strings.Cut(body, " ")
	switch word {
	case "rows", "live":
		p.Columns, p.Live = pairColumns, word == "live"
	case "types":
		p.Columns = everyColumn
	case "echo":
		t := map[string]types.Kind{"int4": types.Int32, "text": types.Text, "numeric": types.Numeric, "timestamptz": types.TimestampTZ, "bytea": types.Bytea}[strings.Fields(rest)[0]]
		p.Params = []types.Type{types.Of(t)}
		p.Columns = []session.Column{{Name: "echo", Type: types.Of(t)}}
		if len(declared) > 0 && declared[0].Kind != types.Invalid {
			p.Params[0] = declared[0]
			p.Columns[0].Type = declared[0]
		}
	case "fail":
		return nil, pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", rest).At(strings.Index(body, rest)).Hint("Try another.")
	case "list":
		p.Columns = session.TextColumns("item")
	case "copyout":
		p.Columns = pairColumns
	}
	return p, nil
}

func (h *fakeHandler) Execute(ctx context.Context, s *session.Session, p *session.Prepared, params []types.Value) (*session.Result, error) {
	word, rest, _ := strings.Cut(p.Statement.Statement.(*ast.Do).Body, " ")
	n, _ := strconv.Atoi(rest)
	switch word {
	case "rows":
		return session.Select(&counter{n: n}), nil
	case "types":
		row := make([]types.Value, len(everyColumn))
		for i, c := range everyColumn {
			if everyText[i] == "" {
				row[i] = types.NullValue
				continue
			}
			v, err := types.ParseText(c.Type, everyText[i], nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			row[i] = v
		}
		return session.Select(session.ValueRows(everyColumn, [][]types.Value{row})), nil
	case "echo":
		return session.Select(session.ValueRows(p.Columns, [][]types.Value{{params[0]}})), nil
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "live":
		return session.Select(&counter{n: 1, live: true}), nil
	case "put", "putfail":
		w, _ := s.Tx().Work.(*work)
		if w == nil {
			w = &work{}
			s.Tx().Work = w
		}
		w.fail = w.fail || word == "putfail"
		w.puts = append(w.puts, rest)
		return session.Affected("INSERT 0", 1), nil
	case "list":
		h.mu.Lock()
		defer h.mu.Unlock()
		var rows [][]string
		for _, x := range h.put {
			rows = append(rows, []string{x})
		}
		return session.Select(session.TextRows(p.Columns, rows)), nil
	case "copyin":
		return &session.Result{CopyIn: &session.CopyIn{Columns: pairColumns, Options: copyOptions(rest), Sink: &sink{h: h}}}, nil
	case "copyout":
		o := copyOptions("")
		return &session.Result{CopyOut: &o, Rows: &counter{n: n}}, nil
	case "notice":
		s.Notice("NOTICE", "00000", "hear, hear")
		return session.Command("DO"), nil
	}
	return nil, pgerr.New(pgerr.SyntaxError, "syntax error at or near %q", word).At(0)
}

func copyOptions(format string) pgcopy.Options {
	var given []ast.Option
	if format != "" {
		given = append(given, ast.Option{Name: "format", Value: &ast.Literal{Text: format}})
	}
	o, err := pgcopy.ParseOptions(given, true)
	if err != nil {
		panic(err)
	}
	return o
}

func (h *fakeHandler) Evaluate(context.Context, *session.Session, []ast.Expr, []types.Type) ([]types.Value, error) {
	return nil, nil
}

func (h *fakeHandler) Commit(_ context.Context, _ *session.Session, tx *session.Tx) error {
	w := tx.Work.(*work)
	if w.fail {
		return pgerr.New(pgerr.UniqueViolation, "commit refused")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put = append(h.put, w.puts...)
	return nil
}

func (h *fakeHandler) Rollback(*session.Session, *session.Tx) {}

func (h *fakeHandler) Mark(_ *session.Session, tx *session.Tx) any {
	if w, ok := tx.Work.(*work); ok {
		return len(w.puts)
	}
	return 0
}

func (h *fakeHandler) RollbackTo(_ *session.Session, tx *session.Tx, mark any) {
	if w, ok := tx.Work.(*work); ok {
		w.puts = w.puts[:mark.(int)]
	}
}

// counter yields n rows; a live one then waits.
type counter struct {
	n, next int
	live    bool
}

func (c *counter) Next(ctx context.Context) (*batch.Batch, error) {
	if c.next == c.n {
		if c.live {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	for c.next < c.n && b.N < 1000 {
		b.Cols[0].AppendValue(types.Value{Int: int64(c.next)})
		if c.next%7 == 3 {
			b.Cols[1].AppendValue(types.NullValue)
		} else {
			b.Cols[1].AppendValue(types.Value{Bytes: "row " + strconv.Itoa(c.next)})
		}
		b.N++
		c.next++
	}
	return b, nil
}

func (c *counter) Close() {}

type sink struct {
	h    *fakeHandler
	rows []string
}

func (s *sink) Write(_ context.Context, b *batch.Batch) error {
	for k := range b.Live() {
		text := "NULL"
		if !b.Cols[1].IsNull(k) {
			text = b.Cols[1].Str(k)
		}
		s.rows = append(s.rows, fmt.Sprintf("%d=%s", b.Cols[0].Int[k], text))
	}
	return nil
}

func (s *sink) Finish(context.Context) (int64, error) {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.h.put = append(s.h.put, s.rows...)
	return int64(len(s.rows)), nil
}

func (s *sink) Abort() {}

// fakeParse splits at semicolons; the statements of the session are read by a
// few words, all others are the toy language.
func fakeParse(sql string) ([]ast.Parsed, error) {
	var out []ast.Parsed
	at := 0
	for _, part := range strings.SplitAfter(sql, ";") {
		text := strings.TrimSuffix(part, ";")
		lead := len(text) - len(strings.TrimLeft(text, " \n"))
		start := at + lead
		at += len(part)
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if i := strings.Index(text, "!!"); i >= 0 {
			return nil, pgerr.New(pgerr.SyntaxError, "syntax error at or near \"!!\"").At(start + i)
		}
		p := ast.Parsed{Text: text, Start: start, Statement: fakeStatement(text)}
		if strings.Contains(text, "echo") {
			p.Params = 1
		}
		out = append(out, p)
	}
	return out, nil
}

func fakeStatement(text string) ast.Statement {
	name := func(s string) ast.Name { return ast.Name{Value: s} }
	w := strings.Fields(text)
	switch strings.ToLower(w[0]) {
	case "begin":
		return &ast.Transaction{Verb: "begin"}
	case "commit", "rollback":
		if len(w) == 3 {
			return &ast.TransactionSavepoint{Verb: "rollback to", Name: name(w[2])}
		}
		return &ast.Transaction{Verb: strings.ToLower(w[0])}
	case "savepoint":
		return &ast.TransactionSavepoint{Verb: "savepoint", Name: name(w[1])}
	case "set":
		local := w[1] == "local"
		if local {
			w = w[1:]
		}
		return &ast.Set{Local: local, Name: w[1], Values: []ast.Expr{&ast.Literal{Text: strings.Join(w[3:], " ")}}}
	case "show":
		return &ast.Show{Kind: "variable", Variable: w[1]}
	case "declare":
		return &ast.DeclareCursor{Name: name(w[1]), Statement: &ast.Do{Body: strings.Join(w[2:], " ")}}
	case "fetch":
		n, _ := strconv.Atoi(w[1])
		return &ast.Fetch{Direction: "forward", Count: int64(n), Cursor: name(w[2])}
	case "close":
		return &ast.CloseCursor{Name: name(w[1])}
	case "prepare":
		return &ast.Prepare{Name: name(w[1]), Statement: &ast.Do{Body: strings.Join(w[3:], " ")}}
	case "execute":
		return &ast.Execute{Name: name(w[1])}
	case "deallocate":
		return &ast.Deallocate{Name: name(w[1]), All: w[1] == "all"}
	case "discard":
		return &ast.Discard{What: w[1]}
	}
	return &ast.Do{Body: text}
}

// startFake runs a server over the toy language and returns its address.
func startFake(t testing.TB, password string, tc *tls.Config) (addr string, srv *Server, h *fakeHandler) {
	t.Helper()
	return startFakeWith(t, Options{Password: password, TLS: tc, StartupTimeout: 5 * time.Second})
}

func startFakeWith(t testing.TB, o Options) (addr string, srv *Server, h *fakeHandler) {
	t.Helper()
	h = &fakeHandler{}
	o.Sessions = session.NewManager(session.Options{Handler: h, Parse: fakeParse})
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String(), srv, h
}
