package highlight

import (
	"html"
	"regexp"
	"slices"
	"testing"
)

func TestHTML(t *testing.T) {
	for _, test := range []struct{ language, source, want string }{
		{"python", `x = f"a#{b}" # if <b>`,
			`x = <span class="hl-s">f&#34;a#{b}&#34;</span> <span class="hl-c"># if &lt;b&gt;</span>`},
		{"python", "\"\"\"for\n\"it\" \"\"\"\nreturn 1.5",
			"<span class=\"hl-s\">&#34;&#34;&#34;for\n&#34;it&#34; &#34;&#34;&#34;</span>\n" +
				`<span class="hl-k">return</span> <span class="hl-n">1.5</span>`},
		{"javascript", "await fetch(`a${b}//c`) // d",
			"<span class=\"hl-k\">await</span> fetch(<span class=\"hl-s\">`a${b}//c`</span>) " +
				`<span class="hl-c">// d</span>`},
		{"go", `url := "http://\"x" // y`,
			`url := <span class="hl-s">&#34;http://\&#34;x&#34;</span> <span class="hl-c">// y</span>`},
		{"java", "/* new\nint */ int r1",
			"<span class=\"hl-c\">/* new\nint */</span> <span class=\"hl-k\">int</span> r1"},
		{"shell", "curl 'a#b' # c", `curl <span class="hl-s">&#39;a#b&#39;</span> <span class="hl-c"># c</span>`},
		{"cobol", "<b> if", "&lt;b&gt; if"},
	} {
		if got := string(HTML(test.language, test.source)); got != test.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", test.language, test.source, got, test.want)
		}
	}
}

// FuzzHTML checks that the text is unchanged, whatever the source.
func FuzzHTML(f *testing.F) {
	f.Add("a = 'b' # c\n\"\"\"d\"\"\" `e` // f /* g */ <h>&amp;")
	f.Add("'\"`\\\x00\xff")
	span := regexp.MustCompile(`</?span[^>]*>`)
	f.Fuzz(func(t *testing.T, source string) {
		for _, name := range append(Languages(), "none") {
			got := html.UnescapeString(span.ReplaceAllString(string(HTML(name, source)), ""))
			want := html.UnescapeString(string(HTML("none", source)))
			if got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}

func TestLanguages(t *testing.T) {
	if want := []string{"go", "java", "javascript", "python", "shell"}; !slices.Equal(Languages(), want) {
		t.Errorf("got %v, want %v", Languages(), want)
	}
}
