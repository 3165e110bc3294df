package exercise

import (
	"embed"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"time"

	"flash.test/delay-server/internal/plan"
)

//go:embed builtin
var embedded embed.FS

// Default returns the built-in exercises.
var Default = sync.OnceValue(func() *Set {
	files, err := fs.Sub(embedded, "builtin")
	if err != nil {
		panic(err)
	}
	text, err := fs.ReadFile(files, "exercises.yaml")
	if err != nil {
		panic(err)
	}
	planner := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: math.MaxInt32})
	set, _, err := load("exercises.yaml", text, files, Options{Planner: planner})
	if err != nil {
		panic(fmt.Sprintf("built-in exercises: %v", err)) // tests load them
	}
	return set
})
