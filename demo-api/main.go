// Demo-api calls a slow service one after another and all at once.
package main

import (
	_ "golang.org/x/crypto/x509roots/fallback" // for https upstreams: the image has no certificates

	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/config"
)

func main() { demoAPI.Main() }

var demoAPI = program.Program[config.Config]{
	Name:    "demo-api",
	Purpose: "demo-api makes the same slow calls in two ways: GET /get_data one after another, GET /async_get_data all at once.",
	Load:    config.Load,
	Table:   config.Table,
	Addr:    func(c config.Config) (string, int) { return c.Host, c.Port },
	Logger:  config.Config.NewLogger,
	Serve:   serve,
	Commands: []program.Command[config.Config]{
		{Name: "sweep", Help: "measure both ways over more and more calls, for a table and a chart; see sweep --help", Run: sweepCommand},
	},
}
