package handler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// schemaOf splits a path into schema and name; new relations go to public.
func schemaOf(path ast.Path) (schema, name string, err error) {
	schema, name = "public", path.Last().Value
	if len(path) > 1 {
		schema = path[len(path)-2].Value
	}
	if !isSchema(schema) {
		return "", "", pgerr.New(pgerr.InvalidSchemaName, "schema %q does not exist", schema).At(int(path.Offset())).
			Hint("Create it in schema public.")
	}
	if schema != "public" {
		return "", "", pgerr.New(pgerr.InvalidSchemaName, "schema %q does not take new relations", schema).At(int(path.Offset())).
			Hint("Create it in schema public.")
	}
	return schema, name, nil
}

// skipExisting reports whether IF NOT EXISTS makes a CREATE do nothing, and says
// so to the client.
func (h *Handler) skipExisting(s *session.Session, w *work, schema, name string, ifNotExists bool) bool {
	if !ifNotExists || w.names.Snapshot().Relation(schema, name) == nil {
		return false
	}
	s.Notice("NOTICE", pgerr.DuplicateTable, fmt.Sprintf("relation %q already exists, skipping", name))
	return true
}

// createRelation runs CREATE TABLE, SOURCE and SINK.
func (h *Handler) createRelation(st *ast.CreateRelation) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		tag := "CREATE " + strings.ToUpper(string(st.Kind))
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		schema, name, err := schemaOf(st.Name)
		if err != nil {
			return nil, err
		}
		w := h.work(s)
		if h.skipExisting(s, w, schema, name, st.IfNotExists) {
			return session.Command(tag), nil
		}
		st, indexes, err := h.copyLike(s, st)
		if err != nil {
			return nil, err
		}
		r, err := bind.CreateRelation(st, h.relationOptions(ctx, s))
		if err != nil {
			return nil, err
		}
		r.Schema, r.Name, r.SQL = schema, name, ast.Print(st)
		if r.Options["connector"] != "" {
			if err := h.connectRelation(ctx, r, st); err != nil {
				return nil, err
			}
		} else if r.Kind != catalog.Table {
			return nil, pgerr.New(pgerr.InvalidTableDefinition, "%s %q needs a connector", st.Kind, name).At(int(st.Pos)).
				Hint("Write WITH (connector = '…'); connectors are %s.", strings.Join(h.opt.Connectors.Names(), ", "))
		} else if err := connector.CheckOwnTable(specOf(r)); err != nil {
			return nil, atOption(err, st)
		}
		r, err = w.names.CreateRelation(*r)
		if err != nil {
			return nil, pgerr.From(err).At(int(st.Name.Offset()))
		}
		if r.IsOwnTable() {
			if err := w.makeTable(r); err != nil {
				return nil, pgerr.From(err).At(int(st.Name.Offset()))
			}
		}
		for _, index := range indexes {
			if _, err := h.createIndex(index).run(ctx, s, nil); err != nil {
				return nil, err
			}
		}
		return session.Command(tag), nil
	})
}

// connectRelation checks a relation's options by opening its connector.
func (h *Handler) connectRelation(ctx context.Context, r *catalog.Relation, st *ast.CreateRelation) error {
	kind, err := h.connectorOf(r)
	if err != nil {
		return pgerr.From(err).At(optionPosition(st, "connector"))
	}
	at := func(err error) error { return atOption(err, st) }
	if r.Kind == catalog.Source && kind.NewSource == nil || r.Kind == catalog.Sink && kind.NewSink == nil {
		return at(pgerr.New(pgerr.FeatureNotSupported, "connector %q cannot be a %s", kind.Name, r.Kind))
	}
	if _, err := kind.Check(specOf(r)); err != nil {
		return at(err)
	}
	if r.Kind != catalog.Source && kind.NewSink != nil { // first: it makes the folder that a table's source reads
		if _, err := h.openSink(ctx, r, false); err != nil {
			return at(err)
		}
	}
	if r.Kind != catalog.Sink && kind.NewSource != nil {
		if _, err := h.openSource(ctx, r, nil); err != nil {
			return at(err)
		}
	}
	if len(r.Columns) == 0 {
		return pgerr.New(pgerr.InvalidTableDefinition, "%s %q has no columns", r.Kind, r.Name).At(int(st.Name.Offset())).
			Hint("Connector %q has no schema of its own: list the columns.", kind.Name)
	}
	return nil
}

