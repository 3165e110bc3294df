// Package tutorial has the tutorial's app in four languages, each in one file.
package tutorial

import (
	"embed"
	"regexp"
	"strconv"
	"strings"
)

//go:embed python/app.py node/app.mjs java/App.java go/main.go
var sources embed.FS

// DelayServerURL is the URL that the apps call without the setting DELAY_SERVER_URL.
const DelayServerURL = "http://localhost:3000"

// App is the tutorial's app in one language.
type App struct {
	Language string // as kit/highlight names it: python, javascript, java or go
	Title    string // Python, JavaScript, Java, Go
	File     string // app.py
	Command  string // starts File in its folder: python3 app.py
	Needs    string // what the command needs
	Service  string // in deploy/compose/languages.yml
	Source   string // text of File
}

// Apps are the apps, Python's first: the tutorial's own language.
var Apps = []App{
	{Language: "python", Title: "Python", File: "app.py", Command: "python3 app.py", Service: "python",
		Needs: "Python with Flask, its async extra, and httpx"},
	{Language: "javascript", Title: "JavaScript", File: "app.mjs", Command: "node app.mjs", Service: "node",
		Needs: "Node 18 or later"},
	{Language: "java", Title: "Java", File: "App.java", Command: "java App.java", Service: "java",
		Needs: "a JDK: 21 or later for virtual threads, at least 17"},
	{Language: "go", Title: "Go", File: "main.go", Command: "go run main.go", Service: "go",
		Needs: "Go 1.25 or later"},
}

func init() {
	for i, app := range Apps {
		text, err := sources.ReadFile(app.Service + "/" + app.File)
		if err != nil {
			panic(err) // not embedded
		}
		Apps[i].Source = string(text)
	}
}

// Excerpt is a part of an app's source that a step of the tutorial shows.
type Excerpt struct {
	Step    int
	Way     string // "one after another", "all at once", or "" for both
	Caption string // a sentence or two
	Source  string
}

// marker matches the comment above an excerpt: # Step 2, all at once: …
var marker = regexp.MustCompile(`^( *)(?:#|//) Step (\d)(?:, ([a-z ]+))?: (.+)$`)

// Excerpts returns the excerpts of the source in order. An excerpt begins below a comment
// such as "# Step 2, all at once: the caption." It ends at a blank line before a line that
// is not indented deeper than the comment.
func (a App) Excerpts() []Excerpt {
	var excerpts []Excerpt
	lines := strings.Split(a.Source, "\n")
	for i, line := range lines {
		if m := marker.FindStringSubmatch(line); m != nil {
			step, _ := strconv.Atoi(m[2]) // one digit
			excerpts = append(excerpts,
				Excerpt{Step: step, Way: m[3], Caption: m[4], Source: block(lines[i+1:], m[1])})
		}
	}
	return excerpts
}

// block returns the lines of a block, without the indentation that they share.
func block(lines []string, indent string) string {
	var source []string
	for i, line := range lines {
		ends := line == "" && (i+1 == len(lines) || lines[i+1] == "" || !strings.HasPrefix(lines[i+1], indent+" ") &&
			!strings.HasPrefix(lines[i+1], indent+"\t"))
		if ends {
			break
		}
		source = append(source, strings.TrimPrefix(line, indent))
	}
	return strings.Join(source, "\n")
}
