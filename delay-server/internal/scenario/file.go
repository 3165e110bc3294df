package scenario

import (
	"log/slog"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/reload"
)

// File is a scenario that can reload its file. Use Open.
type File = reload.File[Scenario]

// Open loads the file. The error is from reading the file or from Load.
func Open(name string, planner *plan.Planner, log *slog.Logger) (*File, error) {
	return reload.Open(name, reload.Source[Scenario]{
		What: "scenario",
		Load: func(name, text string) (*Scenario, reload.Files, error) {
			s, err := Load(name, []byte(text), planner)
			return s, reload.Files{}, err
		},
		Size: func(s *Scenario) (string, int) { return "routes", s.Routes() },
	}, log)
}
