package connectors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/servers"
)

// TestOptionsAreChecked has every kind of wrong option refused at CREATE, with
// its name, its place and what is valid.
func TestOptionsAreChecked(t *testing.T) {
	s := start(t)
	in := "file://" + t.TempDir()
	for _, c := range []struct {
		sql, code, at string
		says          []string
	}{
		{"SOURCE x (id int) WITH (connector = 'objct')", "42704", "connector", []string{`connector "objct" does not exist`, "blackhole, datagen, nexmark, object"}},
		{"SOURCE x (id int)", "42P16", "x", []string{"connector"}},
		{"SOURCE x (id int) WITH (connector = 'object', pth = '" + in + "', format = 'json')", "22023", "pth", []string{`has no option "pth"`, "path"}},
		{"SOURCE x (id int) WITH (connector = 'object', format = 'json')", "22023", "connector", []string{`requires option "path"`}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "')", "22023", "connector", []string{`requires option "format"`}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '/tmp', format = 'json')", "22023", "path", []string{"file:///folder"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = 'file:///no/such', format = 'json')", "58P01", "path", []string{"/no/such", "no such file or directory"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'xml')", "22023", "format", []string{"json, csv"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', header = 'true')", "22023", "header", []string{"'csv' only"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', follow = 'perhaps')", "22023", "follow", []string{"true or false"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', compression = 'lz4')", "22023", "compression", []string{"auto, none, gzip, zstd"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', bad_data = 'drop')", "22023", "bad_data", []string{"fail, skip, dead_letter"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', idle_timeout = '5 parsecs')", "22023", "idle_timeout", []string{"5min"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', rows_per_second = '-1')", "22023", "rows_per_second", []string{"whole number"}},
		{"SOURCE x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', roll_bytes = '1MB')", "22023", "roll_bytes", []string{"for sinks only"}},
		{"SOURCE x (id int, k text METADATA FROM 'key') WITH (connector = 'object', path = '" + in + "', format = 'json')", "42703", "connector", []string{"'path' and 'offset'"}},
		{"SOURCE x (id int, k int METADATA FROM 'offset') WITH (connector = 'object', path = '" + in + "', format = 'json')", "42804", "connector", []string{"offset is bigint"}},
		{"SINK x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', follow = 'true')", "22023", "follow", []string{"for sources only", "roll_bytes"}},
		{"SINK x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', rows_per_second = '1')", "22023", "rows_per_second", []string{"for sources only"}},
		{"SINK x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', delivery = 'at_least_once')", "22023", "delivery", []string{"exactly_once"}},
		{"SINK x (id int) WITH (connector = 'object', path = '" + in + "', format = 'json', roll_bytes = '0')", "22023", "roll_bytes", []string{"64kB"}},
		{"SINK x (id int) WITH (connector = 'object', path = '" + in + "/*.json', format = 'json')", "22023", "path", []string{"a folder"}},
		{"SINK x (id int) WITH (connector = 'object', path = 'file:///proc/no', format = 'json')", "58030", "path", []string{"/proc/no"}},
		{"SINK x (id int, k text METADATA FROM 'path') WITH (connector = 'object', path = '" + in + "', format = 'json')", "42703", "connector", []string{"cannot be METADATA"}},
		{"SINK x WITH (connector = 'object', path = '" + in + "', format = 'json')", "42P16", "x", []string{"no columns"}},
		{"SINK x (id int) WITH (connector = 'datagen')", "0A000", "connector", []string{"cannot be a sink"}},
		{"SINK x (id int) WITH (connector = 'nexmark')", "0A000", "connector", []string{"cannot be a sink"}},
		{"SOURCE x (id int) WITH (connector = 'blackhole')", "0A000", "connector", []string{"cannot be a source"}},
		{"SOURCE x (id int) WITH (connector = 'datagen', rows = 'many')", "22023", "rows", []string{"whole number"}},
		{`SOURCE x (id int) WITH (connector = 'datagen', "fields.ix.kind" = 'random')`, "22023", `"fields.ix`, []string{"names no column", "id"}},
		{`SOURCE x (id int) WITH (connector = 'datagen', "fields.id.kind" = 'rnd')`, "22023", `"fields.id`, []string{"sequence or random"}},
		{`SOURCE x (id int) WITH (connector = 'datagen', "fields.id.min" = 'a')`, "22023", `"fields.id`, nil},
		{`SOURCE x (id int) WITH (connector = 'datagen', "fields.id.null_rate" = '2')`, "22023", `"fields.id`, nil},
		{`SOURCE x (id int, g int GENERATED ALWAYS AS (id)) WITH (connector = 'datagen', "fields.g.min" = '2')`, "22023", `"fields.g`, []string{"names no column"}},
		{"SOURCE x WITH (connector = 'nexmark')", "22023", "connector", []string{`requires option "stream"`}},
		{"SOURCE x WITH (connector = 'nexmark', stream = 'bids')", "22023", "stream", []string{"bid, auction, person"}},
		{"SOURCE x WITH (connector = 'nexmark', stream = 'bid', event_rate = '0')", "22023", "event_rate", nil},
		{"SOURCE x (auctn bigint) WITH (connector = 'nexmark', stream = 'bid')", "42703", "", []string{`no column "auctn"`, "auction, bidder"}},
		{"SOURCE x (auction text) WITH (connector = 'nexmark', stream = 'bid')", "42804", "", []string{"bigint, not text"}},
		{"SOURCE x (k text METADATA) WITH (connector = 'nexmark', stream = 'bid')", "42703", "", []string{`no metadata "k"`}},
		{"TABLE x (id int) WITH (fillfactor = 9)", "22023", "", []string{"fillfactor", "from 10 to 100"}},
		{"TABLE x (id int) WITH (idel_timeout = '1s')", "22023", "idel_timeout", []string{`no option "idel_timeout"`, "idle_timeout", "connector"}},
		{"TABLE x (id int) WITH (rows_per_second = 'x')", "22023", "rows_per_second", nil},
		{"TABLE x (id int, k text METADATA)", "42P16", "k text", []string{"no connector"}},
	} {
		s.refuse("CREATE "+c.sql, c.code, c.at, c.says...)
	}
	same(t, "relations", s.query("SELECT relname FROM pg_class WHERE relname = 'x'"))
}

