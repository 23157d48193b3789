package job

import (
	"context"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/manifest"
)

// TableSize is how much of one state table a checkpoint or savepoint holds.
type TableSize struct {
	Operator, Kind, Table string
	Columns               []string
	Rows, Bytes           int64 // encoded, as stored
}

// CheckpointSizes lists the state tables of a job's checkpoint.
func (m *Manager) CheckpointSizes(ctx context.Context, jobID string, n int64) ([]TableSize, error) {
	meta, err := checkpoint.Load(ctx, m.opt.Objects, jobID, n)
	if err != nil {
		return nil, err
	}
	return tableSizes(meta), nil
}

// SavepointSizes lists the state tables of the savepoint at a URL.
func (m *Manager) SavepointSizes(ctx context.Context, url string) ([]TableSize, error) {
	_, meta, err := m.open(ctx, url)
	if err != nil {
		return nil, err
	}
	return tableSizes(meta), nil
}

// SavedSizes lists the state tables of a savepoint, by its name or URL.
func (m *Manager) SavedSizes(ctx context.Context, savepoint string) ([]TableSize, error) {
	_, meta, err := m.openSaved(ctx, savepoint)
	if err != nil {
		return nil, err
	}
	return tableSizes(meta), nil
}

// tableSizes adds up the tables of all tasks, in the order of the metadata.
// A source, whose state is its positions, has a line too.
func tableSizes(meta *manifest.Metadata) []TableSize {
	var out []TableSize
	at := map[[2]string]int{}
	for i := range meta.Operators {
		op := &meta.Operators[i]
		stateless := true
		for _, task := range op.Tasks {
			for _, t := range task.Tables {
				stateless = false
				k, ok := at[[2]string{op.ID, t.Name}]
				if !ok {
					k = len(out)
					at[[2]string{op.ID, t.Name}] = k
					z := TableSize{Operator: op.ID, Kind: op.Kind, Table: t.Name}
					for _, c := range t.Columns {
						z.Columns = append(z.Columns, c.Name)
					}
					out = append(out, z)
				}
				out[k].Rows += t.Rows
				out[k].Bytes += t.EncodedBytes()
			}
		}
		if stateless && op.Kind == string(graph.SourceKind) {
			out = append(out, TableSize{Operator: op.ID, Kind: op.Kind})
		}
	}
	return out
}
