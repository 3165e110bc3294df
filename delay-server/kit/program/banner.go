package program

import (
	"fmt"
	"io"
	"net"
	"text/tabwriter"

	"flash.test/delay-server/kit/version"
)

// Banner is the text that a program prints when it starts: the URL of its page, then
// commands to try.
type Banner struct {
	Name string // of the program

	Listening net.Addr

	// PublishedPort is the port of the host at which a container engine publishes the
	// program, 0 for a random one; nil if it is not published.
	PublishedPort *int

	// Commands returns commands to try, given the program's base URL. Each row is a
	// command and its description.
	Commands func(base string) [][2]string
}

// Write prints b.
func (b Banner) Write(w io.Writer) {
	fmt.Fprintf(w, "%s %s: ", b.Name, version.Get().Version)
	urls := URLs("http", b.Listening)
	if b.PublishedPort != nil {
		if *b.PublishedPort == 0 {
			_, port, _ := net.SplitHostPort(b.Listening.String())
			fmt.Fprintf(w, "published at a random port; to see it, run: docker compose port %s %s\n", b.Name, port)
			return
		}
		urls = []string{fmt.Sprintf("http://%s:%d", Localhost, *b.PublishedPort)}
	}
	fmt.Fprintf(w, "open %s/ in a browser\n", urls[0])
	for _, url := range urls[1:] {
		fmt.Fprintf(w, "  from other machines: %s/\n", url)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 4, ' ', 0)
	for _, c := range b.Commands(urls[0]) {
		fmt.Fprintf(tw, "  %s\t%s\n", c[0], c[1])
	}
	_ = tw.Flush() // errors of w are ignored, as above
	fmt.Fprintln(w)
}
