package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func open(t testing.TB) *pgx.Conn {
	addr, _, _ := startFake(t, "", nil)
	return connect(t, "postgres://me@"+addr+"/db?sslmode=disable")
}

// simple runs a simple query string and renders everything that comes back.
func simple(t testing.TB, c *pgx.Conn, sql string) string {
	t.Helper()
	mr := c.PgConn().Exec(context.Background(), sql)
	var b strings.Builder
	for mr.NextResult() {
		r := mr.ResultReader()
		for r.NextRow() {
			var vals []string
			for _, v := range r.Values() {
				if v == nil {
					vals = append(vals, "NULL")
				} else {
					vals = append(vals, string(v))
				}
			}
			fmt.Fprintf(&b, "(%s)", strings.Join(vals, ","))
		}
		tag, err := r.Close()
		if err == nil {
			fmt.Fprintf(&b, "[%s]", tag)
		}
	}
	if err := mr.Close(); err != nil {
		var pe *pgconn.PgError
		if !errors.As(err, &pe) {
			t.Fatalf("%s: %v", sql, err)
		}
		fmt.Fprintf(&b, "!%s %s", pe.Code, pe.Message)
		if pe.Position != 0 {
			fmt.Fprintf(&b, " @%d", pe.Position)
		}
		if pe.Hint != "" {
			fmt.Fprintf(&b, " hint %s", pe.Hint)
		}
	}
	return fmt.Sprintf("%s %c", b.String(), c.PgConn().TxStatus())
}

