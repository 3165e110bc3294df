// Package config has the settings of demo-api.
package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/settings"
)

// Config has the settings of demo-api. Its tags name the environment variables,
// their defaults and their help texts.
type Config struct {
	Port int `env:"PORT" envDefault:"5000" help:"port to listen on; 0 for any free one"`

	DelayServerURL       string `env:"DELAY_SERVER_URL" help:"delay-server to call, such as http://localhost:3000; unset: one in this process"`
	DelayServerPublicURL string `env:"DELAY_SERVER_PUBLIC_URL" help:"the same delay-server as browsers reach it, for links; unset: DELAY_SERVER_URL; port 0: no links"`

	DelayServerToken string `env:"DELAY_SERVER_TOKEN" help:"its ADMIN_TOKEN, if any, to read the peak in flight"`

	DatabaseURL         string `env:"DATABASE_URL" help:"database for ?db=, such as postgres://…; unset: SQLite in this process"`
	DatabaseConnections int    `env:"DATABASE_CONNECTIONS" envDefault:"90" help:"maximum number of database connections"`

	AgainstHosts []string `env:"AGAINST_HOSTS" envDefault:"localhost,127.0.0.1,[::1]" help:"hosts that a race with against= may send requests to: none, *, or hosts with or without a port and networks such as 10.0.0.0/8"`

	Calls       int           `env:"CALLS" envDefault:"2" help:"calls of a request without ?calls="`
	MaxCalls    int           `env:"MAX_CALLS" envDefault:"1000" help:"largest ?calls=, 1 to 4000"`
	MaxInFlight int           `env:"MAX_IN_FLIGHT" envDefault:"10000" help:"concurrent calls of all requests; a request that would exceed it gets 503"`
	Delay       string        `env:"DELAY" envDefault:"1000" help:"delay of a request without ?delay=, as for delay-server"`
	MaxDelay    time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"longest fixed delay; a longer one gets 400"`
	Timeout     time.Duration `env:"TIMEOUT" envDefault:"30s" help:"time for one call; a longer one gets 504"`

	httpkit.Config
}

// prefixes are the prefixes of settings. An unknown variable with one of them
// gets a warning.
var prefixes = []string{
	"AGAINST_", "DELAY_", "DATABASE_", "CALLS_", "MAX_", "TIMEOUT_", "READ_", "WRITE_", "IDLE_", "SHUTDOWN_", "LOG_",
}

// maxCalls limits Server-Timing, which has about 20 bytes for each call, to the
// 100 KB that curl accepts as one header line.
const maxCalls = 4000

// Default returns the default settings.
func Default() Config { return settings.Default[Config]() }

// Load loads the settings from environ, which has the form of os.Environ. The
// warnings name variables that resemble a setting. The error joins one error for
// each invalid setting.
func Load(environ []string) (c Config, warnings []string, err error) {
	return settings.Read[Config](environ, prefixes...)
}

// Table writes a table of all settings and their defaults.
func Table(w io.Writer) error { return settings.Table(w, Config{}) }

// Validate returns one error for each invalid setting, joined.
func (c Config) Validate() error {
	var v settings.Validation
	v.Check(httpkit.IsPort(c.Port), "PORT: %d is invalid: use 0 to 65535", c.Port)
	v.Check(c.MaxCalls >= 1 && c.MaxCalls <= maxCalls, "MAX_CALLS: %d is invalid: use 1 to %d", c.MaxCalls, maxCalls)
	v.Check(c.Calls >= 0 && c.Calls <= c.MaxCalls, "CALLS: %d is invalid: use 0 to %d (MAX_CALLS)", c.Calls, c.MaxCalls)
	v.Check(c.MaxInFlight > c.MaxCalls,
		"MAX_IN_FLIGHT: %d is invalid: use more than %d (MAX_CALLS)", c.MaxInFlight, c.MaxCalls)
	v.Check(c.MaxDelay > 0, "MAX_DELAY: %v is invalid: use more than 0", c.MaxDelay)
	v.Check(c.Timeout > 0, "TIMEOUT: %v is invalid: use more than 0", c.Timeout)
	v.Check(c.DelayServerURL == "" || httpkit.IsBaseURL(c.DelayServerURL),
		"DELAY_SERVER_URL: %q is invalid: use http://host:port or https://host:port", c.DelayServerURL)
	v.Check(httpkit.IsLink(c.DelayServerPublicURL),
		"DELAY_SERVER_PUBLIC_URL: %q is invalid: use http://host:port or https://host:port", c.DelayServerPublicURL)
	v.Check(c.DelayServerPublicURL == "" || c.DelayServerURL != "",
		"DELAY_SERVER_PUBLIC_URL: value is invalid: it needs DELAY_SERVER_URL")
	v.Check(!strings.ContainsFunc(c.DelayServerToken, func(r rune) bool { return r <= ' ' || r > '~' }),
		"DELAY_SERVER_TOKEN: value is invalid: use visible ASCII characters")
	v.Check(c.DelayServerToken == "" || c.DelayServerURL != "",
		"DELAY_SERVER_TOKEN: value is invalid: it needs DELAY_SERVER_URL")
	for _, host := range c.Against() {
		v.Check(host == "*" || isNetwork(host) || isHostPort(host),
			"AGAINST_HOSTS: %q is invalid: use *, none, or hosts such as localhost,127.0.0.1:5001,[::1],10.0.0.0/8",
			host)
	}
	v.Check(c.DatabaseConnections >= 1, "DATABASE_CONNECTIONS: %d is invalid: use 1 or more", c.DatabaseConnections)
	err := checkDatabaseURL(c.DatabaseURL)
	v.Check(err == nil, "DATABASE_URL: %v", err) // not wrapped: see checkDatabaseURL
	d, err := delay.Parse(c.Delay)
	v.Check(err == nil, "DELAY: %v", err)
	fixed, _ := d.Fixed()
	v.Check(fixed <= c.MaxDelay, "DELAY: %q is too long: use at most %v (MAX_DELAY)", c.Delay, c.MaxDelay)
	v.Add(c.Config.Validate())
	return v.Err()
}

// Against returns the hosts of AGAINST_HOSTS.
func (c Config) Against() []string {
	if slices.Equal(c.AgainstHosts, []string{"none"}) {
		return nil
	}
	return c.AgainstHosts
}

// isHostPort reports whether s is a host with or without a port.
func isHostPort(s string) bool {
	u, err := url.Parse("http://" + s)
	return err == nil && u.Host == s && httpkit.HasHost(u) && hostChars.MatchString(s)
}

var hostChars = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// isNetwork reports whether s is a range of addresses.
func isNetwork(s string) bool {
	network, err := netip.ParsePrefix(s)
	return err == nil && !network.Addr().Is4In6() // addresses are compared as IPv4
}

// checkDatabaseURL returns why s is not a URL of a PostgreSQL database. The error
// has no password: it has no part of s if s cannot be parsed.
func checkDatabaseURL(s string) error {
	if s == "" {
		return nil
	}
	const use = "use postgres://user:password@host:port/database"
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("value is not a URL: " + use)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" || !httpkit.HasHost(u) || u.Fragment != "" {
		return errors.New("value is invalid: " + use)
	}
	if _, err := pgconn.ParseConfig(s); err != nil {
		return fmt.Errorf("%v: %s", err, use)
	}
	return nil
}
