package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/forward"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

func TestProxyStreamsReply(t *testing.T) {
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			read := make(chan struct{})
			host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "10") // a known length must not cause buffering
				for _, part := range []string{"", "part1", "part2"} {
					fmt.Fprint(w, part)
					_ = http.NewResponseController(w).Flush()
					select {
					case <-read:
					case <-r.Context().Done():
					}
				}
			})
			_, base, _ := start(t, proxyConfig(), io.Discard)
			ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", base+"/delay/1/proxy/"+host, nil)
			reply, err := newClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			for _, want := range []string{"part1", "part2"} {
				read <- struct{}{} // the headers, then each part
				part := make([]byte, 5)
				if _, err := io.ReadFull(reply.Body, part); err != nil || string(part) != want {
					t.Fatalf("got %q, %v, want %q", part, err, want)
				}
			}
			close(read)
		})
	}
}

// TestProxyFullDuplex sends each part of the body after the reply to the previous part.
func TestProxyFullDuplex(t *testing.T) {
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				_ = control.EnableFullDuplex()
				_ = control.Flush()
				for lines := bufio.NewScanner(r.Body); lines.Scan(); {
					fmt.Fprintln(w, "echo", lines.Text())
					_ = control.Flush()
				}
			})
			_, base, _ := start(t, proxyConfig(), io.Discard)
			ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
			defer cancel()
			body, parts := io.Pipe()
			req, _ := http.NewRequestWithContext(ctx, "POST", base+"/delay/10/proxy/"+host, body)
			reply, err := newClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			lines := bufio.NewReader(reply.Body)
			for i := range 3 {
				fmt.Fprintln(parts, "part", i)
				if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintln("echo part", i) {
					t.Fatalf("got %q, %v, want the echo of part %d", got, err, i)
				}
			}
			parts.Close()
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("got %q, %v, want the end", rest, err)
			}
		})
	}
}

func TestClientCancelsProxiedRequest(t *testing.T) {
	for name, newClient := range clients {
		for _, method := range []string{"GET", "POST"} {
			for _, reply := range []string{"before the reply", "during the reply"} {
				t.Run(name+" "+method+" "+reply, func(t *testing.T) {
					received, ended := make(chan struct{}), make(chan struct{})
					host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body) // else net/http does not notice a closed connection
						if reply == "during the reply" {
							_ = http.NewResponseController(w).Flush()
						}
						close(received)
						<-r.Context().Done()
						close(ended)
					})
					srv, base, _ := start(t, proxyConfig(), io.Discard)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					go func() { <-received; cancel() }()
					url := base + "/delay/1/proxy/" + host
					req, _ := http.NewRequestWithContext(ctx, method, url, strings.NewReader("a body"))
					got, err := newClient(t).Do(req)
					if err == nil {
						_, err = io.ReadAll(got.Body)
						got.Body.Close()
					}
					if !errors.Is(err, context.Canceled) {
						t.Fatalf("got %v, want %v", err, context.Canceled)
					}
					<-ended
					wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
					_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
					const want = `delay_server_waits_total{outcome="client_closed"} 1`
					if reply == "before the reply" && !strings.Contains(metrics, want) {
						t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server_waits"))
					}
				})
			}
		}
	}
}

func TestClientCancelsWaitBeforeProxying(t *testing.T) {
	host := startUpstream(t, func(http.ResponseWriter, *http.Request) { t.Error("upstream got a request") })
	for _, tc := range []struct {
		name      string
		newClient func(testing.TB) *http.Client
		body      io.Reader
	}{
		{"HTTP/1.1, buffered body", newClient, strings.NewReader(strings.Repeat("x", forward.MaxBufferedBody))},
		{"HTTP/2, buffered body", newH2CClient, strings.NewReader("a body")},
		{"HTTP/2, streamed body", newH2CClient, unsized{strings.NewReader("a body")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv, base, _ := start(t, proxyConfig(), io.Discard)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				defer cancel()
				wiretest.Eventually(t, "a request waits", func() bool { return srv.engine.Journal.Waiting() == 1 })
			}()
			req, _ := http.NewRequestWithContext(ctx, "POST", base+"/delay/10m/proxy/"+host, tc.body)
			if reply, err := tc.newClient(t).Do(req); !errors.Is(err, context.Canceled) {
				if err == nil {
					reply.Body.Close()
				}
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
			wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		})
	}
}

