package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
)

// restorePoint is where a statement takes state from.
func restorePoint(p ast.RestorePoint) job.RestorePoint {
	return job.RestorePoint{Kind: p.Kind, Name: p.Name, URL: p.URL, N: p.N}
}

// mapping reads a MAP clause.
func mapping(list []ast.MapEntry) (to map[string]string, discard []string, err error) {
	to = map[string]string{}
	seen := map[string]bool{}
	for _, m := range list {
		if seen[m.Old] {
			return nil, nil, pgerr.New(pgerr.InvalidParameterValue, "MAP names %q twice", m.Old).At(int(m.Pos))
		}
		seen[m.Old] = true
		if m.Discard {
			discard = append(discard, m.Old)
		} else {
			to[m.Old] = m.New
		}
	}
	return to, discard, nil
}

// forkJob plans CREATE JOB … FROM SAVEPOINT: a new job with the state of another,
// on its query or on a new one.
func (h *Handler) forkJob(ctx context.Context, s *session.Session, st *ast.CreateJob) (catalog.Job, *graph.Graph, error) {
	var none catalog.Job
	point := restorePoint(*st.From)
	saved, err := h.opt.Jobs.Saved(ctx, point)
	if err != nil {
		return none, nil, pgerr.From(err).At(int(st.From.Pos))
	}
	given, err := h.jobOptions(st.Options)
	if err != nil {
		return none, nil, err
	}
	spec := job.RestoreSpec{From: point, Allow: st.AllowNonRestored, Options: map[string]string{}}
	for _, from := range []map[string]string{saved.Options, given} {
		for k, v := range from {
			spec.Options[k] = v
		}
	}
	if spec.To, spec.Discard, err = mapping(st.Map); err != nil {
		return none, nil, err
	}
	inserts := st.Inserts
	if len(inserts) == 0 {
		if inserts, err = savedInserts(saved, st); err != nil {
			return none, nil, err
		}
	}
	if err := h.savedNames(s, saved, st); len(st.Inserts) == 0 && err != nil {
		return none, nil, err
	}
	if len(st.Inserts) == 0 && h.sameRelations(s, saved.Graph) {
		spec.Graph, spec.Depends = saved.Graph, relationsOf(saved.Graph) // the very plan
	} else {
		g, b, err := h.jobGraph(s, inserts)
		if err != nil {
			return none, nil, err
		}
		spec.Graph, spec.Depends = g, b.Depends
	}
	spec.SQL = ast.Print(&ast.CreateJob{Name: st.Name, Options: optionList(spec.Options), Inserts: inserts})
	j, plan, err := h.opt.Jobs.Fork(ctx, st.Name.Value, spec)
	if err != nil {
		return none, nil, pgerr.From(err).At(int(st.From.Pos))
	}
	noticeVerdicts(s, plan)
	s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("job %s begins with the state of job %s at checkpoint %d, and writes what comes after it",
		st.Name.Value, saved.JobName, saved.Checkpoint))
	for _, table := range sharedTables(saved.Graph, spec.Graph) {
		s.SendNotice(session.Notice{Severity: "WARNING", Error: *pgerr.New(pgerr.Warning, "table %s keeps the rows that job %s wrote after that checkpoint and job %s does not write again", table, saved.JobName, st.Name.Value).
			At(int(st.From.Pos)).Hint("Let a fork write to a table of its own. RESTORE JOB, of a job that is there, takes back what it wrote.")})
	}
	return j, spec.Graph, nil
}

// sharedTables names the own tables that both plans write to.
func sharedTables(saved, next *graph.Graph) (names []string) {
	written := map[string]bool{}
	for i := range saved.Operators {
		if sink := saved.Operators[i].Sink; sink != nil {
			written[sink.RelationID] = true
		}
	}
	for i := range next.Operators {
		if sink := next.Operators[i].Sink; sink != nil && sink.Connector == "" && written[sink.RelationID] && !slices.Contains(names, sink.Relation) {
			names = append(names, sink.Relation)
		}
	}
	return names
}

