package pgwire

import (
	"errors"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// failure is an error with the text that its position refers to.
type failure struct {
	error
	source
}

func (f failure) Unwrap() error { return f.error }

// extended reports an error of the extended protocol, after which everything is
// skipped until Sync.
func (c *conn) extended(err error) error {
	if err == nil {
		return nil
	}
	c.skip = true
	var f failure
	errors.As(err, &f)
	return c.fail(err, f.sql, f.start)
}

// parse is the Parse message: it prepares a statement.
func (c *conn) parse(m *pgproto3.Parse) error {
	name, sql := m.Name, m.Query
	if name == "" {
		c.s.ForgetPrepared("") // even if this one fails
	}
	declared := make([]types.Type, len(m.ParameterOIDs))
	for i, oid := range m.ParameterOIDs {
		t, ok := typeByOID(oid)
		if !ok {
			return pgerr.New(pgerr.UndefinedObject, "type with OID %d does not exist", oid)
		}
		declared[i] = t
	}
	c.s.Note(sql)
	parsed, err := c.split(sql)
	if err != nil {
		return failure{err, source{sql, 0}}
	}
	var p *session.Prepared
	src := source{sql: sql}
	switch len(parsed) {
	case 0:
		p = &session.Prepared{}
	case 1:
		src.start = parsed[0].Start
		if p, err = c.s.Prepare(c.ctx, parsed[0], declared); err != nil {
			return failure{err, src}
		}
	default:
		return pgerr.New(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	if err := c.s.SetPrepared(name, sql, p); err != nil {
		return err
	}
	c.sources[name] = src
	c.send(&pgproto3.ParseComplete{})
	return nil
}

// bind is the Bind message: it makes a portal of a statement and parameters.
func (c *conn) bind(m *pgproto3.Bind) error {
	p, err := c.s.Prepared(m.PreparedStatement)
	if err != nil {
		return err
	}
	if len(m.Parameters) != len(p.Params) {
		return pgerr.New(pgerr.ProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Parameters), m.PreparedStatement, len(p.Params))
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return pgerr.New(pgerr.ProtocolViolation, "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(p.Columns) {
		return pgerr.New(pgerr.ProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(p.Columns))
	}
	for _, f := range m.ResultFormatCodes {
		if f != textFormat && f != binaryFormat {
			return pgerr.New(pgerr.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	params := make([]types.Value, len(m.Parameters))
	for i, raw := range m.Parameters {
		if raw == nil {
			params[i] = types.NullValue
			continue
		}
		if params[i], err = decodeParameter(p.Params[i], formatOf(m.ParameterFormatCodes, i), raw, c.s); err != nil {
			return pgerr.From(err).WithDetail("The value was given for parameter $%d.", i+1)
		}
	}
	if _, err := c.s.Bind(m.DestinationPortal, p, params, append([]int16(nil), m.ResultFormatCodes...)); err != nil {
		return err
	}
	c.portalSources[m.DestinationPortal] = c.sources[m.PreparedStatement]
	c.send(&pgproto3.BindComplete{})
	return nil
}

// forget is the Close message: it drops a statement or portal, if there is one.
func (c *conn) forget(m *pgproto3.Close) error {
	switch m.ObjectType {
	case 'S':
		c.s.ForgetPrepared(m.Name)
		delete(c.sources, m.Name)
	case 'P':
		c.s.ClosePortal(m.Name)
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}

// describe is the Describe message.
func (c *conn) describe(m *pgproto3.Describe) error {
	var columns []session.Column
	var formats []int16
	switch m.ObjectType {
	case 'S':
		p, err := c.s.Prepared(m.Name)
		if err != nil {
			return err
		}
		oids := make([]uint32, len(p.Params))
		for i, t := range p.Params {
			oids[i] = oidOf(t)
		}
		c.send(&pgproto3.ParameterDescription{ParameterOIDs: oids})
		columns = p.Columns
	case 'P':
		portal, err := c.s.Portal(m.Name)
		if err != nil {
			return err
		}
		columns, formats = portal.Prepared.Columns, portal.Formats
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
	}
	if columns == nil {
		c.send(&pgproto3.NoData{})
		return nil
	}
	c.send(rowDescription(columns, formats))
	return nil
}

// execute is the Execute message: it runs a portal or goes on with it.
func (c *conn) execute(name string, limit int64) error {
	portal, err := c.s.Portal(name)
	if err != nil {
		return c.extended(err)
	}
	if err := c.runPortal(portal, limit); err != nil {
		return c.extended(failure{err, c.portalSources[name]})
	}
	return nil
}

func (c *conn) runPortal(portal *session.Portal, limit int64) error {
	if portal.Prepared.Statement.Statement == nil {
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	if portal.Run == nil {
		c.s.Note(portal.Prepared.Statement.Text)
		run, err := c.s.Start(c.ctx, portal.Prepared, portal.Params)
		if err != nil {
			return err
		}
		portal.Run = run
		if run.Result.Told != nil {
			next, err := c.peek()
			if err != nil {
				return err
			}
			_, last := next.(*pgproto3.Sync)
			if last && c.s.Status() == session.Idle {
				defer run.Close() // the portal ends with the transaction
			}
			if err := c.settle(run, last, portal); err != nil {
				return err
			}
		}
	} else if portal.Done && portal.Run.Result.Rows == nil {
		return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "portal %q cannot be run", portal.Name)
	}
	run := portal.Run
	defer run.Suspend()
	var tag string
	if run.Result.CopyIn != nil || run.Result.CopyOut != nil {
		var err error
		if tag, err = c.stream(run, nil); err != nil {
			return err
		}
	} else {
		before := run.Rows()
		done, err := c.sendRows(run, portal.Formats, limit)
		if err != nil {
			return err
		}
		if !done {
			c.send(&pgproto3.PortalSuspended{})
			return nil
		}
		tag = run.TagFor(run.Rows() - before)
	}
	portal.Done = true
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}
