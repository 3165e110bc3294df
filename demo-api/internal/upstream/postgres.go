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

// openPostgres returns the database at url, and its host:port.
func openPostgres(url string) (pool *sql.DB, address string, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// Not wrapped: pgx masks the password only in the text of the error.
		return nil, "", fmt.Errorf("open the database: %v", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "demo-api"
	}
	// One round trip without prepared statements, which poolers may not support.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool = stdlib.OpenDB(*config, stdlib.OptionShouldPing(alwaysPing))
	return pool, net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), nil
}

// alwaysPing makes the pool ping a connection before each use. A connection that a
// restart of the database has closed is replaced and fails no query.
func alwaysPing(context.Context, stdlib.ShouldPingParams) bool { return true }

// pgSleep is the sleepFunc of PostgreSQL. When ctx is done, pgx cancels the query.
func pgSleep(ctx context.Context, pool *sql.DB, d time.Duration) error {
	_, err := pool.ExecContext(ctx, "SELECT pg_sleep($1)", d.Seconds())
	return err
}