// atOption places an error at the option that its message names.
func atOption(err error, st *ast.CreateRelation) error {
	e := pgerr.From(err)
	for _, o := range st.Options {
		if strings.Contains(e.Message, `"`+o.Name+`"`) {
			return e.At(int(o.Pos))
		}
	}
	return e.At(optionPosition(st, "connector"))
}

func optionPosition(st *ast.CreateRelation, name string) int {
	for _, o := range st.Options {
		if o.Name == name {
			return int(o.Pos)
		}
	}
	return int(st.Pos)
}

// relationOptions are what a definition is bound against: a connector that knows
// its columns gives those that the definition leaves out.
func (h *Handler) relationOptions(ctx context.Context, s *session.Session) bind.Options {
	o := h.bindOptions(s, nil)
	o.ConnectorColumns = func(options map[string]string) []catalog.Column {
		r := &catalog.Relation{Schema: "public", Options: options}
		kind, err := h.connectorOf(r)
		if err != nil || kind.NewSource == nil {
			return nil // told when the connector is opened
		}
		src, err := h.openSource(ctx, r, nil)
		if err != nil {
			return nil
		}
		var out []catalog.Column
		for _, c := range src.Schema() {
			out = append(out, catalog.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Metadata: c.Metadata})
		}
		return out
	}
	return o
}

// connectorOf is the registered connector of a relation.
func (h *Handler) connectorOf(r *catalog.Relation) (*connector.Kind, error) {
	name := r.Options["connector"]
	if kind := h.opt.Connectors.Lookup(name); kind != nil {
		return kind, nil
	}
	return nil, pgerr.New(pgerr.UndefinedObject, "connector %q does not exist", name).
		Hint("Connectors are %s.", strings.Join(h.opt.Connectors.Names(), ", "))
}

// specOf is a relation as its connector sees it. Generated columns are not part
// of it: positions of the others stay those of the relation.
func specOf(r *catalog.Relation) connector.Spec {
	spec := connector.Spec{Relation: r.Schema + "." + r.Name, Key: r.PrimaryKey, Options: r.Options}
	switch r.Kind {
	case catalog.Source:
		spec.Direction = connector.SourceOnly
	case catalog.Sink:
		spec.Direction = connector.SinkOnly
	}
	for _, c := range r.Columns {
		spec.Columns = append(spec.Columns, connector.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Metadata: c.Metadata, Generated: c.Generated != ""})
	}
	return spec
}

func (h *Handler) openSource(ctx context.Context, r *catalog.Relation, undecodable func(connector.BadRow) error) (connector.Source, error) {
	kind, err := h.connectorOf(r)
	if err != nil {
		return nil, err
	}
	if kind.NewSource == nil {
		return nil, pgerr.New(pgerr.WrongObjectType, "%q cannot be read: connector %q only writes", r.Name, kind.Name)
	}
	return kind.NewSource(ctx, specOf(r), h.env(r, undecodable))
}

func (h *Handler) openSink(ctx context.Context, r *catalog.Relation, changes bool) (connector.Sink, error) {
	kind, err := h.connectorOf(r)
	if err != nil {
		return nil, err
	}
	if kind.NewSink == nil {
		return nil, pgerr.New(pgerr.WrongObjectType, "%q cannot be written: connector %q only reads", r.Name, kind.Name)
	}
	spec := specOf(r)
	spec.Changes = changes
	return kind.NewSink(ctx, spec, h.env(r, nil))
}

// tableDefinition is an own table as its store sees it.
func tableDefinition(r *catalog.Relation) table.Def {
	d := table.Def{ID: r.ID, Name: r.Name, Columns: specOf(r).Columns, Key: r.PrimaryKey, KeyName: r.KeyName}
	for _, u := range r.Unique {
		d.Unique = append(d.Unique, storedUnique(u))
	}
	return d
}

