package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/servers"
)

// BenchmarkRestore stops a job with about 1 GB of state, its last checkpoint being
// in MinIO, and times a new manager from when it is told to resume until the job
// runs again.
func BenchmarkRestore(b *testing.B) {
	g, err := Plan(keyedSQL)
	if err != nil {
		b.Fatal(err)
	}
	m := servers.StartMinIO(b, "bench")
	for _, e := range m.Env() {
		name, value, _ := strings.Cut(e, "=")
		b.Setenv(name, value)
	}
	objects, err := object.Open(b.Context(), m.URL("bench", "restore"))
	if err != nil {
		b.Fatal(err)
	}
	source := &keyed{splits: 2, keys: stateKeys}
	slabs := state.NewSlabs(state.SlabOptions{})
	b.Cleanup(slabs.Close)
	j := newJobs(b, objects, func(nexmark.Stream) connector.Source { return source }, slabs)
	id, err := j.start(b.Context(), "restored", g, 2, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for source.filled.Load() < stateKeys {
		time.Sleep(10 * time.Millisecond)
	}
	start := time.Now()
	n, err := j.manager.Stop(b.Context(), "restored", job.Stopped, false)
	if err != nil {
		b.Fatal(err)
	}
	checkpoint := time.Since(start)
	j.manager.Kill()
	var took time.Duration
	b.ResetTimer()
	for range b.N {
		if err := j.store.SetJobState(b.Context(), id, "stopped", ""); err != nil {
			b.Fatal(err)
		}
		j.restart()
		start := time.Now()
		j.manager.Resume()
		if err := j.await(b.Context(), "restored", "running"); err != nil {
			b.Fatal(err)
		}
		took += time.Since(start)
		j.manager.Kill()
	}
	list, err := j.store.Checkpoints(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds()/float64(b.N), "restore-s")
	b.ReportMetric(checkpoint.Seconds(), "checkpoint-s")
	for _, c := range list {
		if c.N == n {
			b.ReportMetric(float64(c.Bytes)/1e6, "stored-MB")
			b.ReportMetric(float64(c.Rows)/1e6, "Mrows")
		}
	}
}
