package bench

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// readRows reads single rows by a prepared statement, as drivers do, but without a
// runtime that wakes up all the time: on a machine of two cores the client would take
// what it measures.
func readRows(ctx context.Context, conn *pgx.Conn) (request func(i int) error, err error) {
	if _, err := conn.Prepare(ctx, "read", `SELECT count(*) FROM totals WHERE k = $1`); err != nil {
		return nil, err
	}
	h, err := conn.PgConn().Hijack()
	if err != nil {
		return nil, err
	}
	rw, out, in := raw(h.Conn), []byte(nil), make([]byte, 4096)
	return func(i int) error {
		key := binary.BigEndian.AppendUint64(nil, uint64(i*7919%pointReadKeys))
		out = out[:0]
		for _, m := range []pgproto3.FrontendMessage{
			&pgproto3.Bind{PreparedStatement: "read", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{key}, ResultFormatCodes: []int16{1}},
			&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}} {
			if out, err = m.Encode(out); err != nil {
				return err
			}
		}
		if _, err := rw.Write(out); err != nil {
			return err
		}
		rows, n := 0, 0
		for at := 0; ; {
			for n-at < 5 || n-at < 1+int(binary.BigEndian.Uint32(in[at+1:])) {
				more, err := rw.Read(in[n:])
				if err != nil {
					return err
				}
				n += more
			}
			kind := in[at]
			at += 1 + int(binary.BigEndian.Uint32(in[at+1:]))
			switch {
			case kind == 'D':
				rows++
			case kind == 'E' || kind == 'Z' && rows != 1:
				return fmt.Errorf("%d rows were read: %q", rows, in[:n])
			case kind == 'Z':
				return nil
			}
		}
	}, nil
}
