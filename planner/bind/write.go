package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// write binds an INSERT, UPDATE or DELETE in WITH, which is carried out before what
// the WITH belongs to; c is its name.
func (b *binder) write(c *cteScope, w *ast.With, st ast.Statement, e env) error {
	pos := int(c.pos)
	switch {
	case !b.opts.Writes:
		return pgerr.NotSupported(int(st.Offset()), "a data-modifying statement in WITH here")
	case w != b.top:
		return pgerr.New(pgerr.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level").At(pos)
	}
	out := Write{Name: c.name}
	var err error
	var returning []*scalar.Expr
	var columns []logical.Field
	switch st := st.(type) {
	case *ast.Insert:
		if out.Insert, err = b.insert(st, e); err == nil {
			returning, columns = out.Insert.Returning, out.Insert.ReturningColumns
		}
	case *ast.Update:
		out.Update = true
		if out.Change, err = b.update(st, e); err == nil {
			returning, columns = out.Change.Returning, out.Change.ReturningColumns
		}
	case *ast.Delete:
		if out.Change, err = b.deletion(st, e); err == nil {
			returning, columns = out.Change.Returning, out.Change.ReturningColumns
		}
	default:
		err = pgerr.NotSupported(int(st.Offset()), "this statement in WITH")
	}
	if err != nil {
		return err
	}
	b.writes = append(b.writes, out)
	c.writes = true
	if returning != nil {
		c.given = prefix(givenRows(int64(len(b.writes)), columns), len(columns))
	}
	return nil
}
