package exec

import (
	"strings"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// Report is what one task hands over at a barrier. Whoever takes it owns the
// snapshots and releases them.
type Report struct {
	Barrier   Barrier
	Stage     int
	Task      int
	Operators []OperatorSnapshot
}

// OperatorSnapshot is one operator's part of a report.
type OperatorSnapshot struct {
	ID          string
	Kind        graph.Kind
	Task        int
	Tables      map[string]*state.Snapshot // by graph.Table name
	Source      *SourceState               // of a source
	Committable []byte                     // of a sink: what Commit needs
	Aside       []byte                     // rows that could not be used: what keeping them needs
	Watermark   Watermark
	Counters    Counters
	View        bool // a materialized view's table, for readers
}

// Release gives up the snapshots of the report.
func (r *Report) Release() {
	for _, op := range r.Operators {
		for _, s := range op.Tables {
			s.Release()
		}
	}
}

// SourceState is where a source stands: what a checkpoint stores for it.
type SourceState struct {
	Splits []SplitState `json:"splits"`
}

// SplitState is where one split stands.
type SplitState struct {
	ID        string    `json:"id"`
	Data      []byte    `json:"data,omitempty"`   // the connector's own, of the split
	Offset    []byte    `json:"offset,omitempty"` // nil: not begun
	Watermark Watermark `json:"watermark"`
	Ended     bool      `json:"ended,omitempty"`
	Rows      int64     `json:"rows"` // delivered so far
}

// Position is where the split stands, for people: what follows a space in its offset is
// for the connector.
func (s *SplitState) Position() string {
	position, _, _ := strings.Cut(string(s.Offset), " ")
	return position
}
