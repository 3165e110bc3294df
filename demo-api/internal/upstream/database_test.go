package upstream

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// open opens a database until the end of the test.
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

// queryAll executes n queries at once and returns their total time.
func queryAll(t testing.TB, d *Database, n int, wait time.Duration) time.Duration {
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

// testDatabase tests one kind of database.
func testDatabase(t *testing.T, url, address string) {
	t.Run("a query takes at least its duration", func(t *testing.T) {
		d := open(t, url, time.Minute, 1)
		for _, wait := range []time.Duration{0, 1, time.Microsecond, 1234567, 300 * time.Millisecond} {
			if took := query(t, d, wait); took < wait {
				t.Errorf("Query(%v) took %v", wait, took)
			}
		}
	})
	t.Run("a hundred queries take the time of one", func(t *testing.T) {
		const wait = 300 * time.Millisecond
		d := open(t, url, time.Minute, 100)
		queryAll(t, d, 100, wait) // opens the connections
		for range 3 {             // a busy machine may stall
			one, all := query(t, d, wait), queryAll(t, d, 100, wait)
			if all < wait {
				t.Errorf("100 queries of %v took %v, want %v or more", wait, all, wait)
			}
			if all <= 10*one {
				return
			}
			t.Logf("100 queries of %v took %v, one took %v", wait, all, one)
		}
		t.Error("100 queries took more than 10 times as long as one, in each of 3 tries")
	})
	t.Run("an excess query waits for a connection", func(t *testing.T) {
		const wait = 50 * time.Millisecond
		d := open(t, url, time.Minute, 4)
		if all := queryAll(t, d, 9, wait); all < 3*wait {
			t.Errorf("9 queries of %v over 4 connections took %v, want %v or more", wait, all, 3*wait)
		}
		if n := d.pool.Stats().OpenConnections; n != 4 {
			t.Errorf("%d connections are open, want 4", n)
		}
	})
	t.Run("a query is cancelled", func(t *testing.T) {
		d := open(t, url, time.Minute, 1)
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Query(ctx, 30*time.Second) }()
		wiretest.Eventually(t, "the query has a connection", func() bool { return d.pool.Stats().InUse == 1 })
		leave()
		start := time.Now()
		err := <-ended
		if !errors.Is(err, context.Canceled) || errors.As(err, new(*Error)) {
			t.Errorf("Query, cancelled: got %v, want context.Canceled and no *Error", err)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("Query of 30s ended %v after its context", took)
		}
		query(t, d, 0) // the connection is free or replaced
	})
	t.Run("a query times out", func(t *testing.T) {
		const timeout = 50 * time.Millisecond
		d := open(t, url, timeout, 1)
		start := time.Now()
		err := d.Query(t.Context(), time.Hour)
		if took := time.Since(start); took < timeout {
			t.Errorf("took %v, want the timeout, %v, or more", took, timeout)
		}
		want := "database timed out: no response from " + address + " within 50ms (TIMEOUT)"
		if !errors.Is(err, ErrTimeout) || err.Error() != want {
			t.Errorf("Query = %v\nwant %s", err, want)
		}
	})
	t.Run("the timeout includes the wait for a connection", func(t *testing.T) {
		d := open(t, url, 100*time.Millisecond, 1)
		held, err := d.pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if err := d.Query(t.Context(), 0); !errors.Is(err, ErrTimeout) {
			t.Errorf("Query, with no free connection = %v, want ErrTimeout", err)
		}
	})
	t.Run("its address", func(t *testing.T) {
		if got := open(t, url, time.Minute, 1).Address(); got != address {
			t.Errorf("Address() = %q, want %q", got, address)
		}
	})
}

// A database sleeps too short if its clock is set forward.
func TestQueryIsNeverEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sleeps []time.Duration
		sleep := func(_ context.Context, _ *sql.DB, wait time.Duration) error {
			sleeps = append(sleeps, wait)
			if len(sleeps) == 1 {
				wait -= 400 * time.Millisecond
			}
			time.Sleep(wait)
			return nil
		}
		d := &Database{service: service{timeout: time.Minute}, sleep: sleep}
		took, want := query(t, d, time.Second), []time.Duration{time.Second, 400 * time.Millisecond}
		if took != time.Second || !slices.Equal(sleeps, want) {
			t.Errorf("Query(1s) took %v with the sleeps %v, want 1s with %v", took, sleeps, want)
		}
	})
}

func TestOpenDatabaseWithBadURL(t *testing.T) {
	for _, url := range []string{
		"postgres://demo:not-to-be-seen@localhost/demo?sslmode=requir",
		"postgres://demo:not-to-be-seen@localhost:port/demo",
	} {
		d, err := OpenDatabase(url, time.Minute, 1)
		if err == nil {
			d.Close()
			t.Errorf("OpenDatabase(%q) returned no error", url)
		} else if strings.Contains(err.Error(), "not-to-be-seen") {
			t.Errorf("OpenDatabase(%q) = %v: the password is in it", url, err)
		}
	}
}

// Compare with BenchmarkDirect of package server, which makes a call.
func BenchmarkSQLite(b *testing.B) { benchmarkQuery(b, "") }

func BenchmarkPostgres(b *testing.B) {
	benchmarkQuery(b, wiretest.StartPostgres(b).URL(pgUser, pgPassword, "postgres"))
}

func benchmarkQuery(b *testing.B, url string) {
	d := open(b, url, time.Minute, 1)
	for b.Loop() {
		if err := d.Query(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
