package fetch

import _ "embed" // shown by the tutorial

// Source is the text of fetch.go.
//
//go:embed fetch.go
var Source string
