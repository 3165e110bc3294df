// Demo-api makes the same slow calls one after another and all at once.
package main

import (
	_ "golang.org/x/crypto/x509roots/fallback" // for https upstreams: the image has no certificates

	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/config"
)

func main() { demoAPI.Main() }

var demoAPI = program.Program[config.Config]{
	Name:    "demo-api",
	Purpose: "demo-api makes the same slow calls sequentially (GET /get_data) and concurrently (GET /async_get_data).",
	Load:    config.Load,
	Table:   config.Table,
	Addr:    func(c config.Config) (string, int) { return c.Host, c.Port },
	Logger:  config.Config.NewLogger,
	Serve:   serve,
	Commands: []program.Command[config.Config]{
		{Name: "sweep", Help: "measure both ways with growing numbers of calls; see sweep --help", Run: runSweep},
		{Name: "race", Help: "make the same calls both ways, and draw them; see race --help", Run: runRace},
	},
}
