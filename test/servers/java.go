package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// JDBCJarEnv names pgJDBC's jar.
const JDBCJarEnv = "MILLRACE_TEST_JDBC"

// jdbcJar finds pgJDBC: where the environment says, or in the project's cache.
func jdbcJar() string {
	if jar := os.Getenv(JDBCJarEnv); jar != "" {
		return jar
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if found, _ := filepath.Glob(filepath.Join(dir, ".cache", "jdbc", "postgresql-*.jar")); len(found) > 0 {
			return found[len(found)-1]
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// RunJDBC compiles one Java source file against pgJDBC, runs its main class and
// returns what it prints; it fails the test when the program does. It skips the
// test where there is no Java or no pgJDBC.
func RunJDBC(t testing.TB, source string, args ...string) string {
	t.Helper()
	jar := jdbcJar()
	javac, err := exec.LookPath("javac")
	if err != nil || jar == "" {
		t.Skipf("pgJDBC is not tested: javac is missing, or pgJDBC's jar is (set %s)", JDBCJarEnv)
	}
	out := t.TempDir()
	if text, err := exec.Command(javac, "-cp", jar, "-d", out, source).CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", source, err, text)
	}
	class := strings.TrimSuffix(filepath.Base(source), ".java")
	text, err := exec.Command("java", append([]string{"-Duser.timezone=UTC", "-cp", jar + string(os.PathListSeparator) + out, class}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", class, err, text)
	}
	return string(text)
}
