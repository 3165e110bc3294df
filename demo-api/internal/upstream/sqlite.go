package upstream

import (
	"context"
	"database/sql"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

// openSQLite returns a database in memory with an SQL function sleep(nanoseconds). Each
// connection is a database of its own.
func openSQLite() (*sql.DB, error) {
	return driver.Open(":memory:", func(c *sqlite3.Conn) error {
		return c.CreateFunction("sleep", 1, sqlite3.DIRECTONLY, sleep)
	})
}

// sqliteSleep is the sleepFunc of SQLite.
func sqliteSleep(ctx context.Context, pool *sql.DB, d time.Duration) error {
	_, err := pool.ExecContext(ctx, "SELECT sleep(?)", d.Nanoseconds())
	return err
}

// sleep implements the SQL function. SQLite cannot interrupt a function, so sleep ends
// with an error when the query's context is done.
func sleep(c sqlite3.Context, args ...sqlite3.Value) {
	ctx := c.Conn().GetInterrupt()
	timer := time.NewTimer(time.Duration(args[0].Int64()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		c.ResultError(context.Cause(ctx))
	}
}
