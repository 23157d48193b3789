package clients

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/server"
)

// TestPsqlStatementSet types a statement set as the documentation writes it: psql
// sends it in three messages, since it ends one at each semicolon.
func TestPsqlStatementSet(t *testing.T) {
	s := start(t, server.Options{})
	out, ok := psql(t, s, `
CREATE SOURCE fin WITH (connector = 'nexmark', stream = 'bid', events = '1000');
CREATE SINK totals (auction bigint, bids bigint) WITH (connector = 'blackhole');
CREATE TABLE orders (id bigint, amount numeric(12,2));
CREATE JOB fan_out AS BEGIN
  INSERT INTO totals SELECT auction, count(*) FROM fin GROUP BY auction;
  INSERT INTO orders (id, amount) SELECT auction, price FROM fin;
END;
FLUSH;
SELECT name FROM millrace.jobs;
`, "-v", "ON_ERROR_STOP=1", "-A", "-t")
	if !ok || !strings.Contains(out, "CREATE JOB\nFLUSH\nfan_out\n") {
		t.Fatalf("%v\n%s", ok, out)
	}
	for script, want := range map[string]string{
		// The position is one in the message at fault.
		"CREATE JOB k AS BEGIN INSERT INTO totals SELECT 1, 2;\nINSERT INTO totals SELEC 1, 2; END;":   "LINE 1: INSERT INTO totals SELEC 1, 2;",
		"CREATE JOB k AS BEGIN INSERT INTO totals SELECT 1, 2;\nROLLBACK;\nSELECT 'still ' || 'here';": "still here",
		"EXPLAIN CREATE JOB k AS BEGIN INSERT INTO totals SELECT auction, price FROM fin;\nEND;":       "sink(totals)",
	} {
		if out, _ := psql(t, s, script, "-A", "-t"); !strings.Contains(out, want) {
			t.Errorf("%s\nprints\n%s\nwant %s", script, out, want)
		}
	}
}
