package upstream

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// open opens a database that is closed with the test.
func open(t testing.TB, url string, timeout time.Duration, connections int) *Database {
	t.Helper()
	d, err := OpenDatabase(url, timeout, connections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func query(t testing.TB, d *Database, wait time.Duration) (took time.Duration) {
	t.Helper()
	start := time.Now()
	if err := d.Query(t.Context(), wait); err != nil {
		t.Errorf("Query(%v) = %v", wait, err)
	}
	return time.Since(start)
}

// together makes n queries at once and returns how long all took.
func together(t testing.TB, d *Database, n int, wait time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(func() { query(t, d, wait) })
	}
	all.Wait()
	return time.Since(start)
}

func TestSQLite(t *testing.T) { testDatabase(t, "", "SQLite in this process") }

// testDatabase tests what is the same whichever database it is.
func testDatabase(t *testing.T, url, address string) {
	t.Run("it takes what is asked, never less", func(t *testing.T) {
		d := open(t, url, time.Minute, 1)
		for _, wait := range []time.Duration{0, 1, time.Microsecond, 1234567, 50 * time.Millisecond, 300 * time.Millisecond} {
			if took := query(t, d, wait); took < wait {
				t.Errorf("Query(%v) took %v", wait, took)
			}
		}
	})
	t.Run("a hundred take the time of one", func(t *testing.T) {
		const wait = 300 * time.Millisecond
		d := open(t, url, time.Minute, 100)
		together(t, d, 100, wait) // they connect
		one := query(t, d, wait)
		if all := together(t, d, 100, wait); all < wait || all > 10*one {
			t.Errorf("100 queries of %v took %v in all, one %v; want no less than one, and far from 100 times it", wait, all, one)
		}
	})
	t.Run("one beyond the connections waits for one", func(t *testing.T) {
		const wait = 50 * time.Millisecond
		d := open(t, url, time.Minute, 4)
		if all := together(t, d, 9, wait); all < 3*wait {
			t.Errorf("9 queries of %v over 4 connections took %v, want %v or more", wait, all, 3*wait)
		}
		if n := d.pool.Stats().OpenConnections; n != 4 {
			t.Errorf("%d connections are open, want 4, kept for the next queries", n)
		}
	})
	t.Run("a client that leaves ends it", func(t *testing.T) {
		d := open(t, url, time.Minute, 1)
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Query(ctx, 30*time.Second) }()
		wiretest.Eventually(t, "the query has a connection", func() bool { return d.pool.Stats().InUse == 1 })
		leave()
		start := time.Now()
		err := <-ended
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTooSlow) {
			t.Errorf("Query, cancelled: got %v, want context.Canceled and no failure of the database's", err)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("Query ended %v after its context, of 30s", took)
		}
		query(t, d, 0) // the one connection is free, or replaced
	})
	t.Run("a query that is too slow is ended", func(t *testing.T) {
		const timeout = 50 * time.Millisecond
		d := open(t, url, timeout, 1)
		start := time.Now()
		err := d.Query(t.Context(), time.Hour)
		if took := time.Since(start); took < timeout {
			t.Errorf("took %v, want the timeout, %v, or more", took, timeout)
		}
		want := "database is too slow: no answer from " + address + " within 50ms (TIMEOUT)"
		if !errors.Is(err, ErrTooSlow) || errors.Is(err, ErrUnreachable) || err.Error() != want {
			t.Errorf("Query = %v\nwant %s", err, want)
		}
	})
	t.Run("waiting for a connection counts", func(t *testing.T) {
		d := open(t, url, 100*time.Millisecond, 1)
		held, err := d.pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if err := d.Query(t.Context(), 0); !errors.Is(err, ErrTooSlow) {
			t.Errorf("Query, with the one connection in use = %v, want ErrTooSlow", err)
		}
	})
	t.Run("it says which it is", func(t *testing.T) {
		if got := open(t, url, time.Minute, 1).Address(); got != address {
			t.Errorf("Address() = %q, want %q", got, address)
		}
	})
}

// A database whose clock is set forward ends a sleep early.
func TestQueryIsNeverEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		d := &Database{peer: peer{timeout: time.Minute}, sleep: func(_ context.Context, _ *sql.DB, wait time.Duration) error {
			asked = append(asked, wait)
			if len(asked) == 1 {
				wait -= 400 * time.Millisecond
			}
			time.Sleep(wait)
			return nil
		}}
		if took := query(t, d, time.Second); took != time.Second || len(asked) != 2 || asked[1] != 400*time.Millisecond {
			t.Errorf("Query(1s) took %v by sleeps of %v, want 1s by 1s, ended early, and the 400ms that were left", took, asked)
		}
	})
}

func TestOpenDatabaseRefuses(t *testing.T) {
	for _, url := range []string{"postgres://demo:not-to-be-seen@localhost/demo?sslmode=requir", "postgres://demo:not-to-be-seen@localhost:port/demo"} {
		d, err := OpenDatabase(url, time.Minute, 1)
		if err == nil {
			d.Close()
			t.Errorf("OpenDatabase(%q) returned no error", url)
		} else if strings.Contains(err.Error(), "not-to-be-seen") {
			t.Errorf("OpenDatabase(%q) = %v: the password is in it", url, err)
		}
	}
}

// The difference to a call is what one reads off BenchmarkDirect of package server.
func BenchmarkSQLite(b *testing.B) { benchmarkQuery(b, "") }

func BenchmarkPostgres(b *testing.B) {
	benchmarkQuery(b, startPostgres(b).url(pgUser, pgPassword, "postgres"))
}

func benchmarkQuery(b *testing.B, url string) {
	d := open(b, url, time.Minute, 1)
	for b.Loop() {
		if err := d.Query(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
