package catalog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Tx is a list of changes to relations and jobs that take effect together at
// Commit. Each change is checked at once, against the store as it was at Begin
// plus the changes before it, and again at Commit if the store has moved on.
// Nothing is locked in between. A Tx is not safe for concurrent use.
type Tx struct {
	store *Store
	view  *Snapshot
	edits []edit
}

// edit is one change: it checks and applies itself to a snapshot and says what
// to write to the database.
type edit func(*Snapshot) ([]write, error)

type write struct {
	sql  string
	args []any
}

// Begin starts a transaction.
func (s *Store) Begin() *Tx {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Tx{store: s, view: s.current}
}

// Snapshot is the catalog with the transaction's changes.
func (t *Tx) Snapshot() *Snapshot { return t.view }

// Empty reports whether nothing was changed.
func (t *Tx) Empty() bool { return len(t.edits) == 0 }

// Mark is what RollbackTo goes back to.
func (t *Tx) Mark() int { return len(t.edits) }

// RollbackTo drops the changes made since Mark returned n.
func (t *Tx) RollbackTo(n int) {
	edits := t.edits[:n]
	fresh := t.store.Begin()
	t.view, t.edits = fresh.view, nil
	for _, e := range edits {
		// What was right before can fail now only if another session interfered;
		// Commit tells that.
		_ = t.do(e)
	}
	t.edits = edits
}

func (t *Tx) do(e edit) error {
	view := t.view.clone() // what was handed out stays as it is
	if _, err := e(view); err != nil {
		return err
	}
	t.view, t.edits = view, append(t.edits, e)
	return nil
}

// Commit makes the changes take effect, all or nothing. The Tx is used up.
func (t *Tx) Commit(ctx context.Context) error {
	if t.Empty() {
		return nil
	}
	return t.store.apply(ctx, t.edits)
}

// JointCommit commits a database transaction, and with it that id was committed.
// It forgets another such id. Its error wraps ErrUndecided when nobody knows
// whether it has committed.
type JointCommit func(id, forget string) error

// ErrUndecided says that a commit failed in a way that leaves open whether it took
// place.
var ErrUndecided = errors.New("the metadata database does not tell whether it has committed")

// CommitWith is Commit that calls last when nothing but the database's own commit
// can fail any more: last is to call commit once, when all that it has to do is
// durable, and its error undoes the changes. Without changes there is nothing to
// commit, and commit is nil.
func (t *Tx) CommitWith(ctx context.Context, last func(commit JointCommit) error) error {
	if t.Empty() {
		return last(nil)
	}
	return t.store.applyWith(ctx, t.edits, last)
}

const countJointCommits = "SELECT count(*) FROM joint_commits WHERE id = ?"

// JointCommitted reports whether a transaction was committed under that id, and
// its log has not had another one since.
func (s *Store) JointCommitted(ctx context.Context, id string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, s.dialect.bind(countJointCommits), id).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read joint commits: %w", err)
	}
	return n > 0, nil
}

// NewID makes a relation's or job's id: 32 hex digits, never used before.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// CreateRelation adds a relation. An empty ID or Created is filled in.
func (t *Tx) CreateRelation(r Relation) (*Relation, error) {
	if r.ID == "" {
		r.ID = NewID()
	}
	if r.Created.IsZero() {
		r.Created = t.store.clock.Now()
	}
	err := t.do(func(s *Snapshot) ([]write, error) {
		if old := s.Relation(r.Schema, r.Name); old != nil {
			return nil, pgerr.New(pgerr.DuplicateTable, "relation %q already exists", r.Name)
		}
		for _, id := range r.Depends {
			if s.relations[id] == nil && !strings.HasPrefix(id, systemPrefix) {
				return nil, pgerr.New(pgerr.UndefinedTable, "a relation that %q reads was dropped meanwhile", r.Name)
			}
		}
		s.put(&r)
		s.Version++
		return insertRelation(&r)
	})
	return &r, err
}

// systemPrefix begins the ids of relations that the server makes itself.
const systemPrefix = "system:"

// SystemID is the id of a system relation, which is not stored.
func SystemID(schema, name string) string { return systemPrefix + schema + "." + name }

// ReplaceRelation changes a relation's definition and keeps its id. Its name and
// kind must stay.
func (t *Tx) ReplaceRelation(r Relation) error {
	return t.do(func(s *Snapshot) ([]write, error) {
		old := s.relations[r.ID]
		if old == nil {
			return nil, gone(r.Name)
		}
		s.put(&r)
		s.Version++
		ins, err := insertRelation(&r)
		return append(deleteRelation(old), ins...), err
	})
}

