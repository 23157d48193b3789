package clients

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/server"
	"github.com/millrace/millrace/test/random"
)

// alive fails the test if the server does not serve a new client.
func alive(t *testing.T, s *server.Server, after string) {
	t.Helper()
	if got := run(connect(t, s), "SELECT 1"); got != "(1) SELECT 1" {
		t.Fatalf("after %s: %s", after, got)
	}
}

// TestHugeStatements: deep, long and wide ones are answered or refused, soon.
func TestHugeStatements(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	nested := func(open, middle, shut string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(shut, n)
	}
	list := func(n int, f func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = f(i)
		}
		return strings.Join(parts, ", ")
	}
	for _, q := range []struct{ name, sql, want string }{
		{"parentheses", "SELECT " + nested("(", "1", ")", 100), "(1) SELECT 1"},
		{"many parentheses", "SELECT " + nested("(", "1", ")", 200000), "!54001"},
		{"open parentheses", "SELECT " + strings.Repeat("(", 200000), "!54001 | !42601"},
		{"not", "SELECT " + strings.Repeat("NOT ", 200000) + "true", "!54001"},
		{"minus", "SELECT " + strings.Repeat("- ", 200000) + "1", "!54001"},
		{"a long sum", "SELECT " + strings.Repeat("1 + ", 200000) + "1", "!54001"},
		{"a middling sum", "SELECT " + strings.Repeat("1 + ", 500) + "1", "(501) SELECT 1"},
		{"a long and", "SELECT " + strings.Repeat("true AND ", 200000) + "true", "!54001 | (t) SELECT 1"},
		{"a long concatenation", "SELECT length(" + strings.Repeat("'a' || ", 200000) + "'a')", "!54001"},
		{"calls", "SELECT " + nested("abs(", "1", ")", 100000), "!54001"},
		{"cases", "SELECT " + nested("CASE WHEN true THEN ", "1", " END", 50000), "!54001"},
		{"casts", "SELECT 1" + strings.Repeat("::int", 200000), "!54001"},
		{"subqueries", nested("SELECT * FROM (", "SELECT 1 AS n", ") AS t", 20000), "!54001"},
		{"scalar subqueries", "SELECT " + nested("(SELECT ", "1", ")", 20000), "!54001"},
		{"unions", "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 20000), "!54001"},
		{"joins", "SELECT 1 FROM (VALUES (1)) AS t" + strings.Repeat(" CROSS JOIN (VALUES (1)) AS t", 20000), "!54001"},
		{"common tables", "WITH a0 AS (SELECT 1 AS n)" + strings.Repeat(", b AS (SELECT 1)", 20000) + " SELECT 1", "!54001 | !42712"},
		{"arrays", "SELECT " + nested("ARRAY[", "1", "]", 50000), "!54001"},
		{"array text", "SELECT '" + nested("{", "1", "}", 50000) + "'::int[]", "!22P02 | !54000 | !54001"},
		{"json text", "SELECT '" + nested("[", "1", "]", 1000000) + "'::jsonb", "!54001 | !22P02"},
		{"intervals", "SELECT '" + strings.Repeat("1 day ", 100000) + "'::interval", "!22007 | !22008 | !22015 | (100000 days) SELECT 1"},
		{"comments", nested("/*", "", "*/", 200000) + "SELECT 1", "(1) SELECT 1 | !54001"},
		{"statements", strings.Repeat(";", 500000) + "SELECT 1", "(1) SELECT 1"},
		{"an open string", "SELECT '" + strings.Repeat("a", 1<<20), "!42601"},
		{"a long string", "SELECT length('" + strings.Repeat("a", 8<<20) + "')", "(8388608) SELECT 1"},
		{"an in list", "SELECT count(*) FROM generate_series(1, 10) AS g (n) WHERE n IN (" + list(50000, func(i int) string { return fmt.Sprint(2 * i) }) + ")", "(5) SELECT 1"},
		{"values", "SELECT count(*) FROM (VALUES " + list(20000, func(i int) string { return fmt.Sprintf("(%d)", i) }) + ") AS t (n)", "(20000) SELECT 1"},
		{"columns", "SELECT " + list(10000, func(i int) string { return fmt.Sprint(i) }), "!54011"},
		{"more columns than a message can count", "SELECT " + list(70000, func(i int) string { return fmt.Sprint(i) }), "!54011"},
		{"columns of a table", "CREATE TABLE wide (" + list(10000, func(i int) string { return fmt.Sprintf("c%d int", i) }) + ")", "!54011"},
		{"columns that fit", "CREATE TABLE wide (" + list(1600, func(i int) string { return fmt.Sprintf("c%d int", i) }) + "); INSERT INTO wide (c1599) VALUES (7); UPDATE wide SET c0 = c1599 + 1; SELECT c1599, c0 FROM wide", "CREATE TABLE INSERT 0 1 UPDATE 1 (7,8) SELECT 1"},
		{"a parameter that is out of reach", "SELECT $99999999", "!54000 | !42601 | !42P02 | !08P01"},
		{"a long name", "SELECT 1 AS " + strings.Repeat("n", 100000), "(1) SELECT 1"},
		{"numbers", "SELECT " + strings.Repeat("9", 100000), "!22003"},
		{"repeat", "SELECT length(repeat('a', 2000000000))", "!54000"},
		{"a huge pattern", "SELECT 'a' ~ '" + nested("(", "a", ")", 20000) + "'", "!2201B"},
		{"generate_series in select", "SELECT count(*) FROM generate_series(1, 3) AS g (n), generate_series(1, n) AS h (m)", "(6) SELECT 1"},
	} {
		begun := time.Now()
		got := run(c, q.sql)
		if d := time.Since(begun); d > 8*time.Second {
			t.Errorf("%s took %s", q.name, d)
		}
		if !slices.Contains(strings.Split(q.want, " | "), got) {
			t.Errorf("%s: got %.200s, want %s", q.name, got, q.want)
		}
		if c.IsClosed() {
			t.Errorf("%s: the connection was closed", q.name)
			c = connect(t, s)
		}
	}
	alive(t, s, "huge statements")
}

