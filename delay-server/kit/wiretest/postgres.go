package wiretest

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

// A Postgres is a PostgreSQL on a free loopback port, for one test.
type Postgres struct {
	Port      int
	bin, data string
}

// The superuser of a Postgres.
const PostgresUser, PostgresPassword = "demo", "not-to-be-seen"

// StartPostgres starts a PostgreSQL until the end of the test. Without an installation, it
// skips the test, or fails it with REQUIRE_POSTGRES=1.
func StartPostgres(t testing.TB) Postgres {
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
	p := Postgres{bin: filepath.Dir(found[0]), data: filepath.Join(dir, "data"), Port: freePort(t)}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	p.run(t, "initdb", "--pgdata", p.data, "--username", PostgresUser, "--pwfile", password,
		"--auth", "scram-sha-256", "--no-sync")
	p.Start(t)
	t.Cleanup(func() { p.Stop(t) })
	return p
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
	_, port, _ := net.SplitHostPort(ClosedAddr(t))
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Start starts p and returns when it accepts connections.
func (p Postgres) Start(t testing.TB) {
	t.Helper()
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -k %s -c fsync=off -c max_connections=120", p.Port, filepath.Dir(p.data))
	p.run(t, "pg_ctl", "--pgdata", p.data, "--log", p.data+".log", "--wait", "--options", options, "start")
}

// Stop stops p, if it runs, and closes all connections.
func (p Postgres) Stop(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(p.data, "postmaster.pid")); err == nil {
		p.run(t, "pg_ctl", "--pgdata", p.data, "--wait", "--mode", "fast", "stop")
	}
}

// run runs a program of PostgreSQL, which refuses to run as root.
func (p Postgres) run(t testing.TB, program string, args ...string) {
	t.Helper()
	line := slices.Concat([]string{filepath.Join(p.bin, program)}, args)
	if os.Getuid() == 0 {
		line = slices.Concat([]string{"runuser", "-u", "postgres", "--"}, line)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = filepath.Dir(p.data)
	log, err := os.CreateTemp(t.TempDir(), program) // the server would hold a pipe open
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

// URL returns the URL of a database.
func (p Postgres) URL(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", user, password, p.Port, database)
}
