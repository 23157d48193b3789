package handler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A job that cannot be stopped, since there is no room to write that down, goes on.
func TestStopOnFullDisk(t *testing.T) {
	data := t.TempDir()
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=8388608"); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) })
	c := &client{t: t, data: data, objects: "file://" + filepath.ToSlash(t.TempDir())}
	c.begin()
	c.exec(`CREATE SOURCE s (id bigint) WITH (connector = 'datagen', rows_per_second = '100')`, `CREATE SINK none (n bigint) WITH (connector = 'blackhole')`,
		`CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO none SELECT id FROM s`)
	c.eventually(`SELECT count(*) > 2 FROM millrace.checkpoints WHERE state = 'complete'`, "t")
	f, err := os.Create(filepath.Join(data, "ballast"))
	for buf := make([]byte, 4096); err == nil; {
		_, err = f.Write(buf)
	}
	f.Close()
	for i := range 200 { // there is some room in the files that are there
		if _, err := c.conn.Exec(c.ctx, fmt.Sprintf(`CREATE VIEW v%d AS SELECT '%s' AS x`, i, strings.Repeat("x", 50_000))); err != nil {
			break
		}
	}
	c.fails("53100", `STOP JOB j`)
	c.fails("53100", `PAUSE JOB j`)
	n := c.one(`SELECT max(n) FROM millrace.checkpoints WHERE state = 'complete'`)
	c.eventually(`SELECT max(n) > `+n+` FROM millrace.checkpoints WHERE state = 'complete'`, "t")
	if err := os.Remove(filepath.Join(data, "ballast")); err != nil {
		t.Fatal(err)
	}
	c.exec(`STOP JOB j`)
	c.expect(`SELECT state FROM millrace.jobs`, "stopped")
}
