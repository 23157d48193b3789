package clients

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/millrace/millrace/server"
)

// psql runs a script through psql and returns all it prints, and whether it
// ended well.
func psql(t *testing.T, s *server.Server, script string, args ...string) (string, bool) {
	t.Helper()
	bin, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	host, port := address(s)
	cmd := exec.Command(bin, append([]string{"-X", "-h", host, "-p", port, "-U", "millrace", "-d", "millrace"}, args...)...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func TestPsqlDescribes(t *testing.T) {
	s := start(t, server.Options{})
	if out, ok := psql(t, s, schema, "-q", "-v", "ON_ERROR_STOP=1"); !ok {
		t.Fatal(out)
	}
	for _, c := range []struct {
		command string
		want    []string
	}{
		{`\d`, []string{"auction", "bid", "big", "hole", "orders", "per_customer | materialized view"}},
		{`\d orders`, []string{`Table "public.orders"`, "id       | bigint                   |           | not null |", "numeric(12,2)", "generated always as (placed::date) stored",
			`"orders_pkey" PRIMARY KEY, btree (id)`}},
		{`\d+ orders`, []string{"Storage", `"orders_pkey" PRIMARY KEY`}},
		{`\d+ big`, []string{`View "public.big"`, "View definition:\n SELECT * FROM orders WHERE amount > 100;"}},
		{`\d+ per_customer`, []string{`Materialized view "public.per_customer"`, "total    | numeric"}},
		{`\d orders_pkey`, []string{`Index "public.orders_pkey"`, "primary key, btree"}},
		{`\d nope`, []string{`Did not find any relation named "nope".`}},
		{`\d pg_class`, []string{`"pg_catalog.pg_class"`, "relname"}},
		{`\dt`, []string{"orders", "auction"}},
		{`\dt *.*`, []string{"pg_catalog", "orders"}},
		{`\dv`, []string{"big"}},
		{`\dm`, []string{"per_customer"}},
		{`\di`, []string{"orders_pkey"}},
		{`\dn`, []string{"public", "millrace"}},
		{`\df`, []string{"List of functions"}},
		{`\df pg_catalog.array_length`, []string{"List of functions"}},
		{`\dT`, []string{"List of data types"}},
		{`\du`, []string{"millrace"}},
		{`\l`, []string{"millrace", "UTF8"}},
		{`\dx`, []string{"List of installed extensions"}},
		{`\sv big`, []string{"CREATE OR REPLACE VIEW public.big AS"}},
		{`\conninfo`, []string{`connected to database "millrace"`}},
		{`\encoding`, []string{"UTF8"}},
	} {
		out, _ := psql(t, s, c.command+"\n")
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s does not say %q:\n%s", c.command, w, out)
			}
		}
		if strings.Contains(out, "ERROR") {
			t.Errorf("%s:\n%s", c.command, out)
		}
	}
}

// Every describing command of psql runs its queries without an error, with and
// without system objects, details and a pattern.
func TestPsqlDescribesAll(t *testing.T) {
	s := start(t, server.Options{})
	if out, ok := psql(t, s, schema, "-q", "-v", "ON_ERROR_STOP=1"); !ok {
		t.Fatal(out)
	}
	var script strings.Builder
	for _, command := range strings.Fields(`d da dA dAc dAf dAo dAp db dc dC dd ddp dD des det deu dew dE df dF dFd dFp dFt dg di dl dL dm dn do dO dp dP drds dRp dRs
		ds dt dT du dv dx dX dy l z dconfig`) {
		for _, suffix := range []string{"", "+", "S", "S+"} {
			fmt.Fprintf(&script, "\\%[1]s%[2]s\n\\%[1]s%[2]s orders\n", command, suffix)
		}
	}
	if out, _ := psql(t, s, script.String()); strings.Contains(out, "ERROR") {
		at := strings.Index(out, "ERROR")
		t.Error(out[at:min(len(out), at+2000)])
	}
	out, _ := psql(t, s, `SELECT tableoid::regclass, tableoid = 'pg_am'::regclass, b.* FROM pg_am a LEFT JOIN pg_namespace b USING (tableoid) LIMIT 1;
SELECT b.tableoid IS NULL FROM pg_am a LEFT JOIN pg_am b ON false LIMIT 1`, "-A", "-t")
	if out != "pg_am|t||||\nt\n" {
		t.Error(out)
	}
}

