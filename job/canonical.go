package job

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/exec/state/canonical"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// writeCanonical makes a canonical savepoint of a checkpoint that is held: a
// Parquet file for each task's part of each state table. One part is in memory
// at a time.
func (m *Manager) writeCanonical(ctx context.Context, to object.Store, folder string, meta *manifest.Metadata) (*manifest.Metadata, error) {
	data, err := manifest.Encode(meta)
	if err != nil {
		return nil, err
	}
	sp, err := manifest.Decode(data) // a copy to change
	if err != nil {
		return nil, err
	}
	sp.Kind, sp.Format, sp.Files = manifest.Savepoint, manifest.Canonical, nil
	in := object.Sub(to, folder)
	for i := range sp.Operators {
		op := &sp.Operators[i]
		for _, task := range op.Tasks {
			for k, t := range task.Tables {
				name := fmt.Sprintf("%03d-%s/%d-%s.%03d.parquet", i, plainName(op.ID), k, plainName(tableName(t.Name)), task.Task)
				table, file, err := m.writePart(ctx, in, name, t)
				if err != nil {
					return nil, fmt.Errorf("write the state of %s: %w", op.ID, err)
				}
				task.Tables[k] = table
				sp.Files = append(sp.Files, file)
			}
		}
	}
	return sp, checkpoint.CompleteSavepoint(ctx, to, folder, sp)
}

func (m *Manager) writePart(ctx context.Context, in object.Store, name string, t *manifest.Table) (*manifest.Table, manifest.File, error) {
	s, err := state.Open(ctx, m.opt.Objects, t, m.slabs)
	if err != nil {
		return nil, manifest.File{}, err
	}
	defer s.Release()
	return canonical.Write(ctx, in, name, s)
}

func tableName(name string) string {
	if name == "" {
		return "state"
	}
	return name
}

// plainName makes a part of a file name of an id, for people to recognize; a
// number beside it makes it unique.
func plainName(id string) string {
	var b strings.Builder
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '_':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