// savedInserts are the INSERTs of the job that a savepoint is of.
func savedInserts(saved job.Saved, st *ast.CreateJob) ([]*ast.Insert, error) {
	list, err := parse.Statements(saved.SQL)
	if err == nil && len(list) == 1 {
		if c, ok := list[0].Statement.(*ast.CreateJob); ok && len(c.Inserts) > 0 {
			return c.Inserts, nil
		}
	}
	return nil, pgerr.New(pgerr.WrongObjectType, "the savepoint is of a materialized view, whose query writes to no sink").At(int(st.From.Pos)).
		Hint("Write CREATE JOB %s FROM SAVEPOINT … AS INSERT INTO … SELECT ….", ast.QuoteName(st.Name.Value))
}

// optionList writes options as a WITH clause has them.
func optionList(options map[string]string) []ast.Option {
	var list []ast.Option
	for k, v := range options {
		list = append(list, ast.Option{Name: k, Value: &ast.Literal{Kind: ast.StringLiteral, Text: v}})
	}
	sort.Slice(list, func(i, k int) bool { return list[i].Name < list[k].Name })
	return list
}

// relationsOf are the ids of what a plan reads and writes.
func relationsOf(g *graph.Graph) []string {
	var ids []string
	for i := range g.Operators {
		if src := g.Operators[i].Source; src != nil {
			ids = append(ids, src.RelationID)
		}
		if sink := g.Operators[i].Sink; sink != nil {
			ids = append(ids, sink.RelationID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// sameRelations reports whether a plan's relations are this server's.
func (h *Handler) sameRelations(s *session.Session, g *graph.Graph) bool {
	snap := h.Snapshot(s)
	return !slices.ContainsFunc(relationsOf(g), func(id string) bool { return snap.RelationByID(id) == nil })
}

// savedRelation is one of the catalog entries in a savepoint's metadata.
type savedRelation struct {
	Schema string       `json:"schema"`
	Name   string       `json:"name"`
	Kind   catalog.Kind `json:"kind"`
	SQL    string       `json:"sql"` // secrets masked
}

type savedCatalog struct {
	Relations []savedRelation `json:"relations"`
}

// savedNames refuses a savepoint whose relations are not here, and tells how they
// were defined.
func (h *Handler) savedNames(s *session.Session, saved job.Saved, st *ast.CreateJob) error {
	var c savedCatalog
	if len(saved.Catalog) > 0 {
		if err := json.Unmarshal(saved.Catalog, &c); err != nil {
			return pgerr.New(pgerr.DataCorrupted, "the catalog entries of the savepoint cannot be read: %s", err.Error()).At(int(st.From.Pos))
		}
	}
	snap := h.Snapshot(s)
	var names, ddl []string
	for _, r := range c.Relations {
		if snap.Relation(r.Schema, r.Name) == nil {
			names, ddl = append(names, fmt.Sprintf("%s %q", r.Kind, r.Name)), append(ddl, r.SQL+";")
		}
	}
	if len(names) == 0 {
		return nil
	}
	return pgerr.New(pgerr.UndefinedTable, "the savepoint's job needs %s, which this server does not have", strings.Join(names, ", ")).At(int(st.From.Pos)).
		WithDetail("They were made by:\n%s", strings.Join(ddl, "\n")).Hint("Create them first. Secrets are not part of a savepoint.")
}

// Describe is what a savepoint's metadata says of the relations that a job's
// statement names, those that others are made of first. Secrets are left out.
func (h *Handler) Describe(j *catalog.Job) (json.RawMessage, error) {
	snap := h.opt.Catalog.Snapshot()
	ids := slices.Clone(j.Depends)
	if g, err := graph.Decode(j.Graph); err == nil {
		ids = append(ids, relationsOf(g)...)
	}
	out := savedCatalog{Relations: []savedRelation{}}
	seen := map[string]bool{j.ViewID: true}
	var add func(ids []string)
	add = func(ids []string) {
		for _, id := range ids {
			r := snap.RelationByID(id)
			if r == nil || seen[id] {
				continue
			}
			seen[id] = true
			add(r.Depends)
			out.Relations = append(out.Relations, savedRelation{Schema: r.Schema, Name: r.Name, Kind: r.Kind, SQL: h.masked(r)})
		}
	}
	add(ids)
	return json.Marshal(out)
}
