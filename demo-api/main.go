// Demo-api makes the same slow calls one after another and all at once.
package main

import (
	_ "golang.org/x/crypto/x509roots/fallback" // for https upstreams: the image has no certificates

	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/config"
)

func main() { demoAPI.Main() }

var demoAPI = program.Program[config.Config]{
	Name: "demo-api",
	Purpose: "demo-api makes the same slow calls in two ways: GET /get_data one after another,\n" +
		"GET /async_get_data all at once.",
	Load:   config.Load,
	Table:  config.Table,
	Addr:   func(c config.Config) (string, int) { return c.Host, c.Port },
	Logger: config.Config.NewLogger,
	Serve:  serve,
	Commands: []program.Command[config.Config]{
		{Name: "sweep", Help: "measure both ways with more and more calls; see sweep --help", Run: runSweep},
		{Name: "race", Help: "make the same calls in both ways, and draw them; see race --help", Run: runRace},
	},
}
