package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace/server"
)

// TestPgbench makes pgbench's tables and runs its load by every protocol, at a rate,
// and with a script over a view: nothing fails for good, and the money adds up.
func TestPgbench(t *testing.T) {
	bin, err := exec.LookPath("pgbench")
	if err != nil {
		t.Skip("pgbench is not installed")
	}
	s := start(t, server.Options{})
	host, port := address(s)
	pgbench := func(args ...string) string {
		out, err := exec.Command(bin, append([]string{"-h", host, "-p", port, "-U", "millrace"}, append(args, "millrace")...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("pgbench %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	pgbench("-i")
	c := connect(t, s)
	if got := run(c, `CREATE MATERIALIZED VIEW spent AS SELECT tid, count(*) AS n, sum(delta) AS total FROM pgbench_history GROUP BY tid`); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	script := filepath.Join(t.TempDir(), "script.sql")
	if err := os.WriteFile(script, []byte("\\set id random(1, 10)\nSELECT total FROM spent WHERE tid = :id;\nBEGIN;\nSELECT count(*) FROM spent;\nEND;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	processed := regexp.MustCompile(`actually processed: (\d+)/(\d+)`)
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		for _, load := range [][]string{{"--max-tries=1000"}, {"-S"}, {"-N", "-R", "1000", "--max-tries=1000"}, {"-f", script}} {
			out := pgbench(append([]string{"-n", "-c", "8", "-t", "20", "-M", protocol}, load...)...)
			if m := processed.FindStringSubmatch(out); m == nil || m[1] != m[2] {
				t.Errorf("%s %v: %s", protocol, load, out)
			}
		}
	}
	got := run(c, `FLUSH;
SELECT (SELECT sum(n) FROM spent), (SELECT count(*) FROM pgbench_history), (SELECT sum(total) FROM spent) = (SELECT sum(abalance) FROM pgbench_accounts);
SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers)`)
	if got != "FLUSH (960,960,t) SELECT 1 (t) SELECT 1" {
		t.Error(got)
	}
}
