package program

import (
	"fmt"
	"io"
	"net"
	"text/tabwriter"

	"flash.test/delay-server/kit/version"
)

// Banner is what a program prints for a person when it starts: where its page
// is, then commands to try.
type Banner struct {
	Name string // of the program

	// Listening is the address that the program listens on. PublishedPort, where
	// it is not nil, is the port at which a container engine publishes it on the
	// host; 0 is one that the engine chose.
	Listening     net.Addr
	PublishedPort *int

	// Commands returns what to try, given the program's base URL. Each row is a
	// command and what it shows.
	Commands func(base string) [][2]string
}

// Write prints b.
func (b Banner) Write(w io.Writer) {
	fmt.Fprintf(w, "%s %s: ", b.Name, version.Get().Version)
	urls := URLs("http", b.Listening)
	if b.PublishedPort != nil {
		if *b.PublishedPort == 0 {
			_, port, _ := net.SplitHostPort(b.Listening.String())
			fmt.Fprintf(w, "published at a port that the engine chose: docker compose port %s %s\n", b.Name, port)
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
	_ = tw.Flush() // an error of w, as above
	fmt.Fprintln(w)
}
