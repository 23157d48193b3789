package clients

import (
	"testing"

	"github.com/millrace/millrace/server"
	"github.com/millrace/millrace/test/servers"
)

func TestJDBC(t *testing.T) {
	host, port := address(start(t, server.Options{}))
	if got := servers.RunJDBC(t, "jdbc/ServerCheck.java", "jdbc:postgresql://"+host+":"+port+"/millrace"); got != "ok\n" {
		t.Error(got)
	}
}
