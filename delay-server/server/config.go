package server

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/settings"
)

// Config has the settings. The tags are the environment variable, its default and its
// line in --help.
type Config struct {
	Port int `env:"PORT" envDefault:"3000" help:"port to listen on; 0 for any free one"`
	httpkit.Config

	MaxDelay    time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"longest delay; a longer fixed delay gets 400, a longer sample is drawn again"`
	MaxBodySize int64         `env:"MAX_BODY_SIZE" envDefault:"104857600" help:"largest response body in bytes; a larger size= gets 400"`

	MaxInFlight              int `env:"MAX_IN_FLIGHT" envDefault:"0" help:"waiting requests; more get 503; 0 is 100000, or fewer if memory is limited"`
	MaxInFlightPerConnection int `env:"MAX_IN_FLIGHT_PER_CONNECTION" envDefault:"250" help:"concurrent requests of an HTTP/2 connection; raise it to load over one connection"`
	MaxInFlightPerClient     int `env:"MAX_IN_FLIGHT_PER_CLIENT" envDefault:"0" help:"waiting requests of one address (IPv6: one /64); 0 is half of MAX_IN_FLIGHT, or all up to 1000"`

	Seed          *uint64 `env:"SEED" help:"seed of requests without seed=, to repeat their samples"`
	RecordingsDir string  `env:"RECORDINGS_DIR" help:"folder of NAME.csv, .jtl and .har files for /delay/recorded:NAME"`
	Scenario      string  `env:"SCENARIO" help:"YAML file of routes, which take precedence; reloaded when it changes, and on SIGHUP"`
	BundleDir     string  `env:"BUNDLE_DIR" help:"folder of deploy/offline/bundle, handed out at /get"`
	Exercises     string  `env:"EXERCISES" help:"YAML file of the exercises at /exercises; unset: the built-in ones; reloaded like SCENARIO"`
	TimeScale     float64 `env:"TIME_SCALE" envDefault:"1" help:"factor of all waits; 0.1 is ten times as fast"`

	Admin       bool     `env:"ADMIN" envDefault:"true" help:"serve the API under /admin: runs, holds, clock"`
	AdminToken  string   `env:"ADMIN_TOKEN" help:"bearer token for /admin; unset: writes beyond loopback need a random one (logged); none: all open"`
	AdminHosts  []string `env:"ADMIN_HOSTS" envDefault:"none" help:"dotted host names allowed for /admin without a token: none, *, or delay.example.com,*.example.org"`
	Board       *bool    `env:"BOARD" help:"serve /board and /exercises; true: also to all clients that lack ADMIN_TOKEN; false: to none; unset: as reads of /admin"`
	JournalSize int      `env:"JOURNAL_SIZE" envDefault:"10000" help:"requests kept for /admin/runs; then the oldest are dropped, in a flood the flooding address's"`

	JournalHeaders []string `env:"JOURNAL_HEADERS" envDefault:"Idempotency-Key,User-Agent" help:"header fields of requests kept for /admin/runs, up to 20; never credentials; none for none"`

	EventLoop bool `env:"EVENT_LOOP" envDefault:"true" renamed:"FASTLANE" help:"on Linux, serve plain HTTP/1.1 from event loops; false uses net/http"`

	CORSOrigins   []string      `env:"CORS_ORIGINS" envDefault:"*" help:"origins whose pages may read responses: *, none, or https://example.com,..."`
	RedirectHosts []string      `env:"REDIRECT_HOSTS" envDefault:"*" help:"hosts that /delay/.../url/... may redirect to: *, none, or example.com,*.example.org"`
	ProxyHosts    []string      `env:"PROXY_HOSTS" envDefault:"none" help:"hosts that /delay/.../proxy/... may forward to: none, *, or api.example.com,10.0.0.0/8"`
	ProxyTimeout  time.Duration `env:"PROXY_TIMEOUT" envDefault:"30s" help:"time to connect upstream, to send each part of the request, and to get the response header"`
	FlashCompat   bool          `env:"FLASH_COMPAT" envDefault:"false" help:"answer errors, unknown paths and paths in other case exactly as Flash does"`

	DemoAPIURL string `env:"DEMO_API_URL" help:"demo-api as browsers reach it, such as http://localhost:5000, for links; port 0 for none"`

	TLSHosts []string `env:"TLS_HOSTS" envDefault:"none" help:"names and addresses to serve over TLS too: none, or flash.siwalik.in,127.0.0.1; clients trust /ca.pem"`
	TLSDir   string   `env:"TLS_DIR" help:"folder of the certificate authority and the certificate; created if missing"`
	TLSPort  int      `env:"TLS_PORT" envDefault:"3443" help:"TLS port; 0 for any free one"`
}

// prefixes are prefixes of the settings' names. LoadConfig warns about other variables
// with these prefixes, so other programs must not commonly use them.
var prefixes = []string{
	"MAX_", "READ_", "WRITE_", "RECORDINGS_", "IDLE_", "SHUTDOWN_", "CORS_", "REDIRECT_", "PROXY_", "FLASH_", "LOG_",
	"TIME_", "ADMIN_", "BOARD_", "EXERCISES_", "JOURNAL_", "TLS_", "BUNDLE_",
}

// DefaultConfig returns the settings of an empty environment.
func DefaultConfig() Config { return settings.Default[Config]() }

// LoadConfig reads the settings from environ, which has the form of os.Environ.
// A warning names a variable that resembles a setting. The error joins one error
// for each invalid setting.
func LoadConfig(environ []string) (c Config, warnings []string, err error) {
	return settings.Read[Config](environ, prefixes...)
}

// WriteConfigTable writes the table of all settings with their defaults to w.
func WriteConfigTable(w io.Writer) error { return settings.Table(w, Config{}) }

// TLS reports whether there are TLS_HOSTS.
func (c Config) TLS() bool { return len(c.TLSHosts) > 0 && !slices.Equal(c.TLSHosts, []string{"none"}) }

// board returns whether there is a board, and whether all clients may read it.
func (c Config) board() (served, public bool) {
	if c.Board == nil {
		return c.Admin, false
	}
	return c.Admin && *c.Board, *c.Board
}

// clientShare returns how many requests from one client address may wait at once.
func (c Config) clientShare() int {
	if c.MaxInFlightPerClient > 0 {
		return c.MaxInFlightPerClient
	}
	return max(c.MaxInFlight/2, min(c.MaxInFlight, 1000))
}

// Validate returns one error for each invalid setting, joined.
func (c Config) Validate() error {
	var v settings.Validation
	v.Check(httpkit.IsPort(c.Port), "PORT: %d is invalid: use 0 to 65535", c.Port)
	v.Add(c.Config.Validate())
	v.Check(c.MaxDelay > 0, "MAX_DELAY: %v is invalid: use more than 0", c.MaxDelay)
	v.Check(c.MaxBodySize >= 0, "MAX_BODY_SIZE: %d is invalid: use 0 or more", c.MaxBodySize)
	v.Check(c.MaxInFlight >= 0, "MAX_IN_FLIGHT: %d is invalid: use 0 or more", c.MaxInFlight)
	v.Check(c.MaxInFlightPerConnection > 0 && c.MaxInFlightPerConnection <= math.MaxInt32,
		"MAX_IN_FLIGHT_PER_CONNECTION: %d is invalid: use 1 to %d", c.MaxInFlightPerConnection, math.MaxInt32)
	v.Check(c.MaxInFlightPerClient >= 0,
		"MAX_IN_FLIGHT_PER_CLIENT: %d is invalid: use 0 or more", c.MaxInFlightPerClient)
	if err := clock.CheckScale(c.TimeScale); err != nil {
		v.Add(fmt.Errorf("TIME_SCALE: %w", err))
	}
	c.validateAdmin(&v)
	for _, origin := range listed(c.CORSOrigins) {
		v.Check(isOrigin(origin),
			"CORS_ORIGINS: %q is invalid: use *, none, or origins such as https://example.com", origin)
	}
	validateHosts(&v, "REDIRECT_HOSTS", c.RedirectHosts)
	validateHosts(&v, "PROXY_HOSTS", c.ProxyHosts)
	v.Check(c.ProxyTimeout > 0, "PROXY_TIMEOUT: %v is invalid: use more than 0", c.ProxyTimeout)
	v.Check(httpkit.IsLink(c.DemoAPIURL),
		"DEMO_API_URL: %q is invalid: use http://host:port or https://host:port", c.DemoAPIURL)
	c.validateTLS(&v)
	return v.Err()
}

func (c Config) validateAdmin(v *settings.Validation) {
	v.Check(c.JournalSize > 0, "JOURNAL_SIZE: %d is invalid: use 1 or more", c.JournalSize)
	c.validateJournalHeaders(v)
	switch token := c.AdminToken; {
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		v.Check(false, "ADMIN_TOKEN: value is invalid: use visible ASCII characters")
	case token != "" && !c.Admin:
		v.Check(false, "ADMIN_TOKEN and ADMIN=false conflict: there is no API to protect")
	case token != admin.NoToken && isNoSecret(token):
		v.Check(false, "ADMIN_TOKEN: %q is invalid: use a secret, such as from openssl rand -hex 16, or none", token)
	}
	v.Check(c.Admin || c.Board == nil || !*c.Board,
		"BOARD and ADMIN=false conflict: the board needs the runs of /admin")
	served, _ := c.board()
	v.Check(c.Exercises == "" || served, "EXERCISES: it has no effect with ADMIN=false or BOARD=false: leave it out")
	validateHosts(v, "ADMIN_HOSTS", c.AdminHosts)
	hosts := len(c.AdminHosts) > 0 && !slices.Equal(c.AdminHosts, []string{"none"})
	v.Check(c.Admin || !hosts, "ADMIN_HOSTS and ADMIN=false conflict: there is no API to protect")
}

// maxJournalHeaders is the maximum number of JOURNAL_HEADERS.
const maxJournalHeaders = 20

// credentials matches the names of header fields that may carry credentials.
var credentials = regexp.MustCompile(`(?i)auth(orization|entication)?(-|$)|cookie|token|secret|password|api-?key`)

func (c Config) validateJournalHeaders(v *settings.Validation) {
	names := c.journalHeaders()
	v.Check(len(names) <= maxJournalHeaders, "JOURNAL_HEADERS: %d names are invalid: use up to %d", len(names),
		maxJournalHeaders)
	const use = "use names of header fields, such as Idempotency-Key,User-Agent, or none"
	for i, name := range names {
		switch {
		case !isToken(name):
			v.Check(false, "JOURNAL_HEADERS: %q is invalid: "+use, name)
		case credentials.MatchString(name):
			v.Check(false, "JOURNAL_HEADERS: %q is invalid (it may carry credentials): "+use, name)
		case name == "Host":
			v.Check(false, "JOURNAL_HEADERS: %q is invalid (net/http removes it): "+use, name)
		case slices.Contains(names[:i], name):
			v.Check(false, "JOURNAL_HEADERS: %q is invalid (it is there twice): "+use, name)
		}
	}
}

// journalHeaders returns the canonical names of JOURNAL_HEADERS.
func (c Config) journalHeaders() []string {
	if slices.Equal(c.JournalHeaders, []string{"none"}) {
		return nil
	}
	names := make([]string, len(c.JournalHeaders))
	for i, name := range c.JournalHeaders {
		names[i] = http.CanonicalHeaderKey(strings.TrimSpace(name))
	}
	return names
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2, such as a field name.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		isAlphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !isAlphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

func (c Config) validateTLS(v *settings.Validation) {
	if !c.TLS() {
		v.Check(c.TLSDir == "", "TLS_DIR: it has no effect without TLS_HOSTS: set both or neither")
		v.Check(c.TLSPort == DefaultConfig().TLSPort,
			"TLS_PORT: it has no effect without TLS_HOSTS: set both or neither")
		return
	}
	for _, host := range c.TLSHosts {
		v.Check(isTLSHost(host),
			"TLS_HOSTS: %q is invalid: use none, or names and addresses such as flash.siwalik.in,127.0.0.1", host)
	}
	v.Check(c.TLSDir != "", "TLS_DIR: it is missing: TLS_HOSTS needs a folder for its authority and certificate")
	v.Check(httpkit.IsPort(c.TLSPort), "TLS_PORT: %d is invalid: use 0 to 65535", c.TLSPort)
	v.Check(c.TLSPort == 0 || c.TLSPort != c.Port, "TLS_PORT and PORT conflict: both are %d", c.TLSPort)
}

func validateHosts(v *settings.Validation, name string, hosts []string) {
	for _, host := range listed(hosts) {
		v.Check(isHost(host),
			"%s: %q is invalid: use *, none, or hosts such as example.com,*.example.com,10.0.0.0/8", name, host)
	}
}

// listed returns the entries of a list that is neither "*" nor "none".
func listed(list []string) []string {
	if len(list) == 1 && (list[0] == "*" || list[0] == "none") {
		return nil
	}
	return list
}

// isNoSecret reports whether token is a word that probably means "no token". It would be
// easy to guess.
func isNoSecret(token string) bool {
	word := strings.ToLower(strings.Trim(token, `"'`))
	return slices.Contains([]string{"none", "no", "off", "false", "true", "any", "null", "nil", "*"}, word)
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Scheme+"://"+u.Host == s
}

// hostName matches names. The last label may not be all digits: that is a mistyped
// address.
var hostName = regexp.MustCompile(`(?i)^(\*\.)?([a-z0-9_-]+\.)*[0-9]*[a-z_-][a-z0-9_-]*$`)

func isHost(s string) bool {
	return s == "*" || s != "none" && hostName.MatchString(s) || len(plan.HostList{s}.Addresses()) == 1
}

// isTLSHost reports whether a certificate can be made for s.
func isTLSHost(s string) bool {
	return net.ParseIP(s) != nil || s != "none" && !strings.HasPrefix(s, "*") && hostName.MatchString(s)
}
