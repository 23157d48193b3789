package pgwire

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/pgcopy"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// copyFormats are the overall and the column formats of a copy.
func copyFormats(o *pgcopy.Options, columns []session.Column) (byte, []uint16) {
	overall, each := byte(textFormat), make([]uint16, len(columns))
	if o.Format == pgcopy.Binary {
		overall = binaryFormat
		for i := range each {
			each[i] = binaryFormat
		}
	}
	return overall, each
}

// fields gives the names and types of columns, for the coders of copy data.
func fields(columns []session.Column) []types.Field {
	out := make([]types.Field, len(columns))
	for i, c := range columns {
		out[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	return out
}

// copyIn asks the client for data and feeds the sink.
func (c *conn) copyIn(run *session.Run) (tag string, err error) {
	in := run.Result.CopyIn
	defer func() {
		if err != nil {
			in.Sink.Abort()
		}
	}()
	overall, each := copyFormats(&in.Options, in.Columns)
	c.send(&pgproto3.CopyInResponse{OverallFormat: overall, ColumnFormatCodes: each})
	if err := c.flush(); err != nil {
		return "", err
	}
	d := pgcopy.NewDecoder(fields(in.Columns), in.Options, c.s.ParseOptions())
	c.interrupt = run.Context().Done()
	defer func() { c.interrupt = nil }()
	defer context.AfterFunc(run.Context(), c.wake)()
	for {
		m, err := c.receive()
		if err == nil {
			err = run.Interrupted()
		}
		if err != nil {
			return "", err
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			d.Feed(m.Data)
			if err := drain(run, d); err != nil {
				return "", err
			}
		case *pgproto3.CopyDone:
			d.Finish()
			if err := drain(run, d); err != nil {
				return "", err
			}
			rows, err := in.Sink.Finish(run.Context())
			return fmt.Sprintf("COPY %d", rows), err
		case *pgproto3.CopyFail:
			return "", pgerr.New(pgerr.QueryCanceled, "COPY from stdin failed: %s", m.Message)
		case *malformed:
			return "", m.err
		case *pgproto3.Flush, *pgproto3.Sync: // allowed, without meaning here
		default:
			return "", &brokenError{pgerr.New(pgerr.ProtocolViolation, "unexpected message %T during COPY from stdin", m)}
		}
	}
}

// drain gives the sink what is decoded.
func drain(run *session.Run, d *pgcopy.Decoder) error {
	for {
		b, err := d.Next()
		if err != nil || b == nil {
			return err
		}
		if err := run.Result.CopyIn.Sink.Write(run.Context(), b); err != nil {
			return err
		}
	}
}

// copyOut sends rows as copy data.
func (c *conn) copyOut(run *session.Run) (string, error) {
	overall, each := copyFormats(run.Result.CopyOut, run.Columns)
	c.send(&pgproto3.CopyOutResponse{OverallFormat: overall, ColumnFormatCodes: each})
	e := pgcopy.NewEncoder(fields(run.Columns), *run.Result.CopyOut, c.s.TimeZone())
	c.appendCopy(e.Begin)
	for {
		if run.Live || len(c.out) >= flushBytes {
			if err := c.flush(); err != nil {
				return "", err
			}
		}
		b, err := run.Next(0)
		if err != nil {
			return "", err
		}
		if b == nil {
			break
		}
		for k := range b.Live() {
			i := b.RowAt(k)
			c.appendCopy(func(dst []byte) []byte { return e.Row(dst, b, i) })
			if len(c.out) >= flushBytes {
				if err := c.flush(); err != nil {
					return "", err
				}
			}
		}
	}
	c.appendCopy(e.End)
	c.send(&pgproto3.CopyDone{})
	return fmt.Sprintf("COPY %d", run.Rows()), nil
}

// appendCopy sends what f appends as one CopyData message, or nothing if it
// appends nothing.
func (c *conn) appendCopy(f func([]byte) []byte) {
	start := len(c.out)
	c.out = append(c.out, 'd', 0, 0, 0, 0)
	c.out = f(c.out)
	if len(c.out) == start+5 {
		c.out = c.out[:start]
		return
	}
	putLength(c.out, start+1)
}
