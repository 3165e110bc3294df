package upstream

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// cluster is a PostgreSQL of a test's own, on a free port of loopback.
type cluster struct {
	bin, data string
	port      int
}

// The user of a cluster, an administrator of it.
const pgUser, pgPassword = "demo", "not-to-be-seen"

// startPostgres starts a cluster that ends with the test. Where PostgreSQL is
// not installed the test is skipped, or with REQUIRE_POSTGRES=1 it fails.
func startPostgres(t testing.TB) cluster {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // where Debian has it
	if initdb, err := exec.LookPath("initdb"); err == nil {
		found = append(found, initdb)
	}
	if len(found) == 0 {
		if os.Getenv("REQUIRE_POSTGRES") == "1" {
			t.Fatal("REQUIRE_POSTGRES=1: PostgreSQL is not installed: found no initdb")
		}
		t.Skip("PostgreSQL is not installed: found no initdb")
	}
	dir := ownedDir(t)
	c := cluster{bin: filepath.Dir(found[0]), data: filepath.Join(dir, "data"), port: freePort(t)}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(pgPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	c.run(t, "initdb", "--pgdata", c.data, "--username", pgUser, "--pwfile", password, "--auth", "scram-sha-256", "--no-sync")
	c.start(t)
	t.Cleanup(func() { c.stop(t) })
	return c
}

// ownedDir returns a temporary folder of the user whom PostgreSQL runs as.
func ownedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres") // t.TempDir's is within one that is the caller's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(owner.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// start returns when the cluster takes connections.
func (c cluster) start(t testing.TB) {
	t.Helper()
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -k %s -c fsync=off -c max_connections=120", c.port, filepath.Dir(c.data))
	c.run(t, "pg_ctl", "--pgdata", c.data, "--log", c.data+".log", "--wait", "--options", options, "start")
}

// stop ends the cluster and all connections to it; one that has ended may be.
func (c cluster) stop(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(c.data, "postmaster.pid")); err == nil {
		c.run(t, "pg_ctl", "--pgdata", c.data, "--wait", "--mode", "fast", "stop")
	}
}

// run runs one of PostgreSQL's programs, which refuse to be root's.
func (c cluster) run(t testing.TB, program string, args ...string) {
	t.Helper()
	line := slices.Concat([]string{filepath.Join(c.bin, program)}, args)
	if os.Getuid() == 0 {
		line = slices.Concat([]string{"runuser", "-u", "postgres", "--"}, line)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = filepath.Dir(c.data)
	log, err := os.CreateTemp(t.TempDir(), program) // a pipe would be held open by the cluster
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%s: %v\n%s", cmd, err, said)
	}
}

// url returns the URL of a database of the cluster.
func (c cluster) url(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", user, password, c.port, database)
}
