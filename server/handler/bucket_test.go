package handler_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/test/servers"
)

// TestBucket keeps state in MinIO, and moves savepoints through it.
func TestBucket(t *testing.T) {
	minio := servers.StartMinIO(t, "state", "saved")
	for _, e := range minio.Env() {
		k, v, _ := strings.Cut(e, "=")
		t.Setenv(k, v)
	}
	c := &client{t: t, data: t.TempDir(), objects: minio.URL("state", "a/b")}
	c.begin()
	orders(c, "")
	url := c.one(`SELECT url FROM millrace.checkpoints WHERE state = 'complete' ORDER BY n DESC LIMIT 1`)
	contains(t, url, "s3://state/a/b/", "/chk-", "/_metadata?endpoint=")
	c.exec(`INSERT INTO orders VALUES (4, 'cid', 1)`, `FLUSH`, `RESTORE JOB j FROM CHECKPOINT '`+url+`'`, `FLUSH`)
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50", "cid | 1 | 1.00")
	for _, format := range []string{"NATIVE", "CANONICAL"} {
		place := strings.Split(c.one(`SAVEPOINT JOB j AS s`+format+` TO '`+minio.URL("saved", "dir")+`' FORMAT `+format), " | ")[1]
		contains(t, place, "s3://saved/dir/savepoint-", "?endpoint=")
		contains(t, c.one(`VERIFY SAVEPOINT '`+place+`'`), "ok | ")
		c.exec(`RESTORE JOB j FROM SAVEPOINT '` + place + `' WITH (parallelism = 3)`)
		c.expect(`SELECT customer, "count(*)" FROM savepoint('`+place+`', 'aggregate(orders by customer)') ORDER BY 1`, "ann | 2", "ben | 1", "cid | 1")
		c.exec(`SAVEPOINT JOB j AS own FORMAT `+format, `RESTORE JOB j FROM SAVEPOINT own`, `FLUSH`, `DROP SAVEPOINT own`, `DROP SAVEPOINT s`+format)
		c.fails("58P01", `VERIFY SAVEPOINT '`+place+`'`)
	}
	c.restart()
	c.exec(`INSERT INTO orders VALUES (5, 'cid', 1)`, `FLUSH`)
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50", "cid | 2 | 2.00")
}
