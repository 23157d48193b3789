package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// errRunEnded is why a checkpoint came to nothing whose run did not live to say so.
var errRunEnded = errors.New("the run ended before the checkpoint was complete")

// closeUnfinished says what has become of the checkpoints that a job's last run was
// taking when it ended. The object store knows: a checkpoint whose _metadata is
// there is complete, although its run could not record it any more, and all others
// have failed. A record left as it is would never be collected, and what own tables
// keep for it would stay for ever. No run of the job may be under way.
func (m *Manager) closeUnfinished(ctx context.Context, id string) error {
	list, err := m.opt.Store.Checkpoints(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.State != "running" {
			continue
		}
		meta, err := checkpoint.Load(ctx, m.opt.Objects, id, c.N)
		switch {
		case err == nil:
			err = m.adopt(ctx, c, meta)
		case errors.Is(err, object.ErrNotFound):
			err = m.giveUp(ctx, c, errRunEnded)
		case errors.Is(err, manifest.ErrDamaged):
			err = m.giveUp(ctx, c, err)
		}
		if err != nil {
			return fmt.Errorf("look what has become of checkpoint %d: %w", c.N, err)
		}
	}
	return nil
}

// adopt records a checkpoint as complete, as its run would have done. How much of
// it that run uploaded is not known any more.
func (m *Manager) adopt(ctx context.Context, c catalog.Checkpoint, meta *manifest.Metadata) error {
	if err := m.retain(CheckpointHolder(c.JobID, c.N), meta); err != nil {
		return err
	}
	c.State, c.URL = "complete", joinURL(m.opt.Objects.URL(), gc.CheckpointName(c.JobID, c.N))
	c.Rows, c.FullBytes = meta.Size()
	c.Ended = time.UnixMicro(meta.Created)
	return m.opt.Store.PutCheckpoint(ctx, c)
}

// giveUp records that a checkpoint has failed, and lets own tables forget it.
func (m *Manager) giveUp(ctx context.Context, c catalog.Checkpoint, why error) error {
	if err := m.opt.Release(CheckpointHolder(c.JobID, c.N)); err != nil {
		return err
	}
	c.State, c.Failure, c.Ended = "failed", why.Error(), m.opt.Clock.Now()
	return m.opt.Store.PutCheckpoint(ctx, c)
}

// retain keeps own tables' changes from the positions of a checkpoint or savepoint
// on, those of its sinks included, for a later restore.
func (m *Manager) retain(holder string, meta *manifest.Metadata) error {
	offsets, err := offsetsIn(meta)
	if err != nil {
		return err
	}
	marks, err := marksIn(meta)
	if err != nil {
		return err
	}
	for _, mark := range marks {
		offsets = append(offsets, mark.Offset)
	}
	return m.opt.Retain(holder, offsets)
}