func TestSimpleProtocol(t *testing.T) {
	c := open(t)
	for _, step := range []struct{ sql, want string }{
		{"", "[] I"},
		{" ; ;", "[] I"},
		{"rows 2", "(0,row 0)(1,row 1)[SELECT 2] I"},
		{"rows 0", "[SELECT 0] I"},
		{"rows 1; rows 1", "(0,row 0)[SELECT 1](0,row 0)[SELECT 1] I"},
		{"nonsense", "!42601 syntax error at or near \"nonsense\" @1 I"},
		{"rows 1;  fail höhe; rows 1", "(0,row 0)[SELECT 1]!42703 column \"höhe\" does not exist @15 hint Try another. I"},
		{"rows 1; 'é' !!", "!42601 syntax error at or near \"!!\" @13 I"},
		// one string is one transaction
		{"put a; nonsense", "[INSERT 0 1]!42601 syntax error at or near \"nonsense\" @8 I"},
		{"list", "[SELECT 0] I"},
		{"put b; put c", "[INSERT 0 1][INSERT 0 1] I"},
		{"list", "(b)(c)[SELECT 2] I"},
		// a commit that fails is the last statement's error
		{"put d; putfail", "[INSERT 0 1]!23505 commit refused I"},
		{"begin", "[BEGIN] T"},
		{"put d", "[INSERT 0 1] T"},
		{"savepoint s", "[SAVEPOINT] T"},
		{"put e", "[INSERT 0 1] T"},
		{"nonsense", "!42601 syntax error at or near \"nonsense\" @1 E"},
		{"rows 1", "!25P02 current transaction is aborted, commands ignored until end of transaction block E"},
		{"rollback to s", "[ROLLBACK] T"},
		{"put f", "[INSERT 0 1] T"},
		{"commit", "[COMMIT] I"},
		{"list", "(b)(c)(d)(f)[SELECT 4] I"},
		{"begin; put x; nonsense", "[BEGIN][INSERT 0 1]!42601 syntax error at or near \"nonsense\" @15 E"},
		{"commit", "[ROLLBACK] I"},
		{"begin", "[BEGIN] T"},
		{"putfail", "[INSERT 0 1] T"},
		{"commit", "!23505 commit refused I"},
		{"list", "(b)(c)(d)(f)[SELECT 4] I"},
		{"put g; begin; put h; commit; put i; nonsense", "[INSERT 0 1][BEGIN][INSERT 0 1][COMMIT][INSERT 0 1]!42601 syntax error at or near \"nonsense\" @37 I"},
		{"list", "(b)(c)(d)(f)(g)(h)[SELECT 6] I"},
		{"rollback", "[ROLLBACK] I"}, // with a warning
		// variables
		{"set statement_timeout = 90000; show statement_timeout", "[SET](90s)[SHOW] I"},
		{"set statement_timeout = 0", "[SET] I"},
		{"show server_version", "(15.0)[SHOW] I"},
		{"set server_version = 9", "!55P02 parameter \"server_version\" cannot be changed @1 I"},
		{"set nothing_like_it = 9", "!42704 unrecognized configuration parameter \"nothing_like_it\" @1 I"},
		{"set my.own = 9; show my.own", "[SET](9)[SHOW] I"},
		{"set client_encoding = latin1", "!22023 invalid value for parameter \"client_encoding\": \"latin1\" @1 hint Only UTF8 is supported. I"},
		{"begin; set local timezone = Europe/Berlin; show timezone; commit; show timezone", "[BEGIN][SET](Europe/Berlin)[SHOW][COMMIT](UTC)[SHOW] I"},
		{"begin; set application_name = x; rollback; show application_name", "[BEGIN][SET][ROLLBACK]()[SHOW] I"},
		{"begin; set application_name = x; commit; show application_name", "[BEGIN][SET][COMMIT](x)[SHOW] I"},
		{"set timezone = 5; show timezone", "[SET](<+05>-05)[SHOW] I"},
		{"set timezone = UTC", "[SET] I"},
		// prepared statements and cursors of SQL
		{"prepare p as rows 2; execute p", "[PREPARE](0,row 0)(1,row 1)[SELECT 2] I"},
		{"prepare p as rows 2", "!42P05 prepared statement \"p\" already exists @1 I"},
		{"deallocate p; execute p", "[DEALLOCATE]!26000 prepared statement \"p\" does not exist @15 I"},
		{"declare c rows 5", "!25P01 DECLARE CURSOR can only be used in transaction blocks hint Begin a transaction first, or declare the cursor WITH HOLD. I"},
		{"begin; declare c rows 5; fetch 2 c; fetch 2 c; fetch 2 c; fetch 2 c; close c",
			"[BEGIN][DECLARE CURSOR](0,row 0)(1,row 1)[FETCH 2](2,row 2)(3,NULL)[FETCH 2](4,row 4)[FETCH 1][FETCH 0][CLOSE CURSOR] T"},
		{"fetch 1 c", "!34000 cursor \"c\" does not exist @1 E"},
		{"rollback", "[ROLLBACK] I"},
		{"begin; declare c live; fetch 5 c; commit", "[BEGIN][DECLARE CURSOR](0,row 0)[FETCH 1][COMMIT] I"},
		{"discard all", "[DISCARD ALL] I"},
	} {
		if got := simple(t, c, step.sql); got != step.want {
			t.Errorf("%s\n got %s\nwant %s", step.sql, got, step.want)
		}
	}
}

