package server

import (
	"context"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
)

// NextValue implements pgcatalog.Sequences.
func (s *Server) NextValue(r *catalog.Relation, column int) (int64, error) {
	i := r.Columns[column].Identity
	return s.tables.NextValue(r.ID, column, &table.Sequence{Name: i.Sequence, Start: i.Start, Increment: i.Increment, Min: i.Min, Max: i.Max, Cycle: i.Cycle})
}

// SetValue implements pgcatalog.Sequences.
func (s *Server) SetValue(ctx context.Context, r *catalog.Relation, column int, v int64, called bool) error {
	return s.tables.SetValue(ctx, r.ID, column, v, called)
}
