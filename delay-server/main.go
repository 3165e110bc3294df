// Delay-server answers HTTP requests as slowly as they ask.
package main

import (
	"context"
	"io"

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
		return err
	}
	if cfg.Scenario != "" {
		defer onHangup(srv.ReloadScenario)()
	}
	ln, err := program.Listen(ctx, "delay-server", cfg.Host, cfg.Port)
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String()
	log.Info("delay-server listens", "url", url, "try", "curl "+url+"/delay/1000/", "version", version.Get().Version)
	return srv.Serve(ctx, ln)
}
