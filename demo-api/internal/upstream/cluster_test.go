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

	"flash.test/delay-server/kit/wiretest"
)

// cluster is a PostgreSQL on a free loopback port, for one test.
type cluster struct {
	bin, data string
	port      int
}

// The superuser of a cluster.
const pgUser, pgPassword = "demo", "not-to-be-seen"

// startPostgres starts a cluster until the end of the test. Without PostgreSQL, it
// skips the test, or fails it with REQUIRE_POSTGRES=1.
func startPostgres(t testing.TB) cluster {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // on Debian
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
	c.run(t, "initdb", "--pgdata", c.data, "--username", pgUser, "--pwfile", password,
		"--auth", "scram-sha-256", "--no-sync")
	c.start(t)
	t.Cleanup(func() { c.stop(t) })
	return c
}

// ownedDir returns a temporary directory of the user that runs PostgreSQL.
func ownedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres") // the parent of t.TempDir is private
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
	_, port, _ := net.SplitHostPort(wiretest.ClosedAddr(t))
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// start starts the cluster and returns when it accepts connections.
func (c cluster) start(t testing.TB) {
	t.Helper()
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -k %s -c fsync=off -c max_connections=120", c.port, filepath.Dir(c.data))
	c.run(t, "pg_ctl", "--pgdata", c.data, "--log", c.data+".log", "--wait", "--options", options, "start")
}

// stop stops the cluster, if it runs, and closes all connections.
func (c cluster) stop(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(c.data, "postmaster.pid")); err == nil {
		c.run(t, "pg_ctl", "--pgdata", c.data, "--wait", "--mode", "fast", "stop")
	}
}

// run runs a program of PostgreSQL, which refuses to run as root.
func (c cluster) run(t testing.TB, program string, args ...string) {
	t.Helper()
	line := slices.Concat([]string{filepath.Join(c.bin, program)}, args)
	if os.Getuid() == 0 {
		line = slices.Concat([]string{"runuser", "-u", "postgres", "--"}, line)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = filepath.Dir(c.data)
	log, err := os.CreateTemp(t.TempDir(), program) // the cluster would hold a pipe open
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		output, _ := os.ReadFile(log.Name())
		t.Fatalf("%s: %v\n%s", cmd, err, output)
	}
}

// url returns the URL of a database of the cluster.
func (c cluster) url(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", user, password, c.port, database)
}
