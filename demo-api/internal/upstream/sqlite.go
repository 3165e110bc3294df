package upstream

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// openSQLite returns a database in memory, each connection its own, and a query
// that sleeps there. SQLite has no function for that, so it is given one.
func openSQLite() (*sql.DB, sleep) {
	var s sleepers
	d := new(sqlite.Driver)
	d.MustRegisterScalarFunction("sleep", 2, s.wait)
	return sql.OpenDB(inMemory{d}), s.query
}

// sleepers are the contexts of the queries that sleep, by number: SQLite hands
// a function no context, and cannot interrupt one.
type sleepers struct {
	contexts sync.Map // int64: context.Context
	last     atomic.Int64
}

// query has SQLite sleep.
func (s *sleepers) query(ctx context.Context, pool *sql.DB, d time.Duration) error {
	n := s.last.Add(1)
	s.contexts.Store(n, ctx)
	defer s.contexts.Delete(n)
	_, err := pool.ExecContext(ctx, "SELECT sleep(?, ?)", n, d.Nanoseconds())
	return err
}

// wait is the function sleep(number, nanoseconds). It returns NULL, or the
// error of the query's context when that is done first.
func (s *sleepers) wait(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	found, _ := s.contexts.Load(args[0])
	ctx := found.(context.Context)
	timer := time.NewTimer(time.Duration(args[1].(int64)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// inMemory connects to new databases in memory.
type inMemory struct{ driver *sqlite.Driver }

func (m inMemory) Connect(context.Context) (driver.Conn, error) { return m.driver.Open(":memory:") }

func (m inMemory) Driver() driver.Driver { return m.driver }
