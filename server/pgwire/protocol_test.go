package pgwire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgproto3/v2"
	pgproto3v5 "github.com/jackc/pgx/v5/pgproto3"
)

// oldClient speaks the protocol as programs on pgx v4 do.
type oldClient struct {
	t  *testing.T
	nc net.Conn
	fe *pgproto3.Frontend
}

func dialOld(t *testing.T, addr string) *oldClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	c := &oldClient{t: t, nc: nc, fe: pgproto3.NewFrontend(pgproto3.NewChunkReader(nc), nc)}
	c.send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "me", "database": "db"}})
	if got := c.until('Z'); !strings.HasPrefix(got, "R S S ") || !strings.HasSuffix(got, " K Z:I") {
		t.Fatalf("startup: %s", got)
	}
	return c
}

func (c *oldClient) send(messages ...pgproto3.FrontendMessage) {
	c.t.Helper()
	var buf []byte
	for _, m := range messages {
		var err error
		if buf, err = m.Encode(buf); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.nc.Write(buf); err != nil {
		c.t.Fatal(err)
	}
}

// until renders what the server says up to a ReadyForQuery ('Z') or a
// CopyInResponse ('G').
func (c *oldClient) until(end byte) string {
	c.t.Helper()
	var out []string
	for {
		m, err := c.fe.Receive()
		if err != nil {
			c.t.Fatalf("after %s: %v", strings.Join(out, " "), err)
		}
		switch m := m.(type) {
		case *pgproto3.AuthenticationOk:
			out = append(out, "R")
		case *pgproto3.ParameterStatus:
			out = append(out, "S")
		case *pgproto3.BackendKeyData:
			out = append(out, "K")
		case *pgproto3.ParseComplete:
			out = append(out, "1")
		case *pgproto3.BindComplete:
			out = append(out, "2")
		case *pgproto3.CloseComplete:
			out = append(out, "3")
		case *pgproto3.NoData:
			out = append(out, "n")
		case *pgproto3.EmptyQueryResponse:
			out = append(out, "I")
		case *pgproto3.PortalSuspended:
			out = append(out, "s")
		case *pgproto3.ParameterDescription:
			out = append(out, fmt.Sprint("t", m.ParameterOIDs))
		case *pgproto3.RowDescription:
			var f []string
			for _, d := range m.Fields {
				f = append(f, fmt.Sprintf("%s/%d/%d", d.Name, d.DataTypeOID, d.Format))
			}
			out = append(out, "T["+strings.Join(f, " ")+"]")
		case *pgproto3.DataRow:
			var f []string
			for _, v := range m.Values {
				if v == nil {
					f = append(f, "NULL")
				} else {
					f = append(f, fmt.Sprintf("%q", v))
				}
			}
			out = append(out, "D["+strings.Join(f, " ")+"]")
		case *pgproto3.CommandComplete:
			out = append(out, "C:"+string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			out = append(out, fmt.Sprintf("E:%s/%s@%d", m.Severity, m.Code, m.Position))
		case *pgproto3.NoticeResponse:
			out = append(out, "N:"+m.Message)
		case *pgproto3.CopyInResponse:
			out = append(out, fmt.Sprintf("G%d", m.OverallFormat))
			if end == 'G' {
				return strings.Join(out, " ")
			}
		case *pgproto3.CopyOutResponse:
			out = append(out, fmt.Sprintf("H%d", m.OverallFormat))
		case *pgproto3.CopyData:
			out = append(out, fmt.Sprintf("d%q", m.Data))
		case *pgproto3.CopyDone:
			out = append(out, "c")
		case *pgproto3.ReadyForQuery:
			out = append(out, fmt.Sprintf("Z:%c", m.TxStatus))
			return strings.Join(out, " ")
		default:
			out = append(out, fmt.Sprintf("%T", m))
		}
	}
}

func TestExtendedProtocol(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	c := dialOld(t, addr)
	type msgs = []pgproto3.FrontendMessage
	var (
		sync  = &pgproto3.Sync{}
		parse = func(name, sql string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: sql} }
		bind  = func(portal, stmt string) *pgproto3.Bind {
			return &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: stmt}
		}
		execute = func(portal string, n uint32) *pgproto3.Execute { return &pgproto3.Execute{Portal: portal, MaxRows: n} }
		query   = func(sql string) *pgproto3.Query { return &pgproto3.Query{String: sql} }
	)
	rows := "D[\"0\" \"row 0\"] D[\"1\" \"row 1\"]"
	for i, step := range []struct {
		send msgs
		want string
	}{
		{msgs{parse("", "rows 2"), bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, execute("", 0), sync},
			"1 2 T[n/20/0 s/25/0] " + rows + " C:SELECT 2 Z:I"},
		{msgs{parse("a", "rows 2"), &pgproto3.Describe{ObjectType: 'S', Name: "a"}, sync}, "1 t[] T[n/20/0 s/25/0] Z:I"},
		{msgs{parse("a", "rows 2"), sync}, "E:ERROR/42P05@0 Z:I"},
		// a row limit suspends; in a transaction the portal lives on after Sync
		{msgs{query("begin")}, "C:BEGIN Z:T"},
		{msgs{bind("p", "a"), execute("p", 1), sync}, "2 D[\"0\" \"row 0\"] s Z:T"},
		{msgs{execute("p", 1), execute("p", 1), execute("p", 1), sync}, "D[\"1\" \"row 1\"] s C:SELECT 0 C:SELECT 0 Z:T"},
		{msgs{bind("p", "a"), sync}, "E:ERROR/42P03@0 Z:E"},
		{msgs{bind("q", "a"), sync}, "E:ERROR/25P02@0 Z:E"},
		{msgs{parse("", "rollback"), bind("", ""), execute("", 0), sync}, "1 2 C:ROLLBACK Z:I"},
		{msgs{execute("p", 1), sync}, "E:ERROR/34000@0 Z:I"},
		// outside of one it ends with Sync
		{msgs{bind("p", "a"), execute("p", 1), sync, execute("p", 1), sync}, "2 D[\"0\" \"row 0\"] s Z:I"},
		{nil, "E:ERROR/34000@0 Z:I"},
		// an error skips to Sync
		{msgs{parse("", "fail x"), bind("", ""), execute("", 0), query("rows 1"), sync}, "E:ERROR/42703@6 Z:I"},
		{msgs{parse("", "é!!"), sync}, "E:ERROR/42601@2 Z:I"},
		{msgs{parse("", "rows 1; rows 2"), sync}, "E:ERROR/42601@0 Z:I"},
		{msgs{parse("", "  nonsense"), bind("", ""), execute("", 0), sync}, "1 2 E:ERROR/42601@3 Z:I"},
		// the empty statement
		{msgs{parse("", ""), bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, execute("", 0), sync}, "1 2 n I Z:I"},
		{msgs{&pgproto3.Describe{ObjectType: 'S', Name: "nope"}, sync}, "E:ERROR/26000@0 Z:I"},
		{msgs{&pgproto3.Close{ObjectType: 'S', Name: "nope"}, &pgproto3.Close{ObjectType: 'S', Name: "a"}, sync, bind("", "a"), sync}, "3 3 Z:I"},
		{nil, "E:ERROR/26000@0 Z:I"},
		// parameters
		{msgs{&pgproto3.Parse{Query: "echo int4"}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Bind{Parameters: [][]byte{[]byte("7")}, ResultFormatCodes: []int16{1}}, execute("", 0), sync},
			"1 t[23] T[echo/23/0] 2 D[\"\\x00\\x00\\x00\\a\"] C:SELECT 1 Z:I"},
		{msgs{&pgproto3.Parse{Query: "echo int4", ParameterOIDs: []uint32{25}}, &pgproto3.Bind{Parameters: [][]byte{nil}}, execute("", 0), sync}, "1 2 D[NULL] C:SELECT 1 Z:I"},
		{msgs{&pgproto3.Parse{Query: "echo int4", ParameterOIDs: []uint32{999999}}, sync}, "E:ERROR/42704@0 Z:I"},
		{msgs{&pgproto3.Bind{Parameters: [][]byte{nil}, ResultFormatCodes: []int16{0, 0}}, sync}, "E:ERROR/26000@0 Z:I"},
		// work of one Sync is one transaction
		{msgs{parse("put", "put a"), bind("", "put"), execute("", 0), parse("", "nonsense"), bind("", ""), execute("", 0), sync}, "1 2 C:INSERT 0 1 1 2 E:ERROR/42601@1 Z:I"},
		{msgs{query("list")}, "T[item/25/0] C:SELECT 0 Z:I"},
		{msgs{bind("", "put"), execute("", 0), bind("", "put"), execute("", 0), sync}, "2 C:INSERT 0 1 2 C:INSERT 0 1 Z:I"},
		{msgs{query("list")}, "T[item/25/0] D[\"a\"] D[\"a\"] C:SELECT 2 Z:I"},
		{msgs{parse("", "putfail"), bind("", ""), execute("", 0), sync}, "1 2 C:INSERT 0 1 E:ERROR/23505@0 Z:I"},
		// COPY
		{msgs{query("copyout 1")}, "H0 d\"0\\trow 0\\n\" c C:COPY 1 Z:I"},
		{msgs{query("copyin"), &pgproto3.CopyData{Data: []byte("1\ta")}, &pgproto3.CopyData{Data: []byte("b\n2\tc\n")}, &pgproto3.CopyDone{}}, "G0 C:COPY 2 Z:I"},
		{msgs{query("copyin"), &pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyData{Data: []byte("2\n")}, &pgproto3.CopyDone{}, query("rows 0")}, "G0 E:ERROR/22P04@0 Z:I"},
		{nil, "T[n/20/0 s/25/0] C:SELECT 0 Z:I"},
		{msgs{query("copyin"), &pgproto3.CopyFail{Message: "no"}}, "G0 E:ERROR/57014@0 Z:I"},
		{msgs{parse("", "copyin"), bind("", ""), execute("", 0), &pgproto3.CopyData{Data: []byte("9\tz\n")}, &pgproto3.CopyDone{}, sync}, "1 2 G0 C:COPY 1 Z:I"},
		{msgs{parse("", "copyin binary"), bind("", ""), execute("", 0), &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.CopyDone{}, sync}, "1 2 G1 E:ERROR/22P04@0 Z:I"},
	} {
		c.send(step.send...)
		if got := c.until('Z'); got != step.want {
			t.Errorf("step %d\n got %s\nwant %s", i, got, step.want)
		}
	}
}

