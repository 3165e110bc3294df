// Delay-server answers HTTP requests as slowly as they ask.
package main

import (
	"context"
	"io"
	"net"

	_ "golang.org/x/crypto/x509roots/fallback" // for https through /proxy/: the image has no certificates

	"flash.test/delay-server/internal/config"
	"flash.test/delay-server/program"
	"flash.test/delay-server/server"
	"flash.test/delay-server/version"
)

func main() { delayServer.Main() }

var delayServer = program.Program[server.Config]{
	Name:    "delay-server",
	Purpose: "delay-server answers HTTP requests as slowly as they ask: GET /delay/1000 is answered after 1000 ms.",
	Load:    config.Load,
	Table:   config.Table,
	Addr:    func(c server.Config) (string, int) { return c.Host, c.Port },
	Serve:   serve,
}

func serve(ctx context.Context, cfg server.Config, _, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	srv, err := server.New(cfg, log)
	if err != nil {
		return program.BadSettings("delay-server", err)
	}
	if cfg.Scenario != "" {
		defer onHangup(srv.ReloadScenario)()
	}
	lns, err := listen(ctx, cfg, srv)
	if err != nil {
		return err
	}
	url := "http://" + lns[0].Addr().String()
	log.Info("delay-server listens", "url", url, "try", "curl "+url+"/delay/1000/", "version", version.Get().Version)
	if cfg.TLS() {
		log.Info("delay-server listens with TLS", "url", "https://"+lns[1].Addr().String(), "hosts", cfg.TLSHosts, "authority", url+"/ca.pem")
	}
	return srv.Serve(ctx, lns...)
}

// listen takes the ports: that of PORT, then, with TLS_HOSTS, that of TLS_PORT.
func listen(ctx context.Context, cfg server.Config, srv *server.Server) ([]net.Listener, error) {
	plain, err := program.Listen(ctx, "delay-server", cfg.Host, "PORT", cfg.Port)
	if err != nil || !cfg.TLS() {
		return []net.Listener{plain}, err
	}
	secure, err := program.Listen(ctx, "delay-server", cfg.Host, "TLS_PORT", cfg.TLSPort)
	if err != nil {
		plain.Close()
		return nil, err
	}
	return []net.Listener{plain, srv.TLS(secure)}, nil
}
