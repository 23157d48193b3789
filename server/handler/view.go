package handler

import (
	"context"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/explain"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// continuousOptions are what continuous queries are bound against.
func (h *Handler) continuousOptions(s *session.Session) bind.Options {
	o := h.bindOptions(s, nil)
	o.Catalog = continuousNames{nameTable{h.Snapshot(s), h.system}}
	o.Continuous = true
	return o
}

// createView runs CREATE VIEW and CREATE MATERIALIZED VIEW.
func (h *Handler) createView(text string, st *ast.CreateView) plan {
	return planFunc(func(ctx context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		tag := "CREATE VIEW"
		if st.Materialized {
			tag = "CREATE MATERIALIZED VIEW"
		}
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
		if !st.Materialized {
			return session.Command(tag), h.createPlainView(s, w, st, schema, name)
		}
		return session.Command(tag), h.createMaterializedView(s, w, st, schema, name, text)
	})
}

func (h *Handler) createPlainView(s *session.Session, w *work, st *ast.CreateView, schema, name string) error {
	b, err := bind.View(st, h.bindOptions(s, nil))
	if err != nil {
		return err
	}
	notices(s, b.Notices)
	r := *b.Relation
	r.Schema, r.Name, r.SQL = schema, name, ast.Print(st)
	if old := w.names.Snapshot().Relation(schema, name); old != nil && st.OrReplace {
		if old.Kind != catalog.View {
			return pgerr.New(pgerr.WrongObjectType, "%q is not a view", name).At(int(st.Name.Offset()))
		}
		if err := keepsColumns(old, &r); err != nil {
			return err.At(int(st.Name.Offset()))
		}
		r.ID, r.Created, r.Comment = old.ID, old.Created, old.Comment
		for i, c := range old.Columns {
			r.Columns[i].Comment = c.Comment
		}
		return w.names.ReplaceRelation(r)
	}
	if _, err = w.names.CreateRelation(r); err != nil {
		return pgerr.From(err).At(int(st.Name.Offset()))
	}
	return nil
}

// keepsColumns checks that a view which replaces another has its columns, as what
// reads the view goes by them; more may follow.
func keepsColumns(old, r *catalog.Relation) *pgerr.Error {
	if len(r.Columns) < len(old.Columns) {
		return pgerr.New(pgerr.InvalidTableDefinition, "cannot drop columns from view").
			Hint("Drop the view and create it again.")
	}
	for i, was := range old.Columns {
		switch is := r.Columns[i]; {
		case is.Name != was.Name:
			return pgerr.New(pgerr.InvalidTableDefinition, "cannot change name of view column %q to %q", was.Name, is.Name).
				Hint("Drop the view and create it again.")
		case !is.Type.Equal(was.Type):
			return pgerr.New(pgerr.InvalidTableDefinition, "cannot change data type of view column %q from %s to %s", was.Name, was.Type, is.Type).
				Hint("Drop the view and create it again.")
		}
	}
	return nil
}

func (h *Handler) createMaterializedView(s *session.Session, w *work, st *ast.CreateView, schema, name, text string) error {
	b, err := bind.View(st, h.continuousOptions(s))
	if err != nil {
		return err
	}
	notices(s, b.Notices)
	options, err := h.jobOptions(st.Options)
	if err != nil {
		return err
	}
	r := *b.Relation
	r.ID, r.Schema, r.Name, r.SQL, r.JobID = catalog.NewID(), schema, name, ast.Print(st), catalog.NewID()
	root := *b.Root
	root.Relation = &r
	g, err := h.viewGraph(&root)
	if err != nil {
		return err
	}
	encoded, err := graph.Encode(g)
	if err != nil {
		return err
	}
	if _, err := w.names.CreateRelation(r); err != nil {
		return pgerr.From(err).At(int(st.Name.Offset()))
	}
	j, err := w.names.CreateJob(catalog.Job{ID: r.JobID, Name: name, SQL: text, Graph: encoded, Options: options,
		Wanted: "running", State: "created", ViewID: r.ID, FirstCheckpoint: 1, Depends: r.Depends})
	if err != nil {
		return pgerr.From(err).At(int(st.Name.Offset()))
	}
	warnUnbounded(s, g, options)
	h.startLater(w, j)
	return nil
}

// warnUnbounded tells which state of a new job grows without bound, and how fast.
// What grows with the number of keys, of which there may be few, is a notice.
func warnUnbounded(s *session.Session, g *graph.Graph, options map[string]string) {
	for _, w := range explain.Growths(g, stateTTL(options)) {
		n := session.Notice{Severity: "NOTICE", Error: *pgerr.New(pgerr.SuccessfulCompletion, "%s", w.Message).At(w.Pos).WithDetail("%s", w.Detail).Hint("%s", w.Hint)}
		if w.Severe {
			n.Severity, n.Error.Code = "WARNING", pgerr.Warning
		}
		s.SendNotice(n)
	}
}

// jobOptions reads and checks WITH options of a job or materialized view.
func (h *Handler) jobOptions(list []ast.Option) (map[string]string, error) {
	out := map[string]string{}
	for _, o := range list {
		text, err := optionText(o)
		if err != nil {
			return nil, err
		}
		out[o.Name] = text
		if _, err := job.ParseOptions(map[string]string{o.Name: text}); err != nil {
			return nil, pgerr.From(err).At(int(o.Pos))
		}
	}
	return out, nil
}

func (h *Handler) viewGraph(root *logical.Materialize) (*graph.Graph, error) {
	g, err := lower.View(optimize.Materialize(root, optimize.Options{Evaluate: evaluateConstant}), lower.Options{})
	if err != nil {
		return nil, err
	}
	return g, runnable(g)
}
