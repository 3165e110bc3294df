package plan_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// A link may set the headers that testers need, but none that makes a browser or a proxy
// do more than store the answer.
func TestHeadersThatALinkMaySet(t *testing.T) {
	for name, headers := range map[string]string{
		"custom": "X-A X-Request-Id X-RateLimit-Remaining X-Robots-Tag X-Forwarded-For " +
			"X-Powered-By X-Cache X- x-lower X-Amzn-RequestId X-Total-Count",
		"for caches": "Cache-Control ETag etag Expires Last-Modified Age Vary Pragma Warning",
		"for clients that try again": "Retry-After RateLimit RateLimit-Policy RateLimit-Limit RateLimit-Remaining " +
			"RateLimit-Reset",
		"for clients of an API": "Deprecation Sunset Allow Accept-Patch Accept-Ranges Content-Range " +
			"Request-Id Correlation-Id Preference-Applied Grpc-Status",
		"that describe the content":   "Content-Language Content-Digest Repr-Digest",
		"that say who made an answer": "Server",
	} {
		for header := range strings.FieldsSeq(headers) {
			if _, err := planOf(t, planner(),
				request(t, "/delay/0?header="+url.QueryEscape(header+": 1"))); err != nil {
				t.Errorf("%s: %s is refused: %v", name, header, err)
			}
		}
	}
}

// refusedHeaders are headers that a link must not set.
var refusedHeaders = map[string]string{
	"framing": "Connection Content-Length Content-Encoding Keep-Alive Proxy-Connection TE Trailer " +
		"Transfer-Encoding Upgrade",
	"the server's own": "Date Server-Timing X-Ignored-Parameters x-ignored-parameters X-Content-Type-Options",
	"log in and out": "Set-Cookie Set-Cookie2 Set-Login WWW-Authenticate Proxy-Authenticate " +
		"Authentication-Info X-Auto-Login Clear-Site-Data Sec-Session-Registration Secure-Session-Registration " +
		"Activate-Storage-Access",
	"lead elsewhere": "Location Refresh Link Content-Location URI SourceMap X-SourceMap X-Pingback " +
		"X-XRDS-Location Alt-Svc",
	"fetch": "Speculation-Rules Supports-Loading-Mode Service-Worker Service-Worker-Allowed " +
		"X-DNS-Prefetch-Control Use-As-Dictionary",
	"policies": "Content-Security-Policy Content-Security-Policy-Report-Only X-Content-Security-Policy " +
		"X-WebKit-CSP Permissions-Policy Feature-Policy Document-Policy Referrer-Policy Require-Document-Policy " +
		"Integrity-Policy X-Frame-Options X-XSS-Protection X-UA-Compatible X-Permitted-Cross-Domain-Policies " +
		"X-Download-Options",
	"origins": "Access-Control-Allow-Origin Access-Control-Allow-Credentials " +
		"Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy Origin-Agent-Cluster Timing-Allow-Origin " +
		"Strict-Transport-Security Public-Key-Pins Expect-CT",
	"reports":      "NEL Report-To Reporting-Endpoints",
	"client hints": "Accept-CH Critical-CH Accept-CH-Lifetime Save-Data Delegate-CH",
	"files":        "Content-Disposition",
	"nginx":        "X-Accel-Redirect x-accel-redirect X-Accel-Expires X-Accel-Buffering X-Accel-Limit-Rate",
	"other servers": "X-Sendfile X-Sendfile2 X-LIGHTTPD-send-file X-Reproxy-URL X-LiteSpeed-Location " +
		"X-AppEngine-BlobKey X-Hiawatha-Cache X-Envoy-Immediate-Health-Check-Fail X-Middleware-Rewrite X-Kong-Limit",
	"proxies and CDNs": "Surrogate-Control Edge-Control CDN-Cache-Control Fly-Replay Cache-Tag Status Via " +
		"No-Vary-Search",
	"that nobody knows of": "A Foo Sec-Foo X_Accel_Redirect X",
}

func TestHeadersThatALinkMayNotSet(t *testing.T) {
	for name, headers := range refusedHeaders {
		for header := range strings.FieldsSeq(headers) {
			_, err := planOf(t, planner(), request(t, "/delay/0?header="+url.QueryEscape(header+": 1")))
			if !errors.Is(err, invalid) || !strings.Contains(err.Error(), header) {
				t.Errorf("%s: %s: got %v, want %v that names it", name, header, err, invalid)
			}
		}
	}
}

// A scenario may set any header that does not frame the message.
func TestHeadersThatARouteMaySet(t *testing.T) {
	framing := refusedHeaders["framing"]
	for _, headers := range refusedHeaders {
		for header := range strings.FieldsSeq(headers) {
			if header == "Content-Encoding" { // which frames the body alone
				continue
			}
			_, errs := planner().Prepare("GET /a", url.Values{"header": {header + ": 1"}})
			if refused := errs != nil; refused != strings.Contains(" "+framing+" ", " "+header+" ") {
				t.Errorf("%s: got %v, want a refusal of what frames a message alone", header, errs)
			}
		}
	}
}
