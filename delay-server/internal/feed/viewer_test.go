package feed

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
)

// A new viewer takes the newest place of the address with the most, so that none keeps
// others out. Places are named KEY@HOST, where HOST is the last part of an address.
func TestTooManyViewers(t *testing.T) {
	for _, tc := range []struct {
		what, viewers, comes string
		want                 string // who views then; "" if there is no place
	}{
		{"there is a place", "@1 @1 @1", "@1", "@1 @1 @1 @1"},
		{"another address has all", "@1 a@1 @1 b@1", "@2", "@1 a@1 @1 @2"},
		{"an address with the most", "@1 @2 a@2 @3", "@4", "@1 @2 @3 @4"},
		{"the first of two with the most", "@1 @2 @2 @1", "@3", "@1 @2 @2 @3"},
		{"the same address has all", "@1 @1 @1 a@1", "@1", "@1 @1 @1 @1"},
		{"nobody has two more", "@1 @1 a@2 @3", "@3", "@1 @1 a@2 @3"},
		{"all have one", "@1 @2 @3 @4", "@5", ""},
		{"all have one, one of them comes", "@1 @2 @3 @4", "a@2", "@1 @3 @4 a@2"},
		{"keys of an address", "a@1 b@1 @2", "c@3", "a@1 @2 c@3"},
		{"the same key counts twice", "a@1 a@1 @2", "a@3", "a@1 @2 a@3"},
		{"two addresses have a key", "a@1 b@2 @1", "c@3", ""},
		{"two addresses have a key, no key comes", "a@1 b@2 @1", "@3", "a@1 b@2 @1 @3"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(Limits{All: 4, Keyed: 2}, time.Second, func(string) any { return 1 })
				var left []string
				var mu sync.Mutex
				serve := func(place string) (err error) {
					key, host, _ := strings.Cut(place, "@")
					r := httptest.NewRequest("GET", "/", nil).WithContext(t.Context())
					r.RemoteAddr = "10.0.0." + host + ":1"
					served := make(chan error, 1)
					go func() {
						served <- f.Serve(echo.New().NewContext(r, httptest.NewRecorder()), key)
						mu.Lock()
						defer mu.Unlock()
						left = append(left, place)
					}()
					synctest.Wait()
					select {
					case err = <-served:
					default:
					}
					return err
				}
				for _, place := range strings.Fields(tc.viewers) {
					if err := serve(place); err != nil {
						t.Fatal(err)
					}
				}
				err := serve(tc.comes)
				p, refused := errors.AsType[*problem.Problem](err)
				if refused != (tc.want == "") || refused && p.Type != problem.TooManyViewers {
					t.Errorf("got the error %v", err)
				}
				wanted := tc.want
				if refused {
					wanted = tc.viewers
				}
				var got []string
				for _, v := range f.viewers {
					host := v.from.As4()[3]
					got = append(got, fmt.Sprint(v.key, "@", host))
				}
				if !slices.Equal(got, strings.Fields(wanted)) {
					t.Errorf("got %q, want %q", got, wanted)
				}
				// Who has left is who views no more.
				all := append(strings.Fields(tc.viewers), tc.comes)
				mu.Lock()
				if len(all)-len(left) != len(got) {
					t.Errorf("%q have left, %q view", left, got)
				}
				mu.Unlock()
				f.Close()
			})
		})
	}
}

// All addresses of an IPv6 network are one.
func TestViewersOfANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Limits{All: 1, Keyed: 1}, time.Second, func(string) any { return 1 })
		var first *viewer
		for _, from := range []string{"[2001:db8::1]:1", "[2001:db8::2]:1"} {
			r := httptest.NewRequest("GET", "/", nil).WithContext(t.Context())
			r.RemoteAddr = from
			go func() {
				if err := f.Serve(echo.New().NewContext(r, httptest.NewRecorder()), ""); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			if len(f.viewers) != 1 || f.viewers[0] == first {
				t.Errorf("%s: got %v", from, f.viewers)
			}
			first = f.viewers[0]
		}
		f.Close()
	})
}
