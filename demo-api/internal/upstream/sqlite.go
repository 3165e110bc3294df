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

// openSQLite returns a database in memory and its sleepFunc, which uses an SQL
// function sleep. Each connection is a database of its own.
func openSQLite() (*sql.DB, sleepFunc) {
	var s sleepFunction
	d := new(sqlite.Driver)
	d.MustRegisterScalarFunction("sleep", 2, s.call)
	return sql.OpenDB(memoryConnector{d}), s.query
}

// sleepFunction is the SQL function sleep(id, nanoseconds). SQLite passes no
// context to a function and cannot interrupt one, so it is found by id.
type sleepFunction struct {
	contexts sync.Map // int64: context.Context
	lastID   atomic.Int64
}

// query is a sleepFunc.
func (s *sleepFunction) query(ctx context.Context, pool *sql.DB, d time.Duration) error {
	id := s.lastID.Add(1)
	s.contexts.Store(id, ctx)
	defer s.contexts.Delete(id)
	_, err := pool.ExecContext(ctx, "SELECT sleep(?, ?)", id, d.Nanoseconds())
	return err
}

// call implements the SQL function. It returns NULL, or the cause of the query's
// context if that is done first.
func (s *sleepFunction) call(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	value, _ := s.contexts.Load(args[0])
	ctx := value.(context.Context)
	timer := time.NewTimer(time.Duration(args[1].(int64)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// memoryConnector is a driver.Connector to new databases in memory.
type memoryConnector struct{ driver *sqlite.Driver }

func (c memoryConnector) Connect(context.Context) (driver.Conn, error) {
	return c.driver.Open(":memory:")
}

func (c memoryConnector) Driver() driver.Driver { return c.driver }
