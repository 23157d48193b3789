package handler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// createIndex runs CREATE INDEX. An index is a name only: what finds the rows is
// made when the first query needs it, and again after a restart.
func (h *Handler) createIndex(st *ast.CreateIndex) plan {
	return planFunc(func(_ context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		const tag = "CREATE INDEX"
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		if err := refuseIndex(st); err != nil {
			return nil, err
		}
		base, err := h.findRelation(s, st.Relation)
		if err != nil {
			return nil, err
		}
		if base.Kind != catalog.MaterializedView && !base.IsOwnTable() {
			what := "an index on a " + string(base.Kind)
			if base.Kind == catalog.Table {
				what = "an index on a table with a connector"
			}
			return nil, pgerr.NotSupported(int(st.Relation.Offset()), what).Hint("Materialized views and Millrace's own tables can have indexes.")
		}
		r := catalog.Relation{Schema: base.Schema, Name: st.Name.Value, Kind: catalog.Index, Depends: []string{base.ID}, SQL: ast.Print(st)}
		if r.Columns, err = indexColumns(base, st.Columns); err != nil {
			return nil, err
		}
		r.Order = indexOrder(st.Columns)
		w := h.work(s)
		if r.Name == "" {
			r.Name = chosenIndexName(w.names.Snapshot(), base, r.Columns)
		} else if h.skipExisting(s, w, r.Schema, r.Name, st.IfNotExists) {
			return session.Command(tag), nil
		}
		if st.Unique {
			if err := h.makeUnique(w, base, &r, st); err != nil {
				return nil, err
			}
		}
		if _, err := w.names.CreateRelation(r); err != nil {
			return nil, pgerr.From(err).At(int(st.Name.Pos))
		}
		return session.Command(tag), nil
	})
}

// refuseIndex says what indexes cannot do.
func refuseIndex(st *ast.CreateIndex) error {
	what := ""
	switch {
	case st.Method != "" && st.Method != "hash" && st.Method != "btree":
		what = "access method " + st.Method
	case len(st.Include) > 0:
		what = "INCLUDE in CREATE INDEX"
	case len(st.Options) > 0:
		what = "WITH in CREATE INDEX"
	case st.Where != nil:
		what = "WHERE in CREATE INDEX"
	default:
		return nil
	}
	return pgerr.NotSupported(int(st.Pos), what)
}

// indexOrder is how an index orders its columns, nil for the default.
func indexOrder(items []ast.OrderItem) []catalog.Order {
	out := make([]catalog.Order, len(items))
	for i, item := range items {
		out[i] = catalog.Order{Desc: item.Desc, NullsFirst: item.Desc}
		if item.NullsFirst != nil {
			out[i].NullsFirst = *item.NullsFirst
		}
	}
	if !slices.ContainsFunc(out, func(o catalog.Order) bool { return o != catalog.Order{} }) {
		return nil
	}
	return out
}

// indexColumns are the columns that an index names.
func indexColumns(base *catalog.Relation, items []ast.OrderItem) ([]catalog.Column, error) {
	var out []catalog.Column
	for _, item := range items {
		ref, ok := item.X.(*ast.ColumnRef)
		if !ok || len(ref.Path) != 1 {
			return nil, pgerr.NotSupported(int(item.Pos), "an index on an expression")
		}
		name := ref.Path.Last().Value
		i := slices.IndexFunc(base.Columns, func(c catalog.Column) bool { return c.Name == name })
		if i < 0 {
			return nil, pgerr.New(pgerr.UndefinedColumn, "column %q does not exist", name).At(int(item.Pos))
		}
		if slices.ContainsFunc(out, func(c catalog.Column) bool { return c.Name == name }) {
			return nil, pgerr.New(pgerr.DuplicateColumn, "column %q is in the index twice", name).At(int(item.Pos))
		}
		if t := base.Columns[i].Type; !lower.Indexable(t, t) {
			return nil, pgerr.NotSupported(int(item.Pos), "an index on a column of type "+t.String())
		}
		out = append(out, catalog.Column{Name: name, Type: base.Columns[i].Type})
	}
	return out, nil
}

// chosenIndexName is the name that PostgreSQL would give an index.
func chosenIndexName(names *catalog.Snapshot, base *catalog.Relation, columns []catalog.Column) string {
	parts := []string{base.Name}
	for _, c := range columns {
		parts = append(parts, c.Name)
	}
	stem := strings.Join(append(parts, "idx"), "_")
	name := stem
	for n := 1; names.Relation(base.Schema, name) != nil; n++ {
		name = fmt.Sprint(stem, n)
	}
	return name
}

// rowCount is how many rows a relation has, or had a moment ago, 0 if that is not known.
func (h *Handler) rowCount(relation string) int64 {
	if v, err := h.opt.Jobs.View(relation); err == nil {
		return v.Len()
	}
	n, err := h.opt.Tables.Count(relation)
	if err != nil {
		return 0 // it is of this transaction
	}
	return n
}

// indexes is what a query of the session may find rows by: the key of a
// materialized view or of an own table, which needs no CREATE INDEX, then the
// indexes by name.
func (h *Handler) indexes(s *session.Session) func(relation string) []lower.Index {
	return func(relation string) []lower.Index {
		names := h.Snapshot(s)
		r := names.RelationByID(relation)
		if r == nil {
			return nil
		}
		var out []lower.Index
		add := func(name string, columns []int) {
			x := lower.Index{Name: name}
			for _, c := range columns {
				x.Columns = append(x.Columns, graph.LookupColumn{Column: c, Type: r.Columns[c].Type})
			}
			out = append(out, x)
		}
		if r.IsOwnTable() {
			for _, u := range r.UniqueKeys() {
				if !u.Index {
					add(u.Name, u.Columns)
				}
			}
		} else if v, err := h.opt.Jobs.View(relation); err == nil && len(v.Key()) > 0 {
			add("key of "+r.Name, v.Key())
		}
		for _, x := range names.Indexes(relation) {
			i := lower.Index{Name: x.Name}
			for k, c := range x.Columns {
				at := slices.IndexFunc(r.Columns, func(of catalog.Column) bool { return of.Name == c.Name })
				order := x.IndexOrder(k)
				i.Columns = append(i.Columns, graph.LookupColumn{Column: at, Type: c.Type, Desc: order.Desc, NullsFirst: order.NullsFirst})
			}
			out = append(out, i)
		}
		return out
	}
}