// AddUnique has a table hold one more unique constraint.
func (t *Tx) AddUnique(id string, u Unique) error {
	return t.changeUnique(id, func(list []Unique) []Unique { return append(slices.Clip(list), u) })
}

// DropUnique drops a unique constraint of a table.
func (t *Tx) DropUnique(id, name string) error {
	return t.changeUnique(id, func(list []Unique) []Unique {
		return slices.DeleteFunc(slices.Clone(list), func(u Unique) bool { return u.Name == name })
	})
}

func (t *Tx) changeUnique(id string, change func([]Unique) []Unique) error {
	return t.do(func(s *Snapshot) ([]write, error) {
		old := s.relations[id]
		if old == nil {
			return nil, gone(id)
		}
		r := *old
		r.Unique = change(old.Unique)
		s.put(&r)
		s.Version++
		ins, err := insertRelation(&r)
		return append(deleteRelation(old), ins...), err
	})
}

// Dropped is what a DROP removed: the relation and, with CASCADE, what read it;
// indexes and the jobs of materialized views go with their relation.
type Dropped struct {
	Relations []*Relation
	Jobs      []*Job
	// Dependents are those of them that went for no reason but CASCADE, as in
	// "view v".
	Dependents []string
}

// DropRelation removes a relation. What depends on it is removed too with
// cascade, else named in the error (2BP01).
func (t *Tx) DropRelation(id string, cascade bool) (Dropped, error) {
	return t.DropRelations([]string{id}, cascade)
}

// DropRelations removes relations together, which may depend on each other.
func (t *Tx) DropRelations(ids []string, cascade bool) (Dropped, error) {
	var d Dropped
	err := t.do(func(s *Snapshot) ([]write, error) {
		d = Dropped{}
		var all []*Relation
		for _, id := range ids {
			r := s.relations[id]
			if r == nil {
				return nil, gone(id)
			}
			all = append(all, r)
		}
		var lines []string
		for _, r := range all {
			collect(s, r, all, &d, &lines)
		}
		if r := all[0]; len(lines) > 0 && !cascade {
			e := pgerr.New(pgerr.DependentObjectsStillExist, "cannot drop %s %s because other objects depend on it", r.Kind, r.Name)
			if len(all) > 1 {
				e = pgerr.New(pgerr.DependentObjectsStillExist, "cannot drop desired object(s) because other objects depend on them")
			}
			return nil, e.
				WithDetail("%s", strings.Join(lines, "\n")).Hint("Use DROP ... CASCADE to drop the dependent objects too.")
		}
		var w []write
		for _, x := range d.Relations {
			s.remove(x)
			w = append(w, deleteRelation(x)...)
		}
		for _, j := range d.Jobs {
			s.removeJob(j)
			w = append(w, write{"DELETE FROM jobs WHERE id = ?", []any{j.ID}})
		}
		s.Version++
		return w, nil
	})
	return d, err
}

// collect gathers what goes with r, and a line for each thing that is not part of it
// and not among those that are dropped anyway.
func collect(s *Snapshot, r *Relation, anyway []*Relation, d *Dropped, lines *[]string) {
	if slices.Contains(d.Relations, r) {
		return
	}
	depends := func(x *Relation, kind, name string) {
		if x != nil && slices.Contains(anyway, x) {
			return
		}
		d.Dependents = append(d.Dependents, kind+" "+name)
		*lines = append(*lines, fmt.Sprintf("%s %s depends on %s %s", kind, name, r.Kind, r.Name))
	}
	d.Relations = append(d.Relations, r)
	d.Relations = append(d.Relations, s.Indexes(r.ID)...)
	if j := s.jobs[r.JobID]; j != nil && !slices.Contains(d.Jobs, j) {
		d.Jobs = append(d.Jobs, j)
	}
	for _, x := range s.Readers(r.ID) {
		if !slices.Contains(d.Relations, x) {
			depends(x, string(x.Kind), x.Name)
			collect(s, x, anyway, d, lines)
		}
	}
	for _, j := range s.JobsOn(r.ID) {
		if slices.Contains(d.Jobs, j) {
			continue
		}
		d.Jobs = append(d.Jobs, j)
		if v := s.relations[j.ViewID]; v != nil {
			depends(v, string(v.Kind), v.Name)
			collect(s, v, anyway, d, lines)
			continue
		}
		depends(nil, "job", j.Name)
	}
}

