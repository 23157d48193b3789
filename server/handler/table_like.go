package handler

import (
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
)

// copyLike puts what LIKE copies in its place, and tells the indexes that are to be made
// with the relation.
func (h *Handler) copyLike(s *session.Session, st *ast.CreateRelation) (*ast.CreateRelation, []*ast.CreateIndex, error) {
	if len(st.Like) == 0 {
		return st, nil, nil
	}
	c := &likeCopy{h: h, s: s, st: *st}
	c.st.Columns, c.st.Like = slices.Clone(st.Columns), nil
	c.st.Unique, c.st.Checks = slices.Clone(st.Unique), slices.Clone(st.Checks)
	for i := range st.Like {
		if err := c.copy(&st.Like[len(st.Like)-1-i]); err != nil { // from the end: places stay
			return nil, nil, err
		}
	}
	return &c.st, c.indexes, nil
}

// likeCopy is a CREATE TABLE, SOURCE or SINK with LIKE while it is being spelled out.
type likeCopy struct {
	h       *Handler
	s       *session.Session
	st      ast.CreateRelation
	indexes []*ast.CreateIndex
}

func (c *likeCopy) copy(l *ast.TableLike) error {
	from, err := c.h.findRelation(c.s, l.Relation)
	if err != nil {
		return err
	}
	def := &ast.CreateRelation{}
	if slices.Contains([]catalog.Kind{catalog.Table, catalog.Source, catalog.Sink}, from.Kind) && from.SQL != "" {
		if def, err = c.h.definitionOf(from); err != nil {
			return err
		}
	}
	var columns []ast.ColumnDef
	for i := range from.Columns {
		d, err := likeColumn(l, &from.Columns[i], def)
		if err != nil {
			return err
		}
		columns = append(columns, d)
	}
	c.st.Columns = slices.Insert(c.st.Columns, l.Before, columns...)
	if l.Includes("constraints") {
		c.st.Checks = append(c.st.Checks, def.Checks...)
	}
	if l.Includes("indexes") {
		if err := c.copyIndexes(l, from, def); err != nil {
			return err
		}
	}
	c.copyWatermark(l, def)
	return nil
}

// likeColumn defines a column like one of a relation, which def defines.
func likeColumn(l *ast.TableLike, of *catalog.Column, def *ast.CreateRelation) (d ast.ColumnDef, err error) {
	d = ast.ColumnDef{Name: ast.Name{At: l.At, Value: of.Name}, NotNull: of.NotNull}
	if d.Type, err = parsedType(of.Type); err != nil {
		return d, err
	}
	if l.Includes("comments") {
		d.Comment = of.Comment
	}
	i := slices.IndexFunc(def.Columns, func(c ast.ColumnDef) bool { return c.Name.Value == of.Name })
	if i < 0 {
		return d, nil
	}
	c := &def.Columns[i]
	if l.Includes("defaults") {
		d.Default = c.Default
		if bind.IsSerial(c.Type) {
			d.Type = c.Type
		}
	}
	if l.Includes("generated") {
		d.Generated = c.Generated
	}
	if l.Includes("identity") {
		d.Identity = c.Identity
	}
	if l.Includes("metadata") {
		d.IsMetadata, d.Metadata, d.Virtual = c.IsMetadata, c.Metadata, c.Virtual
	}
	if l.Includes("constraints") {
		d.Checks = c.Checks
	}
	if l.Includes("indexes") {
		d.PrimaryKey = c.PrimaryKey
		for _, u := range c.Unique {
			d.Unique = append(d.Unique, ast.Unique{At: l.At, NullsNotDistinct: u.NullsNotDistinct})
		}
	}
	return d, nil
}

// copyIndexes copies the primary key, unique constraints and indexes, whose names are
// chosen anew.
func (c *likeCopy) copyIndexes(l *ast.TableLike, from *catalog.Relation, def *ast.CreateRelation) error {
	here := func(names []ast.Name) (out []ast.Name) {
		for _, n := range names {
			out = append(out, ast.Name{At: l.At, Value: n.Value})
		}
		return out
	}
	if len(def.PrimaryKey) > 0 {
		if len(c.st.PrimaryKey) > 0 {
			return pgerr.New(pgerr.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", c.st.Name.Last().Value).At(int(l.Pos)).
				Hint("Write EXCLUDING INDEXES after LIKE.")
		}
		c.st.PrimaryKey = here(def.PrimaryKey)
	}
	for _, u := range def.Unique {
		c.st.Unique = append(c.st.Unique, ast.Unique{At: l.At, Columns: here(u.Columns), NullsNotDistinct: u.NullsNotDistinct})
	}
	for _, index := range c.h.Snapshot(c.s).Indexes(from.ID) {
		list, err := parse.Statements(index.SQL)
		if err != nil || len(list) == 0 {
			return err
		}
		if st, ok := list[0].Statement.(*ast.CreateIndex); ok {
			st.Name, st.Relation, st.IfNotExists = ast.Name{}, c.st.Name, false
			c.indexes = append(c.indexes, st)
		}
	}
	return nil
}

// copyWatermark copies the watermark, or tells that it is not.
func (c *likeCopy) copyWatermark(l *ast.TableLike, def *ast.CreateRelation) {
	switch {
	case def.Watermark == nil || c.st.Watermark != nil || c.st.Kind == ast.SinkKind:
	case l.Includes("watermarks"):
		w := *def.Watermark
		w.Pos, w.Column.Pos = l.Pos, l.Pos
		c.st.Watermark = &w
	case !slices.ContainsFunc(l.Options, func(o ast.LikeOption) bool { return o.What == "watermarks" || o.What == "all" }):
		e := pgerr.New(pgerr.SuccessfulCompletion, "the watermark of %s is not copied", l.Relation.Last().Value).At(int(l.Pos)).
			Hint("Write INCLUDING WATERMARKS after it, or WATERMARK FOR a column.")
		c.s.SendNotice(session.Notice{Severity: "NOTICE", Error: *e})
	}
}
