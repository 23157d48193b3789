// Package checkpoint completes, finds, loads and deletes checkpoints and
// savepoints in an object store. What belongs to them is decided in manifest and
// gc; what is in a table's pages it does not know.
package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// Complete makes a checkpoint complete by creating its _metadata. It fails with
// object.ErrExists when another run has completed that number: then this run is
// the dead one.
func Complete(ctx context.Context, store object.Store, m *manifest.Metadata) (bytes int64, err error) {
	data, err := manifest.Encode(m)
	if err != nil {
		return 0, err
	}
	if err := store.Create(ctx, gc.CheckpointName(m.JobID, m.Checkpoint), data); err != nil {
		return 0, fmt.Errorf("complete checkpoint %d: %w", m.Checkpoint, err)
	}
	return int64(len(data)), nil
}

// List returns the numbers of a job's complete checkpoints, ascending.
func List(ctx context.Context, store object.Store, job string) ([]int64, error) {
	list, err := store.List(ctx, job+"/chk-")
	if err != nil {
		return nil, fmt.Errorf("list checkpoints of job %s: %w", job, err)
	}
	return gc.Checkpoints(job, names(list)), nil
}

func names(list []object.Info) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Name
	}
	return out
}

// Load reads a checkpoint's metadata.
func Load(ctx context.Context, store object.Store, job string, n int64) (*manifest.Metadata, error) {
	m, err := LoadFrom(ctx, store, gc.CheckpointName(job, n))
	if err == nil && (m.JobID != job || m.Checkpoint != n) {
		err = fmt.Errorf("%w: it is of checkpoint %d of job %s", manifest.ErrDamaged, m.Checkpoint, m.JobID)
	}
	if err != nil {
		return nil, fmt.Errorf("load checkpoint %d: %w", n, err)
	}
	return m, nil
}

// LoadFrom reads the _metadata object of that name.
func LoadFrom(ctx context.Context, store object.Store, name string) (*manifest.Metadata, error) {
	data, _, err := store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Newest loads the newest checkpoint that can be read and passes usable, which may
// be nil. skipped has an error for each newer one that could not; m is nil when
// there is none.
func Newest(ctx context.Context, store object.Store, job string, usable func(*manifest.Metadata) error) (m *manifest.Metadata, skipped []error, err error) {
	list, err := List(ctx, store, job)
	if err != nil {
		return nil, nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		m, err := Load(ctx, store, job, list[i])
		if err == nil && usable != nil {
			err = usable(m)
		}
		switch {
		case err == nil:
			return m, skipped, nil
		case errors.Is(err, manifest.ErrDamaged) || errors.Is(err, object.ErrNotFound) || IsDamage(err):
			skipped = append(skipped, err)
		default:
			return nil, skipped, err
		}
	}
	return nil, skipped, nil
}

// Collect deletes the checkpoints of a job beyond the newest keep and pinned ones,
// and the segments that no retained one refers to. Only the run that completes the
// job's checkpoints may call it. It returns what was deleted.
func Collect(ctx context.Context, store object.Store, job string, keep int, pinned map[int64]bool) ([]string, error) {
	list, err := store.List(ctx, job+"/")
	if err != nil {
		return nil, fmt.Errorf("list objects of job %s: %w", job, err)
	}
	seen := gc.Seen{Job: job, Objects: names(list), Retained: map[int64][]string{}}
	for _, n := range gc.Retain(gc.Checkpoints(job, seen.Objects), keep, pinned) {
		m, err := Load(ctx, store, job, n)
		switch {
		case err == nil:
			refs := make([]string, 0, 8)
			for _, s := range m.Segments() {
				refs = append(refs, s.Name)
			}
			seen.Retained[n] = refs
		case errors.Is(err, manifest.ErrDamaged):
			seen.Retained[n] = nil
		default:
			return nil, err
		}
	}
	plan := gc.Plan(seen)
	for i, name := range plan {
		if err := store.Delete(ctx, name); err != nil {
			return plan[:i], fmt.Errorf("collect garbage of job %s: %w", job, err)
		}
	}
	return plan, nil
}

// Drop deletes everything of a job, its checkpoints first.
func Drop(ctx context.Context, store object.Store, job string) error {
	for _, prefix := range []string{job + "/chk-", job + "/"} {
		list, err := store.List(ctx, prefix)
		if err != nil {
			return fmt.Errorf("list objects of job %s: %w", job, err)
		}
		for _, o := range list {
			if err := store.Delete(ctx, o.Name); err != nil {
				return fmt.Errorf("drop job %s: %w", job, err)
			}
		}
	}
	return nil
}
