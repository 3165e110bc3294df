package exercise

import (
	"log/slog"
	"path/filepath"

	"flash.test/delay-server/internal/reload"
)

// File is a set of exercises that can reload its file, and the programs that it names.
// Use Open.
type File = reload.File[Set]

// Open loads the file. The error is from reading the file or from Load.
func Open(name string, o Options, log *slog.Logger) (*File, error) {
	return reload.Open(name, reload.Source[Set]{
		What: "exercises",
		Load: func(name, text string) (*Set, reload.Files, error) {
			set, programs, err := loadDir(name, []byte(text), o)
			return set, reload.Files{Folder: filepath.Dir(name), Read: programs}, err
		},
		Size: func(s *Set) (string, int) { return "exercises", len(s.Exercises) },
	}, log)
}
