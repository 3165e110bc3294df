// Package verdicts has tests of the checks of a run. They judge clients of other
// authors, in Go, Python, Node and Java: each right once and wrong once.
package verdicts
