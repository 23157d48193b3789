package handler

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// shown are the SHOWs that are queries on system relations: the kind and what it
// selects. The job's name replaces %s.
var shown = map[string]string{
	"jobs": `SELECT name, id, j.kind, state, last_checkpoint, bytes AS memory_bytes, failure FROM millrace.jobs j
		LEFT JOIN millrace.memory m ON m.kind = 'job' AND m.job = j.name AND m.operator IS NULL ORDER BY name`,
	"operators": `SELECT id AS operator, kind, input_rows, output_rows, late_rows, bad_rows, expired_rows, unmatched_rows, state_rows, state_bytes, watermark FROM millrace.operators WHERE job = %s ORDER BY ordinal`,
	"checkpoints": `SELECT n AS checkpoint, state, started, duration, bytes, full_bytes, rows, url AS location, failure FROM millrace.checkpoints
		WHERE job_id = (SELECT id FROM millrace.jobs WHERE name = %s) ORDER BY n DESC`,
	"savepoints":    `SELECT name, job, format, bytes, rows, created, url AS location FROM millrace.savepoints ORDER BY created`,
	"savepoints of": `SELECT name, job, format, bytes, rows, created, url AS location FROM millrace.savepoints WHERE job = %s ORDER BY created`,
}

// listed are the SHOWs that list relations of one kind.
var listed = map[string]catalog.Kind{
	"tables": catalog.Table, "sources": catalog.Source, "sinks": catalog.Sink, "views": catalog.View,
	"materialized views": catalog.MaterializedView, "indexes": catalog.Index,
}

// prepareShow describes the SHOWs that are not about the session.
func (h *Handler) prepareShow(s *session.Session, p *session.Prepared, st *ast.Show) error {
	kind := st.Kind
	if kind == "savepoints" && st.Job != nil {
		kind = "savepoints of"
	}
	if sql := shown[kind]; sql != "" {
		if strings.Contains(sql, "%s") {
			if st.Job == nil {
				return pgerr.New(pgerr.SyntaxError, "SHOW %s needs FOR JOB and a name", strings.ToUpper(st.Kind)).At(int(st.Pos))
			}
			if _, err := h.findJob(s, *st.Job); err != nil && kind != "savepoints of" {
				return err
			}
			sql = fmt.Sprintf(sql, ast.QuoteString(st.Job.Value))
		}
		q, err := parse.Query(sql)
		if err != nil {
			return err
		}
		return h.prepareQuery(s, p, q, nil)
	}
	var t *textTable
	switch {
	case listed[kind] != "":
		t = h.showRelations(st)
	case kind == "columns":
		t = h.showColumns(st.Name)
	case kind == "create":
		t = h.showCreate(st)
	default:
		return pgerr.NotSupported(int(st.Pos), "SHOW "+strings.ToUpper(kind))
	}
	p.Columns, p.Plan = t.columns, t
	return nil
}

func (h *Handler) showRelations(st *ast.Show) *textTable {
	want := listed[st.Kind]
	return &textTable{session.TextColumns("schema", "name"), func(_ context.Context, s *session.Session) ([][]string, error) {
		var out [][]string
		for _, r := range h.Snapshot(s).Relations() {
			if r.Kind == want {
				out = append(out, []string{r.Schema, r.Name})
			}
		}
		return out, nil
	}}
}

// showColumns is SHOW COLUMNS and DESCRIBE of a relation.
func (h *Handler) showColumns(name ast.Path) *textTable {
	columns := session.TextColumns("column", "type", "nullable", "key", "extra")
	return &textTable{columns, func(_ context.Context, s *session.Session) ([][]string, error) {
		r, err := h.findRelation(s, name)
		if err != nil {
			return nil, err
		}
		var out [][]string
		for i, c := range r.Columns {
			key := ""
			for _, k := range r.PrimaryKey {
				if k == i {
					key = "primary key"
				}
			}
			out = append(out, []string{c.Name, c.Type.String(), strconv.FormatBool(!c.NotNull && key == ""), key, columnExtra(r, i)})
		}
		return out, nil
	}}
}

func columnExtra(r *catalog.Relation, i int) string {
	var extra []string
	c := r.Columns[i]
	if c.Generated != "" {
		extra = append(extra, "generated as "+c.Generated)
	}
	if c.Default != "" {
		extra = append(extra, "default "+c.Default)
	}
	if c.Identity != nil && c.Identity.Kind == "serial" {
		extra = append(extra, "serial")
	} else if c.Identity != nil {
		extra = append(extra, "generated "+c.Identity.Kind+" as identity")
	}
	if c.Metadata != "" {
		extra = append(extra, "metadata "+c.Metadata)
	}
	if r.Watermark != nil && r.Watermark.Column == i {
		extra = append(extra, "watermark "+r.Watermark.X)
	}
	return strings.Join(extra, ", ")
}

