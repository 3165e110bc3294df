package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

const pgUser, pgPassword = wiretest.PostgresUser, wiretest.PostgresPassword

func TestPostgres(t *testing.T) {
	c := wiretest.StartPostgres(t)
	url, address := c.URL(pgUser, pgPassword, "postgres"), fmt.Sprintf("127.0.0.1:%d", c.Port)
	testDatabase(t, url, address)
	t.Run("a cancelled query ends in the database", func(t *testing.T) { testCancel(t, url) })
	t.Run("it rejects a query", func(t *testing.T) { testRejected(t, c, address) })
	t.Run("it closes connections", func(t *testing.T) { testClosedConnections(t, url) })
	t.Run("it restarts", func(t *testing.T) { testRestart(t, c, url, address) })
}

func testCancel(t *testing.T, url string) {
	d, watch := open(t, url, time.Minute, 3), open(t, url, time.Minute, 1)
	sleeping := func() (n int) {
		const active = `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'demo-api' AND state = 'active' AND query LIKE 'SELECT pg_sleep%'`
		if err := watch.pool.QueryRowContext(t.Context(), active).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	for range 3 {
		go func() { ended <- d.Query(ctx, 30*time.Second) }()
	}
	wiretest.Eventually(t, "three queries sleep", func() bool { return sleeping() == 3 })
	leave()
	for range 3 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Query, cancelled: got %v, want context.Canceled", err)
		}
	}
	wiretest.Eventually(t, "no query sleeps", func() bool { return sleeping() == 0 })
}

func testRejected(t *testing.T, c wiretest.Postgres, address string) {
	admin := open(t, c.URL(pgUser, pgPassword, "postgres"), time.Minute, 1)
	for _, statement := range []string{
		"CREATE ROLE full LOGIN PASSWORD '" + pgPassword + "' CONNECTION LIMIT 0",
		"CREATE ROLE hasty LOGIN PASSWORD '" + pgPassword + "'",
		"ALTER ROLE hasty SET statement_timeout = '20ms'",
	} {
		if _, err := admin.pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ name, url, reason string }{
		{"a wrong password", c.URL(pgUser, "not-to-be-seen-either", "postgres"), "user or password rejected"},
		{"an unknown user", c.URL("nobody", pgPassword, "postgres"), "user or password rejected"},
		{"an unknown database", c.URL(pgUser, pgPassword, "none"), "no database of that name"},
		{"too many connections", c.URL("full", pgPassword, "postgres"),
			"too many connections; lower DATABASE_CONNECTIONS"},
		{"a query that it cancels", c.URL("hasty", pgPassword, "postgres"), "the database cancelled the query"},
		{"an unknown parameter", c.URL(pgUser, pgPassword, "postgres") + "?stauts=1", "error with SQLSTATE 42704"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := open(t, tc.url, time.Minute, 1).Query(t.Context(), time.Second)
			want := "database cannot be reached: " + address + ": " + tc.reason
			if !errors.Is(err, ErrUnreachable) || err.Error() != want {
				t.Errorf("Query = %v\nwant %s", err, want)
			}
			var detail *Error
			if errors.As(err, &detail) && strings.Contains(fmt.Sprint(detail.Cause), "not-to-be-seen") {
				t.Errorf("the cause is %v: the password is in it", detail.Cause)
			}
		})
	}
}

func testRestart(t *testing.T, c wiretest.Postgres, url, address string) {
	const connections = 5
	d := open(t, url, time.Minute, connections)
	queryAll(t, d, connections, 100*time.Millisecond)

	ended := make(chan error, 1)
	go func() { ended <- d.Query(t.Context(), 30*time.Second) }()
	wiretest.Eventually(t, "a query has a connection", func() bool { return d.pool.Stats().InUse == 1 })
	c.Stop(t)
	if err := <-ended; !errors.Is(err, ErrUnreachable) {
		t.Errorf("Query, shut down: got %v, want ErrUnreachable", err)
	}
	err := d.Query(t.Context(), 0)
	want := "database cannot be reached: " + address + ": connection refused"
	if !errors.Is(err, ErrUnreachable) || err.Error() != want {
		t.Errorf("Query, while it is down = %v\nwant %s", err, want)
	}
	c.Start(t)
	queryAll(t, d, connections, 100*time.Millisecond)
}

// A query never fails because the database has closed its connection.
func testClosedConnections(t *testing.T, url string) {
	const connections = 5
	d, admin := open(t, url, time.Minute, connections), open(t, url, time.Minute, 1)
	for range 2 { // pgx itself pings only connections that are new or idle for a second
		queryAll(t, d, connections, 100*time.Millisecond)
	}
	const others = ` FROM pg_stat_activity WHERE application_name = 'demo-api' AND pid <> pg_backend_pid()`
	if _, err := admin.pool.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid)"+others); err != nil {
		t.Fatal(err)
	}
	wiretest.Eventually(t, "the connections are closed", func() bool {
		var n int
		if err := admin.pool.QueryRowContext(t.Context(), "SELECT count(*)"+others).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	queryAll(t, d, connections, 0)
}