func TestValuesInTextAndBinary(t *testing.T) {
	c := open(t)
	want := "(" + strings.Join(everyText[:len(everyText)-1], ",") + ",NULL)[SELECT 1] I"
	if got := simple(t, c, "types"); got != want {
		t.Errorf("text\n got %s\nwant %s", got, want)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		rows, err := c.Query(context.Background(), "types", mode)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			vals, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintln(vals[0], vals[1], vals[3], vals[5], vals[7], vals[8], vals[14], vals[15], vals[16])
			if want := "true -2 8000000000 0.1 héllo [0 255] map[a:1] [1 2 <nil>] <nil>\n"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if ts := vals[10].(time.Time); !ts.Equal(time.Date(2024, 2, 29, 12, 34, 56, 789e6, time.UTC)) {
				t.Errorf("timestamp %v", ts)
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
}

func TestParameters(t *testing.T) {
	c := open(t)
	ctx := context.Background()
	var n *int32
	for _, want := range []int32{0, -5, 1 << 30} {
		if err := c.QueryRow(ctx, "echo int4", want).Scan(&n); err != nil || *n != want {
			t.Errorf("int4 %d: %v %v", want, n, err)
		}
	}
	if err := c.QueryRow(ctx, "echo int4", nil).Scan(&n); err != nil || n != nil {
		t.Errorf("null: %v %v", n, err)
	}
	var s string
	if err := c.QueryRow(ctx, "echo numeric", "12.340").Scan(&s); err != nil || s != "12.340" {
		t.Errorf("numeric: %q %v", s, err)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)
	var got time.Time
	if err := c.QueryRow(ctx, "echo timestamptz", at).Scan(&got); err != nil || !got.Equal(at) {
		t.Errorf("timestamptz: %v %v", got, err)
	}
	var pe *pgconn.PgError
	r := c.PgConn().ExecParams(ctx, "echo int4", [][]byte{[]byte("x1")}, nil, nil, nil).Read()
	if !errors.As(r.Err, &pe) || pe.Code != "22P02" {
		t.Errorf("bad text: %v", r.Err)
	}
	r = c.PgConn().ExecParams(ctx, "echo int4", [][]byte{[]byte("xyz")}, nil, []int16{1}, nil).Read()
	if !errors.As(r.Err, &pe) || pe.Code != "22P03" {
		t.Errorf("bad binary: %v", r.Err)
	}
	r = c.PgConn().ExecParams(ctx, "echo int4", [][]byte{[]byte("1"), []byte("2")}, nil, nil, nil).Read()
	if !errors.As(r.Err, &pe) || pe.Code != "08P01" {
		t.Errorf("too many: %v", r.Err)
	}
}

func TestManyRowsArriveInOrder(t *testing.T) {
	c := open(t)
	rows, err := c.Query(context.Background(), "rows 100000")
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for rows.Next() {
		var n int64
		var s *string
		if err := rows.Scan(&n, &s); err != nil {
			t.Fatal(err)
		}
		if n != next || (s == nil) != (n%7 == 3) || s != nil && *s != fmt.Sprintf("row %d", n) {
			t.Fatalf("row %d is %d, %v", next, n, s)
		}
		next++
	}
	if rows.Err() != nil || next != 100000 {
		t.Fatalf("%d rows, %v", next, rows.Err())
	}
}

func TestCancelAndTimeout(t *testing.T) {
	addr, srv, _ := startFake(t, "", nil)
	c := connect(t, "postgres://me@"+addr+"/db?sslmode=disable")
	done := make(chan string)
	go func() { done <- simple(t, c, "wait") }()
	time.Sleep(50 * time.Millisecond)
	if err := c.PgConn().CancelRequest(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "!57014 canceling statement due to user request I" {
		t.Error(got)
	}
	if got := simple(t, c, "set statement_timeout = 20; wait"); got != "[SET]!57014 canceling statement due to statement timeout I" {
		// SET in the same failed implicit transaction is undone
		t.Error(got)
	}
	if got := simple(t, c, "rows 1"); got != "(0,row 0)[SELECT 1] I" {
		t.Error(got)
	}
	// A live result sends its first row at once and ends when the client leaves.
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := c.Query(ctx, "live")
	if err != nil || !rows.Next() {
		t.Fatalf("no first row: %v", err)
	}
	cancel()
	rows.Close()
	for range 100 {
		if srv.Connections() == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d connections are left", srv.Connections())
}

func TestCopy(t *testing.T) {
	c := open(t)
	ctx := context.Background()
	var out strings.Builder
	if tag, err := c.PgConn().CopyTo(ctx, &out, "copyout 5"); err != nil || tag.String() != "COPY 5" {
		t.Fatalf("%v %v", tag, err)
	}
	if want := "0\trow 0\n1\trow 1\n2\trow 2\n3\t\\N\n4\trow 4\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
	if tag, err := c.PgConn().CopyFrom(ctx, strings.NewReader("1\ta\\tb\n2\t\\N\n"), "copyin"); err != nil || tag.String() != "COPY 2" {
		t.Fatalf("%v %v", tag, err)
	}
	_, err := c.PgConn().CopyFrom(ctx, strings.NewReader("1\ta\nx\tb\n"), "copyin")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "22P02" || pe.Detail != "The error is in line 2, column n, of the copied data." {
		t.Errorf("got %+v", err)
	}
	if got := simple(t, c, "list"); got != "(1=a\tb)(2=NULL)[SELECT 2] I" {
		t.Error(got)
	}
}

func TestPasswordAndTLS(t *testing.T) {
	config := selfSigned(t)
	addr, _, _ := startFake(t, "sécret pass", config)
	for _, mode := range []string{"disable", "require"} {
		c := connect(t, "postgres://me:s%C3%A9cret%20pass@"+addr+"/db?sslmode="+mode)
		if got := simple(t, c, "rows 1"); got != "(0,row 0)[SELECT 1] I" {
			t.Error(got)
		}
		for _, bad := range []string{"me:wrong@", "me@"} {
			_, err := pgx.Connect(context.Background(), "postgres://"+bad+addr+"/db?sslmode="+mode)
			var pe *pgconn.PgError
			if err == nil || errors.As(err, &pe) && pe.Code != "28P01" {
				t.Errorf("%s with %s: %v", bad, mode, err)
			}
		}
	}
}

func selfSigned(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestStartupSettings(t *testing.T) {
	addr, srv, _ := startFake(t, "", nil)
	c := connect(t, "postgres://me@"+addr+"/db?sslmode=disable&application_name=app&options=-c%20TimeZone%3DEurope%2FParis%20--search-path%3Da")
	if got := simple(t, c, "show timezone; show search_path; show application_name"); got != "(Europe/Paris)[SHOW](a)[SHOW](app)[SHOW] I" {
		t.Error(got)
	}
	if v := c.PgConn().ParameterStatus("TimeZone"); v != "Europe/Paris" {
		t.Errorf("TimeZone reported as %q", v)
	}
	simple(t, c, "set timezone = UTC")
	if v := c.PgConn().ParameterStatus("TimeZone"); v != "UTC" {
		t.Errorf("TimeZone reported as %q after SET", v)
	}
	if _, err := pgx.Connect(context.Background(), "postgres://me@"+addr+"/db?sslmode=disable&nosuch=1"); err == nil {
		t.Error("an unknown setting was taken")
	}
	infos := srv.options.Sessions.List()
	if len(infos) != 1 || infos[0].Application != "app" || infos[0].State != "idle" || infos[0].Query == "" {
		t.Errorf("sessions: %+v", infos)
	}
}

func TestNotices(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	cfg, _ := pgx.ParseConfig("postgres://me@" + addr + "/db?sslmode=disable")
	var got []string
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { got = append(got, n.Severity+" "+n.Message) }
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	simple(t, c, "notice; commit; set client_min_messages = warning; notice")
	if want := "NOTICE hear, hear|WARNING there is no transaction in progress"; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func TestTerminatedSessionIsToldAndClosed(t *testing.T) {
	addr, srv, _ := startFake(t, "", nil)
	c := connect(t, "postgres://me@"+addr+"/db?sslmode=disable")
	if !srv.options.Sessions.TerminatePID(c.PgConn().PID()) || srv.options.Sessions.TerminatePID(1) {
		t.Error("the wrong session was found")
	}
	var pe *pgconn.PgError
	for range 100 { // the client may notice the message or the end of the connection
		_, err := c.Exec(context.Background(), "rows 0", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			if errors.As(err, &pe) && pe.Code != "57P01" {
				t.Error(err)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the session goes on")
}

func TestShutdownTellsClients(t *testing.T) {
	addr, srv, _ := startFake(t, "", nil)
	url := "postgres://me@" + addr + "/db?sslmode=disable"
	idle, busy := connect(t, url), connect(t, url)
	done := make(chan error)
	go func() {
		_, err := busy.Exec(context.Background(), "wait", pgx.QueryExecModeSimpleProtocol)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	var pe *pgconn.PgError
	if err := <-done; !errors.As(err, &pe) || pe.Code != "57P01" {
		t.Errorf("busy client: %v", err)
	}
	if _, err := idle.Exec(context.Background(), "rows 1", pgx.QueryExecModeSimpleProtocol); err == nil {
		t.Error("idle client goes on")
	}
}
