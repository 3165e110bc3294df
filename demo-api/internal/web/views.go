package web

import "strconv"

// Race is the view of race.html.
type Race struct {
	Site
	Form            Form
	Notes           []Note // of the fields of Form
	Problem         string // with the query as a whole
	Presets         []Preset
	Notice          string // of the selected preset, or ""
	MaxCalls        int
	Upstream        string // URL of delay-server
	Defaults        Defaults
	SequentialCurl  string // command that makes the same calls one after another
	ConcurrentCurl  string // command that makes the same calls all at once
	ConcurrentTitle string // title of the second lane
}

// Defaults are the default values of parameters.
type Defaults struct {
	Calls int
	Delay string // of each call, in a form that delay-server reads
}

// Form maps the names of parameters to their fields.
type Form map[string]Field

// Field is the value of a form's field, and its error or "".
type Field struct{ Value, Error string }

// Note is the note of a form's field: its error, or what the field is for.
type Note struct{ Name, Text, Error string }

// HasErrors reports whether a field of f has an error.
func (f Form) HasErrors() bool {
	for _, field := range f {
		if field.Error != "" {
			return true
		}
	}
	return false
}

// Preset is a step that fills the form of the race.
type Preset struct {
	Step
	Selected bool // the form has its values
}

// Key returns the key that chooses the preset at index i.
func (Preset) Key(i int) string { return strconv.Itoa(i + 1) }