// findRelation looks a relation up by the path in a statement.
func (h *Handler) findRelation(s *session.Session, path ast.Path) (*catalog.Relation, error) {
	names := nameTable{h.Snapshot(s), h.system}
	schemas := s.SearchPath()
	if len(path) > 1 {
		schemas = []string{path[len(path)-2].Value}
	}
	for _, schema := range schemas {
		if r := names.Relation(schema, path.Last().Value); r != nil {
			return r, nil
		}
	}
	e := pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", path.Last().Value).At(int(path.Offset()))
	if near := names.NearRelation("public", path.Last().Value); near != "" {
		return nil, e.Hint("Perhaps you meant %q.", near)
	}
	return nil, e
}

// showCreate is SHOW CREATE: the definition, secrets masked, of a job with what was
// altered since.
func (h *Handler) showCreate(st *ast.Show) *textTable {
	return &textTable{session.TextColumns("name", "definition"), func(_ context.Context, s *session.Session) ([][]string, error) {
		if st.Object == ast.JobKind {
			j, err := h.findJob(s, st.Name.Last())
			if err != nil {
				return nil, err
			}
			return [][]string{{j.Name, jobDefinition(j)}}, nil
		}
		r, err := h.findRelation(s, st.Name)
		if err != nil {
			return nil, err
		}
		if j := h.Snapshot(s).JobByID(r.JobID); j != nil {
			return [][]string{{r.Name, jobDefinition(j)}}, nil
		}
		return [][]string{{r.Name, h.masked(r)}}, nil
	}}
}

// jobDefinition is the statement that would make a job as it is now: with the name
// and the options that it has, whatever it was made with.
func jobDefinition(j *catalog.Job) string {
	list, err := parse.Statements(j.SQL)
	if err != nil || len(list) != 1 {
		return j.SQL
	}
	switch st := list[0].Statement.(type) {
	case *ast.CreateJob:
		st.Name.Value, st.Options = j.Name, optionList(j.Options)
		return ast.Print(st)
	case *ast.CreateView:
		st.Options = optionList(j.Options)
		return ast.Print(st)
	}
	return j.SQL
}

// secretMask stands for a secret wherever a definition is shown.
const secretMask = "********"

// masked is a relation's definition without its secrets.
func (h *Handler) masked(r *catalog.Relation) string {
	kind := h.opt.Connectors.Lookup(r.Options["connector"])
	if kind == nil {
		return r.SQL
	}
	secret := map[string]bool{}
	for _, o := range kind.Options {
		secret[o.Name] = o.Secret
	}
	list, err := parse.Statements(r.SQL)
	if err != nil || len(list) != 1 {
		return r.SQL
	}
	st, ok := list[0].Statement.(*ast.CreateRelation)
	if !ok {
		return r.SQL
	}
	for i, o := range st.Options {
		if secret[o.Name] {
			l := ast.Literal{Kind: ast.StringLiteral, Text: secretMask}
			st.Options[i].Value = &l
		}
	}
	return ast.Print(st)
}

// prepareDescribe describes DESCRIBE.
func (h *Handler) prepareDescribe(s *session.Session, p *session.Prepared, st *ast.Describe) error {
	if st.Kind != ast.JobKind {
		t := h.showColumns(st.Name)
		p.Columns, p.Plan = t.columns, t
		return nil
	}
	if _, err := h.findJob(s, st.Name.Last()); err != nil {
		return err
	}
	t := &textTable{session.TextColumns("property", "value"), func(ctx context.Context, s *session.Session) ([][]string, error) {
		return h.describeJob(s, st.Name.Last())
	}}
	p.Columns, p.Plan = t.columns, t
	return nil
}

func (h *Handler) describeJob(s *session.Session, name ast.Name) ([][]string, error) {
	j, err := h.findJob(s, name)
	if err != nil {
		return nil, err
	}
	out := [][]string{{"name", j.Name}, {"id", j.ID}, {"state", j.State}, {"wanted", j.Wanted}, {"failure", j.Failure},
		{"created", string(types.AppendTimestampTZ(nil, j.Created.UnixMicro(), s.TimeZone()))}, {"sql", j.SQL}}
	var names []string
	for k := range j.Options {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		out = append(out, []string{"option " + k, j.Options[k]})
	}
	return out, nil
}
