package upstream

import (
	"context"
	"database/sql"
	"time"
)

// Database makes slow queries, to PostgreSQL or to an SQLite of this process.
// Use OpenDatabase; any number of goroutines may share it.
type Database struct {
	peer
	pool  *sql.DB
	sleep sleep
}

// sleep makes a query that takes d, and ends when ctx is done.
type sleep func(ctx context.Context, pool *sql.DB, d time.Duration) error

// idleTime is how long a connection is kept between queries.
const idleTime = 90 * time.Second

// OpenDatabase returns the PostgreSQL database of a postgres:// URL, or for an
// empty one an SQLite database in this process. It does not connect: the first
// query does. A query that takes longer than timeout fails. No more than so
// many connections are open at once; a query beyond waits for one, and its
// timeout runs. The error is that of a URL which cannot be read.
func OpenDatabase(url string, timeout time.Duration, connections int) (*Database, error) {
	d := &Database{peer: peer{"database", "SQLite in this process", timeout}}
	if url == "" {
		d.pool, d.sleep = openSQLite()
	} else {
		var err error
		if d.pool, d.address, err = openPostgres(url); err != nil {
			return nil, err
		}
		d.sleep = pgSleep
	}
	d.pool.SetMaxOpenConns(connections)
	d.pool.SetMaxIdleConns(connections) // the default, two, would close and dial again all others
	d.pool.SetConnMaxIdleTime(idleTime)
	return d, nil
}

// Query makes a query that takes wait, never less. The error is an *Error or,
// when ctx is done, an error of that: the query has then been ended too.
func (d *Database) Query(ctx context.Context, wait time.Duration) error {
	ctx, cancel := d.within(ctx)
	defer cancel()
	start := time.Now()
	for rest := wait; ; {
		if err := d.sleep(ctx, d.pool, rest); err != nil {
			return d.failure(ctx, err)
		}
		// More to wait only where the database's clock was set forward.
		if rest = wait - time.Since(start); rest <= 0 {
			return nil
		}
	}
}

// Address returns which database it is, in words: PostgreSQL's host and port,
// never its user or password.
func (d *Database) Address() string { return d.address }

// Close closes the connections. Queries fail from then on.
func (d *Database) Close() { _ = d.pool.Close() }
