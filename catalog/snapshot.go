package catalog

import (
	"maps"
	"sort"

	"github.com/millrace/millrace/internal/pgerr"
)

// Snapshot is the relations and jobs at one moment, in memory. It never changes,
// and neither may what it hands out.
type Snapshot struct {
	// Version changes whenever a relation does: plans made with another version
	// must be made anew.
	Version uint64

	relations map[string]*Relation
	byName    map[qualified]*Relation
	jobs      map[string]*Job
	jobByName map[string]*Job
}

type qualified struct{ schema, name string }

func newSnapshot() *Snapshot {
	return &Snapshot{relations: map[string]*Relation{}, byName: map[qualified]*Relation{},
		jobs: map[string]*Job{}, jobByName: map[string]*Job{}}
}

func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{Version: s.Version, relations: maps.Clone(s.relations), byName: maps.Clone(s.byName),
		jobs: maps.Clone(s.jobs), jobByName: maps.Clone(s.jobByName)}
}

// Relation finds a relation by schema and name; nil if there is none.
func (s *Snapshot) Relation(schema, name string) *Relation { return s.byName[qualified{schema, name}] }

// RelationByID finds a relation by id; nil if there is none.
func (s *Snapshot) RelationByID(id string) *Relation { return s.relations[id] }

// Relations lists the relations, by schema and name.
func (s *Snapshot) Relations() []*Relation {
	out := make([]*Relation, 0, len(s.relations))
	for _, r := range s.relations {
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Schema != out[j].Schema {
			return out[i].Schema < out[j].Schema
		}
		return out[i].Name < out[j].Name
	})
	return out
}

// Job finds a job by name; nil if there is none.
func (s *Snapshot) Job(name string) *Job { return s.jobByName[name] }

// JobByID finds a job by id; nil if there is none.
func (s *Snapshot) JobByID(id string) *Job { return s.jobs[id] }

// Jobs lists the jobs by name.
func (s *Snapshot) Jobs() []*Job {
	out := make([]*Job, 0, len(s.jobs))
	for _, j := range s.jobs {
		out = append(out, j)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Indexes lists the indexes of a relation by name.
func (s *Snapshot) Indexes(id string) []*Relation {
	var out []*Relation
	for _, r := range s.Relations() {
		if r.Kind == Index && len(r.Depends) > 0 && r.Depends[0] == id {
			out = append(out, r)
		}
	}
	return out
}

// Readers lists the relations that read this one directly, indexes left out, by
// name.
func (s *Snapshot) Readers(id string) []*Relation {
	var out []*Relation
	for _, r := range s.Relations() {
		if r.Kind == Index {
			continue
		}
		for _, d := range r.Depends {
			if d == id {
				out = append(out, r)
				break
			}
		}
	}
	return out
}

// JobsOn lists the jobs that read or write this relation, by name.
func (s *Snapshot) JobsOn(id string) []*Job {
	var out []*Job
	for _, j := range s.Jobs() {
		if j.ViewID == id {
			continue // it is the relation's own
		}
		for _, d := range j.Depends {
			if d == id {
				out = append(out, j)
				break
			}
		}
	}
	return out
}

// FindJob is Job with the error a user gets when there is none.
func (s *Snapshot) FindJob(name string) (*Job, error) {
	if j := s.jobByName[name]; j != nil {
		return j, nil
	}
	e := pgerr.New(pgerr.UndefinedObject, "job %q does not exist", name)
	names := make([]string, 0, len(s.jobs))
	for n := range s.jobByName {
		names = append(names, n)
	}
	if near := Near(name, names); near != "" {
		return nil, e.Hint("Perhaps you meant %q.", near)
	}
	return nil, e
}

// FindRelation is Relation with the error a user gets when there is none.
func (s *Snapshot) FindRelation(schema, name string) (*Relation, error) {
	if r := s.Relation(schema, name); r != nil {
		return r, nil
	}
	e := pgerr.New(pgerr.UndefinedTable, "relation %q does not exist", name)
	if near := s.NearRelation(schema, name); near != "" {
		return nil, e.Hint("Perhaps you meant %q.", near)
	}
	return nil, e
}

// NearRelation is the name in the schema that a wrong name was probably meant to
// be; "" for none.
func (s *Snapshot) NearRelation(schema, name string) string {
	var names []string
	for q := range s.byName {
		if q.schema == schema {
			names = append(names, q.name)
		}
	}
	return Near(name, names)
}

func (s *Snapshot) put(r *Relation) {
	s.relations[r.ID] = r
	s.byName[qualified{r.Schema, r.Name}] = r
}

func (s *Snapshot) remove(r *Relation) {
	delete(s.relations, r.ID)
	delete(s.byName, qualified{r.Schema, r.Name})
}

func (s *Snapshot) putJob(j *Job) {
	s.jobs[j.ID] = j
	s.jobByName[j.Name] = j
}

func (s *Snapshot) removeJob(j *Job) {
	delete(s.jobs, j.ID)
	delete(s.jobByName, j.Name)
}