// drop runs DROP of relations and jobs.
func (h *Handler) drop(st *ast.Drop) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		tag := "DROP " + strings.ToUpper(string(st.Kind))
		if err := writable(s, tag); err != nil {
			return nil, err
		}
		switch st.Kind {
		case ast.JobKind:
			return session.Command(tag), h.dropJobs(ctx, s, st)
		case ast.SavepointKind:
			return session.Command(tag), h.dropSavepoints(ctx, s, st)
		case ast.SchemaKind:
			return session.Command(tag), dropSchemas(s, st)
		case ast.TableKind, ast.SourceKind, ast.SinkKind, ast.ViewKind, ast.MaterializedViewKind, ast.IndexKind:
		default:
			return nil, pgerr.NotSupported(int(st.Pos), tag)
		}
		return session.Command(tag), h.dropRelations(s, st)
	})
}

// dropRelations drops relations together, since they may depend on each other.
func (h *Handler) dropRelations(s *session.Session, st *ast.Drop) error {
	w := h.work(s)
	var ids []string
	for _, path := range st.Names {
		r, err := h.toDrop(s, st, path)
		if err != nil {
			return err
		}
		if r != nil && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	dropped, err := w.names.DropRelations(ids, st.Cascade)
	if err != nil {
		return pgerr.From(err).At(int(st.Names[0].Offset()))
	}
	for _, r := range dropped.Relations {
		if slices.Contains(ids, r.ID) && r.Kind == catalog.Index && len(r.Unique) > 0 {
			if err := w.dropUniqueIndex(r); err != nil {
				return err
			}
		}
	}
	tellCascade(s, dropped.Dependents)
	w.after = append(w.after, func(ctx context.Context) error { h.dispose(ctx, s, dropped); return nil })
	return nil
}

// toDrop finds a relation that DROP names; it is nil if there need be none.
func (h *Handler) toDrop(s *session.Session, st *ast.Drop, path ast.Path) (*catalog.Relation, error) {
	w := h.work(s)
	schema, name := "public", path.Last().Value
	if len(path) > 1 {
		schema = path[len(path)-2].Value
	}
	r := w.names.Snapshot().Relation(schema, name)
	if r == nil {
		if st.IfExists {
			s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("%s %q does not exist, skipping", st.Kind, name))
			return nil, nil
		}
		code := pgerr.UndefinedTable
		if st.Kind == ast.IndexKind {
			code = pgerr.UndefinedObject
		}
		e := pgerr.New(code, "%s %q does not exist", st.Kind, name).At(int(path.Offset()))
		if near := w.names.Snapshot().NearRelation(schema, name); near != "" {
			return nil, e.Hint("Perhaps you meant %q.", near)
		}
		return nil, e
	}
	if string(r.Kind) != string(st.Kind) {
		return nil, pgerr.New(pgerr.WrongObjectType, "%q is not a %s", name, st.Kind).At(int(path.Offset())).
			Hint("Use DROP %s to remove it.", strings.ToUpper(string(r.Kind)))
	}
	return r, nil
}

// tellCascade says what else a DROP … CASCADE removed, as PostgreSQL words it.
func tellCascade(s *session.Session, dependents []string) {
	switch len(dependents) {
	case 0:
	case 1:
		s.Notice("NOTICE", pgerr.SuccessfulCompletion, "drop cascades to "+dependents[0])
	default:
		e := pgerr.New(pgerr.SuccessfulCompletion, "drop cascades to %d other objects", len(dependents))
		s.SendNotice(session.Notice{Severity: "NOTICE", Error: *e.WithDetail("drop cascades to %s", strings.Join(dependents, "\ndrop cascades to "))})
	}
}

// dispose ends the jobs and removes the data of what was dropped.
func (h *Handler) dispose(ctx context.Context, s *session.Session, d catalog.Dropped) {
	for _, j := range d.Jobs {
		if err := h.opt.Jobs.Drop(ctx, j); err != nil {
			warnAfter(s, err)
		}
	}
	for _, r := range d.Relations {
		switch {
		case r.Kind == catalog.MaterializedView:
			h.opt.Jobs.DropView(r)
		case r.IsOwnTable():
			if err := h.opt.Tables.Drop(context.WithoutCancel(ctx), r.ID); err != nil {
				warnAfter(s, err)
			}
		}
	}
}
