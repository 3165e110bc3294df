package web

import "time"

// Sweep is the view of sweep.html.
type Sweep struct {
	Site
	Form     Form   // calls, delay, limit and seed
	Notes    []Note // of the fields of Form
	Problem  string // with the query as a whole
	MaxCalls int
	Delay    string        // default of ?delay=
	Budget   time.Duration // maximum time of one sequential measurement
	Upstream string        // URL of delay-server
}