// startup is a startup packet of the given protocol with these fields.
func startup(version uint32, fields ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, f := range fields {
		body = append(append(body, f...), 0)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// talk sends raw bytes, closes the sending side, and returns the answer.
func talk(t testing.TB, addr string, data []byte) []byte {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = nc.Write(data)
	_ = nc.(*net.TCPConn).CloseWrite()
	out, err := io.ReadAll(nc)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("the server hangs after %q", data)
	}
	return out
}

func TestStartupPackets(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	ssl, gss := []byte{0, 0, 0, 8, 4, 210, 22, 47}, []byte{0, 0, 0, 8, 4, 210, 22, 48}
	hello := startup(3<<16, "user", "me")
	for _, c := range []struct {
		name string
		data []byte
		want string // what the answer begins with, or contains
	}{
		{"plain", hello, "R\x00\x00\x00\x08\x00\x00\x00\x00"},
		{"ssl", append(bytes.Clone(ssl), hello...), "NR\x00"},
		{"ssl twice", append(append(bytes.Clone(ssl), ssl...), hello...), "unsupported frontend protocol"},
		{"gss then ssl", append(append(bytes.Clone(gss), ssl...), hello...), "NNR\x00"},
		{"newer minor", startup(3<<16|9999, "user", "me"), "v\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x00\x00R"},
		{"protocol option", startup(3<<16, "user", "me", "_pq_.x", "1"), "v\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x01_pq_.x\x00R"},
		{"3.2", startup(3<<16|2, "user", "me"), "R\x00\x00\x00\x08\x00\x00\x00\x00"},
		{"protocol 2", startup(2<<16, "user", "me"), "0A000"},
		{"protocol 4", startup(4<<16, "user", "me"), "0A000"},
		{"no user", startup(3<<16, "database", "x"), "28000"},
		{"replication", startup(3<<16, "user", "me", "replication", "database"), "0A000"},
		{"no terminator", []byte{0, 0, 0, 9, 0, 3, 0, 0, 'u'}, "08P01"},
		{"odd fields", append([]byte{0, 0, 0, 14, 0, 3, 0, 0}, "user\x00\x00"...), "08P01"},
		{"length 0", []byte{0, 0, 0, 0}, "08P01"},
		{"length -1", []byte{0xff, 0xff, 0xff, 0xff}, "08P01"},
		{"huge length", []byte{0x7f, 0xff, 0xff, 0xff}, "08P01"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "08P01"},
		{"cut", hello[:6], ""},
		{"cancel of nobody", []byte{0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2}, ""},
		{"cancel too short", []byte{0, 0, 0, 12, 4, 210, 22, 46, 0, 0, 0, 1}, ""},
		{"bad option", startup(3<<16, "user", "me", "options", "-z"), "42601"},
		{"bad variable", startup(3<<16, "user", "me", "options", "-c nope=1"), "42704"},
	} {
		got := talk(t, addr, c.data)
		if c.want == "" && len(got) > 0 || !bytes.Contains(got, []byte(c.want)) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMessagesThatAreNotAllowed(t *testing.T) {
	addr, _, _ := startFake(t, "secret", nil)
	hello := startup(3<<16, "user", "me")
	q := append([]byte{'Q', 0, 0, 0, 10}, "rows\x00\x00"...)
	for name, data := range map[string][]byte{
		"query before login":  append(bytes.Clone(hello), q...),
		"huge password":       append(bytes.Clone(hello), 'p', 0x7f, 0xff, 0xff, 0xff),
		"negative password":   append(bytes.Clone(hello), 'p', 0xff, 0xff, 0xff, 0xff),
		"garbage as SASL":     append(bytes.Clone(hello), 'p', 0, 0, 0, 8, 'a', 'b', 'c', 'd'),
		"SASL of a negative":  append(bytes.Clone(hello), append([]byte{'p', 0, 0, 0, 22}, "SCRAM-SHA-256\x00\xff\xff\xff\xf0"...)...),
		"another mechanism":   append(bytes.Clone(hello), append([]byte{'p', 0, 0, 0, 11}, "MD5\x00\xff\xff\xff\xff"...)...),
		"an empty first step": append(bytes.Clone(hello), append([]byte{'p', 0, 0, 0, 22}, "SCRAM-SHA-256\x00\x00\x00\x00\x00"...)...),
	} {
		got := talk(t, addr, data)
		if !bytes.Contains(got, []byte("FATAL")) || bytes.Contains(got, []byte{'Z', 0, 0, 0, 5}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	open, _, _ := startFake(t, "", nil)
	for name, data := range map[string][]byte{
		"unknown type":   {'?', 0, 0, 0, 4},
		"length too low": {'Q', 0, 0, 0, 3},
		"huge length":    {'Q', 0x7f, 0xff, 0xff, 0xff},
	} {
		if got := talk(t, open, append(bytes.Clone(hello), data...)); !bytes.Contains(got, []byte("FATAL")) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := talk(t, open, append(bytes.Clone(hello), "Q\x00\x00\x00\x08a\xff\xfe\x00X\x00\x00\x00\x04"...)); !bytes.Contains(got, []byte("22021")) {
		t.Errorf("query that is not UTF-8: %q", got)
	}
}

// A body that cannot be read spoils its statement and not the connection: the
// next message begins where the frame ends.
func TestMalformedBodies(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	message := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
	}
	sync, good := message('S', ""), message('Q', "rows 1\x00")
	hello := startup(3<<16, "user", "me")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"query with a NUL", message('Q', "rows 1\x00rows 2\x00"), "invalid message format"},
		{"query with a NUL at its end", message('Q', "rows 1\x00\x00"), "invalid message format"},
		{"query unended", message('Q', "rows 1"), "invalid string in message"},
		{"query of nothing", message('Q', ""), "invalid string in message"},
		{"parse with a NUL", append(message('P', "\x00rows 1\x00 2\x00\x00\x00"), sync...), "invalid message format"},
		{"parse unended", append(message('P', "\x00rows 1"), sync...), "invalid message format"},
		{"bind of garbage", append(message('B', "\x01\x02\x03\x04"), sync...), "invalid message format"},
		{"execute without a limit", append(message('E', "\x00\x00"), sync...), "invalid message format"},
		{"describe of something else", append(message('D', "X\x00"), sync...), "invalid DESCRIBE message subtype 88"},
		{"close of something else", append(message('C', "X\x00"), sync...), "invalid CLOSE message subtype 88"},
		{"sync with a body", message('S', "x"), "invalid message format"},
		{"sync with a body after an error", append(message('E', "\x00"), message('S', "x")...), "invalid message format"},
		{"skipped until sync", append(message('D', "X\x00"), append(message('B', "\x01"), sync...)...), "invalid DESCRIBE"},
	} {
		got := talk(t, addr, slices.Concat(hello, c.data, good))
		if !bytes.Contains(got, []byte(c.want)) || !bytes.Contains(got, []byte("C08P01")) || bytes.Contains(got, []byte("FATAL")) || !bytes.Contains(got, []byte("SELECT 1\x00")) {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

// A body may come in pieces, and may be larger than what is kept for the next.
func TestMessageReader(t *testing.T) {
	long := strings.Repeat("x", 3*bodyBytesKept)
	var wire []byte
	for _, sql := range []string{"a", long, "b"} {
		wire, _ = (&pgproto3v5.Query{String: sql}).Encode(wire)
	}
	r := messageReader{r: bufio.NewReaderSize(iotest.HalfReader(bytes.NewReader(wire)), 16), max: 1 << 20}
	for _, want := range []string{"a", long, "b"} {
		m, err := one(&r)
		if q, ok := m.(*pgproto3v5.Query); err != nil || !ok || q.String != want {
			t.Fatalf("%T, %v", m, err)
		}
	}
	if _, err := one(&r); err != errGone {
		t.Errorf("at the end: %v", err)
	}
	r = messageReader{r: bufio.NewReader(strings.NewReader("Q\x0f\xff\xff\xffselect")), max: 1 << 30}
	if _, err := one(&r); err != errGone || cap(r.buf) > 2*bodyBytesKept {
		t.Errorf("a promise of 256 MB: %v, %d bytes", err, cap(r.buf))
	}
}

// one reads a burst of one message.
func one(r *messageReader) (pgproto3v5.FrontendMessage, error) {
	list, err := r.burst()
	if len(list) == 0 {
		return nil, err
	}
	return list[0], err
}

func TestStartupTimeout(t *testing.T) {
	addr, _, _ := startFakeWith(t, Options{StartupTimeout: 50 * time.Millisecond})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a silent stranger is kept: %v", err)
	}
}

// FuzzStartup sends anything before login: the server must answer or hang up,
// and live on.
func FuzzStartup(f *testing.F) {
	f.Add(startup(3<<16, "user", "me"))
	f.Add(append(startup(3<<16, "user", "me"), append([]byte{'p', 0, 0, 0, 54}, "SCRAM-SHA-256\x00\x00\x00\x00\x20n,,n=,r=rOprNGfwEbeRWgbNEkqO"...)...))
	f.Add([]byte{0, 0, 0, 8, 4, 210, 22, 47})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	addr, _, _ := startFake(f, "secret", nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := talk(t, addr, data); bytes.Contains(got, []byte{'Z', 0, 0, 0, 5}) {
			t.Errorf("%q logs in", data)
		}
	})
}

// FuzzMessages sends anything after login.
func FuzzMessages(f *testing.F) {
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Query{String: "rows 3"}, &pgproto3.Parse{Query: "echo int4", ParameterOIDs: []uint32{23}},
		&pgproto3.Bind{Parameters: [][]byte{{1, 2}}, ParameterFormatCodes: []int16{1}, ResultFormatCodes: []int16{1}},
		&pgproto3.Execute{MaxRows: 1}, &pgproto3.Sync{}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.Query{String: "copyin"},
	} {
		raw, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	addr, _, _ := startFake(f, "", nil)
	hello := startup(3<<16, "user", "me")
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("wait")) || bytes.Contains(data, []byte("live")) {
			return // they end only when cancelled
		}
		talk(t, addr, append(bytes.Clone(hello), data...))
	})
}

func BenchmarkRows(b *testing.B) {
	c := open(b)
	b.ResetTimer()
	n := b.N * 100000
	r := c.PgConn().Exec(b.Context(), fmt.Sprintf("rows %d", n))
	rows := 0
	for r.NextResult() {
		for r.ResultReader().NextRow() {
			rows++
		}
	}
	if err := r.Close(); err != nil || rows != n {
		b.Fatal(rows, err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// Messages that have come together are a burst, whose bodies stay good together; one
// that has come in part waits for the next burst, and what is wrong comes after what was
// right.
func TestBursts(t *testing.T) {
	var wire []byte
	for _, sql := range []string{"a", "bb", "ccc", "dddd"} {
		wire, _ = (&pgproto3v5.Query{String: sql}).Encode(wire)
	}
	from, to := net.Pipe()
	defer from.Close()
	go func() {
		_, _ = to.Write(wire[:len(wire)-2])
		_, _ = to.Write(append(wire[len(wire)-2:], '?', 0, 0, 0, 4))
		to.Close()
	}()
	r := messageReader{r: bufio.NewReader(from), max: 1 << 20}
	for _, want := range []string{"a bb ccc", "dddd"} {
		list, err := r.burst()
		var got []string
		for _, m := range list {
			got = append(got, m.(*pgproto3v5.Query).String)
		}
		if strings.Join(got, " ") != want || (err != nil) != (want == "dddd") {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
}
