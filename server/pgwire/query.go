package pgwire

import (
	"errors"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
)

// query runs a simple query string: all its statements are one implicit
// transaction, unless they say otherwise.
func (c *conn) query(sql string) error {
	c.s.Note(sql)
	if fatal := c.statements(sql); fatal != nil {
		return fatal
	}
	return c.sync()
}

func (c *conn) statements(sql string) error {
	part, before := sql, len(c.openSet)
	sql, c.openSet = c.openSet+sql, ""
	fail := func(err error, start int) error {
		if before == 0 {
			return c.fail(err, sql, start)
		}
		e := *pgerr.From(err) // its position is to be one in this message
		if e.Position += start - before; e.Position < 0 {
			e.Position = -1
		}
		return c.fail(&e, part, 0)
	}
	parsed, err := c.split(sql)
	if errors.Is(err, ast.ErrOpenSet) && c.s.Status() != session.Failed {
		c.hold(sql)
		return nil
	}
	if err != nil {
		return fail(err, 0)
	}
	if len(parsed) == 0 {
		c.send(&pgproto3.EmptyQueryResponse{})
	}
	defer func() { c.running = source{} }()
	for i, st := range parsed {
		c.running = source{sql: part, start: st.Start - before}
		if err := c.statement(st, i == len(parsed)-1); err != nil {
			return fail(err, st.Start)
		}
	}
	return nil
}

// hold keeps a statement set until its END has come: psql sends what lies between
// two semicolons, and knows no BEGIN … END but that of functions. An error, as
// ROLLBACK is one there, gives the set up.
func (c *conn) hold(sql string) {
	c.openSet = sql + "\n;\n"
	c.s.Notice("NOTICE", pgerr.SuccessfulCompletion, "the statement set goes on with the next statements, until END")
	c.send(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
}

// settle commits before the result of a statement is told, if it is the last of
// an implicit transaction and the commit may change the result.
func (c *conn) settle(run *session.Run, last bool, portal *session.Portal) error {
	if run.Result.Told == nil {
		return nil
	}
	if last {
		if err := c.s.Settle(c.ctx, portal); err != nil {
			return err
		}
	}
	run.Result.Told()
	return nil
}

func (c *conn) split(sql string) ([]ast.Parsed, error) {
	if !utf8.ValidString(sql) {
		return nil, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
	}
	parsed, err := c.s.Parse(sql)
	if err != nil && c.s.Status() == session.Failed {
		// PostgreSQL, too, reports the syntax error first.
		return nil, err
	}
	return parsed, err
}

// statement runs one statement of a simple query. The last one's work is
// committed before its success is told.
func (c *conn) statement(st ast.Parsed, last bool) error {
	p, err := c.s.Prepare(c.ctx, st, nil)
	if err != nil {
		return err
	}
	if len(p.Params) > 0 {
		return pgerr.New(pgerr.UndefinedParameter, "there is no parameter $1").At(int(st.FirstParam))
	}
	run, err := c.s.Start(c.ctx, p, nil)
	if err != nil {
		return err
	}
	defer run.Close()
	if err := c.settle(run, last, nil); err != nil {
		return err
	}
	if run.Columns != nil && run.Result.CopyIn == nil && run.Result.CopyOut == nil {
		c.send(rowDescription(run.Columns, run.Formats))
	}
	tag, err := c.stream(run, run.Formats)
	if err != nil {
		return err
	}
	run.Close()
	if last {
		if err := c.s.EndImplicit(c.ctx); err != nil {
			return err
		}
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

// stream sends everything a run has to send, up to the command tag, which it
// returns.
func (c *conn) stream(run *session.Run, formats []int16) (string, error) {
	switch {
	case run.Result.CopyIn != nil:
		return c.copyIn(run)
	case run.Result.CopyOut != nil:
		return c.copyOut(run)
	}
	_, err := c.sendRows(run, formats, 0)
	return run.Tag(), err
}

// sendRows sends at most limit rows (0: all) and reports whether there are none
// left.
func (c *conn) sendRows(run *session.Run, formats []int16, limit int64) (done bool, err error) {
	if run.Result.Rows == nil {
		return true, nil
	}
	if err := c.rows.prepare(run.Columns, formats, c.s); err != nil {
		return false, err
	}
	if run.Live {
		if err := c.flush(); err != nil {
			return false, err
		}
	}
	for sent := int64(0); ; {
		left := int64(0)
		if limit > 0 {
			if left = limit - sent; left == 0 {
				return false, nil
			}
		}
		b, err := run.Next(left)
		if err != nil {
			return false, err
		}
		if b == nil {
			return true, nil
		}
		sent += int64(b.Live())
		for from := 0; from < b.Live(); {
			if c.out, from, err = c.rows.append(c.out, b, from); err != nil {
				return false, err
			}
			if len(c.out) >= flushBytes || run.Live && from == b.Live() {
				if err := c.flush(); err != nil {
					return false, err
				}
			}
		}
	}
}
