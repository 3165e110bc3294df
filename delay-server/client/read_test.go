package client

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestReadIsBounded(t *testing.T) {
	for _, tc := range []struct{ name, body, want, err string }{
		{"as long as may be", "12345", "12345", ""},
		{"a byte more", "123456", "", "the reply, 200 OK, is over 5 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(&http.Response{Status: "200 OK", Body: io.NopCloser(strings.NewReader(tc.body))}, 5)
			if string(got) != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("read(%s, 5) = %q, %v, want %q, %s", tc.body, got, err, tc.want, tc.err)
			}
		})
	}
}
