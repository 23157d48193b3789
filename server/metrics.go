package server

import (
	"github.com/millrace/millrace/server/admin"
)

// Collect implements admin.Metrics.
func (s *Server) Collect(emit func(admin.Metric)) {
	if s.notReady() != nil {
		return
	}
	counter := func(name, help string, v int64, labels ...admin.Label) {
		emit(admin.Metric{Name: "millrace_" + name, Help: help, Kind: admin.Counter, Labels: labels, Value: float64(v)})
	}
	gauge := func(name, help string, v float64, labels ...admin.Label) {
		emit(admin.Metric{Name: "millrace_" + name, Help: help, Kind: admin.Gauge, Labels: labels, Value: v})
	}
	letters := s.letters.Counts()
	counter("dead_letters_total", "Rows that could not be processed and were kept in millrace.dead_letters.", int64(letters.Total))
	counter("dead_letters_dropped_total", "Dead letters that went to make room.", int64(letters.Dropped))
	gauge("memory_bytes", "Bytes that the process takes, garbage among them.", float64(s.memory.Used()))
	gauge("memory_limit_bytes", "Bytes that it may take; 0 for no limit.", float64(s.memory.Limit()))
	gauge("connections", "Open client connections.", float64(s.pgwire.Connections()))
	for _, j := range s.store.Snapshot().Jobs() {
		for _, state := range []string{"created", "restoring", "running", "restarting", "paused", "stopped", "finished", "failed"} {
			v := 0.0
			if j.State == state {
				v = 1
			}
			gauge("job_state", "1 for the state a job is in.", v, admin.Label{Name: "job", Value: j.Name}, admin.Label{Name: "state", Value: state})
		}
		s.collectCheckpoints(j.ID, j.Name, gauge)
	}
	for _, st := range s.statuses() {
		for _, o := range st.Operators {
			at := []admin.Label{{Name: "job", Value: st.Job.Name}, {Name: "operator", Value: o.ID}}
			counter("operator_input_rows_total", "Rows that came into an operator since its job was started.", o.RowsIn, at...)
			counter("operator_output_rows_total", "Rows that an operator emitted since its job was started.", o.RowsOut, at...)
			counter("operator_late_rows_total", "Rows that came too late for a window, as of the last checkpoint.", o.Late, at...)
			counter("operator_bad_rows_total", "Rows that could not be decoded, computed with or written, as of the last checkpoint.", o.BadRows, at...)
			counter("operator_expired_rows_total", "Rows of state that were forgotten because of state_ttl, as of the last checkpoint.", o.Expired, at...)
			counter("operator_unmatched_rows_total", "Rows that took something away of which there was no state, as of the last checkpoint.", o.Unmatched, at...)
			gauge("operator_state_rows", "Rows of state, as of the last checkpoint.", float64(o.StateRows), at...)
			gauge("operator_state_bytes", "Bytes of state, as of the last checkpoint.", float64(o.StateBytes), at...)
			if w := watermark(o.Watermark); w != nil {
				gauge("operator_watermark_seconds", "Watermark as of the last checkpoint, in seconds since 1970.", float64(o.Watermark)/1e6, at...)
			}
		}
	}
}

// collectCheckpoints tells about a job's newest complete checkpoint.
func (s *Server) collectCheckpoints(id, name string, gauge func(name, help string, v float64, labels ...admin.Label)) {
	c, ok, err := s.store.NewestCheckpoint(s.ctx, id)
	if err != nil || !ok {
		return
	}
	at := admin.Label{Name: "job", Value: name}
	gauge("checkpoint_number", "Number of the newest complete checkpoint.", float64(c.N), at)
	gauge("checkpoint_completed_seconds", "When the newest checkpoint was completed, in seconds since 1970.", float64(c.Ended.UnixMicro())/1e6, at)
	gauge("checkpoint_duration_seconds", "How long the newest checkpoint took.", c.Ended.Sub(c.Started).Seconds(), at)
	gauge("checkpoint_bytes", "Bytes that the newest checkpoint uploaded.", float64(c.Bytes), at)
	gauge("checkpoint_full_bytes", "Bytes that the newest checkpoint refers to.", float64(c.FullBytes), at)
}
