// Delay-server answers HTTP requests after the delay that they ask for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/KimMachineGun/automemlimit/memlimit"
	_ "golang.org/x/crypto/x509roots/fallback" // for https through /proxy/: the image has no certificates

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/server"
)

func main() { delayServer.Main() }

var delayServer = program.Program[server.Config]{
	Name:    "delay-server",
	Purpose: "delay-server answers HTTP requests as slowly as they ask: GET /delay/1000 is answered after 1000 ms.",
	Load:    server.LoadConfig,
	Table:   server.WriteConfigTable,
	Addr:    func(c server.Config) (string, int) { return c.Host, c.Port },
	Logger:  server.Config.NewLogger,
	Serve:   serve,
}

func serve(ctx context.Context, cfg server.Config, stdout, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	// The garbage collector must respect the memory limit of a container.
	_, err := memlimit.Set()
	if err != nil && !errors.Is(err, memlimit.ErrCgroupsNotSupported) && !errors.Is(err, memlimit.ErrNoCgroup) {
		log.Warn("memory limit unknown", "error", err)
	}
	srv, err := server.New(cfg, log)
	if err != nil {
		return program.BadSettings("delay-server", err)
	}
	if cfg.Scenario != "" || cfg.Exercises != "" {
		defer onHangup(srv.ReloadFiles)()
	}
	plain, secure, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	cfg.Announce(banner(srv, cfg, plain[0].Addr()), stdout, log)
	logAccess(cfg, srv.AdminToken(), plain[0].Addr(), log)
	lns := plain
	for _, ln := range secure {
		lns = append(lns, srv.TLS(ln))
	}
	if len(secure) > 0 {
		log.Info("listening with TLS", "url", program.URLs("https", secure[0].Addr())[0], "hosts", cfg.TLSHosts,
			"authority", program.URLs("http", plain[0].Addr())[0]+"/ca.pem")
	}
	return srv.Serve(ctx, lns...)
}

// banner shows where srv listens and commands to try.
func banner(srv *server.Server, cfg server.Config, addr net.Addr) program.Banner {
	method, path := srv.ScenarioExample()
	return program.Banner{
		Name: "delay-server", Listening: addr,
		Commands: func(base string) [][2]string { return append(commands(base, method, path), pages(cfg, base)...) },
	}
}

// logAccess logs who may write to the admin API, unless the server listens only on
// loopback or has an ADMIN_TOKEN.
func logAccess(cfg server.Config, token string, addr net.Addr, log *slog.Logger) {
	switch {
	case cfg.AdminToken == "none":
		log.Warn("ADMIN_TOKEN=none: every client may freeze the clock, release holds and delete runs")
	case token != cfg.AdminToken:
		base := program.URLs("http", addr)[0]
		if p := cfg.PublishedPort; p != nil && *p != 0 {
			base = fmt.Sprintf("http://%s:%d", program.Localhost, *p)
		}
		log.Info("writing to the admin API needs this random token; ADMIN_TOKEN sets another, or none to need none",
			"token", token, "try", "curl -X DELETE -H 'Authorization: Bearer "+token+"' "+base+"/admin/runs")
	}
}

// commands returns commands to try. method and path belong to a route of the
// scenario, or are "".
func commands(base, method, path string) [][2]string {
	all := [][2]string{
		{"curl " + base + "/delay/1000/", "answers after a second"},
		{"curl " + base + "/delay/lognormal:120ms,900ms", "mostly fast, sometimes slow"},
		{"curl '" + base + "/delay/100?status=503:50'", "fails half of the time"},
	}
	if path != "" {
		request := "'" + base + path + "'"
		if method != http.MethodGet {
			request = "-X " + method + " " + request
		}
		all = append(all, [2]string{"curl -i " + request, "a route of the scenario"})
	}
	return all
}

// pages returns the pages to open.
func pages(cfg server.Config, base string) [][2]string {
	all := [][2]string{{base + "/doc", "documentation, in a browser"}}
	if cfg.Admin {
		all = append(all, [2]string{base + "/live", "what waits now"})
	}
	if cfg.BundleDir != "" {
		all = append(all, [2]string{base + "/get", "both programs, for everybody in the room"})
	}
	if cfg.Admin && (cfg.Board == nil || *cfg.Board) {
		all = append(all, [2]string{base + "/board", "who has passed which exercise"})
	}
	return all
}

// listen listens on PORT and, with TLS_HOSTS, on TLS_PORT.
func listen(ctx context.Context, cfg server.Config) (plain, secure []net.Listener, err error) {
	plain, err = program.Listen(ctx, "delay-server", cfg.Host, "PORT", cfg.Port)
	if err != nil || !cfg.TLS() {
		return plain, nil, err
	}
	secure, err = program.Listen(ctx, "delay-server", cfg.Host, "TLS_PORT", cfg.TLSPort)
	if err != nil {
		for _, ln := range plain {
			ln.Close()
		}
	}
	return plain, secure, err
}