func TestBadText(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s)
	for sql, want := range map[string]string{
		"SELECT '\xff'": "!22021", "SELECT \xc3\x28": "!22021", "SELECT E'\\xff'": "!22021", "SELECT E'\\000'": "!22021", "SELECT U&'\\0000'": "!22021 !42601 !0A000", "SELECT chr(0)": "!54000",
		"SELECT convert_from('\\xff'::bytea, 'UTF8')": "!22021", `SELECT '"\u0000"'::jsonb`: "!22P05", `SELECT '"\ud800"'::jsonb`: "!22P02",
	} {
		if got := run(c, sql); !strings.Contains(want, got) {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
	for _, arg := range []string{"\xff", "a\x00b"} {
		r := c.PgConn().ExecParams(bg(), "SELECT $1::text", [][]byte{[]byte(arg)}, nil, nil, nil).Read()
		if code(r.Err) != "22021" {
			t.Errorf("%q as text: %v", arg, r.Err)
		}
		r = c.PgConn().ExecParams(bg(), "SELECT $1::text", [][]byte{[]byte(arg)}, nil, []int16{1}, nil).Read()
		if code(r.Err) != "22021" {
			t.Errorf("%q as binary: %v", arg, r.Err)
		}
	}
}

// TestBadParameters sends values of a wrong length and shape for every type.
func TestBadParameters(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s).PgConn()
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range typed {
		for n := range 40 {
			arg := make([]byte, n)
			for i := range arg {
				arg[i] = byte(r.IntN(256))
				if r.IntN(3) > 0 {
					arg[i] = byte(r.IntN(4))
				}
			}
			res := c.ExecParams(bg(), "SELECT $1::"+v.name+"::text", [][]byte{arg}, nil, []int16{1}, nil).Read()
			if res.Err != nil && len(code(res.Err)) != 5 {
				t.Fatalf("%s of %x: %v", v.name, arg, res.Err)
			}
			if res.Err != nil && code(res.Err) == "XX000" {
				t.Errorf("%s of %x: %v", v.name, arg, res.Err)
			}
		}
	}
	for name, lengths := range map[string][]int{"boolean": {0, 2}, "smallint": {1, 4}, "integer": {2, 8}, "bigint": {4, 9}, "real": {8}, "double precision": {4}, "uuid": {15}, "date": {8}, "timestamptz": {4},
		"interval": {8}, "numeric": {0, 7}, "integer[]": {0, 5}, "jsonb": {0}} {
		for _, n := range lengths {
			res := c.ExecParams(bg(), "SELECT $1::"+name, [][]byte{make([]byte, n)}, nil, []int16{1}, nil).Read()
			if got := code(res.Err); got != "22P03" && got != "08P01" && got != "22P02" {
				t.Errorf("%s of %d bytes: %v", name, n, res.Err)
			}
		}
	}
	// An array of 2^31 elements, and one of many dimensions.
	for _, head := range [][]int32{{1, 0, 23, 1 << 30, 1}, {1 << 30, 0, 23}, {2, 0, 23, 1 << 15, 1, 1 << 15, 1}, {-1, 0, 23}, {1, 0, 23, -5, 1}, {1, 0, 999999, 1, 1, 4, 7}} {
		var arg []byte
		for _, x := range head {
			arg = binary.BigEndian.AppendUint32(arg, uint32(x))
		}
		res := c.ExecParams(bg(), "SELECT $1::int[]", [][]byte{arg}, nil, []int16{1}, nil).Read()
		if got := code(res.Err); !strings.HasPrefix(got, "22") && got != "54000" && got != "08P01" && got != "42804" && got != "2202E" {
			t.Errorf("array %v: %v", head, res.Err)
		}
	}
	if _, err := c.Prepare(bg(), "", "SELECT $1", []uint32{4242424}); code(err) != "42704" {
		t.Error(err)
	}
	res := c.ExecParams(bg(), "SELECT $1::int", [][]byte{{1}}, nil, []int16{7}, nil).Read()
	if code(res.Err) == "" || code(res.Err) == "XX000" {
		t.Error(res.Err)
	}
	alive(t, s, "bad parameters")
}