func TestProxyReadTimeoutPerPartOfBody(t *testing.T) {
	t.Parallel()
	const readTimeout = 3 * time.Second // a busy machine may need 1 s for 32 MiB
	host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(readTimeout + time.Second)
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	})
	config := proxyConfig()
	config.ReadTimeout = readTimeout
	_, base, _ := start(t, config, io.Discard)
	url := base + "/delay/0/proxy/" + host
	for name, newClient := range clients {
		t.Run(name+"/slow body", func(t *testing.T) {
			t.Parallel()
			body, parts := io.Pipe()
			go func() {
				for range 4 {
					time.Sleep(readTimeout / 3)
					fmt.Fprint(parts, "a part")
				}
				parts.Close()
			}()
			if reply, text := do(t, newClient(t), "POST", url, body); reply.StatusCode != 200 || text != "24 <nil>" {
				t.Errorf("got %d %q, want all 24 bytes", reply.StatusCode, text)
			}
		})
		t.Run(name+"/slow upstream", func(t *testing.T) {
			t.Parallel()
			large := unsized{io.LimitReader(zeros{}, 32<<20)}
			reply, text := do(t, newClient(t), "POST", url, large)
			if reply.StatusCode != 200 || text != "33554432 <nil>" {
				t.Errorf("got %d %q, want all 33554432 bytes", reply.StatusCode, text)
			}
		})
		t.Run(name+"/stalled body", func(t *testing.T) {
			t.Parallel()
			body, parts := io.Pipe()
			defer parts.Close()
			go func() { fmt.Fprint(parts, "a part") }()
			reply, text := do(t, newClient(t), "POST", url, body)
			if p := readProblem(t, reply, text); p.Status != 408 || p.Type != problem.BodyTimeout {
				t.Errorf("got %d %q, want 408", p.Status, p.Detail)
			}
			if reply.ProtoMajor == 1 && !reply.Close {
				t.Error("want the connection closed: the rest of the body is not a request")
			}
		})
	}
}

// TestProxyForwardsReplyBeforeBody checks an upstream that rejects the body without
// reading it.
func TestProxyForwardsReplyBeforeBody(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			srv, base, _ := start(t, proxyConfig(), io.Discard)
			body, parts := io.Pipe()
			defer parts.Close()
			go func() { fmt.Fprint(parts, "the only part") }()
			if reply, _ := do(t, newClient(t), "POST", base+"/delay/0/proxy/"+host, body); reply.StatusCode != 413 {
				t.Errorf("got %d, want the upstream's 413", reply.StatusCode)
			}
			wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		})
	}
}

// TestWriteTimeoutPerPartOfReply checks that a write deadline does not end a stream that
// is idle between parts.
func TestWriteTimeoutPerPartOfReply(t *testing.T) {
	t.Parallel()
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			fmt.Fprint(w, "part")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	})
	config := proxyConfig()
	config.WriteTimeout = 500 * time.Millisecond // longer than a busy machine stalls
	_, base, _ := start(t, config, io.Discard)
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+host, nil); body != "partpartpart" {
				t.Errorf("got %q, want three parts", body)
			}
		})
	}
}

// TestProxyFiltersHeaders checks the headers of informational replies, of the reply
// and of trailers.
func TestProxyFiltersHeaders(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Trailer", "X-Sum, Set-Cookie")
		for range 2 {
			h.Set("Set-Cookie", "a=b")
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Clear-Site-Data", `"*"`)
			h.Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusOK)
		fmt.Fprint(w, "body")
		h.Set("X-Sum", "1")
		h.Set("Set-Cookie", "c=d")
		h.Set(http.TrailerPrefix+"Clear-Site-Data", `"*"`)
	})
	_, base, _ := start(t, proxyConfig(), io.Discard)
	for _, version := range []string{"1.0", "1.1"} {
		conn := wiretest.Dial(t, base)
		fmt.Fprintf(conn, "GET /delay/0/proxy/%s HTTP/%s\r\nHost: h\r\nConnection: close\r\n\r\n", host, version)
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		reply := string(all)
		for _, name := range []string{"Set-Cookie: ", "Clear-Site-Data", "Access-Control-Allow-Credentials"} {
			if strings.Contains(reply, name) {
				t.Errorf("HTTP/%s: want no %s, got:\n%s", version, name, reply)
			}
		}
		hints := map[string]int{"1.0": 0, "1.1": 2}[version]
		if got := strings.Count(reply, "103 Early Hints"); got != hints {
			t.Errorf("HTTP/%s: got %d informational replies, want %d:\n%s", version, got, hints, reply)
		}
		for want, n := range map[string]int{"Link: </style.css>": hints + 1, "sandbox": hints + 1, "200 OK": 1} {
			if strings.Count(reply, want) != n {
				t.Errorf("HTTP/%s: want %q %d times, got:\n%s", version, want, n, reply)
			}
		}
		if version == "1.1" && !strings.Contains(reply, "X-Sum: 1\r\n") {
			t.Errorf("want trailer X-Sum, got:\n%s", reply)
		}
	}
}
