package upstream

import (
	"context"
	"database/sql"
	"time"
)

// Database executes slow queries on PostgreSQL, or on SQLite in this process. Use
// OpenDatabase. It is safe for concurrent use.
type Database struct {
	service
	pool  *sql.DB
	sleep sleepFunc
}

// sleepFunc executes a query that takes d. It returns when ctx is done.
type sleepFunc func(ctx context.Context, pool *sql.DB, d time.Duration) error

// idleTime is the time that a connection stays open between queries.
const idleTime = 90 * time.Second

// OpenDatabase returns the PostgreSQL database at a postgres:// URL, or an SQLite
// database in this process if url is empty. The first query connects. A query that
// takes longer than timeout fails, including the wait for one of maxConnections
// connections. The error means that url is invalid.
func OpenDatabase(url string, timeout time.Duration, maxConnections int) (*Database, error) {
	d := &Database{service: service{"database", "SQLite in this process", timeout}}
	var err error
	if url == "" {
		d.pool, err = openSQLite()
		d.sleep = sqliteSleep
	} else {
		d.pool, d.address, err = openPostgres(url)
		d.sleep = pgSleep
	}
	if err != nil {
		return nil, err
	}
	d.pool.SetMaxOpenConns(maxConnections)
	d.pool.SetMaxIdleConns(maxConnections) // the default, 2, would close and redial all others
	d.pool.SetConnMaxIdleTime(idleTime)
	return d, nil
}

// Query executes a query that takes wait or longer. The error is an *Error, or the
// cause of ctx once ctx is done, which also cancels the query.
func (d *Database) Query(ctx context.Context, wait time.Duration) error {
	ctx, cancel := d.withTimeout(ctx)
	defer cancel()
	start := time.Now()
	for remaining := wait; ; {
		if err := d.sleep(ctx, d.pool, remaining); err != nil {
			return d.wrap(ctx, err)
		}
		// The database sleeps too short if its clock is set forward.
		if remaining = wait - time.Since(start); remaining <= 0 {
			return nil
		}
	}
}

// Address returns the host and port of PostgreSQL, or "SQLite in this process".
func (d *Database) Address() string { return d.address }

// Close closes the connections. Later queries fail.
func (d *Database) Close() { _ = d.pool.Close() }