// Dependents says, in a line for each, what depends on a relation beside its indexes:
// "view v depends on table t".
func (s *Snapshot) Dependents(r *Relation) (lines []string) {
	collect(s, r, nil, &Dropped{}, &lines)
	return lines
}

// RenameRelation gives a relation another name. It is refused while something
// that names it in its own SQL depends on it.
func (t *Tx) RenameRelation(id, name string) error {
	return t.do(func(s *Snapshot) ([]write, error) {
		r := s.relations[id]
		if r == nil {
			return nil, gone(id)
		}
		if s.Relation(r.Schema, name) != nil {
			return nil, pgerr.New(pgerr.DuplicateTable, "relation %q already exists", name)
		}
		var d Dropped
		var lines []string
		collect(s, r, nil, &d, &lines)
		if len(lines) > 0 {
			return nil, pgerr.New(pgerr.DependentObjectsStillExist, "cannot rename %s %s because other objects name it", r.Kind, r.Name).
				WithDetail("%s", strings.Join(lines, "\n"))
		}
		renamed := *r
		renamed.Name = name
		s.remove(r)
		s.put(&renamed)
		s.Version++
		return []write{{"UPDATE relations SET name = ? WHERE id = ?", []any{name, id}}}, nil
	})
}

// CreateJob adds a job. Empty ID, Created and Updated are filled in.
func (t *Tx) CreateJob(j Job) (*Job, error) {
	t.complete(&j)
	err := t.do(func(s *Snapshot) ([]write, error) {
		if s.jobByName[j.Name] != nil {
			return nil, pgerr.New(pgerr.DuplicateObject, "job %q already exists", j.Name)
		}
		for _, id := range j.Depends {
			if s.relations[id] == nil && !strings.HasPrefix(id, systemPrefix) {
				return nil, pgerr.New(pgerr.UndefinedTable, "a relation that job %q uses was dropped meanwhile", j.Name)
			}
		}
		s.putJob(&j)
		return insertJob(&j)
	})
	return &j, err
}

// ReplaceJob puts a job in the place of another: every start from a checkpoint,
// restore or new query has a new id under the old name. The old one's
// checkpoints stay.
func (t *Tx) ReplaceJob(oldID string, j Job) (*Job, error) {
	t.complete(&j)
	err := t.do(func(s *Snapshot) ([]write, error) {
		old := s.jobs[oldID]
		if old == nil {
			return nil, goneJob()
		}
		if other := s.jobByName[j.Name]; other != nil && other != old {
			return nil, pgerr.New(pgerr.DuplicateObject, "job %q already exists", j.Name)
		}
		s.removeJob(old)
		s.putJob(&j)
		w := []write{{"DELETE FROM jobs WHERE id = ?", []any{oldID}}}
		if v := s.relations[j.ViewID]; v != nil && v.JobID != j.ID {
			view := *v
			view.JobID = j.ID
			s.put(&view)
			w = append(w, write{"UPDATE relations SET job_id = ? WHERE id = ?", []any{j.ID, view.ID}})
		}
		ins, err := insertJob(&j)
		return append(w, ins...), err
	})
	return &j, err
}

func (t *Tx) complete(j *Job) {
	now := t.store.clock.Now()
	if j.ID == "" {
		j.ID = NewID()
	}
	if j.Created.IsZero() {
		j.Created = now
	}
	j.Updated = now
}

// UpdateJob changes a job in place; change must not touch its id.
func (t *Tx) UpdateJob(id string, change func(*Job)) error {
	now := t.store.clock.Now()
	return t.do(func(s *Snapshot) ([]write, error) {
		old := s.jobs[id]
		if old == nil {
			return nil, goneJob()
		}
		j := *old
		change(&j)
		j.ID, j.Updated = id, now
		if other := s.jobByName[j.Name]; other != nil && other != old {
			return nil, pgerr.New(pgerr.DuplicateObject, "job %q already exists", j.Name)
		}
		s.removeJob(old)
		s.putJob(&j)
		ins, err := insertJob(&j)
		return append([]write{{"DELETE FROM jobs WHERE id = ?", []any{id}}}, ins...), err
	})
}

