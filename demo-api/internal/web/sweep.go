package web

import "time"

// Sweep is the view of sweep.html.
type Sweep struct {
	Site
	Form     Form   // calls, delay and limit
	Problem  string // with the query as a whole
	MaxCalls int
	Delay    string        // of each call of a sweep that does not say
	Budget   time.Duration // of a measurement of calls one after another
	Upstream string        // URL of the delay-server that is called
}