func TestPsqlErrors(t *testing.T) {
	s := start(t, server.Options{})
	if out, ok := psql(t, s, schema, "-q", "-v", "ON_ERROR_STOP=1"); !ok {
		t.Fatal(out)
	}
	for _, c := range []struct{ sql, want string }{
		{"SELECT nope FROM orders;", "ERROR:  column \"nope\" does not exist\nLINE 1: SELECT nope FROM orders;\n               ^\n"},
		{"SELECT *\nFROM orders\n  WHERE amont > 1;", "ERROR:  column \"amont\" does not exist\nLINE 3:   WHERE amont > 1;\n                ^\nHINT:  Perhaps you meant to reference the column \"orders.amount\".\n"},
		{"SELECT * FROM ordes;", "ERROR:  relation \"ordes\" does not exist\nLINE 1: SELECT * FROM ordes;\n                      ^\nHINT:  Perhaps you meant \"orders\".\n"},
		{"SELECT 'ü', nope;", "ERROR:  column \"nope\" does not exist\nLINE 1: SELECT 'ü', nope;\n                    ^\n"},
		{"SELEC 1;", "ERROR:  syntax error at or near \"SELEC\"\nLINE 1: SELEC 1;\n        ^\nHINT:  Perhaps you meant SELECT.\n"},
		{"INSERT INTO orders (id, customer) VALUES (1, 'x');", "ERROR:  duplicate key value violates unique constraint \"orders_pkey\"\nDETAIL:  Key (id)=(1) already exists.\n"},
		{"SELECT 1/0;", "ERROR:  division by zero\nLINE 1: SELECT 1/0;\n                ^\n"},
		{"SELECT 'abc'::int;", "ERROR:  invalid input syntax for type integer: \"abc\"\nLINE 1: SELECT 'abc'::int;\n               ^\n"},
		{"COMMIT;", "WARNING:  there is no transaction in progress\nCOMMIT\n"},
	} {
		out, _ := psql(t, s, c.sql+"\n")
		if out != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, out, c.want)
		}
	}
}

func TestPsqlSwitches(t *testing.T) {
	s := start(t, server.Options{})
	for _, c := range []struct {
		name, script string
		args         []string
		want         string
		ok           bool
	}{
		{"a -c with two statements is one transaction", "", []string{"-c", "CREATE TABLE a (n int); SELECT 1/0"}, "CREATE TABLE\nERROR:  division by zero\nLINE 1: CREATE TABLE a (n int); SELECT 1/0\n                                        ^\n", false},
		{"so nothing of it is left", "", []string{"-c", "SELECT * FROM a"}, "ERROR:  relation \"a\" does not exist\nLINE 1: SELECT * FROM a\n                      ^\n", false},
		{"two -c are two transactions", "", []string{"-c", "CREATE TABLE a (n int)", "-c", "SELECT 1/0"}, "CREATE TABLE\nERROR:  division by zero\nLINE 1: SELECT 1/0\n                ^\n", false},
		{"without ON_ERROR_STOP a script goes on", "SELECT nope;\nINSERT INTO a VALUES (1);\n", []string{"-q"}, "ERROR:  column \"nope\" does not exist\nLINE 1: SELECT nope;\n               ^\n", true},
		{"with it it ends", "SELECT 1/0;\nINSERT INTO a VALUES (2);\n", []string{"-q", "-v", "ON_ERROR_STOP=1"}, "ERROR:  division by zero\nLINE 1: SELECT 1/0;\n                ^\n", false},
		{"-1 wraps a script", "INSERT INTO a VALUES (3);\nSELECT 1/0;\n", []string{"-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", "-"}, "psql:<stdin>:2: ERROR:  division by zero\nLINE 1: SELECT 1/0;\n                ^\n", false},
		{"tuples only", "SELECT n FROM a;\n", []string{"-At"}, "1\n", true},
		{"expanded", "\\x\nSELECT n, 'x' AS s FROM a;\n", []string{"-q"}, "-[ RECORD 1 ]\nn | 1\ns | x\n\n", true},
		{"csv", "SELECT n, 'a,b' AS s FROM a;\n", []string{"--csv"}, "n,s\n1,\"a,b\"\n", true},
		{"variables", "\\set n 41\nSELECT :n + 1, :'n';\n", []string{"-At"}, "42|41\n", true},
		{"gset and if", "SELECT count(*) AS c FROM a \\gset\n\\if :c\n\\echo yes\n\\endif\n", []string{"-At"}, "yes\n", true},
		{"gexec", "SELECT 'SELECT ' || n FROM generate_series(1, 2) AS g (n) \\gexec\n", []string{"-At"}, "1\n2\n", true},
		{"fetch count uses a cursor", "\\set FETCH_COUNT 2\nSELECT n FROM generate_series(1, 5) AS g (n);\n", []string{"-At"}, "1\n2\n3\n4\n5\n", true},
		{"gdesc", "SELECT 1 AS one, now() AS then \\gdesc\n", []string{"-At"}, "one|integer\nthen|timestamp with time zone\n", true},
		{"copy in", "\\copy a FROM STDIN WITH (FORMAT csv)\n7\n8\n\\.\nSELECT sum(n) FROM a;\n", []string{"-At"}, "COPY 2\n16\n", true},
		{"copy out", "\\copy (SELECT n, NULL::text FROM a ORDER BY n) TO STDOUT\n", nil, "1\t\\N\n7\t\\N\n8\t\\N\n", true},
		{"copy out in csv", "COPY a TO STDOUT (FORMAT csv, HEADER);\n", nil, "n\n1\n7\n8\n", true},
		{"copy with a bad line", "COPY a FROM STDIN;\n9\nx\n\\.\n", nil, "ERROR:  invalid input syntax for type integer: \"x\"\nDETAIL:  The error is in line 2, column n, of the copied data.\n", true},
	} {
		out, ok := psql(t, s, c.script, c.args...)
		if out != c.want || ok != c.ok {
			t.Errorf("%s:\n got %q, %v\nwant %q, %v", c.name, out, ok, c.want, c.ok)
		}
	}
}
