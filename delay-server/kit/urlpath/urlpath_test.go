package urlpath

import (
	"net/url"
	"testing"
)

func TestNormalize(t *testing.T) {
	for _, tc := range []struct{ name, path, want string }{
		{"nothing escaped", "/delay/1", "/delay/1"},
		{"a letter", "/%64elay/1", "/delay/1"},
		{"lower and upper case digits", "/%6A%6a%5A%5a", "/jjZZ"},
		{"all marks", "/%2D%2E%5F%7E", "/-._~"},
		{"a digit", "/delay/%31", "/delay/1"},
		{"a slash is data", "/a%2Fb%2f%63", "/a%2Fb%2fc"},
		{"a percent sign is data", "/%2564elay", "/%2564elay"},
		{"reserved characters are data", "/%3A%40%21%24%3F%23", "/%3A%40%21%24%3F%23"},
		{"not ASCII", "/%C3%A9%64", "/%C3%A9d"},
		{"not ASCII, unescaped", "/é", "/%C3%A9"},
		{"control character and space", "/%00%20%61", "/%00%20a"},
		{"the empty path", "", "/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := url.Parse("http://example.com" + tc.path + "?%61=%62")
			if err != nil {
				t.Fatal(err)
			}
			before := *u
			got := Normalize(u)
			if got.EscapedPath() != tc.want {
				t.Errorf("Normalize(%s): got %s, want %s", tc.path, got.EscapedPath(), tc.want)
			}
			if plain, _ := url.PathUnescape(tc.want); got.Path != plain {
				t.Errorf("Normalize(%s): got the path %q, want %q", tc.path, got.Path, plain)
			}
			if got.RawQuery != "%61=%62" {
				t.Errorf("Normalize(%s): the query is %s, want it unchanged", tc.path, got.RawQuery)
			}
			if *u != before {
				t.Errorf("Normalize(%s) changed its argument to %v", tc.path, u)
			}
			if again := Normalize(got); again.EscapedPath() != tc.want {
				t.Errorf("Normalize, twice: got %s, want %s", again.EscapedPath(), tc.want)
			}
		})
	}
}
