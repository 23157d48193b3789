package pgcatalog

import (
	"encoding/json"

	"github.com/millrace/millrace/types"
)

// millraceProducers answer from the metadata database what a Provider does not.
func millraceProducers(p map[string]producer) {
	p["millrace.jobs"] = millraceJobs
	p["millrace.job_events"] = millraceJobEvents
	p["millrace.checkpoints"] = millraceCheckpoints
	p["millrace.savepoints"] = millraceSavepoints
	p["millrace.settings"] = millraceSettings
}

// orNull is nil for the empty string.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// jobName finds the name of a job that may be gone.
func (q *query) jobName(id string) any {
	if j := q.snapshot.JobByID(id); j != nil {
		return j.Name
	}
	for _, j := range q.snapshot.Jobs() {
		for _, old := range j.Lineage {
			if old == id {
				return j.Name
			}
		}
	}
	return nil
}

func millraceJobs(q *query, out *Rows) error {
	for _, j := range q.snapshot.Jobs() {
		kind := "job"
		if j.ViewID != "" {
			kind = "materialized view"
		}
		shown := map[string]string{}
		for name, v := range j.Options {
			if Secret(name) {
				v = "******"
			}
			shown[name] = v
		}
		raw, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		options, err := types.CanonicalJSON(string(raw))
		if err != nil {
			return err
		}
		var n, at any
		c, ok, err := q.c.options.Store.NewestCheckpoint(q.ctx, j.ID)
		if err != nil {
			return err
		}
		if ok {
			n, at = c.N, c.Ended
		}
		out.Add(j.ID, j.Name, kind, j.State, j.Wanted, orNull(j.Failure), j.SQL, options, orNull(j.RestoreFrom), j.Lineage, n, at, j.Created, j.Updated)
	}
	return nil
}

func millraceJobEvents(q *query, out *Rows) error {
	events, err := q.c.options.Store.Events(q.ctx, "")
	if err != nil {
		return err
	}
	for _, e := range events {
		out.Add(e.JobID, q.jobName(e.JobID), e.At, e.Kind, e.Message)
	}
	return nil
}

func millraceCheckpoints(q *query, out *Rows) error {
	all, err := q.c.options.Store.Checkpoints(q.ctx, "")
	if err != nil {
		return err
	}
	for _, c := range all {
		var took any
		if !c.Ended.IsZero() {
			took = c.Ended.Sub(c.Started)
		}
		out.Add(c.JobID, q.jobName(c.JobID), c.N, c.State, orNull(c.URL), c.Bytes, c.FullBytes, c.Rows, c.Started, c.Ended, took, orNull(c.Failure))
	}
	return nil
}

func millraceSavepoints(q *query, out *Rows) error {
	all, err := q.c.options.Store.Savepoints(q.ctx, "")
	if err != nil {
		return err
	}
	for _, p := range all {
		out.Add(p.ID, p.Name, p.JobID, p.JobName, p.URL, p.Format, p.Bytes, p.Rows, p.Created)
	}
	return nil
}

func millraceSettings(q *query, out *Rows) error {
	all, err := q.c.options.Store.Settings(q.ctx)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sortStrings(names)
	out.Columns("name", "value")
	for _, name := range names {
		v := all[name]
		if Secret(name) {
			v = "******"
		}
		out.Add(name, v)
	}
	return nil
}
