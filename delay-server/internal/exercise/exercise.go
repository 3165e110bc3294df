// Package exercise has the exercises of a workshop: small programs to write, which call
// the server, and the checks that judge their runs. They are read from a YAML file.
//
// A run that belongs to an exercise is named NAME.EXERCISE.TRY, such as anna.retry.k3.
// Each try is a run of its own, since scripts of answers and checks count by run.
package exercise

import (
	"slices"
	"strings"

	"flash.test/delay-server/internal/check"
)

// Exercise is a program to write, and how it is judged.
type Exercise struct {
	ID    string // lower-case letters, digits and hyphens
	Title string
	Task  string // what to write, in a few sentences
	Hint  string // "" for none
	URL   string // path and query that the program calls

	Query  string     // the checks, as in /admin/runs/{id}/check?QUERY
	Checks check.List // of Query

	Code []Code // in the order of Languages; none of a language is left out
}

// Code is the program of an exercise in a language.
type Code struct {
	Language        // what it is written in
	Start    string // the program to change, which fails; "" for none
	Solution string // one that passes; "" for none
}

// Placeholders are literals of a program that are replaced for each attendee: the
// server's base URL, and the name.
const (
	PlaceholderServer = "http://localhost:3000"
	PlaceholderName   = "your-name"
)

// Language is a programming language.
type Language struct {
	Name  string // such as "javascript"
	Label string // such as "JavaScript"
	Needs string // what runs the built-in programs, such as "Node 18 or later"

	extension string
	command   string // runs a file
}

// Languages are the languages of programs, in the order in which pages show them.
var Languages = []Language{
	{"python", "Python", "Python 3.9 or later", ".py", "python3"},
	{"javascript", "JavaScript", "Node 18 or later", ".mjs", "node"},
	{"go", "Go", "Go 1.22 or later", ".go", "go run"},
	{"java", "Java", "Java 17 or later", ".java", "java"},
}

// File returns the name of the file of an exercise's program, such as "exercise-retry.py".
// The prefix keeps Python from importing concurrent.py as its module of that name.
func (l Language) File(exercise string) string { return "exercise-" + exercise + l.extension }

// Command returns the command that runs the program, such as "python3 exercise-retry.py".
func (l Language) Command(exercise string) string { return l.command + " " + l.File(exercise) }

// Set has exercises. It never changes.
type Set struct {
	Exercises []Exercise
}

// Find returns the exercise with the ID, or nil.
func (s *Set) Find(id string) *Exercise {
	i := slices.IndexFunc(s.Exercises, func(e Exercise) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return &s.Exercises[i]
}

// Parse splits the ID of a run into the name of an attendee, the ID of an exercise and
// the try. The run of no exercise is the name as a whole; then exercise and try are "".
func (s *Set) Parse(run string) (name, exercise, try string) {
	rest, try, ok := cutLast(run)
	if ok && try != "" {
		if name, exercise, ok = cutLast(rest); ok && name != "" && s.Find(exercise) != nil {
			return name, exercise, try
		}
	}
	return run, "", ""
}

// cutLast cuts s around its last dot.
func cutLast(s string) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
