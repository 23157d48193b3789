package session

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/sql/parse"
	"github.com/millrace/millrace/types"
)

// noHandler refuses everything: what reaches it is not the session's own.
type noHandler struct{}

func (noHandler) Prepare(_ context.Context, _ *Session, st ast.Parsed, _ []types.Type) (*Prepared, error) {
	return &Prepared{Statement: st, Columns: TextColumns("x")}, nil
}
func (noHandler) Execute(context.Context, *Session, *Prepared, []types.Value) (*Result, error) {
	return &Result{Tag: "HANDLER"}, nil
}
func (noHandler) Evaluate(context.Context, *Session, []ast.Expr, []types.Type) ([]types.Value, error) {
	return nil, nil
}
func (noHandler) Commit(context.Context, *Session, *Tx) error { return nil }
func (noHandler) Rollback(*Session, *Tx)                      {}
func (noHandler) Mark(*Session, *Tx) any                      { return nil }
func (noHandler) RollbackTo(*Session, *Tx, any)               {}

type recorder struct{ lines []string }

func (r *recorder) Notice(n Notice) { r.lines = append(r.lines, n.Severity+": "+n.Message) }
func (r *recorder) ParameterStatus(name, value string) {
	r.lines = append(r.lines, name+"="+value)
}

// run runs one statement as a simple query and renders its outcome.
func run(s *Session, sql string) string {
	out, err := func() (string, error) {
		list, err := s.Parse(sql)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for _, st := range list {
			p, err := s.Prepare(context.Background(), st, nil)
			if err != nil {
				return "", err
			}
			r, err := s.Start(context.Background(), p, nil)
			if err != nil {
				return "", err
			}
			for {
				rows, err := r.Next(0)
				if err != nil {
					return "", err
				}
				if rows == nil {
					break
				}
				for i := range rows.N {
					b.WriteString(rows.Cols[0].Str(i) + " ")
				}
			}
			r.Close()
			b.WriteString("[" + r.Tag() + "]")
		}
		return b.String(), s.EndImplicit(context.Background())
	}()
	if err != nil {
		s.Fail()
		e := pgerr.From(err)
		return fmt.Sprintf("!%s %s", e.Code, e.Message)
	}
	return out
}

