package web

import "html/template"

// Tutorial is the view of tutorial.html.
type Tutorial struct {
	Site
	Runs      []Run
	Languages []Language
	Upstream  string // URL of delay-server

	DelayServerURL string // what the apps need as DELAY_SERVER_URL, or ""
}

// Run is a step of the tutorial with its curl commands.
type Run struct {
	Step
	SequentialCurl, ConcurrentCurl string
}

// Language is the tutorial's app in one language.
type Language struct {
	ID       string // in IDs of elements
	Title    string
	File     string
	Start    string // command that starts File in its folder
	Needs    string // what the command needs
	Service  string // of deploy/compose/languages.yml
	Source   template.HTML
	Excerpts map[int][]Excerpt // by the number of the step
}

// Excerpt is a part of the source of an app.
type Excerpt struct {
	ID      string // of its element
	Lane    string // "sequential", "concurrent", or "" for both
	Title   string // of its lane, or "Both"
	Caption string
	Source  template.HTML
}

// TutorialCode is the code of a step in all languages.
type TutorialCode struct {
	Step      int
	Languages []Language
}

// Code returns the code of a step.
func (t Tutorial) Code(step int) TutorialCode { return TutorialCode{step, t.Languages} }