// TestBucketsAreChecked has endpoints, buckets and credentials that are wrong
// refused at CREATE, without the secrets being told.
func TestBucketsAreChecked(t *testing.T) {
	minio := servers.StartMinIO(t, "files")
	s := start(t) // without credentials in its environment
	const secret = "not-the-secret-of-it"
	with := func(path, access, key string) string {
		return " (id int) WITH (connector = 'object', path = '" + path + "', format = 'json', access_key = '" + access + "', secret_key = '" + key + "')"
	}
	good := minio.URL("files", "in")
	for _, kind := range []string{"SOURCE", "SINK"} {
		s.refuse("CREATE "+kind+" x"+with("s3://files/in?endpoint=http://127.0.0.1:1", servers.MinIOUser, servers.MinIOPassword), "58030", "path", "s3://files/in", "connection refused")
		s.refuse("CREATE "+kind+" x"+with("s3://files/in?endpont=http://127.0.0.1:1", servers.MinIOUser, servers.MinIOPassword), "58030", "path", "endpont", "endpoint")
		s.refuse("CREATE "+kind+" x"+with(minio.URL("no-such-bucket", "in"), servers.MinIOUser, servers.MinIOPassword), "58030", "path", "no-such-bucket", "bucket")
		s.refuse("CREATE "+kind+" x"+with(good, servers.MinIOUser, secret), "58030", "path", "access_key", "secret_key")
		s.refuse("CREATE "+kind+" x"+with(good, "nobody-at-all", servers.MinIOPassword), "58030", "path", "access_key")
	}
	s.query("CREATE SOURCE src" + with(good, servers.MinIOUser, servers.MinIOPassword))
	s.query("CREATE SINK snk" + with(minio.URL("files", "out"), servers.MinIOUser, servers.MinIOPassword))
	s.query("CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO snk SELECT id FROM src")
	s.checkpoint("j")
	s.query("SAVEPOINT JOB j AS sp")
	s.restart()
	s.checkpoint("j")
	for _, sql := range []string{"SHOW CREATE SOURCE src", "SHOW CREATE SINK snk", "SELECT sql FROM millrace.jobs", "SELECT * FROM millrace.job_events", "EXPLAIN JOB j",
		"SELECT pg_get_viewdef('src'::regclass)", "SELECT * FROM savepoint('sp')"} {
		rows, err := s.try(sql)
		if err != nil {
			t.Logf("%s: %v", sql, err)
		}
		for _, row := range rows {
			if strings.Contains(row, servers.MinIOPassword) || strings.Contains(row, servers.MinIOUser) {
				t.Errorf("%s tells a secret: %s", sql, row)
			}
		}
	}
	if got := s.query("SHOW CREATE SOURCE src")[0]; !strings.Contains(got, "secret_key = '********'") {
		t.Errorf("SHOW CREATE: %s", got)
	}
	for _, word := range []string{servers.MinIOPassword, servers.MinIOUser, secret} {
		if strings.Contains(s.log.String(), word) {
			t.Errorf("the log tells %q", word)
		}
	}
	// The catalog has them, since the server must know them; state has not.
	_ = filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(d.Name(), "sqlite") || strings.Contains(d.Name(), ".db") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && (strings.Contains(string(data), servers.MinIOPassword) || strings.Contains(string(data), servers.MinIOUser)) {
			t.Errorf("%s holds a secret", strings.TrimPrefix(path, s.data))
		}
		return nil
	})
}
