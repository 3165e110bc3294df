package server

import (
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/bundle"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// openBundle opens BUNDLE_DIR, if it is set.
func openBundle(config Config, log *slog.Logger) (*bundle.Bundle, error) {
	if config.BundleDir == "" {
		return nil, nil
	}
	b, err := bundle.Open(config.BundleDir, log)
	if err != nil {
		return nil, fmt.Errorf("BUNDLE_DIR: %w", err)
	}
	go b.Check()
	return b, nil
}

// getView is the view of the page /get.
type getView struct {
	pageView
	Addresses []address
	Chosen    address       // of the commands; its URL is not reachable if Problem is set
	Problem   string        // why other computers cannot use the chosen address, or ""
	QR        template.HTML // of the chosen address, or ""
	Platforms []platform
	Archive   *bundle.File // nil without one
	Others    []bundle.File
	Damaged   []string
	Modules   bool
	Board     bool // there is a board
}

// address is an address at which this server may be reached.
type address struct {
	Host   string // without a port, as in ?address=
	URL    string // of this server
	Chosen bool
}

// platform has the binaries of both programs for one platform.
type platform struct {
	OS, Arch string // as Go names them
	Title    string
	Binaries []bundle.File
}

var platformTitles = map[string]string{
	"linux-amd64": "Linux, Intel and AMD", "linux-arm64": "Linux, ARM",
	"darwin-amd64": "macOS, Intel", "darwin-arm64": "macOS, Apple silicon",
	"windows-amd64": "Windows, Intel and AMD", "windows-arm64": "Windows, ARM",
}

// get answers the page /get.
func (s *Server) get(c echo.Context) error {
	if s.bundle == nil {
		return problem.BundleDisabled.New(
			"there is nothing to get; set BUNDLE_DIR to a folder of deploy/offline/bundle")
	}
	view := getView{pageView: s.pageView("/get"), Board: s.board != nil}
	if err := s.chooseAddress(&view, c.Request()); err != nil {
		return err
	}
	if view.Problem == "" {
		view.QR = qrCode(view.Chosen.URL + "/get")
	}
	view.addFiles(s.bundle.Files())
	c.Response().Header().Set("Cache-Control", "no-cache")
	return httpkit.Page(func(w io.Writer) error { return templates.ExecuteTemplate(w, "get.html", view) })(c)
}

// hostHeader matches the hosts that the commands of the page may have.
var hostHeader = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// chooseAddress fills in the addresses, and the one of ?address=: by default the one that
// the visitor used, unless that is loopback and another machine can use a better one.
func (s *Server) chooseAddress(view *getView, r *http.Request) error {
	if !hostHeader.MatchString(r.Host) {
		return problem.InvalidHeader.New("Host %s is not a host with an optional port", problem.Quote(r.Host))
	}
	scheme, port := "http://", ""
	if r.TLS != nil {
		scheme = "https://"
	}
	used := r.Host
	if host, p, err := net.SplitHostPort(r.Host); err == nil {
		used, port = host, p
	}
	used = program.Unbracket(used)
	var hosts []string
	if !program.IsLoopback(used) {
		hosts = append(hosts, used)
	}
	if s.config.PublishedPort == nil { // else in a container, whose addresses others cannot use
		hosts = append(hosts, program.ReachableHosts(s.config.Host)...)
	}
	if len(hosts) == 0 {
		hosts = []string{used}
		view.Problem = "this server listens on this computer alone. Start it with HOST=0.0.0.0, " +
			"so that others can reach it"
		if s.config.PublishedPort != nil {
			view.Problem = "this server runs in a container, and does not know the addresses of its computer. " +
				"Open this page at such an address"
		}
	}
	hosts = unique(hosts)
	chosen := hosts[0]
	if asked := r.URL.Query().Get("address"); asked != "" {
		if !slices.Contains(hosts, asked) {
			return problem.InvalidParameter.New("address %s is invalid: use %s", problem.Quote(asked),
				strings.Join(hosts, " or "))
		}
		chosen = asked
	}
	for _, host := range hosts {
		a := address{Host: host, URL: scheme + bracket(host), Chosen: host == chosen}
		if port != "" {
			a.URL = scheme + net.JoinHostPort(host, port)
		}
		view.Addresses = append(view.Addresses, a)
		if a.Chosen {
			view.Chosen = a
		}
	}
	return nil
}

func unique(hosts []string) []string {
	var all []string
	for _, host := range hosts {
		if !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}

// bracket returns host as in a URL without a port.
func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// binaryName matches the binaries of a bundle.
var binaryName = regexp.MustCompile(`^bin/[a-z-]+-([a-z]+)-([a-z0-9]+?)(\.exe)?$`)

// addFiles fills in the files.
func (v *getView) addFiles(files []bundle.File) {
	for _, f := range files {
		m := binaryName.FindStringSubmatch(f.Name)
		switch {
		case f.State == bundle.Damaged:
			v.Damaged = append(v.Damaged, f.Name)
		case m != nil && platformTitles[m[1]+"-"+m[2]] != "":
			v.addBinary(m[1], m[2], f)
		case strings.HasPrefix(f.Name, "modules/"):
			v.Modules = true
		case path.Ext(f.Name) == ".zip" && !strings.Contains(f.Name, "/"):
			v.Archive = &f
		default:
			v.Others = append(v.Others, f)
		}
	}
}

func (v *getView) addBinary(os, arch string, f bundle.File) {
	i := slices.IndexFunc(v.Platforms, func(p platform) bool { return p.OS == os && p.Arch == arch })
	if i < 0 {
		i = len(v.Platforms)
		v.Platforms = append(v.Platforms, platform{OS: os, Arch: arch, Title: platformTitles[os+"-"+arch]})
	}
	v.Platforms[i].Binaries = append(v.Platforms[i].Binaries, f)
}

// megabytes writes a size for a reader.
func megabytes(size int64) string {
	if size < 1e6 {
		return strconv.FormatInt((size+999)/1000, 10) + " kB"
	}
	return strconv.FormatFloat(float64(size)/1e6, 'f', 1, 64) + " MB"
}

// bundleTypes are the media types of a bundle's files by their extension. All others are
// downloaded.
var bundleTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".zip": "application/zip", ".sh": textPlain, ".ps1": textPlain,
	".txt": textPlain, ".md": textPlain, ".yml": textPlain, ".yaml": textPlain, "": textPlain,
}

const textPlain = "text/plain; charset=utf-8"

// getFile answers a file of BUNDLE_DIR, or a range of it.
func (s *Server) getFile(c echo.Context) error {
	name := strings.TrimPrefix(c.Request().URL.Path, "/get/")
	if s.bundle == nil || name == "" {
		return s.get(c)
	}
	h, sum, err := s.bundle.Open(c.Request().Context(), name)
	if err != nil {
		return err
	}
	defer h.Close()
	header := c.Response().Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", `"`+sum+`"`)
	header.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	mediaType := bundleTypes[path.Ext(name)]
	if mediaType == "" || strings.HasPrefix(name, "bin/") {
		mediaType = "application/octet-stream"
	}
	header.Set("Content-Type", mediaType)
	// Without a time: the checksum says whether a client has this version.
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, h)
	return nil
}
