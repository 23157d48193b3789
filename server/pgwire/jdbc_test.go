package pgwire

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/servers"
)

func TestJDBC(t *testing.T) {
	var args []string
	for _, password := range []string{"", "geheim"} {
		addr, _, _ := startFake(t, password, nil)
		args = append(args, "jdbc:postgresql://"+addr+"/millrace", password)
	}
	if got := servers.RunJDBC(t, "../../test/clients/jdbc/WireCheck.java", args...); got != "ok\n" {
		t.Error(got)
	}
}

func TestPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	addr, _, _ := startFake(t, "", nil)
	host, port, _ := strings.Cut(addr, ":")
	run := func(sql string) string {
		out, _ := exec.Command(psql, "-X", "-h", host, "-p", port, "-U", "me", "-d", "db", "-c", sql).CombinedOutput()
		return string(out)
	}
	for sql, want := range map[string]string{
		"rows 2": " n |   s   \n---+-------\n 0 | row 0\n 1 | row 1\n(2 rows)\n\n",
		"fail x": "ERROR:  column \"x\" does not exist\nLINE 1: fail x\n             ^\nHINT:  Try another.\n",
		"notice": "NOTICE:  hear, hear\nDO\n",
	} {
		if got := run(sql); got != want {
			t.Errorf("%s\n got %q\nwant %q", sql, got, want)
		}
	}
}
