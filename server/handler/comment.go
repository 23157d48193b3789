package handler

import (
	"context"
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// comment runs COMMENT ON a relation or one of its columns.
func (h *Handler) comment(st *ast.Comment) plan {
	return planFunc(func(_ context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "COMMENT"
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		r, column, err := h.commented(s, st)
		if err != nil {
			return nil, err
		}
		text := ""
		if st.Text != nil {
			text = *st.Text
		}
		changed := *r
		if column < 0 {
			changed.Comment = text
		} else {
			changed.Columns = slices.Clone(r.Columns)
			changed.Columns[column].Comment = text
		}
		return session.Command(tag), h.work(s).names.ReplaceRelation(changed)
	})
}

// commented finds what COMMENT ON names; column is -1 for the relation itself.
func (h *Handler) commented(s *session.Session, st *ast.Comment) (r *catalog.Relation, column int, err error) {
	path, at := st.Name, int(st.Name.Offset())
	switch st.Kind {
	case ast.TableKind, ast.SourceKind, ast.SinkKind, ast.ViewKind, ast.MaterializedViewKind, ast.IndexKind:
	case "column":
		if len(path) < 2 {
			return nil, 0, pgerr.New(pgerr.SyntaxError, "column name must be qualified").At(at)
		}
		path = path[:len(path)-1]
	default:
		return nil, 0, pgerr.NotSupported(int(st.Pos), "COMMENT ON "+strings.ToUpper(string(st.Kind)))
	}
	if r = h.commentedIndex(s, st); r == nil {
		if r, err = h.findRelation(s, path); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case h.system[r.Schema] != nil:
		return nil, 0, pgerr.New(pgerr.InsufficientPrivilege, "permission denied: %q is a system catalog", r.Name).At(at)
	case st.Kind == "column":
		name := st.Name.Last()
		i := slices.IndexFunc(r.Columns, func(c catalog.Column) bool { return c.Name == name.Value })
		if i < 0 {
			return nil, 0, pgerr.New(pgerr.UndefinedColumn, "column %q of relation %q does not exist", name.Value, r.Name).At(int(name.Pos))
		}
		return r, i, nil
	case string(r.Kind) != string(st.Kind):
		return nil, 0, pgerr.New(pgerr.WrongObjectType, "%q is not a %s", r.Name, st.Kind).At(at)
	}
	return r, -1, nil
}

// commentedIndex is the index that COMMENT ON INDEX names, nil for none.
func (h *Handler) commentedIndex(s *session.Session, st *ast.Comment) *catalog.Relation {
	schema, name := "public", st.Name.Last().Value
	if len(st.Name) > 1 {
		schema = st.Name[len(st.Name)-2].Value
	}
	if r := h.Snapshot(s).Relation(schema, name); st.Kind == ast.IndexKind && r != nil && r.Kind == catalog.Index {
		return r
	}
	return nil
}
