package plan_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// Redirects and proxied requests parse targets the same way.
func TestProxyReadsTargetsAsRedirectDoes(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, ProxyHosts: plan.HostList{"*"}})
	for _, tc := range redirects {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, p, request(t, "/delay/5/proxy/"+tc.target))
			if err != nil {
				t.Fatalf("Proxy(%q): %v", tc.target, err)
			}
			if got.Answer.Upstream == nil || got.Answer.Upstream.String() != tc.want || got.Wait != 5*time.Millisecond {
				t.Errorf("Proxy(%q) = %v after %v, want %q after 5ms", tc.target, got.Answer.Upstream, got.Wait,
					tc.want)
			}
		})
	}
	for _, tc := range refusedRedirects {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, p, request(t, "/delay/0/proxy/"+tc.target))
			if !errors.Is(err, problem.InvalidTarget) {
				t.Errorf("Proxy(%q) = %+v, %v, want %v", tc.target, got, err, problem.InvalidTarget)
			}
		})
	}
}

func TestProxyReadsNoParameters(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, ProxyHosts: plan.HostList{"*"}})
	const query = "run=a&stauts=503&size=5&seed=x"
	got, run, err := planAndRun(t, p, request(t, "/delay/0/proxy/example.com?"+query))
	if err != nil {
		t.Fatal(err)
	}
	if ignored := got.Template.Ignored; run != "" || ignored != nil || got.Answer.Upstream.RawQuery != query {
		t.Errorf("got run %q, ignored %q, the target's query %q, want the query to be the target's alone", run, ignored,
			got.Answer.Upstream.RawQuery)
	}
}

func TestProxyHosts(t *testing.T) {
	for _, tc := range []struct {
		name, hosts, target string
		allowed             bool
	}{
		{"named", "api.internal", "api.internal:8080/a", true},
		{"below a wildcard", "*.internal", "api.internal", true},
		{"another", "api.internal", "evil.example", false},
		{"none", "none", "api.internal", false},
		{"address", "10.1.2.3", "10.1.2.3:8080", true},
		{"beside the address", "10.1.2.3", "10.1.2.4", false},
		{"within a range", "10.0.0.0/8", "10.1.2.3", true},
		{"beside a range", "10.0.0.0/8", "11.1.2.3", false},
		{"a range with an address within", "10.1.2.3/8", "10.200.0.1", true},
		{"mapped into IPv6", "10.1.2.3", "http://[::ffff:10.1.2.3]/", true},
		{"IPv6", "fd00::1", "http://[fd00::1]/", true},
		{"IPv6, written in full", "fd00::1", "http://[fd00:0:0:0:0:0:0:1]:80/", true},
		{"within a range of IPv6", "fd00::/8", "http://[fd12::1]/", true},
		{"a name that a range might lead to", "0.0.0.0/0", "api.internal", false},
		{"address as one number", "127.0.0.0/8", "2130706433", false},
		{"address with a part left out", "127.0.0.0/8", "127.1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := plan.New(plan.Limits{MaxDelay: time.Minute, ProxyHosts: strings.Split(tc.hosts, ",")})
			got, err := planOf(t, p, request(t, "/delay/0/proxy/"+tc.target))
			if tc.allowed && err != nil || !tc.allowed &&
				(!errors.Is(err, problem.TargetNotAllowed) || !strings.Contains(err.Error(), "PROXY_HOSTS")) {
				t.Errorf("PROXY_HOSTS=%s, target %q: got %+v, %v, want allowed %v", tc.hosts, tc.target, got, err,
					tc.allowed)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	list := plan.HostList{"*", "none", "example.com", "10.1.2.3", "192.168.7.7/16", "::1", "::ffff:1.2.3.4",
		"10.0.0.0/33", "10.0.0.300"}
	want := []netip.Prefix{
		netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("1.2.3.4/32"),
	}
	if got := list.Addresses(); !slices.Equal(got, want) {
		t.Errorf("Addresses() = %v, want %v", got, want)
	}
}
