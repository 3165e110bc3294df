package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/server"

	"flash.test/demo-api/internal/config"
)

// delayServer is the delay-server that the calls go to.
type delayServer struct {
	url      string
	link     string // its URL as browsers reach it, or ""
	embedded bool   // it runs in this process
	stop     func() // stops an embedded one, and returns when it has ended
}

// connectDelayServer returns the delay-server at DELAY_SERVER_URL, or starts one
// in this process. The pages of that one link to demoAPI, a URL or "". onFailure is called
// with the error of an embedded one that ends before stop is called.
func connectDelayServer(
	cfg config.Config, demoAPI string, log *slog.Logger, onFailure func(error),
) (delayServer, error) {
	if cfg.DelayServerURL != "" {
		link := httpkit.Link(cmp.Or(cfg.DelayServerPublicURL, cfg.DelayServerURL))
		return delayServer{url: cfg.DelayServerURL, link: link, stop: func() {}}, nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return delayServer{}, embeddedError(err)
	}
	stop, err := startDelayServer(ln, cfg, demoAPI, log, onFailure)
	d := delayServer{url: "http://" + ln.Addr().String(), embedded: true, stop: stop}
	if cfg.PublishedPort == nil { // else it is inside a container
		d.link = d.url
	}
	return d, err
}

// startDelayServer serves delay-server on ln until stop is called.
func startDelayServer(
	ln net.Listener, cfg config.Config, demoAPI string, log *slog.Logger, onFailure func(error),
) (stop func(), err error) {
	settings := server.DefaultConfig()
	settings.MaxDelay, settings.OTLPEndpoint, settings.DemoAPIURL = cfg.MaxDelay, cfg.OTLPEndpoint, demoAPI
	srv, err := server.New(settings, log.With("program", "delay-server"))
	if err != nil {
		return nil, embeddedError(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ctx, ln); err != nil {
			onFailure(embeddedError(err))
		}
	}()
	return func() { cancel(); <-ended }, nil
}

func embeddedError(err error) error { return fmt.Errorf("delay-server in this process: %w", err) }

// displayAddr returns the URL of d and, if it is embedded, where it runs.
func (d delayServer) displayAddr() string {
	if d.embedded {
		return d.url + " (in this process)"
	}
	return d.url
}