// TestStatementsOfTheSession runs what drivers, psql and pools send, as the real
// parser reads it.
func TestStatementsOfTheSession(t *testing.T) {
	sink := &recorder{}
	s, err := NewManager(Options{Handler: noHandler{}, Parse: parse.Statements}).Open(Start{User: "u", Database: "d"}, sink)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sql, want string }{
		{"SET extra_float_digits = 3", "[SET]"},
		{"SET application_name = 'app'", "[SET]"},
		{"SHOW application_name", "app [SHOW]"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "[SET]"},
		{"SHOW TRANSACTION ISOLATION LEVEL", "serializable [SHOW]"},
		{"BEGIN ISOLATION LEVEL REPEATABLE READ; SHOW transaction_isolation; COMMIT", "[BEGIN]repeatable read [SHOW][COMMIT]"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED", "[SET]"},
		{"BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; COMMIT AND CHAIN; SHOW transaction_isolation; ROLLBACK", "[BEGIN][SET][COMMIT]serializable [SHOW][ROLLBACK]"},
		{"SET TIME ZONE 'Europe/Berlin'", "[SET]"},
		{"SHOW TIME ZONE", "Europe/Berlin [SHOW]"},
		{"SET TIME ZONE -5; SHOW timezone", "[SET]<-05>+05 [SHOW]"},
		{"SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE; SHOW timezone", "[SET]<+02:00> [SHOW]"},
		{"SET TIME ZONE LOCAL; SHOW timezone", "[SET]UTC [SHOW]"},
		{"SET TIME ZONE DEFAULT", "[SET]"},
		{"SET TIME ZONE 'Mars/Olympus'", `!22023 invalid value for parameter "TimeZone": "Mars/Olympus"`},
		{"SET NAMES 'utf8'", "[SET]"},
		{"SET client_encoding TO 'UTF-8'; SHOW client_encoding", "[SET]UTF8 [SHOW]"},
		{"SET SESSION search_path TO 'public', \"My Schema\"; SHOW search_path", `[SET]public, "My Schema" [SHOW]`},
		{"SET datestyle TO ISO, US; SHOW datestyle", "[SET]ISO, MDY [SHOW]"},
		{"SET datestyle TO ISO, DMY", `!22023 invalid value for parameter "DateStyle": "iso, dmy"`},
		{"SET datestyle TO german", `!22023 invalid value for parameter "DateStyle": "german"`},
		{"SET statement_timeout = '1min'; SHOW statement_timeout", "[SET]1min [SHOW]"},
		{"SET statement_timeout TO DEFAULT; SHOW statement_timeout", "[SET]0 [SHOW]"},
		{"SET standard_conforming_strings TO on", "[SET]"},
		{"SET default_transaction_read_only = maybe", `!22023 parameter "default_transaction_read_only" requires a Boolean value`},
		{"SET extra_float_digits = 99", `!22023 99 is outside the valid range (-15 .. 3)`},
		{"SET work_mem = '64MB'; RESET work_mem; SHOW work_mem", "[SET][RESET]4MB [SHOW]"},
		{"RESET ALL; SHOW application_name", "[RESET] [SHOW]"},
		{"SHOW nothing.like_it", `!42704 unrecognized configuration parameter "nothing.like_it"`},
		{"BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY; SHOW transaction_read_only", "[BEGIN]on [SHOW]"},
		{"SAVEPOINT a; RELEASE SAVEPOINT a", "[SAVEPOINT][RELEASE]"},
		{"COMMIT AND CHAIN", "[COMMIT]"},
		{"ROLLBACK", "[ROLLBACK]"},
		{"START TRANSACTION; SET LOCAL application_name = 'l'; SAVEPOINT x; SET application_name = 'm'; ROLLBACK TO SAVEPOINT x; SHOW application_name; END",
			"[START TRANSACTION][SET][SAVEPOINT][SET][ROLLBACK]l [SHOW][COMMIT]"},
		{"SHOW application_name", " [SHOW]"},
		{"SAVEPOINT b", "!25P01 SAVEPOINT can only be used in transaction blocks"},
		{"PREPARE p (int, text) AS SELECT $1; EXECUTE p(1, 'x')", "!42601 wrong number of parameters for prepared statement \"p\""},
		{"DEALLOCATE ALL; DISCARD ALL; UNLISTEN *", "[DEALLOCATE ALL][DISCARD ALL][UNLISTEN]"},
		{"LISTEN x", "!0A000 LISTEN is not supported yet"},
		{"DECLARE c SCROLL NO SCROLL CURSOR WITH HOLD FOR SELECT 1", "!42P11 cannot specify both SCROLL and NO SCROLL"},
		{"DECLARE c CURSOR WITH HOLD FOR SELECT 1; FETCH 1 FROM c; FETCH PRIOR FROM c", "!55000 cursor can only scan forward"},
		{"CLOSE ALL", "[CLOSE CURSOR ALL]"},
		{"SELECT 1", "[HANDLER]"},
		{"SHOW JOBS", "[HANDLER]"},
	} {
		if got := run(s, c.sql); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
	if got := strings.Join(sink.lines, ", "); !strings.Contains(got, "application_name=app") || !strings.Contains(got, "TimeZone=Europe/Berlin, TimeZone=<-05>+05") {
		t.Errorf("reported: %s", got)
	}
}

func TestSettingsAreConsistent(t *testing.T) {
	seen := map[string]bool{}
	for i := range definitions {
		d := &definitions[i]
		if seen[d.key()] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.key()] = true
		if d.Check != nil && !d.ReadOnly && d.Default != "" {
			if got, err := d.Check(d.Default); err != nil || got != d.Default {
				t.Errorf("%s: its default %q becomes %q, %v", d.Name, d.Default, got, err)
			}
		}
	}
}
