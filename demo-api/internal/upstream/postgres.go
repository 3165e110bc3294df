package upstream

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres returns the database at url, and its host and port.
func openPostgres(url string) (pool *sql.DB, address string, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, "", fmt.Errorf("open the database: %v", err) // not wrapped: pgx masks the password in its text alone
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "demo-api"
	}
	// One round trip, and nothing prepared: it works through a pooler too.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool = stdlib.OpenDB(*config, stdlib.OptionShouldPing(always))
	return pool, net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), nil
}

// always has a connection tried before each use: one that a restart of the
// database has ended is then replaced, and fails no query.
func always(context.Context, stdlib.ShouldPingParams) bool { return true }

// pgSleep has PostgreSQL sleep. When ctx is done, pgx asks it to cancel the query.
func pgSleep(ctx context.Context, pool *sql.DB, d time.Duration) error {
	_, err := pool.ExecContext(ctx, "SELECT pg_sleep($1)", d.Seconds())
	return err
}
