// Package highlight marks keywords, strings, comments and numbers of source code in
// HTML. It reads short, valid examples, not any program.
package highlight

import (
	"html/template"
	"regexp"
	"slices"
	"strings"
)

// language says how a language writes comments and strings, and its keywords.
type language struct {
	comments string // regular expression
	strings  string // regular expression
	keywords string // separated by spaces

	tokens *regexp.Regexp // groups: comment, string, number, word
	isKey  map[string]bool
}

const quoted = `"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`

var languages = map[string]*language{
	"python": {
		comments: `#[^\n]*`,
		strings:  `[frb]?(?s:""".*?""")|[frb]?(?:` + quoted + `)`,
		keywords: "and as assert async await break class continue def del elif else except False finally " +
			"for from global if import in is lambda None nonlocal not or pass raise return True try " +
			"while with yield",
	},
	"javascript": {
		comments: `//[^\n]*|(?s:/\*.*?\*/)`,
		strings:  quoted + "|`(?s:\\\\.|[^`\\\\])*`",
		keywords: "async await break case catch class const continue default do else export false finally " +
			"for from function if import in instanceof let new null of return switch this throw true " +
			"try typeof undefined var while yield",
	},
	"go": {
		comments: `//[^\n]*|(?s:/\*.*?\*/)`,
		strings:  quoted + "|`[^`]*`",
		keywords: "break case chan const continue default defer else fallthrough for func go goto if import " +
			"interface map package range return select struct switch type var nil true false",
	},
	"java": {
		comments: `//[^\n]*|(?s:/\*.*?\*/)`,
		strings:  `(?s:""".*?""")|` + quoted,
		keywords: "abstract assert boolean break byte case catch char class continue default do double else " +
			"enum extends false final finally float for if implements import instanceof int interface " +
			"long new null package private protected public record return short static super switch " +
			"synchronized this throw throws true try var void volatile while yield",
	},
	"shell": {
		comments: `#[^\n]*`,
		strings:  `"(?s:\\.|[^"\\])*"|'[^']*'`,
		keywords: "case do done elif else esac export fi for function if in then while",
	},
}

func init() {
	for _, l := range languages {
		l.isKey = map[string]bool{}
		for _, word := range strings.Fields(l.keywords) {
			l.isKey[word] = true
		}
		l.tokens = regexp.MustCompile(`(` + l.comments + `)|(` + l.strings + `)|\b(\d[\d_.]*)\b|(\b[A-Za-z_]\w*\b)`)
	}
}

// Languages returns the names of the languages, sorted: go, java, javascript, python and
// shell.
func Languages() []string {
	var names []string
	for name := range languages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// HTML returns source as HTML for a pre element: comments, strings, numbers and keywords
// are in spans of the classes hl-c, hl-s, hl-n and hl-k. The text is unchanged. The
// source of an unknown language is only escaped.
func HTML(name, source string) template.HTML {
	l := languages[name]
	if l == nil {
		return template.HTML(template.HTMLEscapeString(source))
	}
	var html strings.Builder
	end := 0
	for _, at := range l.tokens.FindAllStringSubmatchIndex(source, -1) {
		template.HTMLEscape(&html, []byte(source[end:at[0]]))
		end = at[1]
		token := source[at[0]:end]
		class := ""
		switch {
		case at[2] >= 0:
			class = "hl-c"
		case at[4] >= 0:
			class = "hl-s"
		case at[6] >= 0:
			class = "hl-n"
		case l.isKey[token]:
			class = "hl-k"
		}
		if class == "" {
			template.HTMLEscape(&html, []byte(token))
			continue
		}
		html.WriteString(`<span class="` + class + `">`)
		template.HTMLEscape(&html, []byte(token))
		html.WriteString(`</span>`)
	}
	template.HTMLEscape(&html, []byte(source[end:]))
	return template.HTML(html.String())
}
