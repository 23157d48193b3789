package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/server"
)

// TestQuestionsOfTools asks what drivers and tools want to know before they show
// anything, where the answer decides what they do.
func TestQuestionsOfTools(t *testing.T) {
	c := connect(t, start(t, server.Options{}))
	if got := run(c, `
CREATE TABLE counted (id bigint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5) PRIMARY KEY, tags text[]);
CREATE TABLE numbered (n serial, w int);
INSERT INTO numbered (w) SELECT g FROM generate_series(1, 50) g;
CREATE VIEW seen AS SELECT id FROM counted`); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	for _, c2 := range []struct{ who, sql, want string }{
		{"npgsql tells arrays by their function", `SELECT t.typname, p.proname FROM pg_type t JOIN pg_proc p ON p.oid = t.typreceive
			WHERE t.typname IN ('int4', '_int4', '_record') ORDER BY 1`, "[_int4 array_recv] [_record array_recv] [int4 int4recv]"},
		{"Active Record does too, but by name", "SELECT typname, typinput, typoutput FROM pg_type WHERE typname IN ('_text') AND typelem = 25", "[_text array_in array_out]"},
		{"SQLAlchemy looks up what identity columns count by", `SELECT a.attname, a.attidentity, s.seqstart, s.seqincrement FROM pg_attribute a JOIN pg_sequence s
			ON s.seqrelid = pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid WHERE a.attrelid = 'counted'::regclass AND a.attidentity <> ''`, "[id a 5 5]"},
		{"sequences are relations", "SELECT relname, relkind, reltype, relnatts FROM pg_class WHERE relkind = 'S' ORDER BY 1", "[counted_id_seq S 0 3] [numbered_n_seq S 0 3]"},
		{"of which the information schema leaves out the internal ones", "SELECT sequence_name, data_type, start_value FROM information_schema.sequences", "[numbered_n_seq integer 1]"},
		{"a sequence belongs to a column", `SELECT d.objid::regclass, d.refobjid::regclass, d.refobjsubid, d.deptype FROM pg_depend d WHERE d.refobjsubid > 0 ORDER BY d.deptype`,
			"[numbered_n_seq numbered 1 a] [counted_id_seq counted 1 i]"},
		{"pg_sequences", "SELECT sequencename, start_value, increment_by FROM pg_sequences ORDER BY 1", "[counted_id_seq 5 5] [numbered_n_seq 1 1]"},
		{"Metabase asks for rights by role and name", `SELECT has_any_column_privilege(current_user, '"public"."counted"', 'update'),
			has_table_privilege(current_user, '"public"."counted"', 'delete'), has_schema_privilege(current_user, 'public', 'usage')`, "[true true true]"},
		{"npgsql asks what can be changed", `SELECT c.relname, pg_column_is_updatable(c.oid::regclass, 1::smallint, false), pg_relation_is_updatable(c.oid, false) FROM pg_class c
			WHERE c.relname IN ('counted', 'seen') ORDER BY 1`, "[counted true 28] [seen false 0]"},
		{"sizes go by name, by id, and by id shown by name", `SELECT pg_total_relation_size('counted') = pg_total_relation_size(oid::regclass), pg_table_size('public.counted') = pg_table_size(oid)
			FROM pg_class WHERE relname = 'counted'`, "[true true]"},
		{"own tables have a size, once they have rows", "SELECT pg_table_size('numbered') > 1000, pg_total_relation_size('counted')", "[true 0]"},
		{"an id shown by name is still one", `SELECT oid::regclass = 'counted'::regclass, 'counted'::regclass = oid::regclass, oid::regclass::oid = oid, 'counted'::regclass::text
			FROM pg_class WHERE relname = 'counted'`, "[true true true counted]"},
		{"DBeaver shows how often indexes are used", "SELECT pg_stat_get_numscans(indexrelid) FROM pg_index WHERE indrelid = 'counted'::regclass", "[0]"},
		{"pgAdmin looks at the connection", "SELECT s.ssl, g.gss_authenticated FROM pg_stat_ssl s JOIN pg_stat_gssapi g USING (pid) WHERE pid = pg_backend_pid()", "[false false]"},
		{"and at counters, which it adds up", "SELECT sum(xact_commit + xact_rollback)::text FROM pg_stat_database", "[0]"},
	} {
		rows, err := c.Query(bg(), c2.sql)
		var got []string
		for err == nil && rows.Next() {
			values, e := rows.Values()
			err = e
			got = append(got, fmt.Sprint(values))
		}
		if err == nil {
			err = rows.Err()
		}
		if out := strings.Join(got, " "); err != nil || out != c2.want {
			t.Errorf("%s: %s %v, want %s", c2.who, out, err, c2.want)
		}
	}
}
