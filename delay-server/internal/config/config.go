// Package config makes server.Config of the environment.
package config

import (
	"errors"
	"io"

	"flash.test/delay-server/server"
	"flash.test/delay-server/settings"
)

// Load reads the settings from environ, which has the form of os.Environ. The
// warnings name what only resembles a setting. The error joins all that is wrong
// with the settings, one error a setting.
func Load(environ []string) (c server.Config, warnings []string, err error) {
	c = server.DefaultConfig() // what cannot be read stays valid: it is reported once
	warnings, err = settings.Load(environ, &c, server.Prefixes...)
	return c, warnings, errors.Join(err, c.Validate())
}

// Table writes the table of all settings with their defaults.
func Table(w io.Writer) error { return settings.Table(w, server.Config{}) }