// RenameJob gives a job another name, and its savepoints with it.
func (t *Tx) RenameJob(id, name string) error {
	now := t.store.clock.Now()
	return t.do(func(s *Snapshot) ([]write, error) {
		old := s.jobs[id]
		if old == nil {
			return nil, goneJob()
		}
		if s.jobByName[name] != nil {
			return nil, pgerr.New(pgerr.DuplicateObject, "job %q already exists", name)
		}
		j := *old
		j.Name, j.Updated = name, now
		s.removeJob(old)
		s.putJob(&j)
		return []write{
			{"UPDATE jobs SET name = ?, updated = ? WHERE id = ?", []any{name, micros(now), id}},
			{"UPDATE savepoints SET job_name = ? WHERE job_name = ?", []any{name, old.Name}},
		}, nil
	})
}

// DropJob removes a job; its checkpoints and events stay until they are removed
// with RemoveCheckpoints and RemoveEvents.
func (t *Tx) DropJob(id string) error {
	return t.do(func(s *Snapshot) ([]write, error) {
		j := s.jobs[id]
		if j == nil {
			return nil, goneJob()
		}
		if v := s.relations[j.ViewID]; v != nil && v.JobID == id {
			return nil, pgerr.New(pgerr.DependentObjectsStillExist, "cannot drop job %s because it keeps materialized view %s", j.Name, v.Name).
				Hint("Use DROP MATERIALIZED VIEW %s.", ast.QuoteName(v.Name))
		}
		s.removeJob(j)
		return []write{{"DELETE FROM jobs WHERE id = ?", []any{id}}}, nil
	})
}

func gone(what string) error {
	return pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", what)
}

func goneJob() error {
	return pgerr.New(pgerr.UndefinedObject, "the job was dropped or replaced meanwhile")
}

// definition is what a relation's row keeps as JSON.
type definition struct {
	Columns    []Column
	PrimaryKey []int             `json:",omitempty"`
	Watermark  *Watermark        `json:",omitempty"`
	AppendOnly bool              `json:",omitempty"`
	Options    map[string]string `json:",omitempty"`
	Order      []Order           `json:",omitempty"`
	KeyName    string            `json:",omitempty"`
	Unique     []Unique          `json:",omitempty"`
	Checks     []Check           `json:",omitempty"`
	Comment    string            `json:",omitempty"`
}

func insertRelation(r *Relation) ([]write, error) {
	def, err := json.Marshal(definition{r.Columns, r.PrimaryKey, r.Watermark, r.AppendOnly, r.Options, r.Order, r.KeyName, r.Unique, r.Checks, r.Comment})
	if err != nil {
		return nil, fmt.Errorf("encode relation %s: %w", r.Name, err)
	}
	w := []write{{"INSERT INTO relations (id, schema_name, name, kind, definition, sql_text, query_text, job_id, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		[]any{r.ID, r.Schema, r.Name, string(r.Kind), string(def), r.SQL, r.Query, r.JobID, micros(r.Created)}}}
	for i, d := range r.Depends {
		w = append(w, write{"INSERT INTO relation_depends (relation_id, position, depends_on) VALUES (?, ?, ?)", []any{r.ID, int64(i), d}})
	}
	return w, nil
}

func deleteRelation(r *Relation) []write {
	return []write{{"DELETE FROM relations WHERE id = ?", []any{r.ID}}}
}

func insertJob(j *Job) ([]write, error) {
	options, err := json.Marshal(j.Options)
	if err != nil {
		return nil, fmt.Errorf("encode options of job %s: %w", j.Name, err)
	}
	depends, err := json.Marshal(j.Depends)
	if err != nil {
		return nil, fmt.Errorf("encode dependencies of job %s: %w", j.Name, err)
	}
	lineage, err := json.Marshal(j.Lineage)
	if err != nil {
		return nil, fmt.Errorf("encode lineage of job %s: %w", j.Name, err)
	}
	graph := j.Graph
	if graph == nil {
		graph = []byte{}
	}
	return []write{{"INSERT INTO jobs (id, name, sql_text, graph, options, wanted, state, failure, view_id, restore_from, restore_map, first_checkpoint, depends, lineage, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		[]any{j.ID, j.Name, j.SQL, graph, string(options), j.Wanted, j.State, j.Failure, j.ViewID, j.RestoreFrom, j.RestoreMap, j.FirstCheckpoint,
			string(depends), string(lineage), micros(j.Created), micros(j.Updated)}}}, nil
}

// micros is a time as it is stored; 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
