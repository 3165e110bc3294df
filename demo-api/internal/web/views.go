package web

// Race is the view of race.html.
type Race struct {
	Site
	Form       Form
	Problem    string // with the query as a whole
	Presets    []Preset
	MaxCalls   int
	Upstream   string // URL of the delay-server that is called
	Defaults   Defaults
	Turn, Once string // curl lines of the same calls, one after another and all at once
	AtOnce     string // what the second lane is called
}

// Defaults are what a request means that does not say.
type Defaults struct {
	Calls int
	Delay string // of each call, as delay-server reads it
}

// Form is the fields of the race by the names of their parameters.
type Form map[string]Field

// Field is what a field holds, and what is wrong with it: "" for nothing.
type Field struct{ Value, Error string }

// Wrong reports whether anything is wrong with any field.
func (f Form) Wrong() bool {
	for _, field := range f {
		if field.Error != "" {
			return true
		}
	}
	return false
}

// Preset is a step that the race can be set to.
type Preset struct {
	Step
	Chosen bool // it is set to this one
}

// Tutorial is the view of tutorial.html.
type Tutorial struct {
	Site
	Runs     []Run
	Upstream string // URL of the delay-server that is called

	Sequential, Concurrent, Calls string // the source of functions
}

// Run is a step that the tutorial takes, and its curl lines.
type Run struct {
	Step
	Turn, Once string
}