// rawLogin opens a connection up to ReadyForQuery.
func rawLogin(t *testing.T, s *server.Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	fe := pgproto3.NewFrontend(nc, nc)
	fe.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "x"}})
	if err := fe.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := fe.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return nc
		}
	}
}

// TestRandomMessages sends random bytes before and after login: the connection
// may end, the server and its other clients go on.
func TestRandomMessages(t *testing.T) {
	s := start(t, server.Options{})
	r := random.New(t)
	witness := connect(t, s)
	kinds := "QPBDECHSXdcfFpqz\x00"
	for i := range 300 {
		var nc net.Conn
		var out []byte
		if i%3 == 0 {
			var err error
			if nc, err = net.Dial("tcp", s.Addr().String()); err != nil {
				t.Fatal(err)
			}
		} else {
			nc = rawLogin(t, s)
		}
		for range 1 + r.IntN(6) {
			body := make([]byte, r.IntN(40))
			for k := range body {
				body[k] = byte(r.IntN(256))
				if r.IntN(2) == 0 {
					body[k] = byte(r.IntN(3))
				}
			}
			if r.IntN(3) == 0 {
				body = append([]byte("SELECT 1\x00"), body...)
			}
			if i%3 > 0 {
				out = append(out, kinds[r.IntN(len(kinds))])
			}
			length := uint32(len(body) + 4)
			switch r.IntN(8) {
			case 0:
				length = r.Uint32()
			case 1:
				length = uint32(r.IntN(8))
			}
			out = append(binary.BigEndian.AppendUint32(out, length), body...)
		}
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = nc.Write(out[:len(out)-r.IntN(len(out))/4])
		_ = nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, nc); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("the server neither answers nor closes after %x", out)
		}
		nc.Close()
		if i%50 == 0 {
			if got := run(witness, "SELECT 1"); got != "(1) SELECT 1" {
				t.Fatalf("another client sees %s", got)
			}
		}
	}
	alive(t, s, "random messages")
}
