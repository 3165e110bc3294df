// Package config makes server.Config of the environment.
package config

import (
	"errors"
	"io"

	"flash.test/delay-server/server"
	"flash.test/delay-server/settings"
)

// Load reads the settings from environ, which has the form of os.Environ. The
// error joins all that is wrong with them, one error a setting.
func Load(environ []string) (server.Config, error) {
	c := server.DefaultConfig() // what cannot be read stays valid: it is reported once
	err := errors.Join(settings.Load(environ, &c, server.Prefixes...), c.Validate())
	return c, err
}

// Table writes the table of all settings with their defaults.
func Table(w io.Writer) error { return settings.Table(w, server.Config{}) }
