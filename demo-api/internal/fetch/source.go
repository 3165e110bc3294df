package fetch

import _ "embed" // the tutorial shows the lesson as it is

// Source is the text of fetch.go.
//
//go:embed fetch.go
var Source string
